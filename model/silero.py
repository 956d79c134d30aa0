"""Silero's network for 16 kHz over many frames at once: the arithmetic of the VAD."""

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64  # each frame is scored together with the end of the one before
_FFT_SAMPLES = 256
_HOP_SAMPLES = 128
_WINDOWS = FRAME_SAMPLES // _HOP_SAMPLES
_BINS = _FFT_SAMPLES // 2 + 1
_CHANNELS = 128  # of the first convolution
_POINTS = 6  # at which it is computed

_PACKAGE = "silero-vad"

State = tuple["torch.Tensor", "torch.Tensor"]
"""What the network remembers from one frame to the next."""


@cache
def vad_version() -> str:
    """Name and version of the package whose weights are used, such as `silero-vad 6.2.3`."""
    try:
        return f"{_PACKAGE} {distribution(_PACKAGE).version}"
    except PackageNotFoundError as error:
        raise RunError(
            f"{_PACKAGE} is not installed, and its wheel carries the VAD's weights: pip install it"
        ) from error


class SileroNetwork:
    """The weights, and what they make of frames; without a state, so that any number of threads may use one.

    Source: silero-vad 6.2.3, `silero_vad.jit`, 16 kHz branch.
    """

    def __init__(self) -> None:
        weights = _load_weights()
        self._window = weights["stft.forward_basis_buffer"][0, 0]
        first, second, third, fourth = (weights[f"encoder.{n}.reparam_conv.weight"] for n in range(4))
        self._biases = [weights[f"encoder.{n}.reparam_conv.bias"] for n in range(4)]
        self._at_points, self._first = _toom_cook(first)
        # The others see so few windows that they are plain products, without the taps that fall on padding.
        self._second = [_as_product(second[:, :, 1:]), _as_product(second)]
        self._last = [_as_product(third[:, :, 1:]), _as_product(fourth[:, :, 1:2])]
        self._lstm = _lstm(weights)
        self._output_weight = weights["decoder.decoder.2.weight"].flatten()
        self._output_bias = weights["decoder.decoder.2.bias"]

    def encode(self, work: "Workspace") -> "torch.Tensor":
        """(frames, 128) features of the frames in a workspace.

        The wheel's STFT is a convolution with a windowed Fourier basis; the FFT gives the same (probabilities within
        5e-5) and is quicker.
        """
        import torch

        from funasr_beam.model.products import linear

        torch.mul(work.padded.unfold(1, _FFT_SAMPLES, _HOP_SAMPLES).transpose(0, 1), self._window, out=work.windowed)
        torch.fft.rfft(work.windowed, out=work.spectrum)
        work.take_magnitudes()
        x = self._convolve_first(work).flatten(1)
        early, late = self._second
        pair = (linear(x[:, : early.shape[1]], early), linear(x[:, -late.shape[1] :], late))
        x = torch.stack(pair, 1).add_(self._biases[1]).relu_().flatten(1)
        for weight, bias in zip(self._last, self._biases[2:], strict=True):
            x = linear(x, weight, bias).relu_()
        return x

    def score(self, features: "torch.Tensor", state: State) -> "tuple[torch.Tensor, State]":
        """What the recurrent cell makes of channels side by side, each by itself.

        Args:
            features: (frames, channels, 128) of as many frames of each.
            state: what it remembers of the frames before, (1, channels, 128) each.

        Returns:
            (frames, channels), of which the sigmoid is the probability of speech, and the state behind the last frame.
        """
        hidden, state = self._lstm(features, state)
        return hidden.relu_().mul_(self._output_weight).sum(-1).add_(self._output_bias), state

    def blank_state(self, channels: int) -> State:
        """The state before the first frame."""
        import torch

        return torch.zeros(1, channels, self._lstm.hidden_size), torch.zeros(1, channels, self._lstm.hidden_size)

    def _convolve_first(self, work: "Workspace") -> "torch.Tensor":
        """The first convolution, two thirds of all the arithmetic: (windows, frames, bins) to (frames, windows, 128).

        Toom-Cook's way, also known as Winograd's F(4, 3): what three taps make of four windows with silence around
        them is six products instead of ten, at the points 0, 1, -1, 2, -2 and infinity. A third of the time of torch's
        convolution; within 3e-6 of it.
        """
        import torch

        from funasr_beam.model.products import linear

        torch.mm(self._at_points, work.magnitudes.flatten(1), out=work.points.flatten(1))
        _interpolate([linear(x, weight) for x, weight in zip(work.points, self._first, strict=True)], work.convolved)
        return work.convolved.add_(self._biases[0]).relu_()


class Workspace(NamedTuple):
    """The large arrays of a block of frames, used again for each: fresh memory cost a fifth of the VAD's time."""

    padded: "torch.Tensor"  # (frames, 640): each with its context, and its own end mirrored
    windowed: "torch.Tensor"  # (windows, frames, 256)
    spectrum: "torch.Tensor"  # (windows, frames, bins) complex
    magnitudes: "torch.Tensor"  # (windows, frames, bins)
    points: "torch.Tensor"  # (6, frames, bins)
    convolved: "torch.Tensor"  # (frames, windows, 128)

    @classmethod
    def of(cls, frames: int) -> "Workspace":
        """Memory for so many frames."""
        import torch

        return cls(
            torch.empty(frames, 2 * CONTEXT_SAMPLES + FRAME_SAMPLES),
            torch.empty(_WINDOWS, frames, _FFT_SAMPLES),
            torch.empty(_WINDOWS, frames, _BINS, dtype=torch.complex64),
            torch.empty(_WINDOWS, frames, _BINS),
            torch.empty(_POINTS, frames, _BINS),
            torch.empty(frames, _WINDOWS, _CHANNELS),
        )

    def fill(self, samples: Samples, gain: float) -> None:
        """Put in as many frames, each behind its context and before its own end mirrored.

        Args:
            samples: (64 + frames * 512,) int16, the context of the first frame and the frames.
            gain: what the samples are multiplied by.
        """
        padded, end = self.padded.numpy(), CONTEXT_SAMPLES + FRAME_SAMPLES
        frames = samples[CONTEXT_SAMPLES:].reshape(-1, FRAME_SAMPLES)
        np.multiply(frames, np.float32(gain), out=padded[:, CONTEXT_SAMPLES:end])
        np.multiply(samples[:CONTEXT_SAMPLES], np.float32(gain), out=padded[0, :CONTEXT_SAMPLES])
        padded[1:, :CONTEXT_SAMPLES] = padded[:-1, FRAME_SAMPLES:end]
        padded[:, end:] = padded[:, end - 2 : end - 2 - CONTEXT_SAMPLES : -1]

    def take_magnitudes(self) -> None:
        """From the spectrum, which is lost; numpy's way takes a quarter of the time of torch's."""
        import torch

        parts, magnitudes = torch.view_as_real(self.spectrum).numpy(), self.magnitudes.numpy()
        np.square(parts, out=parts)
        np.add(parts[..., 0], parts[..., 1], out=magnitudes)
        np.sqrt(magnitudes, out=magnitudes)


def _toom_cook(kernel: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
    """What takes four windows with silence around them to Toom-Cook's six points, and a kernel that is there.

    Args:
        kernel: (out, in, 3) of a convolution.

    Returns:
        (6, windows), and the kernel as (6, out, in).
    """
    import torch

    windows = [[0, -5, 0, 1], [-4, -4, 1, 1], [4, -4, -1, 1], [-2, -1, 2, 1], [2, -1, -2, 1], [4, 0, -5, 0]]
    taps = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    at_points = torch.einsum("pt,oit->poi", torch.tensor(taps, dtype=torch.float64) / 24, kernel.double())
    return torch.tensor(windows, dtype=torch.float32), at_points.float().contiguous()


def _interpolate(products: "Sequence[torch.Tensor]", windows: "torch.Tensor") -> None:
    """The six products, (frames, n) each, to what was convolved, (frames, 4, n)."""
    import torch

    first, one, minus_one, two, minus_two, last = products
    a, b, c, d = windows.unbind(1)
    even, odd = one + minus_one, one - minus_one
    even_twos, odd_twos = two + minus_two, two - minus_two
    torch.add(even, even_twos, out=a).add_(first)
    torch.add(odd, odd_twos, alpha=2, out=b)
    torch.add(even, even_twos, alpha=4, out=c)
    torch.add(odd, odd_twos, alpha=8, out=d).add_(last)


def _as_product(taps: "torch.Tensor") -> "torch.Tensor":
    """(out, in, taps) to (out, taps * in)."""
    return taps.transpose(1, 2).flatten(1).contiguous()


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
