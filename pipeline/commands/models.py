"""`funasr-beam models`: what can be named, what each is for, and what is on this machine already."""

import argparse
import json
from typing import TYPE_CHECKING

from funasr_beam.model.errors import UsageError

if TYPE_CHECKING:
    from funasr_beam.model.known_models import KnownModel
    from funasr_beam.model.local_models import LocalModel

_EXAMPLES = """\
examples:
  funasr-beam models                       # all of them
  funasr-beam models fun-asr-mlt-nano      # one: languages, error rates, how to get it

Converted models are kept in ~/.cache/funasr-beam/models, or in $FUNASR_BEAM_HOME/models. Besides these names, --model
takes a folder, and hub ids such as owner/name.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "models",
        help="list the known models and those on this machine",
        description="List the models that are known by a name, and which of them are on this machine. Uses no network.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="show all that is known of this one")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Print the list, or one model; gives the exit code."""
    from funasr_beam.model.local_models import list_models

    models = list_models()
    if arguments.name:
        chosen = [model for model in models if model.name == arguments.name]
        if not chosen:
            names = ", ".join(model.name for model in models)
            raise UsageError("The name is not known:", [f"{arguments.name}: known are {names}"])
        models = chosen
    if arguments.json:
        print(json.dumps([_facts(model) for model in models], indent=2, ensure_ascii=False))
    elif arguments.name:
        _print_one(models[0])
    else:
        _print_all(models)
    return 0


def _print_all(models: "list[LocalModel]") -> None:
    from rich.table import Table

    from funasr_beam.pipeline.console import Console

    table = Table(box=None, pad_edge=False, show_edge=False)
    for title in ("model", "languages", "for", "on this machine"):
        table.add_column(title, no_wrap=title != "for")
    for model in models:
        known = model.known
        languages = f"{len(known.languages)}" if known else "2" if model.name == "demo" else ""
        purpose = known.purpose if known else _purpose(model)
        style = "green" if model.ready else "yellow" if model.problem else "dim"
        table.add_row(model.name, languages, purpose, _state(model), style=None if model.ready else style)
    Console().print(table)
    print("How to get one, its languages and its error rates: funasr-beam models NAME")


def _print_one(model: "LocalModel") -> None:
    print(model.name)
    if model.known is None:
        print(f"  for          {_purpose(model)}")
    else:
        _print_known(model.known)
    place = model.path if model.path is not None else "no"
    print(f"  on this machine: {place}" + (f"\n    but: {model.problem}" if model.problem else ""))


def _print_known(known: "KnownModel") -> None:
    from funasr_beam.model.known_models import how_to_get

    print(f"  for          {known.purpose}")
    print(
        f"  family       {known.family.name}, {known.parameters_m:,} million parameters; segments up to "
        f"{known.family.longest_segment_s:.0f} s"
    )
    print(f"  languages    {' '.join(known.languages)}")
    print(f"  word times   {known.word_times}")
    print(f"  notes        {known.notes}")
    for accuracy in known.accuracy:
        print(f"  error rate   {accuracy.error_percent:>5.2f} %  {accuracy.test_set}")
    for source in sorted({accuracy.source for accuracy in known.accuracy}):
        print(f"               (WER, Chinese CER; {source})")
    for step, command in zip(("get it", "then", "then"), how_to_get(known), strict=False):
        print(f"  {step:<13}{command}")


def _purpose(model: "LocalModel") -> str:
    return "showing the pipeline at work, offline; synthetic speech only" if model.name == "demo" else "converted here"


def _state(model: "LocalModel") -> str:
    if model.problem:
        return f"unusable: {model.problem.partition(';')[0]}"
    return "ready" if model.path is not None else "no"


def _facts(model: "LocalModel") -> dict[str, object]:
    known = model.known
    return {
        "name": model.name,
        "ready": model.ready,
        "path": str(model.path) if model.path is not None else None,
        "problem": model.problem,
        "family": known.family.name if known else None,
        "hub_id": known.hub_id if known else None,
        "original_hub_id": known.original_hub_id if known else None,
        "languages": list(known.languages) if known else None,
    }
