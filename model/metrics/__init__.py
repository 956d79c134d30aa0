"""Metrics of a dataset: accumulators that merge, and the one summary that all readers get."""
