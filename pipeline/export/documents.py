"""A document for each recording: plain text, our own JSON, WhisperX's and Amazon Transcribe's."""

from dataclasses import asdict
from typing import Any

from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.files import Tally, milliseconds, to_json
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment, ExportWord

_SUFFIXES = {"txt": "txt", "json": "json", "whisperx": "whisperx.json", "aws": "aws.json"}


class Documents:
    """One file for each recording."""

    def __init__(self, folder: Folder, tally: Tally, kind: str) -> None:
        self._folder = folder
        self._tally = tally
        self._kind = kind

    def add(self, recording: ExportRecording) -> None:
        """Write its file."""
        content = _CONTENTS[self._kind](recording)
        self._folder.write(f"{recording.name}.{_SUFFIXES[self._kind]}", content.encode())
        self._tally.took(recording, len(recording.segments))
        if self._kind != "txt":
            self._count_words(recording)

    def finish(self) -> None:
        """Every file is in place already."""

    def discard(self) -> None:
        """Files of whole recordings stay."""

    def _count_words(self, recording: ExportRecording) -> None:
        self._tally.exported["words"] += sum(len(segment.words or ()) for segment in recording.segments)
        wordless = sum(segment.words is None for segment in recording.segments)
        self._tally.leave_out("segments' words", "no word times", wordless)


def _text(recording: ExportRecording) -> str:
    """A line for each segment; with more than one channel, who speaks."""
    named = len(recording.channels) > 1
    return "".join(f"{f'{segment.voice}: ' if named else ''}{segment.line}\n" for segment in recording.segments)


def _json(recording: ExportRecording) -> str:
    return to_json(asdict(recording), indent=1) + "\n"


def _whisperx(recording: ExportRecording) -> str:
    """As WhisperX writes it after alignment; segments without word times have an empty list of words."""
    segments = [
        {
            "start": milliseconds(segment.start_s),
            "end": milliseconds(segment.end_s),
            "text": segment.text,
            "speaker": segment.voice,
            "words": [_whisperx_word(word) | {"speaker": segment.voice} for word in segment.words or ()],
        }
        for segment in recording.segments
    ]
    words = [_whisperx_word(word) for segment in recording.segments for word in segment.words or ()]
    return to_json({"segments": segments, "word_segments": words, "language": recording.language}) + "\n"


def _whisperx_word(word: ExportWord) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": milliseconds(word.start_s),
        "end": milliseconds(word.end_s),
        "score": None if word.confidence is None else round(word.confidence, 3),
    }


def _aws(recording: ExportRecording) -> str:
    """As Amazon Transcribe's batch jobs write it: numbers are text there."""
    items: list[dict[str, Any]] = []
    parts = [_aws_segment(place, segment, items) for place, segment in enumerate(recording.segments)]
    results = {
        "transcripts": [{"transcript": " ".join(segment.line for segment in recording.segments)}],
        "items": items,
        "audio_segments": parts,
    }
    document = {"jobName": recording.name, "accountId": "", "status": "COMPLETED", "results": results}
    return to_json(document) + "\n"


def _aws_segment(place: int, segment: ExportSegment, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The entry of one segment; its words are appended to `items`."""
    first = len(items)
    for word in segment.words or ():
        said = {"confidence": f"{word.confidence or 0.0:.3f}", "content": word.text}
        times = {"start_time": f"{word.start_s:.3f}", "end_time": f"{word.end_s:.3f}"}
        items.append({"id": len(items), "type": "pronunciation", "alternatives": [said], **times})
    return {
        "id": place,
        "transcript": segment.line,
        "start_time": f"{segment.start_s:.3f}",
        "end_time": f"{segment.end_s:.3f}",
        "items": list(range(first, len(items))),
    }


_CONTENTS = {"txt": _text, "json": _json, "whisperx": _whisperx, "aws": _aws}
