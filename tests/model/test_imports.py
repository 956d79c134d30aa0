"""Imports without the garbage collector."""

import subprocess
import sys

FRESH = """
import gc
from funasr_beam.model.imports import import_quietly

seen = []
gc.callbacks.append(lambda phase, info: seen.append(phase))
import_quietly("email.message", "funasr_beam.model.records")
import email.message, funasr_beam.model.records  # both are there
assert not seen and gc.isenabled() and gc.get_freeze_count() > 10_000
frozen = gc.get_freeze_count()
held = [[] for _ in range(5_000)]
import_quietly("email.message", "funasr_beam.model.records")
assert gc.get_freeze_count() <= frozen and seen
"""


def test_nothing_is_collected_meanwhile_and_modules_that_are_there_freeze_nothing():
    subprocess.run([sys.executable, "-c", FRESH], check=True)


def test_the_collector_is_on_again_after_a_module_that_cannot_be_imported():
    code = """
import gc
from funasr_beam.model.imports import import_quietly
try:
    import_quietly("there_is_no_such_module")
except ModuleNotFoundError:
    assert gc.isenabled()
else:
    raise SystemExit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_collector_that_was_off_stays_off():
    code = """
import gc
from funasr_beam.model.imports import import_quietly
gc.disable()
import_quietly("email.message")
assert not gc.isenabled()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_interpreter_ends_as_it_would_have_without():
    code = """
from funasr_beam.model.imports import import_quietly
import_quietly("duckdb")  # says so where its functions outlive it
"""
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stderr == ""
