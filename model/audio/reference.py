"""Recognise files that name other files: playlists, scripts, and movies whose samples lie elsewhere."""

import re
from collections.abc import Iterator

from funasr_beam.model.audio.source import MediaFile

HEAD_BYTES = 65_536
"""So much of the beginning is looked at."""

MAX_BOXES = 10_000
ISO_FORMAT = "mov,mp4,m4a,3gp,3g2,mj2"
"""ffmpeg's name of MP4, M4A, MOV and 3GP."""

_TEXT_MARKS = {
    "an M3U or HLS playlist": rb"#EXTM3U",
    "a DASH manifest": rb"<MPD[\s>]",
    "a concat script": rb"ffconcat\s+version",
    "a PLS playlist": rb"\[playlist\]",
    "an XSPF playlist": rb"<playlist[\s>]",
    "a session description (SDP)": rb"v=0\r?\n(?:.*\r?\n)*?[oscm]=",
    "an ASX playlist": rb"<asx[\s>]",
    "a SMIL presentation": rb"<smil[\s>]",
    "a Smooth Streaming manifest": rb"<SmoothStreamingMedia[\s>]",
    "a list of references": rb"\[reference\]",
    "a QuickTime reference": rb"rtsptext",
}
_CUE = re.compile(rb"^\s*FILE\s+\S.*\r?\n\s*TRACK\s+\d+", re.IGNORECASE | re.MULTILINE)
_CONCAT = re.compile(rb"^\s*file\s+['\"]?\S+", re.IGNORECASE | re.MULTILINE)
_ENTRY = re.compile(
    rb"^(?:[a-z][a-z0-9+.-]*://\S+|[^\x00-\x1f<>]+\.(?:wav|mp3|m4a|mp4|ogg|opus|flac|aac|ts|m3u8?|mkv|webm|mov))$", re.I
)
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def reference_kind(head: bytes) -> str | None:
    """What kind of playlist or script a file with this beginning is; None when it is none."""
    if b"\0" in head[:512]:
        return None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    start = text[:4096]
    for kind, mark in _TEXT_MARKS.items():
        # XML may have a prologue and comments before its root; all else must begin the file.
        found = re.search(mark, start, re.IGNORECASE) if mark.startswith(b"<") and start.startswith(b"<") else None
        if found or re.match(mark, start, re.IGNORECASE):
            return kind
    if _CUE.search(start):
        return "a cue sheet"
    if _CONCAT.match(start):
        return "a concat script"
    return "a list of files" if _lists_files(start) else None


def _lists_files(text: bytes) -> bool:
    lines = [line.strip() for line in text.splitlines()[:20]]
    entries = [line for line in lines if line and not line.startswith(b"#")]
    return bool(entries) and all(_ENTRY.match(line) for line in entries)


def is_iso_media(head: bytes) -> bool:
    """Whether the beginning is that of an MP4, M4A, MOV or 3GP file."""
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def has_index(file: MediaFile) -> bool:
    """Whether an ISO file has the whole of its `moov` box, without which no sample can be found."""
    return any(kind == b"moov" and end <= file.size for kind, _, end in _boxes(file, 0, file.size))


def has_second_index(file: MediaFile) -> bool:
    """Whether an ISO file is followed by another one, of which nothing is read.

    In a film of fragments the index may come again and again, and everything is read.
    """
    count = 0
    for kind, _, _ in _boxes(file, 0, file.size):
        if kind == b"moof":
            return False
        count += kind == b"moov"
    return count > 1


def names_other_files(file: MediaFile) -> bool:
    """Whether an ISO file keeps the sound of some track in another file (a data reference or reference movie)."""
    handler = b""
    for kind, start, end in _walk(file, 0, file.size):
        if kind == b"hdlr":
            component, subtype = (file.read_at(start + 4, 8)[part] for part in (slice(4), slice(4, 8)))
            handler = handler if component == b"dhlr" else subtype
        if kind == b"rmra" or (kind == b"dref" and handler == b"soun" and _has_external_entry(file, start, end)):
            return True
    return False


def _walk(file: MediaFile, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for kind, body, stop in _boxes(file, start, end):
        yield kind, body, stop
        if kind in _CONTAINERS:
            yield from _walk(file, body, min(stop, end))


def _boxes(file: MediaFile, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(MAX_BOXES):
        header = file.read_at(start, 16) if start + 8 <= end else b""
        if len(header) < 8:
            return
        size, kind, body = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1:
            size, body = int.from_bytes(header[8:16], "big"), start + 16
        stop = end if size == 0 else start + size
        if stop < body:
            return
        yield kind, body, stop
        start = stop


def _has_external_entry(file: MediaFile, start: int, end: int) -> bool:
    # Four bytes of version and flags, four of count, then boxes whose lowest flag says "in this file".
    return any(not file.read_at(body, 4).endswith(b"\x01") for _, body, _ in _boxes(file, start + 8, end))
