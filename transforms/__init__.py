"""The Beam shell: one PTransform a file, each calling into `funasr_beam.model`."""
