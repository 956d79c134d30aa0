"""References find their recordings as a slow and plain look at all pairs says, however many there are."""

import hashlib
from collections import Counter
from pathlib import PurePosixPath

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.pipeline.matching import match_references


def matched(recordings, references):
    """The certain pairs, and the references that fit several recordings or share one."""
    with duckdb.connect() as connection:
        for name, column, rows in (("found", "recording_id", recordings), ("turns", "id", references)):
            table = pa.table([*zip(*rows, strict=True)], schema=pa.schema({column: pa.string(), "uri": pa.string()}))
            connection.from_arrow(table).create(name)
        connection.execute("CREATE VIEW recordings AS SELECT *, 'ok' AS status FROM found")
        match_references(connection)
        found = connection.sql("SELECT id, uri, recording_id, found FROM matches").fetchall()
    return {row[:3] for row in found if row[3] == 1}, {row[:2] for row in found if row[3] > 1}


def exported_name(place, identity=None):
    """The name of a recording in exports; of several at one place their ids tell them apart."""
    return f"{PurePosixPath(place).stem}-{hashlib.sha256((identity or place).encode()).hexdigest()[:12]}"


def way_of(reference, recording, name):
    """How near a reference is to a recording; None: it is another's."""
    (id_, uri), (recording_id, place) = reference, recording
    path = (uri or "").removeprefix("./").lstrip("/")
    ways = (
        id_ == recording_id,
        uri is not None and place in (uri, f"file://{uri}"),
        bool(path) and place.endswith("/" + path),
        id_ == name,
        PurePosixPath(place).stem == PurePosixPath(id_ or (uri or "").rsplit("/", 1)[-1]).stem,
    )
    return next((number for number, fits in enumerate(ways) if fits), None)


def matched_plainly(recordings, references):
    rows = []
    at = Counter(place for _, place in recordings)
    names = {
        (id_, place): exported_name(place, f"{place}\n{id_}" if at[place] > 1 else None) for id_, place in recordings
    }
    for reference in set(references):
        ways = {each: way_of(reference, each, names[each]) for each in recordings}
        best = min((way for way in ways.values() if way is not None), default=None)
        fits = [each for each, way in ways.items() if way == best is not None]
        rows += [(best, reference, each[0], len({each[0] for each in fits})) for each in fits]
    nearest = {name: min(way for way, _, other, _ in rows if other == name) for _, _, name, _ in rows}
    own = [row for row in rows if row[0] == nearest[row[2]]]
    claims = Counter(name for _, _, name, fits in own if fits == 1)
    certain = {(*reference, name) for _, reference, name, fits in own if max(fits, claims[name]) == 1}
    return certain, {reference for _, reference, name, fits in own if max(fits, claims[name]) > 1}


places = st.tuples(st.sampled_from(["a", "b", "m/a", "x/m/a"]), st.sampled_from(["call.wav", "call.mp3", "c.wav"]))
uris = st.tuples(st.sampled_from(["file:///", "s3://k/"]), places.map("/".join)).map("".join)
ids = st.sampled_from(["r1", "r2", "r3", "call", "c"]) | st.builds(exported_name, uris)
named = st.one_of(
    uris, places.map("/".join), places.map("./".join), st.sampled_from(["call.wav", "/a/c.wav", "./c.wav"])
)
references = st.one_of(st.tuples(ids, st.none() | named), st.tuples(st.none(), named))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(ids, uris), min_size=1, max_size=6, unique_by=lambda row: row[0]),
    st.lists(references, min_size=1, max_size=6, unique=True),
)
def test_they_are_the_pairs_that_a_look_at_all_of_them_finds(recordings, references):
    assert matched(recordings, references) == matched_plainly(recordings, references)


def test_an_archive_whose_files_all_have_one_name_takes_no_look_at_all_pairs():
    recordings = [(f"r{number}", f"file:///in/{number}/audio.wav") for number in range(20_000)]
    own = [(None, f"{number}/audio.wav") for number in range(19_000)]
    strange = [(None, f"{number}/audio.mp3") for number in range(50_000, 60_000)]
    certain, several = matched(recordings, own + strange)  # took four minutes
    assert certain == {(*each, f"r{number}") for number, each in enumerate(own)}
    assert several == set(strange)
