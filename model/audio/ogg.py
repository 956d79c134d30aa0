"""What the pages of an Ogg file tell about the whole: whether it was cut off, and whether it is several in a row."""

from dataclasses import dataclass
from itertools import takewhile

from funasr_beam.model.audio.source import MediaFile

MAX_PAGE_BYTES = 65_307
PAGE_HEADER_BYTES = 27
LOOKS = 8
"""Places looked at for a clock that starts anew."""

_NO_TIME = 2**64 - 1


@dataclass(frozen=True)
class _Page:
    start: int
    serial: int
    is_first: bool  # of its stream; all streams that sound together begin at the beginning of the file
    granule: int  # time at its end, in ticks of the stream; _NO_TIME: no packet ends here


def ends_inside_page(file: MediaFile) -> bool:
    """Whether the file ends before the last page that it has begun."""
    start = max(0, file.size - MAX_PAGE_BYTES)
    tail = file.read_at(start, file.size - start)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < PAGE_HEADER_BYTES:
        return True
    segments = page[PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + page[26]]
    return PAGE_HEADER_BYTES + page[26] + sum(segments) > len(page)


def is_chained(file: MediaFile) -> bool:
    """Whether streams follow one another: a stream that was not there at the beginning, or a clock that runs back.

    Looks at a few places only; a short stream in the middle can be missed.
    """
    opening = takewhile(lambda page: page.is_first, _pages(file.read_at(0, MAX_PAGE_BYTES), 0))
    times, seen = {page.serial: 0 for page in opening}, -1
    for look in range(1, LOOKS + 1):
        at = max(0, min(file.size * look // LOOKS, file.size - 2 * MAX_PAGE_BYTES))
        pages = _pages(file.read_at(at, 2 * MAX_PAGE_BYTES), at)
        for page in (page for page in pages if page.start > seen and page.granule != _NO_TIME):
            if page.granule < times.get(page.serial, 2**64):
                return True
            times[page.serial], seen = page.granule, page.start
    return False


def _pages(data: bytes, start: int) -> list[_Page]:
    """The pages whose header is in these bytes; a false "OggS" inside a packet has no version 0 and is left out."""
    found, at = [], data.find(b"OggS")
    while 0 <= at <= len(data) - PAGE_HEADER_BYTES:
        if data[at + 4] == 0 and data[at + 5] < 8:
            granule = int.from_bytes(data[at + 6 : at + 14], "little")
            serial = int.from_bytes(data[at + 14 : at + 18], "little")
            found.append(_Page(start + at, serial, bool(data[at + 5] & 2), granule))
        at = data.find(b"OggS", at + 4)
    return found
