"""Manifests for training: NeMo and Lhotse, over the originals or over clips."""

from typing import Any

from funasr_beam.model.records import SAMPLE_RATE, Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.audio import ClipFolder
from funasr_beam.pipeline.export.files import Draft, Drafts, Tally, milliseconds
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment, ExportWord, file_duration_s

_RECORDINGS = "recordings.jsonl.gz"
_SUPERVISIONS = "supervisions.jsonl.gz"


class NemoManifest:
    """A line of JSON for each segment: `audio_filepath`, `offset`, `duration`, `text`."""

    def __init__(self, folder: Folder, tally: Tally, clips: ClipFolder | None) -> None:
        self._tally = tally
        self._clips = clips
        self._draft = Draft(folder, "manifest.jsonl")

    def add(self, recording: ExportRecording) -> None:
        """Append its lines."""
        paths = self._clips.paths(recording) if self._clips else None
        segments = [each for each in recording.segments if paths is None or each.id in paths]
        for segment in segments:
            place = {"audio_filepath": recording.location, "offset": milliseconds(segment.start_s)}
            if paths is not None:  # NeMo looks for a relative path beside the manifest
                place = {"audio_filepath": paths[segment.id], "offset": 0.0}
            elif recording.num_channels > 1:
                place["channel_selector"] = segment.channel
            self._draft.write_json(place | _nemo_entry(segment))
        self._tally.took(recording, len(segments))

    def finish(self) -> None:
        """Put the file in place."""
        self._draft.publish()

    def discard(self) -> None:
        """Remove the draft; clips stay for the next try."""
        self._draft.discard()


class LhotseManifests:
    """`recordings.jsonl.gz` and `supervisions.jsonl.gz`, for `CutSet.from_manifests`."""

    def __init__(self, folder: Folder, tally: Tally, clips: ClipFolder | None) -> None:
        self._folder = folder
        self._tally = tally
        self._clips = clips
        self._drafts = Drafts(folder, (_RECORDINGS, _SUPERVISIONS))

    def add(self, recording: ExportRecording) -> None:
        """Append its entries; with clips, each is a recording of its own."""
        if self._clips is None:
            self._add_original(recording)
            return
        paths = self._clips.paths(recording)
        for segment in recording.segments:
            if segment.id in paths:
                place = self._folder.show(paths[segment.id])
                shape = {"sampling_rate": SAMPLE_RATE, "num_samples": round(segment.duration_s * SAMPLE_RATE)}
                self._write_recording(segment.id, place, [0], shape)
                self._write_supervision(segment.id, segment, moved_s=segment.start_s, channel=0)
        self._tally.took(recording, len(paths))

    def finish(self) -> None:
        """Put both files in place."""
        self._drafts.publish()

    def discard(self) -> None:
        """Remove the drafts; clips stay for the next try."""
        self._drafts.discard()

    def _add_original(self, recording: ExportRecording) -> None:
        rate = recording.sample_rate
        shape = {"sampling_rate": rate, "num_samples": round(file_duration_s(recording) * rate)}
        self._write_recording(recording.name, recording.location, list(range(recording.num_channels)), shape)
        for segment in recording.segments:
            self._write_supervision(recording.name, segment, moved_s=0.0, channel=segment.channel)
        self._tally.took(recording, len(recording.segments))

    def _write_recording(self, name: str, place: str, channels: list[int], shape: dict[str, int]) -> None:
        source = {"type": "url" if "://" in place else "file", "channels": channels, "source": place}
        duration_s = shape["num_samples"] / shape["sampling_rate"]
        entry = {"id": name, "sources": [source], **shape, "duration": duration_s, "channel_ids": channels}
        self._drafts[_RECORDINGS].write_json(entry)

    def _write_supervision(self, recording: str, segment: ExportSegment, *, moved_s: Seconds, channel: int) -> None:
        entry: dict[str, Any] = {
            "id": segment.id,
            "recording_id": recording,
            "start": milliseconds(segment.start_s - moved_s),
            "duration": milliseconds(segment.duration_s),
            "channel": channel,
            "text": segment.line,
            "language": segment.language,
            "speaker": segment.voice,
            "custom": {"confidence": segment.confidence, "snr_db": segment.snr_db},
        }
        if segment.words is not None:
            entry["alignment"] = {"word": [_aligned(word, moved_s) for word in segment.words]}
        self._drafts[_SUPERVISIONS].write_json({name: value for name, value in entry.items() if value is not None})


def _nemo_entry(segment: ExportSegment) -> dict[str, Any]:
    entry = {
        "duration": milliseconds(segment.duration_s),
        "text": segment.line,
        "lang": segment.language,
        "speaker": segment.voice,
        "confidence": segment.confidence,
        "id": segment.id,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _aligned(word: ExportWord, moved_s: Seconds) -> list[Any]:
    """A word as Lhotse's `AlignmentItem`: symbol, start, duration, score."""
    return [word.text, milliseconds(word.start_s - moved_s), milliseconds(word.end_s - word.start_s), word.confidence]
