"""Large libraries, imported without the garbage collector, and what other processes import."""

import atexit
import gc
import importlib
import os
import sys


def import_path() -> str:
    """The PYTHONPATH with which another process imports what this one does."""
    return os.pathsep.join(entry for entry in sys.path if entry)


def import_quietly(*names: str) -> None:
    """Import modules; what they leave is never searched for garbage, and neither is what was there before.

    Beam, torch and transformers make over a million objects that stay for good. The collector would go through all of
    them whenever their number has grown by a quarter, a fifth of the time that these imports take, and again on the
    way. Nothing happens where all the modules are there already, so that calling it again keeps no garbage alive.
    """
    if all(name in sys.modules for name in names):
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for name in names:
            importlib.import_module(name)
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # an interpreter's end takes apart all that it finds; DuckDB warns of what is left
        if was_enabled:
            gc.enable()
