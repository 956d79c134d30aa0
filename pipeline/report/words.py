"""Numbers, places and texts as a reader wants to see them."""

import re
from urllib.parse import quote

from funasr_beam.model.records import Seconds

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_PLAYABLE = ("file", "http", "https")


def duration(seconds: Seconds) -> str:
    """A length of time in the unit that fits."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, length in (("s", 60.0), ("min", 60.0)):
        if seconds < length:
            return f"{_short(seconds)} {unit}"
        seconds /= length
    return f"{_short(seconds)} h"


def clock(seconds: Seconds) -> str:
    """A place in a recording: 1:02:03.4."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"


def percent(share: float) -> str:
    """A share; small ones are not rounded to nothing."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    text = f"{100 * share:.1f}" if share < 0.1 or share > 0.9 else f"{100 * share:.0f}"
    return f"{text.removesuffix('.0')} %"


def number(value: float) -> str:
    """A count."""
    return f"{value:,.0f}"


def decimal(value: float) -> str:
    """A measure with as many digits as it deserves."""
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def clean(text: str | None, most: int = 4000) -> str:
    """A text from outside without what would steer a page: control characters and changes of direction."""
    found = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text or "")
    return found if len(found) <= most else found[: most - 1] + "…"


def listen_link(uri: str, start_s: Seconds | None = None, end_s: Seconds | None = None) -> str | None:
    """A link that a browser plays from a certain second on; None where browsers cannot go (object stores)."""
    scheme = uri.partition("://")[0].lower()
    if scheme not in _PLAYABLE:
        return None
    is_file = scheme == "file"
    place = "file://" + quote(uri.removeprefix("file://")) if is_file else uri.partition("#")[0]
    fragment = "" if start_s is None or end_s is None else f"#t={start_s:.2f},{end_s:.2f}"
    return place + fragment


def last_part(uri: str) -> str:
    """The name of a file."""
    return uri.rstrip("/").rsplit("/", 1)[-1] or uri


def folder_of(uri: str) -> str:
    """The folder of a file, as people name it."""
    return uri.removeprefix("file://").rpartition("/")[0]


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:,.0f}"
