"""Measurements. They run in a bare checkout too: where the package is not installed, its folders stand for it."""

import importlib.util
import sys
import types
from pathlib import Path

if importlib.util.find_spec("funasr_beam") is None:
    _package = types.ModuleType("funasr_beam")
    _package.__path__ = [str(Path(__file__).parent.parent)]
    sys.modules["funasr_beam"] = _package
