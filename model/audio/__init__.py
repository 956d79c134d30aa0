"""Untrusted media to 16 kHz samples: probing, exact ranges, channel layout, and the process that keeps it all apart."""
