"""`funasr-beam convert`: an original model.pt becomes a folder that can be loaded safely."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from funasr_beam.model.errors import UsageError

if TYPE_CHECKING:
    from funasr_beam.model.conversion.convert import Conversion, ConversionOptions

_EXAMPLES = """\
examples:
  modelscope download --model FunAudioLLM/Fun-ASR-MLT-Nano-2512 --local_dir Fun-ASR-MLT-Nano-2512
  funasr-beam convert Fun-ASR-MLT-Nano-2512                    # now: transcribe --model fun-asr-mlt-nano
  funasr-beam convert Fun-ASR-Nano-2512/model.pt --output nano # now: transcribe --model nano
  funasr-beam convert finetuned/model.pt.avg10 --tokenizer Fun-ASR-Nano-2512/Qwen3-0.6B --output mine

Beside model.pt belong config.yaml, the folder Qwen3-0.6B and, for word times, multilingual.tiktoken, as published.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "convert",
        help="convert an original Fun-ASR model.pt to safetensors",
        description="Convert an original model.pt of Fun-ASR-Nano or Fun-ASR-MLT-Nano to a folder with safetensors,\n"
        "configuration, tokenizer and, if it was trained, the CTC head. Nothing in the original is executed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="MODEL_PT_OR_FOLDER", help="model.pt, or the folder that holds it")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="a new folder (none: where --model finds it by its short name)"
    )
    parser.add_argument(
        "--tokenizer", type=Path, metavar="DIR", help="the LLM's tokenizer (Qwen3-0.6B beside model.pt)"
    )
    parser.add_argument("--as", dest="known_as", metavar="NAME", help="which known model it is (by its checksum)")
    parser.add_argument("--without-ctc", action="store_true", help="leave the CTC head out: there are no word times")


def run(arguments: argparse.Namespace) -> int:
    """Convert and say what was written; gives the exit code."""
    from funasr_beam.model.conversion.convert import ConversionOptions, check_output, convert

    _check_name(arguments.known_as)
    options = ConversionOptions(arguments.tokenizer, not arguments.without_ctc, arguments.known_as)
    output = arguments.output or _default_output(arguments.source, options)
    check_output(output)
    print(f"Converting {arguments.source} ...", flush=True)
    _show(convert(arguments.source, output, options))
    return 0


def _check_name(name: str | None) -> None:
    from funasr_beam.model.known_models import KNOWN_MODELS, find_known

    originals = [model.name for model in KNOWN_MODELS if model.original_hub_id]
    known = find_known(name) if name else None
    if name and (known is None or known.name not in originals):
        raise UsageError("The name is not known:", [f"--as {name}: known are {', '.join(originals)}"])


def _default_output(source: Path, options: "ConversionOptions") -> Path:
    """Where `--model NAME` looks for the checkpoint; only for one that is known to be published under a name."""
    from funasr_beam.model.conversion.convert import known_original
    from funasr_beam.model.known_models import models_home

    known = known_original(source, options)
    if known is None:
        why = f"{source} is no known published file: name a folder with --output, or say which it is with --as"
        raise UsageError("Where should it go?", [why])
    return models_home() / known.name


def _show(done: "Conversion") -> None:
    times = "yes, from the CTC head" if done.without_times is None else f"no: {done.without_times}"
    named = done.known_as if done.known_as and done.output.name == done.known_as else done.output
    inside = f"{_gb(done.source_bytes)}, {done.num_tensors:,} tensors, {', '.join(done.dtypes)}"
    print(f"  from          {done.source}  ({inside})")
    print(f"                sha256 {done.source_sha256}")
    print(f"  to            {done.output}")
    for name, digest in done.sha256s.items():
        print(f"                sha256 {digest}  {name}")
    print(
        f"  model         {done.known_as or 'not one of the published files; all languages of the family are allowed'}"
    )
    print(f"  audio tokens  {done.audio_tokens}")
    print(f"  word times    {times}")
    if done.prompt.think_block or not done.prompt.system_line:
        print(
            "  note          config.yaml asks for another prompt (dataset_conf.do_think, sys_prompt) than is used here"
        )
    print(f"Now: funasr-beam transcribe RECORDINGS --output OUT --model {named}")


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
