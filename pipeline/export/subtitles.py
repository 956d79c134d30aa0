"""SubRip (.srt) and WebVTT (.vtt): a file for each recording."""

import html
from collections.abc import Callable

from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.cues import Cue, cues_of, two_lines
from funasr_beam.pipeline.export.files import Tally
from funasr_beam.pipeline.export.records import ExportRecording

_SRT_LOOKALIKES = str.maketrans({"<": "＜", ">": "＞", "{": "｛", "}": "｝"})
"""SubRip has no way to escape what players take for markup."""


class Subtitles:
    """One subtitle file for each recording; recordings without speech get one without cues."""

    def __init__(self, folder: Folder, tally: Tally, suffix: str, max_cue_s: Seconds) -> None:
        self._folder = folder
        self._tally = tally
        self._suffix = suffix
        self._max_cue_s = max_cue_s
        self._write: Callable[[list[tuple[Cue, str]]], str] = _srt if suffix == "srt" else _vtt

    def add(self, recording: ExportRecording) -> None:
        """Write its file."""
        voices = recording.channels if len(recording.channels) > 1 else ()
        cues = [
            (cue, segment.voice if voices or segment.speaker else "")
            for segment in recording.segments
            for cue in cues_of(segment, self._max_cue_s)
        ]
        cues.sort(key=lambda pair: pair[0].start_s)
        self._folder.write(f"{recording.name}.{self._suffix}", self._write(cues).encode())
        self._tally.took(recording, len(recording.segments))
        self._tally.exported["cues"] += len(cues)

    def finish(self) -> None:
        """Every file is in place already."""

    def discard(self) -> None:
        """Files of whole recordings stay."""


def _srt(cues: list[tuple[Cue, str]]) -> str:
    blocks = []
    for number, (cue, voice) in enumerate(cues, 1):
        text = two_lines((f"{voice}: " if voice else "") + cue.text).translate(_SRT_LOOKALIKES)
        times = f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}"
        blocks.append(f"{number}\n{times}\n{text}\n")
    return "\n".join(blocks)


def _vtt(cues: list[tuple[Cue, str]]) -> str:
    blocks = ["WEBVTT\n"]
    for cue, voice in cues:
        text = html.escape(two_lines(cue.text), quote=False)
        tag = f"<v {html.escape(' '.join(voice.split()))}>" if voice else ""
        blocks.append(f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{tag}{text}\n")
    return "\n".join(blocks)


def _clock(seconds: Seconds, point: str) -> str:
    """Hours, minutes, seconds and milliseconds."""
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}{point}{ms % 1000:03d}"
