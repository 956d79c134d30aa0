"""`funasr-beam synthesize`: recordings made by the generator, with known texts and known word times."""

import argparse
import sys
from pathlib import Path


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "synthesize",
        help="make synthetic call-centre recordings with known texts and word times (needs espeak-ng)",
        description="Make the recordings of samples/, or a corpus of utterances with a training manifest.",
    )
    parser.add_argument("what", choices=("samples", "corpus"), help="the recordings of samples/, or a training corpus")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--hours", type=float, default=1.0, help="corpus: hours of audio (default: 1)")
    parser.add_argument(
        "--longest", type=float, default=12.0, metavar="S", help="corpus: longest utterance (default: 12)"
    )
    parser.add_argument("--split", choices=("train", "heldout"), default="train", help="corpus: which texts and voices")
    parser.add_argument("--seed", type=int, default=0, help="corpus: another seed, another corpus")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make what is asked for; 2 where espeak-ng or a Python package is missing."""
    try:
        from funasr_beam.model.demo_speech.espeak import EspeakError
    except ImportError as error:
        print(f"synthesize needs the extra packages of `pip install funasr-beam[train]`: {error}", file=sys.stderr)
        return 2
    try:
        return _samples(args) if args.what == "samples" else _corpus(args)
    except EspeakError as error:
        print(error, file=sys.stderr)
        return 2


def _samples(args: argparse.Namespace) -> int:
    from funasr_beam.model.demo_speech.samples import write_samples

    written = write_samples(args.output)
    size = sum(path.stat().st_size for path in written)
    print(f"{len(written)} files, {size / 1e6:.1f} MB in {args.output}")
    return 0


def _corpus(args: argparse.Namespace) -> int:
    from funasr_beam.model.demo_speech.corpus import CorpusRecipe, write_corpus

    recipe = CorpusRecipe(hours=args.hours, longest_s=args.longest, split=args.split, seed=args.seed)
    for hours in write_corpus(recipe, args.output):
        print(f"{hours:.1f} of {recipe.hours:.1f} h", flush=True)
    return 0
