"""Step 5: the OpenAI wire: read a request strictly, ask admission, write the answer as it comes."""
