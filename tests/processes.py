"""Processes of other programs, as tests watch them."""

import os


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
