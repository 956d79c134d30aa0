"""`funasr-beam train`: how the demo checkpoint was made, from nothing, in one command that can be started again."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funasr_beam.model.demo_speech.corpus import CorpusRecipe
    from funasr_beam.model.training.presets import Preset


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a small Fun-ASR-Nano checkpoint from nothing, as the demo checkpoint was",
        description="Train a checkpoint. Stopped and started again with the same --work, it goes on where it was.",
    )
    parser.add_argument("--preset", choices=("demo",), default="demo", help="what to train (default: demo)")
    parser.add_argument(
        "--work", type=Path, required=True, metavar="DIR", help="for the corpus, features and saved states"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where the checkpoint goes")
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="JSON lines manifests to train on instead of synthetic speech"
    )
    parser.add_argument("--hours", type=float, help="hours of synthetic speech (default: the preset's)")
    parser.add_argument("--minutes", type=float, help="minutes for all stages together (default: the preset's)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: 2)")
    parser.add_argument("--export-only", action="store_true", help="only write the checkpoint of the last saved state")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and write the checkpoint; 2 where something is missing or wrong."""
    try:
        from funasr_beam.model.demo_speech.espeak import EspeakError
        from funasr_beam.model.training.errors import TrainingError
        from funasr_beam.model.training.presets import PRESETS
    except ImportError as error:
        print(f"train needs the extra packages of `pip install funasr-beam[train]`: {error}", file=sys.stderr)
        return 2
    try:
        _train(args, _with_options(PRESETS[args.preset], args))
    except (EspeakError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _with_options(preset: "Preset", args: argparse.Namespace) -> "Preset":
    """The preset with the hours and minutes of the command line; minutes are shared out as the preset does."""
    if args.hours is not None:
        preset = replace(preset, corpus=replace(preset.corpus, hours=args.hours))
    if args.minutes is not None:
        preset = replace(preset, training=preset.training.within(args.minutes))
    return preset


def _train(args: argparse.Namespace, preset: "Preset") -> None:
    from funasr_beam.model.training.finish import finish, load_trained
    from funasr_beam.model.training.run import Workspace, make_parts, train
    from funasr_beam.model.version import __version__

    space = Workspace(args.corpus or args.work / "corpus", args.work)
    if args.export_only:
        parts = make_parts(preset.training, space, args.threads)
        _report(f"export    of step {load_trained(parts, space)} of the listen stage")
    else:
        if args.corpus is None:
            _make_corpus(preset.corpus, space.corpus, args.threads)
        parts = train(preset.training, space, args.threads, _report)
    finish(preset.training, parts, args.output, _trained_on(args, preset), __version__)
    _report(f"written   {args.output}")


def _make_corpus(recipe: "CorpusRecipe", folder: Path, threads: int) -> None:
    from funasr_beam.model.demo_speech.corpus import write_corpus

    for hours in write_corpus(recipe, folder, threads):
        _report(f"speech    {hours:.1f} of {recipe.hours:.1f} h")


def _trained_on(args: argparse.Namespace, preset: "Preset") -> str:
    if args.corpus is not None:
        return "a corpus of the user's own"
    return f"{preset.corpus.hours:.0f} h of synthetic call-centre speech, English and Mandarin, made by espeak-ng"


def _report(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)
