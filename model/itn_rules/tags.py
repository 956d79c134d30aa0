"""The tags that a grammar writes, such as `money { value: "five" currency: "dollars" }`, for its second half to read.

wetext's own parser does the same, but importing it loads every grammar that the package has: 0.2 s and 37 MB.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]

_ORDERS = {
    "date": ("year", "month", "day", "preserve_order"),
    "fraction": ("sign", "numerator", "denominator"),
    "measure": ("numerator", "denominator", "value", "units"),
    "money": ("currency", "value", "decimal", "quantity"),
    "time": ("hour", "minute", "second", "noon", "zone"),
    "telephone": ("country_code", "number_part"),
    "electronic": ("username", "domain", "protocol"),
}
_MEMBER = re.compile(r'([A-Za-z_]+): "((?:[^"\\]|\\.)*)" *', re.DOTALL)
_TAG = re.compile(rf" *(?P<name>[A-Za-z_]+) \{{ *(?P<members>(?:{_MEMBER.pattern})*)\}}", re.DOTALL)


@dataclass(frozen=True)
class Tag:
    """One tag, and where it stands in the text that the grammar wrote."""

    name: str
    start: int
    end: int
    members: tuple[tuple[str, str], ...]  # key and value, as they were written


def parse_tags(text: str) -> list[Tag]:
    """The tags in their order.

    Raises:
        ValueError: there is something else in the text.
    """
    tags: list[Tag] = []
    while (end := tags[-1].end if tags else 0) < len(text.rstrip(" ")):
        found = _TAG.match(text, end)
        if found is None:
            raise ValueError(f"no tag: {text[end:]!r}")
        members = tuple((member[1], member[2]) for member in _MEMBER.finditer(found["members"]))
        tags.append(Tag(found["name"], found.start("name"), found.end(), members))
    return tags


def ordered_tags(tags: Sequence[Tag]) -> tuple[str, list[Span]]:
    """The tags with the members of each in the order in which they are to be written, and where each then stands.

    Source: wetext 0.1.8, `TokenParser.reorder_with_spans`.
    """
    texts, spans, start = [], [], 0
    for tag in tags:
        texts.append(_ordered(tag))
        spans.append((start, start + len(texts[-1])))
        start = spans[-1][1] + 1
    return " ".join(texts), spans


def _ordered(tag: Tag) -> str:
    values = dict(tag.members)
    keys = [key for key, _ in tag.members]
    if tag.name in _ORDERS and values.get("preserve_order") != "true":
        first = _ORDERS[tag.name]
        keys = [*(key for key in first if key in values), *(key for key in keys if key not in first)]
    members = "".join(f' {key}: "{_escaped(values[key])}"' for key in keys)
    return f"{tag.name} {{{members} }}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
