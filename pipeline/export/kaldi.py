"""A Kaldi data folder: wav.scp, segments, text, utt2spk, spk2utt and reco2dur, each sorted as Kaldi wants it."""

import shlex

from funasr_beam.model.records import SAMPLE_RATE, Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.audio import ClipFolder
from funasr_beam.pipeline.export.files import Drafts, Tally
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment, file_duration_s

_FILES = ("wav.scp", "segments", "text", "utt2spk", "spk2utt", "reco2dur")
_OPENED_BY_FFMPEG = ("", "http", "https", "ftp")


class KaldiFolder:
    """Each channel is a recording and a speaker of its own; with clips, each segment is a recording."""

    def __init__(self, folder: Folder, tally: Tally, clips: ClipFolder | None) -> None:
        self._folder = folder
        self._tally = tally
        self._clips = clips
        self._drafts = Drafts(folder, _FILES)

    def add(self, recording: ExportRecording) -> None:
        """Append its lines."""
        paths = self._clips.paths(recording) if self._clips else None
        if paths is None and (why := _unreadable(recording.location)):
            self._tally.leave_out("recordings", why)
            return
        taken = 0
        for channel in sorted(recording.channels, key=str):  # as their names sort: 10 before 2
            found = [each for each in recording.segments if each.channel == channel]
            segments = sorted((each for each in found if paths is None or each.id in paths), key=lambda each: each.id)
            if segments:
                self._add_channel(recording, segments, paths)
            taken += len(segments)
        self._tally.took(recording, taken)

    def finish(self) -> None:
        """Put all files in place."""
        self._drafts.publish()

    def discard(self) -> None:
        """Remove the drafts; clips stay for the next try."""
        self._drafts.discard()

    def _add_channel(
        self, recording: ExportRecording, segments: list[ExportSegment], paths: dict[str, str] | None
    ) -> None:
        channel = f"{recording.name}-{segments[0].channel}"
        if paths is None:
            self._add_wave(channel, _wave(recording, segments[0].channel), file_duration_s(recording))
        self._drafts["spk2utt"].write(f"{channel} {' '.join(segment.id for segment in segments)}\n")
        for segment in segments:
            self._drafts["text"].write(f"{segment.id} {segment.line}\n")
            self._drafts["utt2spk"].write(f"{segment.id} {channel}\n")
            place = f"{channel} {segment.start_s:.3f} {segment.end_s:.3f}"
            if paths is not None:
                self._add_wave(segment.id, _clip(self._folder.show(paths[segment.id])), segment.duration_s)
                place = f"{segment.id} 0.000 {segment.duration_s:.3f}"
            self._drafts["segments"].write(f"{segment.id} {place}\n")

    def _add_wave(self, name: str, place: str, duration_s: Seconds) -> None:
        self._drafts["wav.scp"].write(f"{name} {place}\n")
        self._drafts["reco2dur"].write(f"{name} {duration_s:.3f}\n")


def _unreadable(place: str) -> str:
    """Why no line of wav.scp can name an original; empty: one can."""
    if "\n" in place:
        return "a line feed in the name of the file, which wav.scp cannot hold"
    scheme = place.partition("://")[0] if "://" in place else ""
    return f"ffmpeg cannot open {scheme}://; --audio wav writes clips" if scheme not in _OPENED_BY_FFMPEG else ""


def _wave(recording: ExportRecording, channel: int) -> str:
    """A file that Kaldi reads itself, or a command that gives one channel of it; all at one sample rate."""
    place = recording.location
    # Kaldi's reader takes WAV with PCM of 16 bits and nothing else: neither FLAC nor the mu-law WAV of telephony.
    read_by_kaldi = place.lower().endswith(".wav") and recording.codec == "pcm_s16le"
    if read_by_kaldi and (recording.num_channels, recording.sample_rate) == (1, SAMPLE_RATE) and _is_plain(place):
        return place
    return _command(place, f"-af {shlex.quote(f'pan=mono|c0=c{channel}')} -ar {SAMPLE_RATE} ")


def _clip(place: str) -> str:
    return place if place.endswith(".wav") and _is_plain(place) else _command(place)


def _is_plain(place: str) -> bool:
    return not set(place) & set(" \t\n|")


def _command(place: str, options: str = "") -> str:
    """The shell reads this line: the name of a file must stay a name."""
    return f"ffmpeg -nostdin -v error -i {shlex.quote(place)} {options}-f wav - |"
