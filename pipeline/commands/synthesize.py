"""`funasr-beam synthesize`: recordings made by the generator, with known texts and known word times."""

import argparse
from pathlib import Path

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.pipeline.commands.numbers import number_from


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "synthesize",
        help="make synthetic call-centre recordings with known texts and word times",
        description="Make the recordings of samples/, or a corpus of utterances to train on. Needs espeak-ng.",
    )
    parser.add_argument("what", choices=("samples", "corpus"), help="the recordings of samples/, or a training corpus")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--hours", type=number_from(0), default=1.0, metavar="N", help="corpus: hours of audio (1)")
    parser.add_argument(
        "--longest", type=number_from(1), default=12.0, metavar="S", help="corpus: longest utterance (12)"
    )
    parser.add_argument("--split", choices=("train", "heldout"), default="train", help="corpus: whose texts (train)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="corpus: another seed, another corpus (0)")


def run(arguments: argparse.Namespace) -> int:
    """Make what is asked for; gives the exit code."""
    try:
        from funasr_beam.model.demo_speech.espeak import EspeakError
        from funasr_beam.model.demo_speech.recording import render  # noqa: F401 (needs pypinyin)
    except ImportError as error:
        raise UsageError(
            "A package for synthesis is missing:", [f"{error}: pip install 'funasr-beam[train]'"]
        ) from error
    try:
        return _samples(arguments) if arguments.what == "samples" else _corpus(arguments)
    except EspeakError as error:
        raise RunError(str(error)) from error


def _samples(arguments: argparse.Namespace) -> int:
    from funasr_beam.model.demo_speech.samples import write_samples

    written = write_samples(arguments.output)
    size = sum(path.stat().st_size for path in written)
    print(f"{len(written)} files, {size / 1e6:.1f} MB in {arguments.output}")
    return 0


def _corpus(arguments: argparse.Namespace) -> int:
    from funasr_beam.model.demo_speech.corpus import CorpusRecipe, write_corpus

    recipe = CorpusRecipe(
        hours=arguments.hours, longest_s=arguments.longest, split=arguments.split, seed=arguments.seed
    )
    for hours in write_corpus(recipe, arguments.output):
        print(f"{hours:.1f} of {recipe.hours:.1f} h", flush=True)
    return 0
