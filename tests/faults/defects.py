"""Defects that a test puts into the process of a command before it starts."""

import errno
import functools
import os
import random
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


def little_patience_with_decoders_that_start():
    """A decoder that hangs before it takes its first file is given up after some seconds instead of a minute."""
    from funasr_beam.model.audio import sandbox

    sandbox.START_S = 8.0


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
