"""Why a checkpoint cannot be converted."""

from collections.abc import Sequence

from funasr_beam.model.errors import RunError

_MOST_SHOWN = 12


class ConversionError(RunError):
    """The original files are wrong, incomplete or unsafe; carries every problem found."""

    def __init__(self, title: str, problems: Sequence[str]) -> None:
        shown = list(problems[:_MOST_SHOWN])
        if len(problems) > _MOST_SHOWN:
            shown.append(f"... and {len(problems) - _MOST_SHOWN} more")
        super().__init__("\n  ".join([f"{title}:", *shown] if shown else [title]))
        self.problems = tuple(problems)
