"""Another try where it can help, and only there."""

import pytest

from funasr_beam.model.backoff import ATTEMPTS, FIRST_PAUSE_S, LONGEST_PAUSE_S, with_backoff


def failing(times, error):
    """An operation that fails so often, and what it was asked."""
    calls = []

    def operation():
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return operation, calls


def test_a_bad_moment_passes():
    pauses = []
    operation, calls = failing(ATTEMPTS - 1, ConnectionResetError("reset"))
    assert with_backoff(operation, pause=pauses.append) == "done"
    assert len(calls) == ATTEMPTS
    assert all(0 <= pause <= min(FIRST_PAUSE_S * 2**n, LONGEST_PAUSE_S) for n, pause in enumerate(pauses, 1))
    assert len(set(pauses)) == len(pauses), "they are random"


def test_a_lasting_trouble_is_told_in_the_end():
    operation, calls = failing(100, TimeoutError("nobody answers"))
    with pytest.raises(TimeoutError):
        with_backoff(operation, pause=lambda _: None)
    assert len(calls) == ATTEMPTS


@pytest.mark.parametrize("error", [FileNotFoundError("a"), PermissionError("a"), IsADirectoryError("a")])
def test_what_no_other_try_can_change_is_told_at_once(error):
    operation, calls = failing(1, error)
    with pytest.raises(type(error)):
        with_backoff(operation)
    assert len(calls) == 1
