"""What the user says about recordings reaches each of them: flags, a file of hotwords, the manifest."""

import pytest

from funasr_beam.model.errors import Cause, UsageError
from funasr_beam.pipeline.config_sources import load_config
from funasr_beam.pipeline.plan import list_everything


def options_of(folder, manifest, **told):
    (folder / "m.csv").write_text(manifest, encoding="utf-8")
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / name).write_bytes(b"x")
    flags = {"input": (str(folder / "m.csv"),), "output": str(folder / "out")}
    config = load_config(None, [], flags | {f"recognition.{key}": value for key, value in told.items()})
    return [item.failure or item.recording.options for item in list_everything(config)]


def test_a_recording_has_the_runs_options_unless_the_manifest_says_otherwise(tmp_path):
    (tmp_path / "words.txt").write_text("Fun-ASR\nBeam\n")
    first, second = options_of(
        tmp_path,
        "uri,language,hotwords,context\na.wav,,,\nb.wav,Japanese,开放时间|x,a call\n",
        language="Mandarin",
        hotwords=("one", "Beam"),
        hotwords_file=str(tmp_path / "words.txt"),
        context="calls to a bank",
    )
    assert (first.language, first.hotwords, first.context) == ("zh", ("one", "Beam", "Fun-ASR"), "calls to a bank")
    assert (second.language, second.hotwords, second.context) == ("ja", ("开放时间", "x"), "a call")


def test_an_unknown_language_in_the_manifest_fails_its_recording_with_the_nearest_names(tmp_path):
    good, bad, auto = options_of(tmp_path, "uri,language\na.wav,粤语\nb.wav,Dansk\nc.wav,auto\n")
    assert (good.language, auto.language) == ("yue", None)
    assert bad.cause is Cause.BAD_OPTIONS
    assert "Dansk" in bad.message
    assert "danish (da)" in bad.message


@pytest.mark.parametrize(("key", "value"), [("language", "Dansk"), ("hotwords_file", "/nowhere/words.txt")])
def test_an_option_of_the_run_that_cannot_be_used_is_told_before_work_begins(tmp_path, key, value):
    with pytest.raises(UsageError, match=value):
        options_of(tmp_path, "uri\na.wav\n", **{key: value})
