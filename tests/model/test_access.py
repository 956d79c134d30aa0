from dataclasses import replace

from funasr_beam.model.access import AccessUris
from funasr_beam.model.planning import cut_recording
from funasr_beam.model.records import Recording, Unit


def recording(uri, access_uri=None):
    return Recording("r", uri, "1", 10, access_uri=access_uri)


def unit(*recordings):
    return Unit("u", tuple(cut_recording(one, None, 600.0, "k")[0] for one in recordings))


def test_a_user_of_a_host_is_remembered_once_for_all_its_files():
    access = AccessUris()
    known = [recording(f"https://host/{n}.wav", f"https://me:secret@host/{n}.wav") for n in range(100)]
    for one in known:
        access.learn(one)
    assert (len(access.hosts), len(access.files)) == (1, 0)
    public = unit(*(replace(one, access_uri=None) for one in known))
    assert [span.recording for span in access.restore(public).spans] == known


def test_signed_uris_are_remembered_each():
    access = AccessUris()
    signed = recording("https://host/a.wav", "https://host/a.wav?sig=1")
    access.learn(signed)
    access.learn(recording("https://host/b.wav"))
    plain = unit(recording("https://host/a.wav"), recording("https://host/b.wav"))
    assert [span.recording.access_uri for span in access.restore(plain).spans] == ["https://host/a.wav?sig=1", None]


def test_without_credentials_units_stay_as_they_are_and_nothing_is_shown():
    access = AccessUris()
    access.learn(recording("file:///a.wav"))
    one = unit(recording("file:///a.wav"))
    assert access.restore(one) is one
    access.learn(recording("https://host/a.wav", "https://me:secret@host/a.wav"))
    assert "secret" not in repr(access)
