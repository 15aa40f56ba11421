"""The observability stack: its real components, installed, configured and run; it knows neither half."""
