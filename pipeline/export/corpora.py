"""Corpora with their audio inside: Hugging Face datasets (Parquet) and WebDataset (tar)."""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.records import SAMPLE_RATE
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.audio import ClipCutter
from funasr_beam.pipeline.export.files import Tally, milliseconds, to_json
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment
from funasr_beam.pipeline.export.shards import Piece, ShardNames, Shards

_ROWS_PER_GROUP = 100  # of audio, some 10 MB
_KINDS = {"string": pa.string(), "float64": pa.float64(), "int32": pa.int32()}
_COLUMNS = {
    "id": "string",
    "text": "string",
    "language": "string",
    "duration": "float64",
    "recording": "string",
    "uri": "string",
    "channel": "int32",
    "start": "float64",
    "end": "float64",
    "speaker": "string",
    "confidence": "float64",
    "snr_db": "float64",
}
_WORD_COLUMNS = {"word": "string", "start": "float64", "end": "float64", "confidence": "float64"}
_CARD = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---

Exported from transcripts of funasr-beam. `start`, `end` and the times of `words` are seconds in the original
recording; `audio` is the clip from `start` to `end`, 16 kHz, mono.
"""


class HuggingFaceDataset:
    """`data/train-*.parquet` and a README.md, for `datasets.load_dataset(DIR)`."""

    def __init__(self, folder: Folder, tally: Tally, cutter: ClipCutter | None, key: str) -> None:
        self._folder = folder
        self._cutter = cutter
        self._schema = _schema(with_audio=cutter is not None)
        self._shards = Shards(folder, tally, ShardNames(key, "data/train-{:05d}.parquet"), self._write)

    def add(self, recording: ExportRecording) -> None:
        """Add its segments."""
        self._shards.add(recording)

    def finish(self) -> None:
        """Put shards and card in place."""
        self._shards.finish()
        self._folder.write("README.md", _CARD.encode())

    def discard(self) -> None:
        """Finished shards stay for the next try."""

    def _write(self, file: IO[bytes], pieces: Iterable[Piece]) -> int:
        rows = (
            _row(recording, segment) | ({} if data is None else {"audio": {"bytes": data, "path": name}})
            for recording, segment, name, data in _samples(pieces, self._cutter)
        )
        count = 0
        with pq.ParquetWriter(file, self._schema, compression="zstd") as writer:
            while group := list(islice(rows, _ROWS_PER_GROUP)):
                writer.write_table(pa.Table.from_pylist(group, schema=self._schema))
                count += len(group)
        return count


class WebDataset:
    """`shard-*.tar`: for each segment the clip, its text, and all the rest as JSON."""

    def __init__(self, folder: Folder, tally: Tally, cutter: ClipCutter | None, key: str) -> None:
        self._cutter = cutter
        self._shards = Shards(folder, tally, ShardNames(key, "shard-{:06d}.tar"), self._write)

    def add(self, recording: ExportRecording) -> None:
        """Add its segments."""
        self._shards.add(recording)

    def finish(self) -> None:
        """Put the shards in place."""
        self._shards.finish()

    def discard(self) -> None:
        """Finished shards stay for the next try."""

    def _write(self, file: IO[bytes], pieces: Iterable[Piece]) -> int:
        count = 0
        with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for recording, segment, name, data in _samples(pieces, self._cutter):
                # WebDataset takes all behind the first point of a name for its kind.
                key = segment.id.replace(".", "_")
                if data is not None:
                    _put(archive, f"{key}.{name.rpartition('.')[2]}", data)
                _put(archive, f"{key}.json", to_json(_row(recording, segment)).encode())
                _put(archive, f"{key}.txt", segment.line.encode())
                count += 1
        return count


def _samples(
    pieces: Iterable[Piece], cutter: ClipCutter | None
) -> Iterator[tuple[ExportRecording, ExportSegment, str, bytes | None]]:
    """Each segment with the name and the bytes of its clip; without a cutter there are none."""
    for recording, segments in pieces:
        if cutter is None:
            yield from ((recording, segment, segment.id, None) for segment in segments)
            continue
        for clip in cutter.clips(recording, segments):
            yield recording, clip.segment, f"{clip.segment.id}.{cutter.kind}", clip.data


def _row(recording: ExportRecording, segment: ExportSegment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "text": segment.line,
        "language": segment.language,
        "duration": milliseconds(segment.duration_s),
        "recording": recording.name,
        "uri": recording.uri,
        "channel": segment.channel,
        "start": milliseconds(segment.start_s),
        "end": milliseconds(segment.end_s),
        "speaker": segment.voice,
        "confidence": segment.confidence,
        "snr_db": segment.snr_db,
        "words": [
            {
                "word": word.text,
                "start": milliseconds(word.start_s),
                "end": milliseconds(word.end_s),
                "confidence": word.confidence,
            }
            for word in segment.words or ()
        ],
    }


def _schema(*, with_audio: bool) -> pa.Schema:
    """The columns, with the note by which `datasets` knows that one of them is audio."""
    features: dict[str, Any] = {name: _value(kind) for name, kind in _COLUMNS.items()}
    features["words"] = [{name: _value(kind) for name, kind in _WORD_COLUMNS.items()}]
    fields: list[tuple[str, pa.DataType]] = [(name, _KINDS[kind]) for name, kind in _COLUMNS.items()]
    fields.append(("words", pa.list_(pa.struct([(name, _KINDS[kind]) for name, kind in _WORD_COLUMNS.items()]))))
    if with_audio:
        features["audio"] = {"sampling_rate": SAMPLE_RATE, "_type": "Audio"}
        fields.append(("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])))
    note = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": note})


def _value(kind: str) -> dict[str, str]:
    return {"dtype": kind, "_type": "Value"}


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # without time or owner: equal rows make equal shards
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
