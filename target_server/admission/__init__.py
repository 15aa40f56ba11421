"""Step 5: decide before any work is done whether a request may enter."""
