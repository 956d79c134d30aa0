"""What a user of `funasr-beam convert` types and sees."""

import shutil

import pyarrow.dataset as ds
import pytest

from funasr_beam.pipeline.cli import main
from tests.audio_doubles import sound
from tests.media import write_media
from tests.original_checkpoint import Recipe, write_original


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where models go that are known by a name."""
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_original(tmp_path_factory.mktemp("original") / "Fun-ASR-Tiny", Recipe())


@pytest.fixture
def recordings(tmp_path):
    (tmp_path / "in").mkdir()
    write_media(tmp_path / "in" / "a.wav", sound(3.0, 1)[None], 16_000)
    return tmp_path / "in"


def test_a_converted_folder_transcribes(original, recordings, tmp_path, capsys):
    assert main(["convert", str(original), "--output", str(tmp_path / "mine")]) == 0
    said = capsys.readouterr().out
    assert "142 tensors, bfloat16, float32" in said
    assert "word times    yes, from the CTC head" in said
    assert f"--model {tmp_path / 'mine'}" in said
    out = tmp_path / "out"
    assert main(["transcribe", str(recordings), "--output", str(out), "--model", str(tmp_path / "mine")]) == 0
    rows = ds.dataset(out / "recordings").to_table().to_pylist()
    assert [row["model_id"] for row in rows] == ["Fun-ASR-Tiny"]


def test_a_published_model_is_found_by_its_name_afterwards(original, recordings, home, tmp_path, capsys):
    folder = shutil.copytree(original, tmp_path / "Fun-ASR-MLT-Nano-2512")
    transcribe = ["transcribe", str(recordings), "--output", str(tmp_path / "out"), "--model", "fun-asr-mlt-nano"]
    assert main(transcribe) == 3
    assert "funasr-beam convert Fun-ASR-MLT-Nano-2512" in capsys.readouterr().err
    assert main(["convert", str(folder)]) == 0
    assert "--model fun-asr-mlt-nano" in capsys.readouterr().out
    assert (home / "models" / "fun-asr-mlt-nano" / "model.safetensors").is_file()
    assert main(transcribe) == 0


def test_a_prompt_that_is_not_the_published_one_is_pointed_out(original, tmp_path, capsys):
    folder = shutil.copytree(original, tmp_path / "mine")
    with (folder / "config.yaml").open("a") as file:
        file.write("dataset_conf:\n  do_think: false\n")
    assert main(["convert", str(folder), "--output", str(tmp_path / "out")]) == 0
    assert "asks for another prompt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["/nowhere/model.pt", "--output", "OUT"], 3, "/nowhere/model.pt is not there"),
        (["ORIGINAL"], 2, "name a folder with --output, or say which it is with --as"),
        (["ORIGINAL", "--output", "OUT", "--as", "nano"], 2, "--as nano: known are fun-asr-nano, fun-asr-mlt-nano"),
        (["ORIGINAL", "--output", "ORIGINAL"], 3, "is there already"),
        (["ORIGINAL/config.yaml", "--output", "OUT"], 3, "only FunASR's model.pt"),
        (["ORIGINAL", "--output", "OUT", "--tokenizer", "/nowhere"], 3, "/nowhere: there is no tokenizer"),
    ],
)
def test_what_cannot_be_converted_is_a_message(arguments, code, says, original, tmp_path, capsys):
    places = {"ORIGINAL": str(original), "OUT": str(tmp_path / "out")}
    typed = [argument.replace("ORIGINAL", places["ORIGINAL"]).replace("OUT", places["OUT"]) for argument in arguments]
    assert main(["convert", *typed]) == code
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
