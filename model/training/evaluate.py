"""Error rates of texts: words in English, characters in Mandarin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Insertions, deletions and substitutions that turn one sequence into the other."""
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != got))
    return row[-1]


def units(text: str, language: str) -> list[str]:
    """What errors are counted in: words, in Mandarin characters."""
    return list(text.replace(" ", "")) if language == "zh" else text.split()


def error_rates(rows: Iterable[tuple[str, str, str, str]]) -> dict[str, float]:
    """Percent errors for each group of (group, language, reference, hypothesis) rows."""
    errors: dict[str, int] = defaultdict(int)
    totals: dict[str, int] = defaultdict(int)
    for name, language, reference, hypothesis in rows:
        wanted = units(reference, language)
        errors[name] += edit_distance(wanted, units(hypothesis, language))
        totals[name] += len(wanted)
    return {name: round(100 * errors[name] / totals[name], 2) for name in sorted(totals)}
