"""Voice activity: silero's network over all frames of a channel at once, a probability of speech every 32 ms."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from funasr_beam.model.errors import RunError
from funasr_beam.model.records import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    import torch

FRAME_SAMPLES = 512
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
"""One probability covers this much audio: 0.032 s."""

Probabilities = npt.NDArray[np.float32]

_PACKAGE = "silero-vad"
_CONTEXT_SAMPLES = 64  # each frame is heard together with the end of the one before
_FFT_SAMPLES = 256
_HOP_SAMPLES = 128
_STRIDES = (1, 2, 2, 1)
_BLOCK_FRAMES = 512  # 16 s: larger blocks fall out of the cache (740x instead of 2,200x realtime at 4,096)

_SETTLE_FRAMES = 320
"""Frames of digital silence (10 s) after which the network's answer moves by less than 1e-4."""

_QUIET_DBFS = -40.0  # below this level silero begins to lose speech
_TARGET_DBFS = -25.0
_MAX_GAIN_DB = 40.0
_SECOND_FRAMES = 31


@cache
def vad_version() -> str:
    """Name and version of the package whose weights are used, such as `silero-vad 6.2.3`."""
    try:
        return f"{_PACKAGE} {distribution(_PACKAGE).version}"
    except PackageNotFoundError as error:
        raise RunError(
            f"{_PACKAGE} is not installed, and its wheel carries the VAD's weights: pip install it"
        ) from error


@cache
def shared_detector() -> "SpeechDetector":
    """The one detector of this process, loaded at the first call; every thread may use it."""
    return SpeechDetector()


class SpeechDetector:
    """Silero's network, holding weights only: one instance serves any number of threads at once.

    A call uses as many cores as torch is set to (`torch.set_num_threads`); a process whose threads are busy themselves
    sets one.
    """

    def __init__(self) -> None:
        weights = _load_weights()
        self._window = weights["stft.forward_basis_buffer"][0, 0]
        self._convolutions = [
            (weights[f"encoder.{layer}.reparam_conv.weight"], weights[f"encoder.{layer}.reparam_conv.bias"], stride)
            for layer, stride in enumerate(_STRIDES)
        ]
        # The last two see one frame each, so that some of their taps fall on padding only: what is left is a product.
        self._last_products = [
            (weight[:, :, taps].flatten(1).T.contiguous(), bias)
            for (weight, bias, _), taps in zip(self._convolutions[2:], (slice(1, 3), slice(1, 2)), strict=True)
        ]
        self._lstm = _lstm(weights)
        self._output_weight = weights["decoder.decoder.2.weight"].flatten()
        self._output_bias = weights["decoder.decoder.2.bias"]

    def speech_probabilities(self, samples: Samples, block_frames: int = _BLOCK_FRAMES) -> Probabilities:
        """The probability of speech in each 32 ms of one channel.

        A channel whose loudest second lies under -40 dBFS is first raised to -25 dBFS, by 40 dB at most: one gain for
        all the samples given. Memory beyond the samples depends on `block_frames` only, and `block_frames` does not
        change the result. After 10 s of digital silence the network rests until the next sound; its memory would
        otherwise go on drifting, so that up to a few of the frames after it differ from an undisturbed run.

        Args:
            samples: (n,) int16 mono at 16 kHz.
            block_frames: frames computed at once.

        Returns:
            (ceil(n / 512),) float32, 0 to 1; the last frame is filled up with zeros.

        Source: silero-vad 6.2.3, `silero_vad.jit`, 16 kHz branch.
        """
        import torch

        rms = _frame_rms(samples)
        heard = _frames_worth_hearing(rms)
        gain = _quiet_gain(rms) / 32768
        probabilities = np.zeros(len(rms), np.float32)
        state: tuple[torch.Tensor, torch.Tensor] | None = None
        with torch.inference_mode():
            workspace = _Workspace.of(min(block_frames, len(rms)))
            for first, last in _blocks(heard, block_frames):
                block = workspace.block(last - first)
                block.fill(samples, first, last, gain)
                hidden, state = self._lstm(self._encode(block).unsqueeze(1), state)
                logits = torch.relu(hidden[:, 0]) @ self._output_weight + self._output_bias
                probabilities[first:last] = torch.sigmoid(logits).numpy()
        return _hold_where_unheard(probabilities, heard)

    def _encode(self, block: "_Workspace") -> "torch.Tensor":
        """Turn n frames into (n, 128) features.

        The wheel's STFT is a convolution with a windowed Fourier basis; the FFT gives the same (probabilities within
        5e-5) and takes the whole from 1,680x to 2,170x realtime.
        """
        import torch
        from torch.nn import functional

        torch.mul(block.padded.unfold(1, _FFT_SAMPLES, _HOP_SAMPLES), self._window, out=block.windowed)
        torch.fft.rfft(block.windowed, out=block.spectrum)
        x = block.magnitudes().transpose(1, 2)
        for weight, bias, stride in self._convolutions[:2]:
            x = functional.conv1d(x, weight, bias, stride=stride, padding=1).relu_()
        for product, bias in self._last_products:
            x = torch.addmm(bias, x.flatten(1), product).relu_()
        return x


class _Workspace(NamedTuple):
    """The large arrays of a block of frames, used again for each: fresh memory cost a fifth of the VAD's time."""

    padded: "torch.Tensor"  # (frames, 640): each with its context, and its own end mirrored
    windowed: "torch.Tensor"  # (frames, windows, 256)
    spectrum: "torch.Tensor"  # (frames, windows, bins) complex
    squares: "torch.Tensor"  # (frames, windows, bins, 2)
    sums: "torch.Tensor"  # (frames, windows, bins): of squares, then their roots

    @classmethod
    def of(cls, frames: int) -> "_Workspace":
        """Memory for so many frames."""
        import torch

        windows, bins = FRAME_SAMPLES // _HOP_SAMPLES, _FFT_SAMPLES // 2 + 1
        return cls(
            torch.empty(frames, 2 * _CONTEXT_SAMPLES + FRAME_SAMPLES),
            torch.empty(frames, windows, _FFT_SAMPLES),
            torch.empty(frames, windows, bins, dtype=torch.complex64),
            torch.empty(frames, windows, bins, 2),
            torch.empty(frames, windows, bins),
        )

    def block(self, frames: int) -> "_Workspace":
        """The first so many frames."""
        return _Workspace(*(array[:frames] for array in self))

    def fill(self, samples: Samples, first: int, last: int, gain: float) -> None:
        """Put in as many frames of a channel, each with its context before it and its own end mirrored behind it."""
        padded, end = self.padded.numpy(), _CONTEXT_SAMPLES + FRAME_SAMPLES
        np.multiply(_frames(samples, first, last), np.float32(gain), out=padded[:, :end])
        padded[:, end:] = padded[:, end - 2 : end - 2 - _CONTEXT_SAMPLES : -1]

    def magnitudes(self) -> "torch.Tensor":
        """(frames, windows, bins) of the spectrum; numpy's way takes a quarter of the time of torch's."""
        import torch

        parts, squares, sums = (array.numpy() for array in (torch.view_as_real(self.spectrum), self.squares, self.sums))
        np.square(parts, out=squares)
        np.add(squares[..., 0], squares[..., 1], out=sums)
        np.sqrt(sums, out=sums)
        return self.sums


def frame_energies(samples: Samples) -> npt.NDArray[np.float64]:
    """Mean square of each frame of 512 samples, in squared units of int16; a rest at the end counts as a frame."""
    whole = len(samples) // FRAME_SAMPLES
    frames = samples[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES)
    energies = [_mean_square(frames[first : first + _BLOCK_FRAMES]) for first in range(0, whole, _BLOCK_FRAMES)]
    if rest := len(samples) % FRAME_SAMPLES:
        energies.append(_mean_square(samples[np.newaxis, -rest:]))
    return np.concatenate([np.zeros(0), *energies])


def _mean_square(frames: Samples) -> npt.NDArray[np.float64]:
    wide = frames.astype(np.float32)
    squares: npt.NDArray[np.float64] = np.square(wide).mean(axis=1, dtype=np.float64)
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


def _frames_worth_hearing(rms: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """False where digital silence has already lasted so long that the network has settled."""
    index = np.arange(len(rms))
    last_sound = np.maximum.accumulate(np.where(rms > 0, index, -1))
    return index - last_sound <= _SETTLE_FRAMES


def _blocks(heard: npt.NDArray[np.bool_], block_frames: int) -> Iterator[tuple[int, int]]:
    """Half-open frame ranges of at most `block_frames` that together hold every frame to be heard."""
    edges = np.flatnonzero(np.diff(heard, prepend=False, append=False)).tolist()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        for start in range(first, last, block_frames):
            yield start, min(start + block_frames, last)


def _frames(samples: Samples, first: int, last: int) -> npt.NDArray[np.float32]:
    """The (last - first, 576) samples of some frames, each with its context; zeros beyond both ends."""
    start, stop = first * FRAME_SAMPLES - _CONTEXT_SAMPLES, last * FRAME_SAMPLES
    block = samples[max(start, 0) : stop].astype(np.float32)
    padded = np.pad(block, (max(-start, 0), max(stop - len(samples), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT_SAMPLES + FRAME_SAMPLES)
    return windows[::FRAME_SAMPLES]


def _hold_where_unheard(probabilities: Probabilities, heard: npt.NDArray[np.bool_]) -> Probabilities:
    """Repeat the last answer through the silence that was skipped."""
    index = np.where(heard, np.arange(len(heard)), 0)
    return probabilities[np.maximum.accumulate(index)]


def _load_weights() -> "dict[str, torch.Tensor]":
    """The 16 kHz weights out of the installed wheel; the package itself is not imported: it would set torch's threads.

    The wheel's `silero_vad_16k.safetensors` holds other weights than its own models do.
    """
    import torch

    vad_version()  # a missing package is reported in words
    files = distribution(_PACKAGE).files or []
    found = [file for file in files if file.name == "silero_vad.jit"]
    if not found:
        raise RunError(f"{vad_version()} lists no silero_vad.jit: reinstall the package")
    network = torch.jit.load(str(found[0].locate()), map_location="cpu")  # type: ignore[no-untyped-call]
    prefix = "_model."
    return {name.removeprefix(prefix): w for name, w in network.state_dict().items() if name.startswith(prefix)}


def _lstm(weights: "dict[str, torch.Tensor]") -> "torch.nn.LSTM":
    """The network's recurrent cell as one layer that runs over all frames in a single call."""
    import torch

    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    size = weights["decoder.rnn.weight_hh"].shape[1]
    lstm = torch.nn.LSTM(size, size)
    lstm.load_state_dict({f"{name}_l0": weights[f"decoder.rnn.{name}"] for name in names})
    return lstm.requires_grad_(False).eval()
