"""The main job on Google Cloud Storage and on Azure, through emulators of their protocols."""

import re

import pytest

from tests.faults.processes import call
from tests.faults.scenes import RECORDINGS, Scene, copy_recordings, sample
from tests.store_servers import has_azurite, serve_azure, serve_gcs

pytestmark = pytest.mark.slow

AZURITE = pytest.mark.skipif(not has_azurite(), reason="Azurite is not here: `make azurite` installs it with npm")


@pytest.fixture(scope="module", params=[serve_gcs, pytest.param(serve_azure, marks=AZURITE)], ids=["gcs", "azure"])
def store(request):
    with request.param() as store:
        for name in RECORDINGS:
            store.files.put_file(str(sample(name)), f"archive/in/{name}")
        yield store


@pytest.fixture(scope="module")
def scene(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp(store.scheme)
    scene = Scene((store.uri("in"),), store.uri("out"), folder, store.environment)
    code, text = scene.run(scene.undisturbed)
    assert code == 0, text
    assert "ERROR" not in text, text
    return scene


def ask(scene, *words):
    code, text = call(list(words), scene.folder / f"{words[0]}.log", scene.environment)
    assert code == 0, text
    return text


def transcripts(scene):
    sql = "select parse_filename(uri) as name, status, num_words, md5(text) as text from recordings order by name"
    return re.findall(r"\w+", ask(scene, "query", scene.undisturbed, sql))


@pytest.fixture(scope="module")
def transcripts_on_disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    scene = Scene((str(copy_recordings(folder / "in")),), str(folder / "out"), folder)
    assert scene.run(scene.undisturbed)[0] == 0
    return transcripts(scene)


def test_the_transcripts_are_those_of_the_same_recordings_on_a_disk(scene, transcripts_on_disk):
    assert transcripts(scene) == transcripts_on_disk


def test_what_is_done_is_not_done_again(scene):
    code, text = scene.run(scene.undisturbed)
    assert code == 0, text
    assert re.search(rf"unchanged\W+{len(RECORDINGS)}\b", text), text


def test_a_killed_run_goes_on(scene, store):
    output = store.uri("killed")
    command = scene.start(output)
    while "Transcribing" not in command.text:
        assert command.is_running, command.text
    command.kill()
    code, text = scene.run(output)
    assert code == 0, text
    scene.check_equal(output)


def test_subtitles_are_written_into_the_store(scene, store):
    ask(scene, "export", scene.undisturbed, "--format", "srt", "--output", store.uri("srt"))
    assert [name for name in store.files.find("archive/srt") if name.endswith(".srt")]
