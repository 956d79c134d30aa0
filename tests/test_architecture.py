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


def test_a_run_that_finds_nothing_to_do_has_imported_no_torch():
    code = "import sys, funasr_beam.pipeline.transcription; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


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
