"""`funasr-beam train`: how the demo checkpoint was made, from nothing, in one command that can be started again."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.pipeline.commands.numbers import number_from, whole_from

if TYPE_CHECKING:
    from funasr_beam.model.demo_speech.corpus import CorpusRecipe
    from funasr_beam.model.training.parts import Workspace
    from funasr_beam.model.training.presets import Preset


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "train",
        help="train a small Fun-ASR-Nano checkpoint from nothing, as the demo one was",
        description="Train a checkpoint. Stopped and started again with the same --work, it goes on where it was.",
    )
    parser.add_argument("--preset", choices=("demo",), default="demo", help="what to train (demo)")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for corpus, features and saved states")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the checkpoint goes")
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="folder of JSON Lines manifests to train on; none: synthetic speech"
    )
    parser.add_argument("--hours", type=number_from(0), metavar="N", help="hours of synthetic speech (the preset's)")
    parser.add_argument(
        "--minutes", type=number_from(0), metavar="N", help="minutes of training altogether (the preset's)"
    )
    parser.add_argument(
        "--threads", type=whole_from(1), default=2, metavar="N", help="processes of one thread each (2)"
    )
    parser.add_argument("--export-only", action="store_true", help="only write the checkpoint of the last saved state")


def run(arguments: argparse.Namespace) -> int:
    """Train and write the checkpoint; gives the exit code."""
    try:
        from funasr_beam.model.demo_speech.espeak import EspeakError
        from funasr_beam.model.training.errors import TrainingError
        from funasr_beam.model.training.presets import PRESETS
    except ImportError as error:
        raise UsageError(
            "A package for training is missing:", [f"{error}: pip install 'funasr-beam[train]'"]
        ) from error
    try:
        _train(arguments, _with_options(PRESETS[arguments.preset], arguments))
    except (EspeakError, TrainingError) as error:
        raise RunError(str(error)) from error
    return 0


def _with_options(preset: "Preset", arguments: argparse.Namespace) -> "Preset":
    """The preset with the hours and minutes of the command line; minutes are shared out as the preset does."""
    if arguments.hours is not None:
        preset = replace(preset, corpus=replace(preset.corpus, hours=arguments.hours))
    if arguments.minutes is not None:
        preset = replace(preset, training=preset.training.within(arguments.minutes))
    return preset


def _train(arguments: argparse.Namespace, preset: "Preset") -> None:
    from funasr_beam.model.training.finish import finish
    from funasr_beam.model.training.parts import Workspace, make_parts
    from funasr_beam.model.training.progress import say
    from funasr_beam.model.training.run import load_trained, train

    space = Workspace(arguments.corpus or arguments.work / "corpus", arguments.work)
    if not arguments.export_only:
        if arguments.corpus is None:
            _make_corpus(preset.corpus, space, arguments.threads)
        train(preset.training, space, arguments.threads)
    parts = make_parts(preset.training, space, arguments.threads)
    say(f"export    step {load_trained(parts, space)} of the listen stage")
    finish(preset.training, parts, arguments.output, _speech(arguments))
    say(f"written   {arguments.output}")


def _make_corpus(recipe: "CorpusRecipe", space: "Workspace", processes: int) -> None:
    from funasr_beam.model.demo_speech.corpus import write_corpus
    from funasr_beam.model.training.progress import say

    for hours in write_corpus(recipe, space.corpus, processes):
        say(f"speech    {hours:.1f} of {recipe.hours:.1f} h")


def _speech(arguments: argparse.Namespace) -> str:
    if arguments.corpus is not None:
        return f"speech from {arguments.corpus.name}"
    return "synthetic call-centre speech, English and Mandarin, made by espeak-ng"
