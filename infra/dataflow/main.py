"""What the flex template's launcher runs: its `--key=value` become a `funasr-beam transcribe` on Dataflow.

Parameters of metadata.json become our own options; all others (--project, --region, ...) go to Beam as they are.
"""

import sys
from collections.abc import Sequence

FLAGS = ("output", "model", "language")
DROPPED = ("runner", "job_name", "setup_file", "requirements_file")  # ours to say, or not needed with an image


def arguments(launcher: Sequence[str]) -> list[str]:
    """The command line for funasr-beam."""
    told = dict(argument.removeprefix("--").partition("=")[::2] for argument in launcher)
    command = ["transcribe", told.pop("input"), "--runner", "dataflow"]
    for name in FLAGS:
        if name in told:
            command += [f"--{name}", told.pop(name)]
    if "accelerator" in told:
        command += ["--set", f"runner.accelerator={told.pop('accelerator')}"]
    options = [f"--{key}={value}" if value else f"--{key}" for key, value in told.items() if key not in DROPPED]
    listed = ", ".join(f"'{option}'" for option in options)
    return [*command, "--set", f"runner.options=[{listed}]"]


if __name__ == "__main__":
    from funasr_beam.pipeline.cli import main

    sys.exit(main(arguments(sys.argv[1:])))
