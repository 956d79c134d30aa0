"""When each word was said: aligners behind one protocol, and which of them times what."""
