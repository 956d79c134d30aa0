"""Where people read results."""

import os
from typing import Any

from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from funasr_beam.model.redaction import visible

_WIDEST = 10_000


class Console(RichConsole):
    """A console that shows texts as they are: names of files are no markup, no emoji codes and move no cursor.

    It also tells its caller when nobody reads any more; rich itself would end the program with code 1.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """A text or a cell of a table, with escapes in the place of control characters."""
        return super().render_str(visible(text), **options)

    def print_table(self, table: Table) -> None:
        """A table; in a file or a mail as wide as its rows are, unless COLUMNS says how wide that may be."""
        before = self.width
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = _WIDEST
        try:
            self.print(table)
        finally:
            self.width = before

    def on_broken_pipe(self) -> None:
        """The reader of our output has gone.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
