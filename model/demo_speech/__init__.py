"""Synthetic call-centre speech with known texts and known word times, made by espeak-ng."""
