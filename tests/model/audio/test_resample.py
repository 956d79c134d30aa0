"""A grid on which every machine agrees."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.audio.container import AudioShape
from funasr_beam.model.audio.resample import MAX_CELL_SAMPLES, CellGrid

RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 44_101, 48_000, 96_000, 192_000]


@given(st.integers(1_000, 768_000), st.integers(1, 32))
def test_cells_and_margins_are_whole_at_both_rates_and_of_bounded_size(rate, channels):
    grid = CellGrid.of(AudioShape(rate, channels))
    assert grid.margin * 16_000 % rate == 0
    assert grid.margin >= 0.09 * rate
    assert grid.native_cell * 16_000 == grid.cell * rate
    assert (grid.native_cell * channels <= MAX_CELL_SAMPLES) or grid.cell_s == 1


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_resampled_cell_by_cell_has_no_seams(rate):
    grid = CellGrid(rate, 2)
    time = np.arange(-grid.margin, 3 * grid.native_cell + grid.margin) / rate
    tone = (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    cells = [
        grid.resample(tone[None, i * grid.native_cell : (i + 1) * grid.native_cell + 2 * grid.margin]) for i in range(3)
    ]
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(3 * grid.cell) / 16_000)
    assert np.abs(np.concatenate(cells, axis=1)[0] - expected).max() <= 2


@pytest.mark.parametrize("rate", RATES)
def test_positions_map_there_and_back(rate):
    grid = CellGrid(rate, 30)
    step = 16_000 // gcd(rate, 16_000)
    for position in (0, step, 7 * step, 480_000):
        assert grid.to_output(grid.to_native(position)) == pytest.approx(position, abs=max(1, 16_000 / rate))


def test_too_loud_is_clipped_and_never_wrapped():
    grid = CellGrid(16_000, 1)
    loud = np.full((1, grid.native_cell + 2 * grid.margin), 1e9, np.float32)
    assert (grid.resample(loud) == 32_767).all()
    assert (grid.resample(-loud) == -32_768).all()
