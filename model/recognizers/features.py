"""Fun-ASR's features of a batch at once, on the device that the model computes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchaudio.compliance.kaldi import get_mel_banks

from funasr_beam.model.records import SAMPLE_RATE, Samples

_LOWEST_HZ = 20.0
_PREEMPHASIS = 0.97
_GPU_BLOCK = 16_384
"""Windows that are transformed at once on a GPU: 2.7 minutes of audio, and at most 120 MB in between."""
_GPU_ROWS = 1_024
"""Their number is filled up to a multiple of this: cuFFT plans anew, and keeps the plan, for every other one."""


@dataclass(frozen=True)
class Features:
    """What the encoder gets of a batch."""

    values: torch.Tensor  # (utterances, longest, bins x stacked) float32, zeros behind the shorter ones
    mask: torch.Tensor  # (utterances, longest) int32: 1 where there is audio
    frames: tuple[int, ...]  # of each utterance


@dataclass(frozen=True)
class _Shape:
    """How samples become frames, in samples and frames."""

    window: int
    shift: int
    bins: int
    stacked: int
    stride: int

    def windows(self, samples: int) -> int:
        return 1 + (samples - self.window) // self.shift


class FeatureExtractor:
    """Mel features of short windows, stacked to one frame per 60 ms: those of the checkpoint's own extractor.

    On a CPU they are equal to the last bit, however long an utterance is and whatever stands beside it.
    Source: FunAsrNanoFeatureExtractor of transformers 5.23 and fbank of torchaudio 2.11 (compliance/kaldi.py).
    """

    def __init__(self, checkpoint: Any, sample_scale: float, device: torch.device) -> None:
        """Compute the window and the mel bank.

        Args:
            checkpoint: the checkpoint's extractor, of transformers.
            sample_scale: what int16 samples are divided by.
            device: where the features are made.
        """
        per_ms = SAMPLE_RATE // 1_000
        self._shape = _Shape(
            window=checkpoint.frame_length * per_ms,
            shift=checkpoint.frame_shift * per_ms,
            bins=checkpoint.feature_size,
            stacked=checkpoint.num_frames_lfr,
            stride=checkpoint.stride_lfr,
        )
        self._sample_scale = sample_scale
        self._device = device
        self._one_by_one = device.type == "cpu"
        self._pinned = device.type == "cuda"  # only then a copy to the device lets the thread go on
        self._fft_size = 1 << (self._shape.window - 1).bit_length()
        window = torch.hamming_window(self._shape.window, periodic=False, alpha=0.54, beta=0.46)
        self._window = window.to(device)
        self._mel_bank = _mel_bank(self._shape.bins, self._fft_size).to(device)

    def __call__(self, batch: Sequence[Samples]) -> Features:
        """The features of a batch; on a GPU they may still be under way.

        Args:
            batch: (samples,) int16 each, at least one window long.
        """
        windows = [self._shape.windows(len(samples)) for samples in batch]
        frames = [-(-count // self._shape.stride) for count in windows]
        samples, starts = self._join(batch)
        energies = self._mel_energies(samples, list(zip(starts, windows, strict=True)))
        places = torch.tensor([starts, windows, frames], pin_memory=self._pinned)
        first, count, length = places.to(self._device, non_blocking=True).unsqueeze(-1)
        mask = torch.arange(max(frames), device=self._device) < length
        values = self._stack(energies, first, count, max(frames)).masked_fill_(~mask.unsqueeze(-1), 0.0)
        return Features(values, mask.to(torch.int32), tuple(frames))

    def _stack(self, energies: torch.Tensor, first: torch.Tensor, count: torch.Tensor, longest: int) -> torch.Tensor:
        """(utterances, longest, bins x stacked): a frame is the windows around its place, those at the ends repeated.

        Args:
            energies: (windows, bins) of all utterances.
            first: (utterances, 1) where the windows of each begin.
            count: (utterances, 1) how many each has.
            longest: frames of the longest.
        """
        places = torch.arange(longest, device=self._device) * self._shape.stride
        offsets = torch.arange(self._shape.stacked, device=self._device) - (self._shape.stacked - 1) // 2
        around = (places[:, None] + offsets).clamp(min=0)
        return energies[torch.minimum(around, count[..., None] - 1) + first[..., None]].flatten(2)

    def _join(self, batch: Sequence[Samples]) -> tuple[torch.Tensor, list[int]]:
        """All samples in a row, each utterance at the beginning of a window, and those windows' places."""
        shift = self._shape.shift
        shifts = [-(-len(samples) // shift) for samples in batch]
        starts = [0, *np.cumsum(shifts).tolist()]
        joined = torch.zeros(starts[-1] * shift + self._shape.window, dtype=torch.int16, pin_memory=self._pinned)
        for samples, start in zip(batch, starts, strict=False):
            joined.numpy()[start * shift : start * shift + len(samples)] = samples
        return joined.to(self._device, non_blocking=True), starts[:-1]

    def _mel_energies(self, samples: torch.Tensor, utterances: Sequence[tuple[int, int]]) -> torch.Tensor:
        """(windows, bins) of the whole row; on a CPU only those windows are computed that lie in an utterance."""
        shape, total = self._shape, self._shape.windows(len(samples))
        if self._one_by_one:
            # One by one: it is faster, as all stays in the cache, and the last bits hang on how many windows there are.
            energies = torch.zeros(total, shape.bins)
            for start, count in utterances:
                energies[start : start + count] = self._transform(samples, start, count)
            return energies
        blocks = [(start, min(_GPU_BLOCK, total - start)) for start in range(0, total, _GPU_BLOCK)]
        return torch.cat([self._transform(samples, start, count) for start, count in blocks])

    def _transform(self, samples: torch.Tensor, start: int, count: int) -> torch.Tensor:
        """The logarithm of the energy in each mel band of neighbouring windows; (windows, bins)."""
        window, shift = self._shape.window, self._shape.shift
        part = samples[start * shift : (start + count - 1) * shift + window].to(torch.float32)
        windows = part.div_(self._sample_scale).unfold(0, window, shift)
        rows = count if self._one_by_one else -(-count // _GPU_ROWS) * _GPU_ROWS
        padded = windows.new_zeros(rows, self._fft_size)
        shaped = padded[:count, :window]
        torch.sub(windows, windows.mean(dim=1, keepdim=True), out=shaped)
        before = shaped * _PREEMPHASIS
        shaped[:, 1:] -= before[:, :-1]
        shaped[:, 0] -= before[:, 0]
        shaped *= self._window
        power = self._power(torch.fft.rfft(padded)[:count])
        return torch.mm(power, self._mel_bank).clamp_(min=torch.finfo(torch.float32).eps).log_()

    def _power(self, spectrum: torch.Tensor) -> torch.Tensor:
        """The squared magnitudes; as on a CPU they are made, a GPU would compile a kernel at the first call."""
        if self._one_by_one:
            return spectrum.abs().pow_(2.0)
        return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)


def _mel_bank(bins: int, fft_size: int) -> torch.Tensor:
    """(frequencies, bins) weights of triangular bands."""
    # Up to half the sample rate; no warping of the vocal tract.
    bank, _ = get_mel_banks(bins, fft_size, float(SAMPLE_RATE), _LOWEST_HZ, 0.0, 100.0, -500.0, 1.0)
    return torch.nn.functional.pad(bank, (0, 1)).T
