"""One page about an output: whether everything is there, whether it is good, what changed, and what it cost."""
