"""Step 6: engines that turn a prompt into a stream of tokens, behind one protocol."""
