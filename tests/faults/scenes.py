"""What the fault tests share: a few recordings on a disk and in a bucket, and runs over them to compare with."""

import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from tests.faults.processes import Command, call

SAMPLES = Path(__file__).parent.parent.parent / "samples"
RECORDINGS = ("en-phone.wav", "zh-phone.wav", "zh-stereo.opus", "text.wav")
PATIENCE_S = 240


@dataclass(frozen=True)
class Scene:
    """Inputs, an undisturbed output of them, and where a test may put its own."""

    inputs: tuple[str, ...]
    undisturbed: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    verbose: bool = False

    def command(self, output, *settings):
        """The arguments of a run: two workers, units of one recording each."""
        fixed = ["--model", "demo", "--workers", "2", "--max-failed", "100%", "--set", "plan.unit_s=5"]
        return [*(["-v"] if self.verbose else []), "transcribe", *self.inputs, "--output", output, *fixed, *settings]

    def start(self, output, *settings, environment=None, defect=None):
        """A run that goes on while the test does something to it."""
        log = self.folder / f"{time.monotonic_ns()}.log"
        return Command(self.command(output, *settings), log, environment or self.environment, defect)

    def run(self, output, *settings, environment=None, defect=None):
        """Exit code and output of a run."""
        command = self.start(output, *settings, environment=environment, defect=defect)
        return command.wait(PATIENCE_S), command.text

    def check_equal(self, output):
        """The output says what the undisturbed one says, once for each recording."""
        log = self.folder / f"{time.monotonic_ns()}.log"
        code, text = call(["compare", self.undisturbed, output], log, self.environment)
        assert code == 0, text


def sample(name):
    """A recording of samples/ by its name."""
    return next(SAMPLES.rglob(name))


def copy_recordings(folder):
    """The recordings of a scene in a folder on the disk."""
    folder.mkdir(parents=True)
    for name in RECORDINGS:
        shutil.copy2(sample(name), folder / name)
    return folder


def statuses(output):
    """Causes of the rows of an output on the disk, over all runs."""
    rows = pq.read_table(Path(output) / "recordings").to_pylist()
    return Counter(row["error_code"] or row["status"] for row in rows)


def wait_until(is_so, command):
    """Wait for a moment in the life of a command."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert command.is_running, f"it was over before:\n{command.text}"
        assert time.monotonic() < until, command.text
        time.sleep(0.05)
