"""Step 4: the bytes on the wire, without a socket: HTTP/1.1, SSE, OpenAI's JSON, and what they mean."""
