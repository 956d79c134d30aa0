"""Channels side by side get what each gets alone, and every frame is scored once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.vad import SpeechDetector, shared_detector
from funasr_beam.model.vad_lanes import MAX_LANES, Lane, agreeing_lanes, score_lanes


class Counting:
    """Adds up what it scores, and notes how many channels it got at once."""

    def __init__(self, wobble=0.0):
        self.widths = []
        self._wobble = wobble

    def blank_state(self, channels):
        return torch.zeros(1, channels, 1), torch.zeros(1, channels, 1)

    def score(self, features, state):
        channels = features.shape[1]
        self.widths.append(channels)
        sums = state[0][0, :, 0] + features[..., 0].cumsum(0) + self._wobble * channels
        return sums, (sums[-1][None, :, None], state[1])


def lane(lengths):
    """A channel of ones in blocks of such lengths, a frame without features between each two."""
    blocks, first = [], 0
    for length in lengths:
        blocks.append((first, torch.ones(length, 1)))
        first += length + 1
    return Lane(iter(blocks), first)


def wanted(lengths):
    """The running sums, and 0 where nothing was to be scored."""
    sums, total = [], 0
    for length in lengths:
        sums += [*range(total + 1, total + length + 1), 0]
        total += length
    return sums


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), max_size=4), max_size=9), st.integers(1, MAX_LANES))
def test_every_frame_of_every_channel_is_scored_once_and_in_order(channels, width):
    lanes, network = [lane(lengths) for lengths in channels], Counting()
    score_lanes(network, lanes, width)
    assert [one.scores.tolist() for one in lanes] == [wanted(lengths) for lengths in channels]
    assert all(count <= width or count == 2 for count in network.widths)


def test_as_many_channels_as_there_are_lanes_go_side_by_side():
    network = Counting()
    score_lanes(network, [lane([5]) for _ in range(7)], 3)
    assert network.widths == [3, 3, 2]


def test_a_channel_that_ends_leaves_its_lane_to_the_next():
    network = Counting()
    score_lanes(network, [lane([10]), lane([4]), lane([6])], 2)
    assert network.widths == [2, 2]


def test_a_network_to_which_company_matters_hears_one_channel_at_a_time():
    assert agreeing_lanes(Counting()) == MAX_LANES
    assert agreeing_lanes(Counting(wobble=1e-6)) == 1


def test_a_lane_with_nothing_ready_says_so():
    with pytest.raises(ValueError, match="nothing is ready"):
        _ = lane([]).ready


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_company_does_not_change_one_bit(lengths, seed):
    rng = np.random.default_rng(seed)
    channels = [rng.normal(0, 3000, length).round().astype(np.int16) for length in lengths]
    together = shared_detector().speech_probabilities(channels)
    alone = [shared_detector().speech_probabilities([samples])[0] for samples in channels]
    assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))


def test_no_channel_gives_no_answer():
    assert SpeechDetector().speech_probabilities([]) == []
