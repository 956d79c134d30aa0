"""Names and texts of strangers on a terminal."""

import logging

import pytest
from rich.table import Table

from funasr_beam.model.redaction import RedactingFormatter
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.console import Console
from tests.pipeline.outputs import add_run, recording


@pytest.mark.parametrize("text", ["out[/b]", "a [red] b", ":smile:", "[link=x]y[/link]", "x[2024]"])
def test_a_name_is_no_markup(text, capsys):
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row(text)
    Console().print(text)
    Console().print(table)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [text, text]


def test_control_characters_are_shown_and_not_obeyed(tmp_path, capsys):
    name = "\x1b[2J\x1b]0;title\x07\r\u202ewav\nfailed  file:///other.wav: forged"
    output = add_run(tmp_path, "1", [recording(name, status="failed", error_detail="x")])
    assert main(["status", output.uri]) == 0
    printed = capsys.readouterr().out
    assert r"\x1b[2J\x1b]0;title\x07\r\u202ewav\nfailed" in printed
    assert sum(line.startswith("failed ") for line in printed.splitlines()) == 1
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "%s is gone", (name,), None)
    assert r"\x1b[2J" in RedactingFormatter("%(message)s").format(record)
    assert main(["status", name]) == 2
    assert "\x1b" not in capsys.readouterr().err
