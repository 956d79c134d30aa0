"""The CTC head: scores, padding, and what is loaded from a checkpoint folder."""

from pathlib import Path

import pytest
import torch

from funasr_beam.model.ctc_head import (
    CONFIG_NAME,
    WEIGHTS_NAME,
    CtcHead,
    CtcHeadConfig,
    CtcHeadError,
    load_ctc_head,
)
from tests.json_files import edit_json

CONFIG = CtcHeadConfig(
    encoder_size=32, vocab_size=20, blank_id=20, hidden_size=16, projector_size=24, offset_s=-0.017, trained=True
)


@pytest.fixture
def head() -> CtcHead:
    torch.manual_seed(0)
    return CtcHead(CONFIG).eval()


def test_gives_log_probabilities_over_the_vocabulary_and_the_blank(head: CtcHead) -> None:
    scores = head(torch.randn(2, 5, 32), torch.ones(2, 5, dtype=torch.long))
    assert scores.shape == (2, 5, 21)
    assert torch.allclose(scores.exp().sum(-1), torch.ones(2, 5), atol=1e-5)


def test_padding_of_a_longer_neighbour_does_not_change_an_utterance(head: CtcHead) -> None:
    hidden, mask = torch.randn(2, 9, 32), torch.ones(2, 9, dtype=torch.long)
    mask[1, 4:] = 0
    batch, alone = head(hidden, mask), head(hidden[1:, :4], mask[1:, :4])
    assert torch.allclose(batch[1, :4], alone[0], atol=1e-5)


def test_names_its_tensors_as_upstream_does(head: CtcHead) -> None:
    names = set(head.state_dict())
    assert {"ctc.ctc_lo.weight", "ctc_decoder.linear_1.weight", "ctc_decoder.layers.0.mlp.fc1.weight"} <= names


def test_survives_a_round_trip_through_a_folder_in_half_precision(head: CtcHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    loaded = load_ctc_head(tmp_path)
    assert loaded is not None
    assert loaded.config == CONFIG
    hidden, mask = torch.randn(1, 6, 32), torch.ones(1, 6, dtype=torch.long)
    assert torch.allclose(loaded(hidden, mask), head(hidden, mask), atol=1e-2)
    assert loaded.ctc["ctc_lo"].weight.dtype == torch.float32


def test_a_folder_without_a_head_has_none(tmp_path: Path) -> None:
    assert load_ctc_head(tmp_path) is None


@pytest.mark.parametrize("missing", [WEIGHTS_NAME, CONFIG_NAME])
def test_half_a_head_is_an_error(head: CtcHead, tmp_path: Path, missing: str) -> None:
    head.save(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(CtcHeadError, match="incomplete"):
        load_ctc_head(tmp_path)


@pytest.mark.parametrize("share", [0, 2])
def test_weights_that_are_cut_off_are_an_error(head: CtcHead, tmp_path: Path, share: int) -> None:
    head.save(tmp_path)
    weights = tmp_path / WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size * share // 3])
    with pytest.raises(CtcHeadError, match="is damaged"):
        load_ctc_head(tmp_path)


def test_an_untrained_head_is_refused(head: CtcHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    _change(tmp_path, trained=False)
    with pytest.raises(CtcHeadError, match="invented"):
        load_ctc_head(tmp_path)


def test_unknown_keys_are_refused(head: CtcHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    _change(tmp_path, blanc_id=3)
    with pytest.raises(CtcHeadError, match="unknown keys"):
        load_ctc_head(tmp_path)


def test_weights_of_another_size_are_refused(head: CtcHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    _change(tmp_path, hidden_size=32)
    with pytest.raises(CtcHeadError, match="does not fit"):
        load_ctc_head(tmp_path)


def _change(folder: Path, **values: object) -> None:
    path = folder / CONFIG_NAME
    edit_json(path, **values)
