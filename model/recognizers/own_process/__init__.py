"""A recogniser in a process of its own, so that nobody else's Python keeps a GPU waiting for its next launch."""
