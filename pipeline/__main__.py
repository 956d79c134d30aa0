"""`python -m funasr_beam.pipeline`: the same as the command `funasr-beam`."""

import sys

from funasr_beam.pipeline.cli import main

sys.exit(main())
