"""The command `funasr-beam`: subcommands, exit codes, and errors as messages instead of tracebacks."""

import argparse
import atexit
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.redaction import RedactingFormatter, RedactingStream, redact, visible
from funasr_beam.model.storage_trouble import MAY_BE_GONE, SAME_COMMAND, run_failure, storage_errors
from funasr_beam.pipeline.command_line import module_of, parse
from funasr_beam.pipeline.open_files import raise_open_files
from funasr_beam.pipeline.streams import WithoutWorkerTracebacks, prepare_streams

EXIT_OK = 0
EXIT_NOT_ALL_WELL = 1
EXIT_USAGE = 2
EXIT_CANNOT_GO_ON = 3
EXIT_INTERRUPTED = 130

_INTERRUPTED_QUERY = "Query interrupted"  # says DuckDB
_NO_ROOM = "failed to map segment"  # says the loader of shared libraries where there is no memory for one
_log = logging.getLogger("funasr_beam")


def run() -> None:
    """The program: runs the command line and ends with its exit code."""
    prepare_streams()
    raise_open_files()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: a job on a cluster must not go on alone
    sys.stderr = WithoutWorkerTracebacks(RedactingStream(sys.stderr))  # libraries print some past the log
    code = main()
    if code not in (EXIT_CANNOT_GO_ON, EXIT_INTERRUPTED):
        # Otherwise worker threads may be deep inside the model: nothing is taken from them, and nobody waits for them.
        atexit._run_exitfuncs()  # temporary folders go
    _end(code)


def _end(code: int) -> NoReturn:
    """End the process at once; what is printed comes out first.

    An interpreter that takes itself apart needs 1.5 s for what Beam and torch have left, and some worker threads abort
    when it does so around them. Commits are whole or not there.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # as in `main`
        pass
    except OSError as error:
        code = _complain(f"the output cannot be printed: {error}", EXIT_CANNOT_GO_ON)
    sys.stderr.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and give its exit code."""
    arguments = parse(argv)
    _set_up_logging(verbose=arguments.verbose)
    command = module_of(arguments.command)
    try:
        _check_here()
        return _called(command, arguments)
    except UsageError as error:
        return _complain(str(error), EXIT_USAGE)
    except RunError as error:
        return _complain(str(error), EXIT_CANNOT_GO_ON)
    except KeyboardInterrupt:
        return _complain(f"interrupted; {SAME_COMMAND}", EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as in `funasr-beam status OUT | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except storage_errors() as error:
        _log.debug("The storage failed", exc_info=True)
        gone = f"the storage failed: {error}; {MAY_BE_GONE}" if isinstance(error, FileNotFoundError) else ""
        return _complain(gone or str(run_failure(_file_of(error), error)), EXIT_CANNOT_GO_ON)


def _file_of(error: Exception) -> str:
    return str(getattr(error, "filename", None) or "a file")


def _called(command: ModuleType, arguments: argparse.Namespace) -> int:
    """The exit code of a subcommand.

    Raises:
        KeyboardInterrupt: it was interrupted, be it in the middle of a query.
        RunError: there is too little memory for it, or for a library that it needs.
    """
    try:
        return int(command.run(arguments))
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and _NO_ROOM not in str(error):
            raise
        said = str(error) or type(error).__name__
        message = f"there is too little memory ({said}); give the command more (ulimit -v, the limit of its container)"
        raise RunError(f"{message}: {SAME_COMMAND}") from error
    except RuntimeError as error:
        if str(error) != _INTERRUPTED_QUERY:
            raise
        raise KeyboardInterrupt from error


def _check_here() -> None:
    """Refuse to work in a folder that was deleted: libraries end the process there without a word."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the command cannot run here:", ["the current folder is gone; cd to another"]) from error


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        shape = handler.formatter or logging.Formatter()
        handler.setFormatter(RedactingFormatter(shape._fmt, shape.datefmt))
    _log.setLevel(logging.DEBUG if verbose else logging.INFO)
    if not verbose:
        logging.getLogger("funasr_beam.worker").setLevel(logging.WARNING)  # units, one by one
        # Beam logs the traceback of whatever stops it, several times; the error itself comes back to us.
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs a traceback of what it also raises
        for handler in logging.getLogger().handlers:
            handler.addFilter(lambda record: record.name != "root")  # through which it hands on a cluster's log lines


def _complain(message: str, code: int) -> int:
    print(f"funasr-beam: {visible(redact(message))}", file=sys.stderr)
    return code


if __name__ == "__main__":
    run()
