"""Bytes behind the end of the audio that look like more of it: files put together byte by byte, stopped recorders."""

from funasr_beam.model.audio.container import OpenAudio
from funasr_beam.model.audio.duration import has_open_size, stream_duration_s
from funasr_beam.model.audio.reference import ISO_FORMAT, has_second_index
from funasr_beam.model.audio.source import MediaFile

_LEAST_BYTES = 4096
_LEAST_S = 0.25
_MOST_CHUNKS = 1000


def goes_on_behind_its_end(audio: OpenAudio) -> bool:
    """Whether a WAV, AIFF or MP4 has sound, as far as anybody knows, behind the end that its header names.

    Of other containers either all is read that is put together (MP3, AAC, Ogg, AVI, MPEG-TS), or the second header
    makes itself felt as damage (FLAC, Matroska); FLV and TTA pass as whole.
    """
    match audio.container.format.name:
        case "wav":
            return _wav_goes_on(audio)
        case "aiff":
            return _aiff_goes_on(audio.file)
        case name if name == ISO_FORMAT:
            return has_second_index(audio.file)
        case _:
            return False


def _wav_goes_on(audio: OpenAudio) -> bool:
    """Whether there are bytes behind the samples that are neither chunks nor padding."""
    file, rate, length_s = audio.file, audio.context.bit_rate, stream_duration_s(audio)
    if not rate or not length_s or file.size * 8 / rate - length_s < _LEAST_S:
        return False
    if file.read_at(0, 4) != b"RIFF" or has_open_size(file):
        return False
    at, is_behind = 12, False
    for _ in range(_MOST_CHUNKS):
        if file.size - at < _LEAST_BYTES:
            break
        kind, size = file.read_at(at, 4), int.from_bytes(file.read_at(at + 4, 4), "little")
        if is_behind and not _is_chunk(kind):
            return any(file.read_at(at, _LEAST_BYTES))
        is_behind = is_behind or kind == b"data"
        at += 8 + size
        at += size % 2 and file.read_at(at, 1) == b"\0"  # not all writers fill up odd sizes
    return False


def _is_chunk(kind: bytes) -> bool:
    """Whether a chunk of that kind may follow the samples."""
    return kind not in (b"RIFF", b"data") and all(0x20 <= byte < 0x7F for byte in kind)


def _aiff_goes_on(file: MediaFile) -> bool:
    end = 8 + int.from_bytes(file.read_at(4, 4), "big")
    return file.size - end >= _LEAST_BYTES and any(file.read_at(end, _LEAST_BYTES))
