"""`python -m funasr_beam.pipeline`: the same as the command `funasr-beam`."""

from funasr_beam.pipeline.cli import run

run()
