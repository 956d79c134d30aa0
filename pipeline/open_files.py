"""How many files the program may have open at once."""

import contextlib
import resource


def raise_open_files() -> None:
    """Take what the system allows, since shells and schedulers start programs with less.

    A decoder, its pipes and the connections to a store take some for each worker.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems refuse their own limit; what there is may do
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
