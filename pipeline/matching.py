"""Which recording a reference belongs to, however many there are: archives name every file `audio.wav`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funasr_beam.pipeline.recording_names import NAMED_RECORDINGS

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class _Way:
    """References and recordings whose keys are equal belong together."""

    of_reference: str  # SQL over `id` and `uri`
    of_recording: str  # SQL: a table of `recording_id` and `key`


_NAME = "regexp_extract({0}, '([^/]*)$', 1)"
_STEM = f"regexp_replace({_NAME}, '[.][^.]*$', '')"
_PLACE = "CASE WHEN {0} LIKE '%://%' THEN {0} ELSE 'file://' || {0} END"

_ENDS = """
SELECT recording_id, array_to_string(parts[-depth:], '/') AS key
FROM (SELECT recording_id, string_split(uri, '/') AS parts FROM recordings),
  (SELECT DISTINCT len(string_split(key, '/')) AS depth FROM looking WHERE key <> '')
WHERE len(parts) > depth"""

_WAYS = (
    _Way("id", "SELECT recording_id, recording_id AS key FROM recordings"),
    _Way(_PLACE.format("uri"), f"SELECT recording_id, {_PLACE.format('uri')} AS key FROM recordings"),
    _Way("ltrim(regexp_replace(uri, '^[.]/', ''), '/')", _ENDS),
    _Way("id", f"SELECT recording_id, name AS key FROM ({NAMED_RECORDINGS})"),
    _Way(
        f"regexp_replace(coalesce(id, {_NAME.format('uri')}), '[.][^.]*$', '')",
        f"SELECT recording_id, {_STEM.format('uri')} AS key FROM recordings",
    ),
)
"""By id, by the same place, by the end of the place (folders at least), by the name that an export gave the recording
(its STM, corrected by hand, is a reference), by the file's name without its ending."""

_BEGIN = """
CREATE TEMP TABLE unmatched AS SELECT DISTINCT id, uri FROM turns;
CREATE TEMP TABLE claimed (recording_id VARCHAR);
CREATE TEMP TABLE matches (id VARCHAR, uri VARCHAR, recording_id VARCHAR, found BIGINT)"""

# Of several recordings that fit a reference two are enough to tell that it is not clear which is meant.
_TRY = """
CREATE OR REPLACE TEMP TABLE looking AS SELECT id, uri, {of_reference} AS key FROM unmatched;
CREATE OR REPLACE TEMP TABLE keys AS
SELECT DISTINCT * FROM ({of_recording}) SEMI JOIN looking USING (key);
CREATE OR REPLACE TEMP TABLE sizes AS SELECT key, count(*) AS fits FROM keys GROUP BY key;
INSERT INTO matches
WITH free AS (
  SELECT * FROM keys ANTI JOIN claimed USING (recording_id)
  QUALIFY row_number() OVER (PARTITION BY key ORDER BY recording_id) <= 2
)
SELECT id, uri, recording_id, greatest(fits, count(*) FILTER (fits = 1) OVER (PARTITION BY recording_id))
FROM looking JOIN sizes USING (key) JOIN free USING (key);
INSERT INTO claimed SELECT DISTINCT recording_id FROM keys;
CREATE OR REPLACE TEMP TABLE unmatched AS SELECT id, uri FROM looking ANTI JOIN sizes USING (key)"""


def match_references(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make the table `matches`: `id` and `uri` of a reference, `recording_id`, and `found`: 1 where that is certain.

    The first of several ways that finds any recording counts. Of several references that find one recording the nearest
    is its own: what belongs to tuesday/call.mp3 is not said in monday/call.mp3.

    Args:
        connection: with the view `recordings` (`recording_id`, `uri`, `status`), and a table `turns` of which `id` and
            `uri` name a reference.
    """
    connection.execute(_BEGIN)
    for way in _WAYS:
        if connection.sql("FROM unmatched LIMIT 1").fetchall():
            connection.execute(_TRY.format(of_reference=way.of_reference, of_recording=way.of_recording))
