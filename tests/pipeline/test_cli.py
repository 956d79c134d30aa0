"""What a user sees who mistypes, asks for help, or has no model."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from funasr_beam.model.checkpoint import DEMO_FOLDER
from funasr_beam.model.counted import counted
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.command_line import COMMANDS, parse

ROOT = Path(__file__).parent.parent.parent


def run(*arguments):
    command = [sys.executable, "-m", "funasr_beam.pipeline", *map(str, arguments)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def run_in_python(*lines):
    """What comes of the program after some lines of Python; it never returns."""
    code = "\n".join([*lines, "from funasr_beam.pipeline.cli import run", "run()"])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def recording(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"funasr-beam {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["transcribe"], ["2 problems", "input: is required", "output: is required"]),
        (["transcribe", "", "--output", "OUT", "--model", "demo"], ['input.0 = ""']),
        (["transcribe", "/nowhere/x", "--output", "OUT", "--model", "demo"], ["/nowhere/x: there is no such file"]),
        (["transcribe", "IN", "--output", "OUT", "--set", "plan.unit=3"], ["plan.unit: unknown key; did you mean"]),
        (["transcribe", "IN", "--output", "OUT", "--language", "klingon"], ["klingon", "unknown"]),
        (
            ["transcribe", "IN", "--output", "OUT", "--max-failed", "many"],
            ['max_failed = "many": is neither a percentage'],
        ),
        (["transcribe", "IN", "--output", "OUT", "--max-failed", "101%"], ['max_failed = "101%"']),
        (["transcribe", "IN", "--output", "OUT", "--modle", "demo"], ["--modle demo; did you mean --model?"]),
        (["transcribe", "IN", "--output", "OUT", "--modle=demo"], ["did you mean --model?"]),
        (["transcribe", "IN", "--output", "OUT", "--config", "none.toml"], ["none.toml: there is no such file"]),
        (["transcribe", "IN", "--output", "OUT", "--model", "no such model"], ['model = "no such model"']),
        (["transcribe", "IN", "--output", "o\\b"], ["output = ", "has a backslash"]),
        (["transcribe", "IN", "--output", "s3://b/o*"], ["output = ", "has a wildcard"]),
        (["status", "OUT"], ["holds no runs"]),
        (["query", "OUT", "select 1", "--most", "-1"], ["--most: -1: must be at least 0"]),
        (["select", "OUT", "--min-confidence", "2"], ["--min-confidence: 2: must be at least 0 and at most 1"]),
        (["select", "OUT", "--min-snr", "nan"], ["--min-snr: nan: must be finite"]),
        (["metrics", "OUT", "--cpu-hour", "-1"], ["--cpu-hour: -1: must be at least 0"]),
        (["metrics", "OUT", "--write", "x.csv"], ["--write x.csv", "must end in .parquet"]),
        (
            ["export", "OUT", "--format", "srt", "--output", "IN", "--cue-s", "inf"],
            ["--cue-s: inf: must be"],
        ),
        (["compare", "OUT", "OUT"], ["holds no runs"]),
        (["transcribble"], ["invalid choice", "; did you mean transcribe?"]),
        (["export", "OUT", "--format", "lhots", "--output", "IN"], ["; did you mean lhotse?"]),
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_message(arguments, says, recording, tmp_path, capsys):
    places = {"IN": str(recording), "OUT": str(tmp_path / "out")}
    try:
        code = main([places.get(argument, argument) for argument in arguments])
    except SystemExit as left:  # argparse
        code = left.code
    error = capsys.readouterr().err
    assert code == 2
    for text in says:
        assert text in error
    assert "Traceback" not in error


def test_a_model_that_cannot_be_had_is_exit_code_3_with_the_way_to_get_it(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code = main(["transcribe", str(recording), "--output", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert code == 3
    assert "hf download" in error and "--model demo" in error


@pytest.mark.parametrize("spoil", ["weights", "device"])
def test_a_model_that_cannot_be_loaded_is_a_message_and_no_traceback(spoil, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(DEMO_FOLDER, folder)
    if spoil == "weights":
        with (folder / "model.safetensors").open("r+b") as file:
            file.truncate(1_000_000)
    sample = next((ROOT / "samples").rglob("en-mono.wav"))
    more = ["--device", "cuda"] if spoil == "device" else []
    done = run("transcribe", sample, "--output", tmp_path / "out", "--model", folder, *more)
    assert done.returncode == 3
    assert ("cannot be loaded" if spoil == "weights" else "no usable GPU") in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_is_exit_code_3(recording, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    code = main(["transcribe", str(recording), "--output", str(tmp_path / "file"), "--model", "demo"])
    assert code == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_storage_that_cannot_be_reached_is_exit_code_3(tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    code = main(["transcribe", "s3://bucket/in", "--output", str(tmp_path / "out"), "--model", "demo"])
    error = capsys.readouterr().err
    assert code == 3
    assert "the input cannot be listed" in error
    assert "Traceback" not in error


def test_a_folder_without_recordings_is_pointed_out(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no recording")
    command = ["transcribe", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--model", "demo"]
    assert main(command) == 1
    assert "No recording was found in" in capsys.readouterr().out
    assert main([*command, "--allow-empty"]) == 0


def test_an_empty_folder_beside_a_full_one_is_pointed_out_every_night(tmp_path, capsys):
    for name in ("full", "unmounted"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "a.wav").write_bytes(b"")
    inputs = [str(tmp_path / name) for name in ("full", "unmounted")]
    for _ in range(2):
        command = ["transcribe", *inputs, "--output", str(tmp_path / "out"), "--model", "demo", "--max-failed", "100%"]
        assert main(command) == 1
        told = "".join(capsys.readouterr().out.split())  # lines end anywhere
        assert told.count("Norecordingwasfoundin") == 1
        assert f"{inputs[1]}:isit" in told
    assert main([*command[:2], *command[3:]]) == 0


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(tmp_path):
    done = run("--help")
    assert done.returncode == 0
    piped = subprocess.run(
        f"{sys.executable} -m funasr_beam.pipeline --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in piped.stderr


def test_the_program_ends_at_once_and_puts_away_what_it_must():
    ended = run_in_python(
        "import atexit, sys, threading, time",
        "atexit.register(print, 'put away')",
        "threading.Thread(target=time.sleep, args=(100,)).start()",
        "sys.argv = ['funasr-beam', 'models']",
    )
    assert ended.returncode == 0
    assert ended.stdout.endswith("put away\n")


def test_what_cannot_be_printed_is_an_error_in_words():
    ended = run_in_python(
        "import os, sys", "sys.stdout = open('/dev/full', 'w')", "sys.argv = ['funasr-beam', 'models']"
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith("funasr-beam: ") and "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("libtorch_cpu.so: failed to map segment from shared object")], ids=type
)
def test_too_little_memory_is_a_message_and_no_traceback(error, recording, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr("funasr_beam.pipeline.commands.transcribe.run", fail)
    assert main(["transcribe", str(recording), "--output", str(tmp_path / "out"), "--model", "demo"]) == 3
    assert "there is too little memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "things", "said"),
    [
        (1, "recordings", "1 recording"),
        (2000, "recordings", "2,000 recordings"),
        (0, "files", "0 files"),
        (1, "stretches", "1 stretch"),
    ],
)
def test_one_thing_is_no_things(count, things, said):
    assert counted(count, things) == said


def test_inputs_may_stand_on_both_sides_of_options(capsys):
    with pytest.raises(SystemExit):
        main(["status", "a", "b"])
    assert "unrecognized arguments: b" in capsys.readouterr().err
    told = parse(["transcribe", "a", "--output", "out", "b", "--allow-empty", "c"])
    assert told.input == ["a", "b", "c"]


def test_a_share_may_be_a_percentage_wherever_it_is_set(recording, tmp_path):
    (tmp_path / "run.toml").write_text('max_failed = "100%"')
    command = ["transcribe", str(recording), "--output", str(tmp_path / "out"), "--model", "demo"]
    assert main(command) == 1
    assert main([*command, "--config", str(tmp_path / "run.toml"), "--retry", "failed"]) == 0
    assert main([*command, "--set", "max_failed=100%", "--retry", "failed"]) == 0
