"""Small work on one thread, however many torch has for large models."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

from funasr_beam.model.once import once


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on the calling thread alone; neither other threads nor what follows is affected.

    Threads that share a product of matrices wait for each other after each, the longer the more others are at work:
    what takes microseconds takes many times that.
    """
    import torch

    torch.get_num_threads()  # a thread's first question sets its number, and would undo the limit
    with _pools().limit(limits=1, user_api="openmp"):
        yield


@once
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
