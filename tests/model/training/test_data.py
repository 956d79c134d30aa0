"""Batches: of one size a length, the same for a seed, with every utterance once an epoch at most."""

from itertools import islice

import numpy as np
import torch

from funasr_beam.model.training.augment import augment
from funasr_beam.model.training.conversation import guided_rows
from funasr_beam.model.training.data import PADDING, batches, group, padded_lengths
from funasr_beam.model.training.encoder_stage import history_labels
from funasr_beam.model.training.labels import IGNORED

LENGTHS = np.random.default_rng(0).integers(10, 200, 400)


def test_batches_keep_to_their_frames_and_to_few_shapes() -> None:
    shapes = set()
    for indices in islice(batches(LENGTHS, 1600, 0), 200):
        padded = padded_lengths(LENGTHS[indices])
        assert len(set(padded.tolist())) == 1
        assert padded.sum() <= 1600
        shapes.add((len(indices), int(padded[0])))
    assert len(shapes) <= 200 // PADDING + 2


def test_batches_are_the_same_for_a_seed() -> None:
    first, again, other = (list(islice(batches(LENGTHS, 1600, seed), 50)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_groups_hold_every_utterance_once() -> None:
    groups = group(LENGTHS, np.argsort(LENGTHS), 1600)
    assert sorted(index for indices in groups for index in indices) == list(range(len(LENGTHS)))
    assert max(len(indices) * LENGTHS[indices].max() for indices in groups) <= 1600


def test_augmentation_keeps_the_shape_and_leaves_the_original_alone() -> None:
    features = np.random.default_rng(0).standard_normal((50, 560)).astype(np.float32)
    before = features.copy()
    changed = augment(features, np.random.default_rng(1))
    assert changed.shape == features.shape
    assert np.array_equal(features, before)
    assert not np.array_equal(changed, features)


def test_history_names_the_token_before() -> None:
    blank = 9
    labels = torch.tensor([[blank, 1, 1, blank, 2, 3, 3, IGNORED]])
    assert history_labels(labels, blank).tolist() == [[IGNORED, IGNORED, IGNORED, IGNORED, 1, 2, 2, IGNORED]]


def test_history_parts_a_repeated_token() -> None:
    blank = 9
    labels = torch.tensor([[1, 1, blank, 1, 2]])
    assert history_labels(labels, blank).tolist() == [[IGNORED, IGNORED, IGNORED, 1, 1]]


def test_guided_rows_point_each_position_at_the_frames_of_its_token() -> None:
    from funasr_beam.model.training.conversation import Conversation

    conversation = Conversation(torch.zeros(1, 12), torch.zeros(1, 12), audio_at=[2], text_at=[8])
    rows, positions, inside = guided_rows(conversation, [np.array([[0, 2], [3, 5]])])
    assert rows.tolist() == [0, 0]
    assert positions.tolist() == [8, 9]
    assert inside[0].nonzero().flatten().tolist() == [2, 3]
    assert inside[1].nonzero().flatten().tolist() == [5, 6]
