"""Where people read results."""

from rich.console import Console as RichConsole


class Console(RichConsole):
    """A console that tells its caller when nobody reads any more; rich itself would end the program with code 1."""

    def on_broken_pipe(self) -> None:
        """The reader of our output has gone.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
