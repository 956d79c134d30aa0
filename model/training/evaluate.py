"""Error rates of texts: words in English, characters in Mandarin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from funasr_beam.model.evaluation.errors import count_errors


def units(text: str, language: str) -> list[str]:
    """What errors are counted in: words, in Mandarin characters."""
    return list(text.replace(" ", "")) if language == "zh" else text.split()


def error_rates(rows: Iterable[tuple[str, str, str, str]]) -> dict[str, float]:
    """Percent errors for each group of (group, language, reference, hypothesis) rows."""
    errors: dict[str, int] = defaultdict(int)
    totals: dict[str, int] = defaultdict(int)
    for name, language, reference, hypothesis in rows:
        wanted = units(reference, language)
        errors[name] += count_errors(wanted, units(hypothesis, language)).errors
        totals[name] += len(wanted)
    return {name: round(100 * errors[name] / totals[name], 2) for name in sorted(totals)}
