"""One file for all recordings, as scoring tools read it: CTM, STM, RTTM and SegLST."""

from collections.abc import Callable, Iterator

from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.files import Draft, Tally, to_json
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment

Lines = Callable[[str, ExportSegment], Iterator[str]]


class ScoringFile:
    """A line for each word (CTM) or for each segment (STM, RTTM, SegLST)."""

    def __init__(self, folder: Folder, tally: Tally, kind: str) -> None:
        self._tally = tally
        self._kind = kind
        self._lines: Lines = {"ctm": _ctm, "stm": _stm, "rttm": _rttm, "seglst": _seglst}[kind]
        self._draft = Draft(folder, "transcripts.seglst.json" if kind == "seglst" else f"transcripts.{kind}")
        self._separator = "[\n"

    def add(self, recording: ExportRecording) -> None:
        """Append its lines, channel by channel."""
        segments = sorted(recording.segments, key=lambda segment: (segment.channel, segment.start_s))
        if self._kind == "ctm":
            wordless = sum(segment.words is None for segment in segments)
            self._tally.leave_out("segments", "no word times", wordless)
            segments = [segment for segment in segments if segment.words is not None]
        lines = [line for segment in segments for line in self._lines(recording.name, segment)]
        self._write(lines)
        self._tally.took(recording, len(segments))

    def finish(self) -> None:
        """Put the file in place."""
        if self._kind == "seglst":
            self._draft.write("[]\n" if self._separator == "[\n" else "\n]\n")
        self._draft.publish()

    def discard(self) -> None:
        """Remove the draft."""
        self._draft.discard()

    def _write(self, lines: list[str]) -> None:
        if self._kind != "seglst":
            self._draft.write("".join(f"{line}\n" for line in lines))
        elif lines:
            self._draft.write(self._separator + ",\n".join(lines))
            self._separator = ",\n"
        self._tally.exported["lines"] += len(lines)


def _ctm(name: str, segment: ExportSegment) -> Iterator[str]:
    """NIST's time-marked conversation: file, channel, begin, duration, word, confidence."""
    for word in segment.words or ():
        start, duration = _begin_and_duration(word.start_s, word.end_s)
        confidence = "" if word.confidence is None else f" {word.confidence:.3f}"
        yield f"{name} {segment.channel + 1} {start} {duration} {'_'.join(word.text.split())}{confidence}"


def _stm(name: str, segment: ExportSegment) -> Iterator[str]:
    """NIST's segment time marks: file, channel, speaker, begin, end, text."""
    times = f"{segment.start_s:.3f} {segment.end_s:.3f}"
    yield f"{name} {segment.channel + 1} {_token(segment.voice)} {times} {segment.line}"


def _rttm(name: str, segment: ExportSegment) -> Iterator[str]:
    """NIST's rich transcription time marks: who speaks when."""
    start, duration = _begin_and_duration(segment.start_s, segment.end_s)
    yield f"SPEAKER {name} {segment.channel + 1} {start} {duration} <NA> <NA> {_token(segment.voice)} <NA> <NA>"


def _seglst(name: str, segment: ExportSegment) -> Iterator[str]:
    """The segment list of the CHiME challenges and meeteval."""
    yield to_json(
        {
            "session_id": name,
            "channel": segment.channel + 1,
            "speaker": segment.voice,
            "start_time": round(segment.start_s, 3),
            "end_time": round(segment.end_s, 3),
            "words": segment.line,
        }
    )


def _begin_and_duration(start_s: Seconds, end_s: Seconds) -> tuple[str, str]:
    """Both in whole milliseconds, so that their sum is the end to the millisecond."""
    start_ms, end_ms = round(start_s * 1000), round(end_s * 1000)
    length_ms = end_ms - start_ms
    return f"{start_ms // 1000}.{start_ms % 1000:03d}", f"{length_ms // 1000}.{length_ms % 1000:03d}"


def _token(text: str) -> str:
    return "_".join(text.split()) or "unknown"
