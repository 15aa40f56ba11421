"""The reference target: an inference server built to be watched."""
