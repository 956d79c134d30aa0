"""From speech probabilities to segments: raw intervals, long ones cut, neighbours merged, padded copies of sound."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from funasr_beam.model.audio.quality import bandwidth_hz, clipping_share
from funasr_beam.model.records import SAMPLE_RATE, Samples, Seconds, Segment, SpeechInterval
from funasr_beam.model.silero import FRAME_SAMPLES
from funasr_beam.model.vad import FRAME_S, Probabilities, frame_energies

MIN_SEGMENT_SAMPLES = 400
"""One analysis window (25 ms): the recogniser's features need at least so much."""

Bounds = tuple[Seconds, Seconds]

_CUT_COST = 0.1
"""What a cut costs beside the squared probability of speech there: two cuts in pauses are better than one in a word."""

_SMOOTHING = np.array([1, 3, 5, 5, 3, 1]) / 18
"""Weights of the frames around a border; 0.2 s wide, so that a pause beats the closure of a plosive."""

_LAG_FRAMES = 1
"""Silero notices a pause late: without this its cuts lie 35 ms (clean) to 80 ms (5 dB) behind the pauses' middles."""

_SHORTEST_PIECE_S = 2.0
_NOISE_CONTEXT_S = 10.0
_MIN_NOISE_FRAMES = 8


@dataclass(frozen=True)
class SegmentationConfig:
    """Where speech begins and ends, and how it is cut into what is recognised at once."""

    target_s: Seconds = 28.0  # longer speech is cut, shorter neighbours are merged up to here
    max_s: Seconds = 30.0  # no segment is longer, padding included
    threshold: float = 0.5  # a speech interval starts at this probability
    neg_threshold: float = 0.35  # and ends where it stays below this one
    min_silence_s: Seconds = 0.3  # for so long
    min_speech_s: Seconds = 0.1  # shorter intervals are no speech
    pad_s: Seconds = 0.2  # kept on both sides of a segment, where there is room
    merge_gap_s: Seconds = 1.0  # longest silence that may stay inside a segment

    @property
    def effective_pad_s(self) -> Seconds:
        """The padding, where it would leave no room for speech a quarter of the longest segment."""
        return min(self.pad_s, self.max_s / 4)

    @property
    def speech_limit_s(self) -> Seconds:
        """Longest stretch of speech in one segment: the target, or what the padding leaves of the maximum."""
        return min(self.target_s, self.max_s - 2 * self.effective_pad_s)


def speech_intervals(
    probabilities: Probabilities, config: SegmentationConfig, start_s: Seconds, channel: int, end_s: Seconds = math.inf
) -> list[SpeechInterval]:
    """Raw speech of one channel, before merging and padding, on the recording's clock.

    Args:
        probabilities: (frames,) one every 32 ms.
        config: thresholds and shortest durations.
        start_s: where the first frame begins.
        channel: copied into the intervals.
        end_s: where the audio ends: its last frame may reach beyond it.
    """
    runs = _runs(probabilities, config.threshold, config.neg_threshold)
    joined = _join(runs, config.min_silence_s / FRAME_S)
    return [
        SpeechInterval(channel, start_s + first * FRAME_S, min(start_s + last * FRAME_S, end_s))
        for first, last in joined
        if (last - first) * FRAME_S >= config.min_speech_s
    ]


def segment_bounds(
    intervals: Sequence[SpeechInterval],
    probabilities: Probabilities,
    config: SegmentationConfig,
    start_s: Seconds,
    duration_s: Seconds,
) -> list[Bounds]:
    """Start and end of each segment on the recording's clock: ordered, disjoint, in the audio, at most `max_s` long.

    Every raw interval is covered. Speech beyond the limit is cut where the smoothed probability is lowest; neighbours
    are merged while both gap and sum stay under their limits, with the silence between them, so that time stays linear.
    Audio of less than 25 ms gives no segment.

    Args:
        intervals: of one channel, by time.
        probabilities: (frames,) that the intervals were made from.
        config: limits.
        start_s: where the audio begins.
        duration_s: length of the audio.
    """
    num_samples = round(duration_s * SAMPLE_RATE)
    if num_samples < MIN_SEGMENT_SAMPLES:
        return []
    limit = int(config.speech_limit_s * SAMPLE_RATE)
    pieces: list[tuple[int, int]] = []
    for interval in intervals:
        first = _samples_until(interval.start_s, start_s)
        last = min(_samples_until(interval.end_s, start_s), num_samples)
        # Only the last frame can be cut short by the end of the audio: what is too short there grows to the left.
        pieces += _cut(min(first, num_samples - MIN_SEGMENT_SAMPLES), last, probabilities, limit)
    merged = _merge(pieces, round(config.merge_gap_s * SAMPLE_RATE), limit)
    padded = _pad(merged, int(config.effective_pad_s * SAMPLE_RATE), num_samples)
    return [(start_s + first / SAMPLE_RATE, start_s + last / SAMPLE_RATE) for first, last in padded]


def cut_segments(
    samples: Samples,
    bounds: Sequence[Bounds],
    intervals: Sequence[SpeechInterval],
    probabilities: Probabilities,
    channel: int,
    start_s: Seconds,
) -> list[Segment]:
    """The segments of one channel, as copies: a segment must not keep its whole channel in memory.

    Args:
        samples: (n,) int16 of the channel.
        bounds: from `segment_bounds`.
        intervals: raw speech, for the signal-to-noise ratio and the mean probability of speech.
        probabilities: (frames,) that the intervals were made from.
        channel: copied into the segments.
        start_s: where the samples begin on the recording's clock.
    """
    energies = frame_energies(samples)
    is_speech = _speech_mask(intervals, len(energies), start_s)
    segments = []
    for index, (from_s, to_s) in enumerate(bounds):
        first, last = _samples_until(from_s, start_s), _samples_until(to_s, start_s)
        frames = slice(first // FRAME_SAMPLES, -(-last // FRAME_SAMPLES))
        snr_db = _snr_db(energies, is_speech, frames.start, frames.stop)
        speech = probabilities[frames][is_speech[frames]]
        certainty = float(speech.mean()) if len(speech) else None
        own = samples[first:last].copy()
        quality = clipping_share(own), bandwidth_hz(own)
        segments.append(Segment(channel, index, from_s, to_s, own, snr_db, *quality, certainty))
    return segments


def _runs(probabilities: Probabilities, threshold: float, neg_threshold: float) -> list[tuple[int, int]]:
    """Half-open frame ranges over `neg_threshold` that reach `threshold`, from where they reach it."""
    edges = np.flatnonzero(np.diff(probabilities >= neg_threshold, prepend=False, append=False)).tolist()
    starts = probabilities >= threshold
    ranges = zip(edges[::2], edges[1::2], strict=True)
    return [(first + int(starts[first:last].argmax()), last) for first, last in ranges if starts[first:last].any()]


def _join(runs: Sequence[tuple[int, int]], min_silence_frames: float) -> list[tuple[int, int]]:
    """Close the silences that are too short to end an interval."""
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and first - joined[-1][1] < min_silence_frames:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _cut(first: int, last: int, probabilities: Probabilities, limit: int) -> list[tuple[int, int]]:
    """Cut one stretch of samples into pieces of at most `limit`, at frame borders."""
    if last - first <= limit:
        return [(first, last)]
    origin = first // FRAME_SAMPLES
    costs = _border_costs(probabilities)[origin : -(-last // FRAME_SAMPLES) + 1]
    longest = limit // FRAME_SAMPLES
    shortest = max(1, min(round(_SHORTEST_PIECE_S / FRAME_S), longest // 4))
    cuts = [(origin + cut) * FRAME_SAMPLES for cut in _cheapest_cuts(costs, longest, shortest)]
    return list(zip([first, *cuts], [*cuts, last], strict=True))


def _border_costs(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """Squared smoothed probability of speech at each of the (frames + 1) borders between frames."""
    half = len(_SMOOTHING) // 2
    padded = np.pad(probabilities.astype(np.float64), (half - _LAG_FRAMES, half + _LAG_FRAMES), mode="edge")
    return np.convolve(padded, _SMOOTHING, mode="valid") ** 2


def _cheapest_cuts(costs: npt.NDArray[np.float64], longest: int, shortest: int) -> list[int]:
    """Borders that cut the frames into pieces of `shortest` to `longest` frames at the least sum of costs.

    Args:
        costs: (frames + 1,) cost at each border; the outer two are no cuts.
        longest: frames; at least twice `shortest`, and less than there are.
        shortest: frames.
    """
    end = len(costs) - 1
    price = costs + _CUT_COST
    total = np.full(end + 1, np.inf)
    total[0] = 0.0
    came_from = np.zeros(end + 1, dtype=np.int64)
    for border in range(shortest, end + 1):
        nearest = max(0, border - longest)
        came_from[border] = nearest + int(total[nearest : border - shortest + 1].argmin())
        total[border] = total[came_from[border]] + price[border]
    cuts = []
    while (end := int(came_from[end])) > 0:
        cuts.append(end)
    return cuts[::-1]


def _merge(pieces: Sequence[tuple[int, int]], max_gap: int, limit: int) -> list[tuple[int, int]]:
    """Join neighbours, from the left, while the silence between them and their sum stay within the limits."""
    merged: list[tuple[int, int]] = []
    for first, last in pieces:
        if merged and first - merged[-1][1] <= max_gap and last - merged[-1][0] <= limit:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged


def _pad(pieces: Sequence[tuple[int, int]], pad: int, num_samples: int) -> list[tuple[int, int]]:
    """Widen each piece by `pad` on both sides, at most to the middle of the silence to its neighbour."""
    middles = [(left[1] + right[0]) // 2 for left, right in itertools.pairwise(pieces)]
    floors, ceilings = [0, *middles], [*middles, num_samples]
    return [
        (max(first - pad, floor), min(last + pad, ceiling))
        for (first, last), floor, ceiling in zip(pieces, floors, ceilings, strict=False)
    ]


def _samples_until(time_s: Seconds, start_s: Seconds) -> int:
    return round((time_s - start_s) * SAMPLE_RATE)


def _speech_mask(intervals: Sequence[SpeechInterval], num_frames: int, start_s: Seconds) -> npt.NDArray[np.bool_]:
    mask = np.zeros(num_frames, dtype=np.bool_)
    for interval in intervals:
        first, last = (_samples_until(time_s, start_s) for time_s in (interval.start_s, interval.end_s))
        mask[first // FRAME_SAMPLES : -(-last // FRAME_SAMPLES)] = True
    return mask


def _snr_db(energies: npt.NDArray[np.float64], is_speech: npt.NDArray[np.bool_], first: int, last: int) -> float | None:
    """Speech over noise of a segment in dB; None where there is too little noise around it to tell.

    The noise is the median frame without speech within 10 s, and at least one unit of int16 loud.
    """
    context = round(_NOISE_CONTEXT_S / FRAME_S)
    near = slice(max(first - context, 0), last + context)
    noise = energies[near][~is_speech[near]]
    speech = energies[first:last][is_speech[first:last]]
    if len(noise) < _MIN_NOISE_FRAMES or not len(speech):
        return None
    noise_energy = max(float(np.median(noise)), 1.0)
    speech_energy = max(float(speech.mean()) - noise_energy, noise_energy / 100)
    return float(10 * np.log10(speech_energy / noise_energy))
