"""What the ways to recognise found, side by side."""

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


def show(profile: str, found: Mapping[str, Any]) -> str:
    """The tables of one profile."""
    padded = ", ".join(f"{name} {share:.1%}" for name, share in found["padding"].items())
    lines = [
        "",
        f"{profile}: {found['segments']} segments, {found['audio_s']:.0f} s; padding: {padded}",
        "",
        "| way | x realtime (spread) | per CPU second | ours is faster | same text | peak memory (MB) |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [f"| {side} | {_cells(way, found['ways'].get(OURS))} |" for side, way in found["ways"].items()]
    ledger = found["ledger"]
    if ledger:
        lines += ["", "| stage | s | share |", "| --- | ---: | ---: |"]
        lines += [f"| {name} | {s:.2f} | {s / ledger['wall_s']:.1%} |" for name, s in ledger["stages"].items()]
        step = f"{ledger['steps']} steps of {ledger['ms_per_step']:.2f} ms" if ledger["steps"] else "no steps"
        lines += [f"| wall clock ({step}) | {ledger['wall_s']:.2f} | |"]
    return "\n".join(lines)


def ratio(way: Mapping[str, Any], ours: Mapping[str, Any], key: str = "x_realtime") -> float:
    """How many times faster ours is, by medians."""
    return statistics.median(ours[key]) / statistics.median(way[key])


def _cells(way: Mapping[str, Any], ours: Mapping[str, Any] | None) -> str:
    if "missing" in way:
        return f"{way['missing']} | | | | "
    speeds, by_cpu = way["x_realtime"], statistics.median(way["x_realtime_of_cpu"])
    faster = f"{ratio(way, ours):.2f}x, by CPU {ratio(way, ours, 'x_realtime_of_cpu'):.2f}x" if ours else ""
    same = f"{way['equal_texts']} of {way['compared_texts']}" if "equal_texts" in way else ""
    speed = f"{statistics.median(speeds):,.2f} ({min(speeds):,.2f} to {max(speeds):,.2f})"
    return f"{speed} | {by_cpu:,.2f} | {faster} | {same} | {way['peak_mb']:,}"
