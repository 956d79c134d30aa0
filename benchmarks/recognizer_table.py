"""What the ways to recognise found, side by side: the result that is kept."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.recognizer_sides import EQUALS, OURS
from funasr_beam.model.records import Seconds


@dataclass(frozen=True)
class Pass:
    """All segments once."""

    wall_s: Seconds
    cpu_s: Seconds  # of the process
    stages: dict[str, Seconds] = field(default_factory=dict)
    steps: int = 0  # in which each running text grew by a token


@dataclass(frozen=True)
class Part:
    """What one way found on one profile."""

    side: str
    profile: str
    missing: str | None = None  # why there is nothing
    audio_s: Seconds = 0.0
    texts: Mapping[int, str] = field(default_factory=dict)  # by the segment's place
    passes: tuple[Pass, ...] = ()
    ledger: Pass | None = None
    peak_mb: int = 0
    padding: dict[str, float] = field(default_factory=dict)  # of these segments, and of an hour of each profile

    def speed(self) -> float:
        """Audio seconds per second, median."""
        return self.audio_s / statistics.median(one.wall_s for one in self.passes)


def read_part(path: Path) -> Part:
    """A part that was kept."""
    found = json.loads(path.read_text(encoding="utf-8"))
    found["texts"] = {int(place): text for place, text in found["texts"].items()}
    found["passes"] = tuple(Pass(**one) for one in found["passes"])
    found["ledger"] = Pass(**found["ledger"]) if found["ledger"] else None
    return Part(**found)


def join(lengths: Sequence[Seconds], parts: Sequence[Part]) -> dict[str, Any]:
    """One profile's result: each way's speed and how many texts are as they must be, and our ledger."""
    known = {part.side: part for part in parts}
    ours = known.get(OURS)
    return {
        "segments": len(lengths),
        "audio_s": sum(lengths),
        "padding": ours.padding if ours else {},
        "ways": {part.side: _way(part, known) for part in parts},
        "ledger": _ledger(ours.ledger) if ours and ours.ledger else None,
    }


def _way(part: Part, known: Mapping[str, Part]) -> dict[str, Any]:
    if part.missing:
        return {"missing": part.missing}
    found: dict[str, Any] = {
        "segments": len(part.texts),
        "audio_s": part.audio_s,
        "x_realtime": [part.audio_s / one.wall_s for one in part.passes],
        "x_realtime_of_cpu": [part.audio_s / one.cpu_s for one in part.passes],
        "peak_mb": part.peak_mb,
    }
    other = known.get(EQUALS.get(part.side, ""))
    if other is not None and other.texts:
        # A batch of the others writes on to the length of its longest segment.
        pairs = [(other.texts[place], text) for place, text in part.texts.items() if place in other.texts]
        found |= {"equal_texts": sum(text.startswith(own) for own, text in pairs), "compared_texts": len(pairs)}
    return found


def _ledger(found: Pass) -> dict[str, Any]:
    """Seconds of each stage; they add up to the wall clock, with what none of them explains as the rest."""
    stages = dict(found.stages) | {"rest": found.wall_s - sum(found.stages.values())}
    decode_s = found.stages.get("decode", 0.0)
    return asdict(found) | {"stages": stages, "ms_per_step": 1e3 * decode_s / found.steps if found.steps else None}


def details(profiles: Mapping[str, Mapping[str, Any]]) -> str:
    """What `tables.recognizer` leaves out: how much was heard, spreads, memory, padding."""
    lines = ["| profile | way | segments | audio s | x realtime, spread | peak memory (MB) |"]
    lines += ["| --- | --- | ---: | ---: | --- | ---: |"]
    for profile, found in profiles.items():
        ways = {side: way for side, way in found["ways"].items() if "missing" not in way}
        lines += [f"| {profile} | {side} | {_cells(way)} |" for side, way in ways.items()]
    lines += [""]
    for profile, found in profiles.items():
        padded = ", ".join(f"{name} {share:.1%}" for name, share in found["padding"].items())
        lines += [f"padding of {profile}: {padded}"]
    return "\n".join(lines)


def _cells(way: Mapping[str, Any]) -> str:
    slowest, fastest = min(way["x_realtime"]), max(way["x_realtime"])
    return f"{way['segments']} | {way['audio_s']:.0f} | {slowest:,.2f} to {fastest:,.2f} | {way['peak_mb']:,}"
