"""Progress lines on standard output, with the time of day."""

import sys
import time


def say(line: str) -> None:
    """Print a line and let it be seen at once, also in a log."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stdout.flush()
