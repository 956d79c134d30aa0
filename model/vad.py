"""Voice activity: silero's network over all frames of a channel at once, a probability of speech every 32 ms."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from funasr_beam.model.one_thread import one_thread
from funasr_beam.model.records import SAMPLE_RATE, Samples
from funasr_beam.model.silero import CONTEXT_SAMPLES, FRAME_SAMPLES, SileroNetwork, Workspace
from funasr_beam.model.vad_lanes import Lane, agreeing_lanes, score_lanes

if TYPE_CHECKING:
    import torch

FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
"""One probability covers this much audio: 0.032 s."""

Probabilities = npt.NDArray[np.float32]

_BLOCK_FRAMES = 512  # 16 s: larger blocks fall out of the cache (740x instead of 2,200x realtime at 4,096)

_SETTLE_FRAMES = 320
"""Frames of digital silence (10 s) after which the network's answer moves by less than 1e-4."""

_QUIET_DBFS = -40.0  # below this level silero begins to lose speech
_TARGET_DBFS = -25.0
_MAX_GAIN_DB = 40.0
_SECOND_FRAMES = 31


@cache
def shared_detector() -> "SpeechDetector":
    """The one detector of this process, loaded at the first call; every thread may use it."""
    return SpeechDetector()


class SpeechDetector:
    """Silero's network, holding weights only: one instance serves any number of threads at once, each on its own."""

    def __init__(self) -> None:
        self._network = SileroNetwork()
        with one_thread():
            self._lanes = agreeing_lanes(self._network)

    def speech_probabilities(
        self, channels: Sequence[Samples], block_frames: int = _BLOCK_FRAMES
    ) -> list[Probabilities]:
        """The probability of speech in each 32 ms of channels, each as if it were alone.

        Several channels, of one recording or of many, take less time together than one by one.

        A channel whose loudest second lies under -40 dBFS is first raised to -25 dBFS, by 40 dB at most: one gain for
        all the samples given. Memory beyond the samples depends on `block_frames` only, and `block_frames` does not
        change the result. After 10 s of digital silence the network rests until the next sound; its memory would
        otherwise go on drifting, so that up to a few of the frames after it differ from an undisturbed run.

        Args:
            channels: (n,) int16 mono at 16 kHz each.
            block_frames: frames computed at once.

        Returns:
            (ceil(n / 512),) float32, 0 to 1, for each; the last frame is filled up with zeros.
        """
        import torch

        prepared = [_Channel(samples) for samples in channels]
        with torch.inference_mode(), one_thread():
            work = Workspace.of(min(block_frames, max((len(channel.scored) for channel in prepared), default=0)))
            lanes = [Lane(channel.features(self._network, work), len(channel.scored)) for channel in prepared]
            # The longest first, so that none is left that goes on alone for long.
            score_lanes(self._network, sorted(lanes, key=lambda lane: -len(lane.scores)), self._lanes)
        return [_hold_where_unscored(lane, channel.scored) for lane, channel in zip(lanes, prepared, strict=True)]


class _Channel:
    """The samples of one channel and which frames are scored, and how loud."""

    def __init__(self, samples: Samples) -> None:
        rms = _frame_rms(samples)
        self.scored = _frames_worth_scoring(rms)
        self._samples = samples
        self._gain = _quiet_gain(rms) / 32768

    def features(self, network: SileroNetwork, work: Workspace) -> "Iterator[tuple[int, torch.Tensor]]":
        """The features of the frames to be scored, block by block, each with the number of its first frame."""
        for first, last in _blocks(self.scored, len(work.padded)):
            place = work if len(work.padded) == last - first else Workspace.of(last - first)
            place.fill(_frames(self._samples, first, last), self._gain)
            yield first, network.encode(place)


def frame_energies(samples: Samples) -> npt.NDArray[np.float64]:
    """(frames,) mean square of each 512 samples, in squared units of int16; a rest at the end counts as a frame."""
    whole = len(samples) // FRAME_SAMPLES
    frames = samples[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES)
    energies = [_mean_square(frames[first : first + _BLOCK_FRAMES]) for first in range(0, whole, _BLOCK_FRAMES)]
    if rest := len(samples) % FRAME_SAMPLES:
        energies.append(_mean_square(samples[np.newaxis, -rest:]))
    return np.concatenate([np.zeros(0), *energies])


def _mean_square(frames: Samples) -> npt.NDArray[np.float64]:
    wide = frames.astype(np.float32)
    squares: npt.NDArray[np.float64] = np.vecdot(wide, wide).astype(np.float64) / frames.shape[1]
    return squares


def _frame_rms(samples: Samples) -> npt.NDArray[np.float64]:
    return np.sqrt(frame_energies(samples))


def _quiet_gain(rms: npt.NDArray[np.float64]) -> float:
    """The factor that lifts a quiet channel to a level at which silero was trained; 1 for any other.

    The level is that of the loudest second, and in it the median frame, so that neither pauses nor clicks count.
    """
    if not rms.any():
        return 1.0
    whole = max(1, len(rms) // _SECOND_FRAMES) * _SECOND_FRAMES
    seconds = np.resize(rms, whole).reshape(-1, _SECOND_FRAMES)
    level_dbfs = 20 * np.log10(max(float(np.median(seconds, axis=1).max()), 1.0) / 32768)
    if level_dbfs >= _QUIET_DBFS:
        return 1.0
    return float(10 ** (min(_TARGET_DBFS - level_dbfs, _MAX_GAIN_DB) / 20))


def _frames_worth_scoring(rms: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """False where digital silence has already lasted so long that the network has settled."""
    index = np.arange(len(rms))
    last_sound = np.maximum.accumulate(np.where(rms > 0, index, -1))
    return index - last_sound <= _SETTLE_FRAMES


def _blocks(scored: npt.NDArray[np.bool_], block_frames: int) -> Iterator[tuple[int, int]]:
    """Half-open frame ranges of at most `block_frames` that together hold every frame to be scored."""
    edges = np.flatnonzero(np.diff(scored, prepend=False, append=False)).tolist()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        for start in range(first, last, block_frames):
            yield start, min(start + block_frames, last)


def _frames(samples: Samples, first: int, last: int) -> Samples:
    """The samples of some frames behind the context of the first; zeros beyond both ends."""
    start, stop = first * FRAME_SAMPLES - CONTEXT_SAMPLES, last * FRAME_SAMPLES
    if start >= 0 and stop <= len(samples):
        return samples[start:stop]
    return np.pad(samples[max(start, 0) : stop], (max(-start, 0), max(stop - len(samples), 0)))


def _hold_where_unscored(lane: Lane, scored: npt.NDArray[np.bool_]) -> Probabilities:
    """The probabilities, where the last answer lasts through the silence that was skipped."""
    import torch

    # All frames at once: the last few of an array take another way through the library, and another last digit.
    probabilities: Probabilities = torch.sigmoid(torch.from_numpy(lane.scores)).numpy()
    index = np.where(scored, np.arange(len(scored)), 0)
    return probabilities[np.maximum.accumulate(index)]
