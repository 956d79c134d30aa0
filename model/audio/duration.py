"""How long a recording is: what its header claims, whether that can be true, and what its packets say."""

from funasr_beam.model.audio import ogg
from funasr_beam.model.audio.container import OpenAudio
from funasr_beam.model.audio.feed import Feed
from funasr_beam.model.audio.reference import ISO_FORMAT
from funasr_beam.model.audio.source import MediaFile

EXACT = frozenset({"wav", "w64", "aiff", "caf", "flac", ISO_FORMAT, "ape", "wv", "tta", "tak", "mpc8"})
"""Containers whose header counts the samples: where it counts more than there are, the file was cut off."""

INDEXED = EXACT | {
    "matroska,webm",
    "ogg",
    "avi",
    "asf",
    "flv",
    "mpegts",
    "mpeg",
    "au",
    "rm",
    "mxf",
    "nut",
    "dsf",
    "voc",
}
"""Containers whose duration is good enough to plan with; of all others the packets are counted."""

MIN_BITS_PER_S = 50
"""No codec needs less: a header that claims more time than that does not tell the truth."""

_UNKNOWN_SIZES = frozenset({0, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFF024, 0x80000000, 0x80000024})


def planned_duration_s(audio: OpenAudio) -> float:
    """The duration to plan with: of the header where that is exact and possible, else of the packets, all read once."""
    claimed_s = _claimed_duration_s(audio)
    if claimed_s is not None and claimed_s > 0 and audio.file.size * 8 / claimed_s >= MIN_BITS_PER_S:
        return _at_most_the_bytes(audio, claimed_s)
    return scanned_duration_s(audio)


def scanned_duration_s(audio: OpenAudio) -> float:
    """Where the last packet ends, without decoding one; uses up the open container."""
    feed, end_s = Feed(audio), 0.0
    feed.begin(float("inf"))
    tick_s = float(audio.tick_s)
    while (placed := feed.take()) is not None:
        end_s = max(end_s, placed.start_s + (placed.packet.duration or 0) * tick_s)
    if audio.file.failure is not None:
        raise audio.file.failure
    return end_s


def declared_duration_s(audio: OpenAudio) -> float | None:
    """Where the header says that the audio ends, if it counts samples and not guesses; None otherwise."""
    name = audio.container.format.name
    if name == "mp3":
        length_s = _xing_duration_s(audio.file, audio.shape.sample_rate)
    elif name == "matroska,webm":
        length_s = _matroska_duration_s(audio)
    elif name in EXACT and not has_open_size(audio.file):
        length_s = stream_duration_s(audio)
    else:
        return None
    return None if not length_s else float(audio.first_s - audio.zero_s) + length_s


def is_cut_off(audio: OpenAudio) -> bool:
    """Whether the file ends inside a page or chunk that it has begun."""
    name = audio.container.format.name
    if name == "ogg":
        return ogg.ends_inside_page(audio.file)
    return name in ("wav", "avi") and not has_open_size(audio.file) and _riff_size(audio.file) > audio.file.size + 1


def _claimed_duration_s(audio: OpenAudio) -> float | None:
    declared_s = declared_duration_s(audio)
    name = audio.container.format.name
    if audio.is_chained:
        return None  # the last page tells the time of the last stream alone
    if name == "mp3":
        return declared_s if _xing_bytes_are_there(audio.file) else None
    if declared_s is not None or name not in INDEXED:
        return declared_s
    return stream_duration_s(audio) or _container_duration_s(audio)


def _at_most_the_bytes(audio: OpenAudio, claimed_s: float) -> float:
    rate = audio.context.bit_rate if audio.codec.startswith("pcm_") else None
    return min(claimed_s, audio.file.size * 8 / rate) if rate else claimed_s


def stream_duration_s(audio: OpenAudio) -> float | None:
    """What the header says of the audio stream, believed or not."""
    duration = audio.stream.duration
    return None if not duration else float(duration * audio.tick_s)


def _container_duration_s(audio: OpenAudio) -> float | None:
    return None if not audio.container.duration else audio.container.duration / 1e6


def _matroska_duration_s(audio: OpenAudio) -> float | None:
    """The audio's own duration: that of the file may be the video's."""
    tag = next((value for key, value in audio.stream.metadata.items() if key.upper().startswith("DURATION")), None)
    if tag is None:
        return None if audio.container.streams.video else _container_duration_s(audio)
    try:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - float(audio.first_s - audio.zero_s)
    except ValueError:
        return None


def has_open_size(file: MediaFile) -> bool:
    """Whether a WAV was written to a pipe, with sizes that stand for "until the end"."""
    head = file.read_at(0, 4096)
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return False
    at = head.find(b"data")
    size = int.from_bytes(head[at + 4 : at + 8], "little")
    return head[:4] in (b"RIFF", b"RIFX") and at > 0 and (size in _UNKNOWN_SIZES or size >= 0xFFFFF000)


def _riff_size(file: MediaFile) -> int:
    head = file.read_at(0, 8)
    return int.from_bytes(head[4:8], "little") + 8 if head[:4] == b"RIFF" else 0


def _first_mp3_frame(file: MediaFile) -> tuple[int, bytes]:
    head = file.read_at(0, 10)
    skip = 0
    if head[:3] == b"ID3":
        skip = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return skip, file.read_at(skip, 4096)


def _xing(frame: bytes) -> bytes:
    at = max(frame.find(b"Xing", 0, 200), frame.find(b"Info", 0, 200))
    return frame[at:] if at >= 0 else b""


def _xing_duration_s(file: MediaFile, rate: int) -> float | None:
    _, frame = _first_mp3_frame(file)
    xing = _xing(frame)
    if len(xing) < 12 or not xing[7] & 1:
        return None
    # MPEG-1 layer III has 1,152 samples a frame, the half rates of MPEG-2 and 2.5 have 576.
    return int.from_bytes(xing[8:12], "big") * (1152 if rate >= 32_000 else 576) / rate


def _xing_bytes_are_there(file: MediaFile) -> bool:
    skip, frame = _first_mp3_frame(file)
    xing = _xing(frame)
    if len(xing) < 16 or xing[7] & 3 != 3:
        return False
    claimed = int.from_bytes(xing[12:16], "big")
    return abs(file.size - skip - claimed) <= 0.01 * claimed + 4096
