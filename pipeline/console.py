"""Where people read results."""

from typing import Any

from rich.console import Console as RichConsole
from rich.text import Text

from funasr_beam.model.redaction import visible


class Console(RichConsole):
    """A console that shows texts as they are: names of files are no markup, no emoji codes and move no cursor.

    It also tells its caller when nobody reads any more; rich itself would end the program with code 1.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """A text or a cell of a table, with escapes in the place of control characters."""
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self) -> None:
        """The reader of our output has gone.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
