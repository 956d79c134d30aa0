"""Defects that a test puts into the process of a command before it starts."""

import errno
import functools
import os
import random
import select
import signal
from datetime import datetime, timedelta


def out_of_memory_with_neighbours():
    """The recogniser has memory for one utterance at a time."""
    _limit_recognizer(lambda utterances: len(utterances) > 1)


def out_of_memory_always():
    """The recogniser never has enough memory."""
    _limit_recognizer(lambda utterances: True)


def _limit_recognizer(is_too_much):
    from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer

    recognize = FunAsrNanoRecognizer.recognize

    def limited(self, utterances):
        if is_too_much(utterances):
            raise MemoryError(f"no room for {len(utterances)} utterances")
        return recognize(self, utterances)

    FunAsrNanoRecognizer.recognize = limited


def decoders_are_killed_at_work():
    """The first two decoders that have begun with a file are killed."""
    _signal_decoders_at_work(signal.SIGKILL)


def decoders_hang_at_work():
    """The first two decoders that have begun with a file are stopped, and never go on."""
    _signal_decoders_at_work(signal.SIGSTOP)


def _signal_decoders_at_work(fatal):
    from funasr_beam.model.audio import sandbox

    left, answers = [2], sandbox._Child.answers

    def answer_after_the_signal(child):
        if left[0]:
            left[0] -= 1
            os.kill(child.pid, fatal)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
            _drain(child._process.stdout)
        return answers(child)

    sandbox._Child.answers = answer_after_the_signal


def _drain(pipe):
    """Lose what a decoder may have said before the signal reached it: a short file is decoded at once."""
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while ready.poll(0) and os.read(pipe.fileno(), 2**20):
        pass


def quick_beats():
    """Whoever holds an output shows life twice a second, so that a contender need not wait ten seconds to see it."""
    from funasr_beam.model.lease import Lease, LeaseTiming
    from funasr_beam.pipeline import claim

    claim.Lease = functools.partial(Lease, timing=LeaseTiming(beat_s=0.5))


def clock_a_day_back():
    """The clock that dates runs was set back since the last one (gRPC needs the true one)."""
    from funasr_beam.pipeline import run_folder, transcription

    class Yesterday(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) - timedelta(days=1)

    run_folder.datetime = transcription.datetime = Yesterday


def folders_listed_in_random_order():
    """The file system lists its files in another order."""
    from fsspec.implementations.local import LocalFileSystem

    listed = LocalFileSystem.ls

    def shuffled(self, path, *arguments, **options):
        found = listed(self, path, *arguments, **options)
        random.Random(os.getpid()).shuffle(found)
        return found

    LocalFileSystem.ls = shuffled


def no_space_after_the_first_unit():
    """The disk is full from the second commit on."""
    from funasr_beam.model.commits import CommittedUnits
    from funasr_beam.model.storage import Folder

    commit = CommittedUnits.commit

    def last_commit(self, result):
        commit(self, result)
        Folder.publish = _full

    CommittedUnits.commit = last_commit


def _full(folder, draft, name):
    with folder.telling():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), draft)
