"""The commands `train` and `synthesize`: their options, and what they say when something is missing."""

import argparse
import sys
from pathlib import Path

import pytest

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.pipeline.commands import synthesize, train


def parse(command: object, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())  # type: ignore[attr-defined]
    return parser.parse_args(words)


def test_minutes_and_hours_change_the_preset() -> None:
    from funasr_beam.model.training.presets import DEMO

    arguments = parse(train, "train", "--work", "w", "--output", "o", "--minutes", "10", "--hours", "2")
    preset = train._with_options(DEMO, arguments)
    assert preset.corpus.hours == 2
    assert preset.training.minutes == pytest.approx(10)
    assert preset.training.shape == DEMO.training.shape


def test_a_corpus_without_manifests_is_a_run_error(tmp_path: Path) -> None:
    words = ["--work", str(tmp_path / "work"), "--output", str(tmp_path / "out"), "--corpus", str(tmp_path)]
    with pytest.raises(RunError, match="manifest"):
        train.run(parse(train, "train", *words))


@pytest.mark.parametrize(
    ("command", "words", "module"),
    [
        (train, ["train", "--work", "w", "--output", "o"], "funasr_beam.model.training.presets"),
        (synthesize, ["synthesize", "samples", "--output", "o"], "funasr_beam.model.demo_speech.recording"),
    ],
)
def test_a_missing_package_is_told(
    monkeypatch: pytest.MonkeyPatch, command: object, words: list[str], module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"funasr-beam\[train\]"):
        command.run(parse(command, *words))  # type: ignore[attr-defined]
