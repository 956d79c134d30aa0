"""The house: who may import whom, and what is never imported at module level."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "model": {"model"},
    "transforms": {"model", "transforms"},
    "pipeline": {"model", "transforms", "pipeline"},
}
SOURCES = [path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]


def imports_of(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_inward(path):
    folder = path.relative_to(ROOT).parts[0]
    inner = {
        name.split(".")[1]
        for name in imports_of(ast.walk(ast.parse(path.read_text())))
        if name.startswith("funasr_beam.")
    }
    assert inner <= MAY_IMPORT[folder]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.relative_to(ROOT).parts[0] == "model"], ids=str)
def test_the_core_knows_no_beam(path):
    names = list(imports_of(ast.walk(ast.parse(path.read_text()))))
    assert not [name for name in names if name.split(".")[0] == "apache_beam"]


def imported_by(code):
    """The top-level packages and our own modules that a fresh interpreter has after some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], check=True, capture_output=True, text=True
    )
    return {name for name in told.stdout.split() if "." not in name or name.startswith("funasr_beam.")}


def test_a_run_that_finds_nothing_to_do_has_imported_neither_torch_nor_beam():
    code = """
import funasr_beam.pipeline.transcription
from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.runners import make_engine

make_engine(RunnerConfig())
"""
    assert not imported_by(code) & {"torch", "transformers", "apache_beam"}


def test_describing_the_commands_imports_no_library():
    found = imported_by("from funasr_beam.pipeline.command_line import make_parsers\nmake_parsers()")
    assert not found & {"numpy", "pyarrow", "fsspec", "pydantic", "rich", "duckdb", "torch", "apache_beam"}


@pytest.mark.parametrize(
    "module",
    [
        "status",
        "query",
        "comparison",
        "selection",
        "metrics",
        "drift",
        "evaluation",
        "compaction",
        "forgetting",
        "report.write",
    ],
)
def test_commands_that_read_an_output_need_no_model_no_beam_and_no_decoder(module):
    found = imported_by(f"import funasr_beam.pipeline.{module}")
    assert not found & {"torch", "transformers", "apache_beam", "av", "funasr_beam.model.audio.sandbox"}


def test_asking_for_the_status_needs_no_configuration():
    assert not imported_by("import funasr_beam.pipeline.status") & {"pydantic", "duckdb", "funasr_beam.pipeline.config"}


def test_a_decoder_of_local_files_imports_no_more_than_it_decodes_with():
    found = imported_by("import funasr_beam.model.audio.sandbox_worker")
    assert {"av", "numpy"} <= found
    assert not found & {"torch", "apache_beam", "pyarrow", "pydantic", "fsspec", "asyncio", "ssl", "regex"}


def test_submitting_needs_neither_torch_nor_transformers():
    code = """
        import sys

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("torch", "transformers", "torchaudio"):
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Absent())
        import funasr_beam.pipeline.cli
        import funasr_beam.pipeline.transcription
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
