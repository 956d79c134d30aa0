"""Ctrl-C or SIGTERM while DuckDB computes: Python hears of it when the call is over, and a join may take hours."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@contextlib.contextmanager
def ending_with_signals(connection: "duckdb.DuckDBPyConnection") -> Iterator[None]:
    """Queries of a connection end soon after such a signal, whose KeyboardInterrupt then follows.

    Does nothing outside the main thread, where signals do not arrive.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, tells = socket.socketpair()
    tells.setblocking(False)
    before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)  # written to within the C handler
    listener = threading.Thread(target=_listen, args=(hears, connection), name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        tells.close()
        listener.join()
        hears.close()


def _listen(hears: socket.socket, connection: "duckdb.DuckDBPyConnection") -> None:
    while number := hears.recv(1):
        if number[0] in (signal.SIGINT, signal.SIGTERM):
            connection.interrupt()
