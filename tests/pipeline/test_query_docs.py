"""docs/query.md and docs/export.md: every command and every program in them runs."""

import re
import shlex
from pathlib import Path

import pytest

from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.latest_sql import write_latest_sql
from tests.pipeline.outputs import add_run, recording, segment

DOCS = Path(__file__).parent.parent.parent / "docs"


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def lines(page):
    return [line for block in blocks(page, "console") for line in block.splitlines()]


@pytest.fixture
def output(tmp_path, monkeypatch):
    """An output named OUT in the folder where the programs run."""
    monkeypatch.chdir(tmp_path)
    rows = [recording("a", duration=60.0), recording("b", "failed", error_code="not_media")]
    segments = [
        segment("a", 0.0, 2.0, "a refund please", confidence=0.4),
        segment("a", 2.0, 4.0, "你 好", language="zh"),
    ]
    add_run(tmp_path / "OUT", "run1", rows, segments)
    write_latest_sql(Folder("OUT"), ["run1"])


@pytest.mark.parametrize("program", blocks("query.md", "python"))
def test_programs_in_the_documents_run(program, output, capsys):
    exec(compile(program, "query.md", "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("line", [*lines("query.md"), *lines("export.md")])
def test_commands_in_the_documents_run(line, output):
    assert main(shlex.split(line)[1:]) == 0
