"""Loading and VAD of other packages on one file: CPU seconds of the process and its children, as one JSON object.

    PYTHONPATH=PACKAGES python benchmarks/host_peers.py PEER FILE

Run by `benchmarks.host_path --peers`, in an interpreter that need not have this project. Imports, models and a first
half minute are not counted. Each computes on one thread.
"""

import importlib.metadata
import json
import resource
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

RATE = 16_000
WARM_UP_S = 30

Load = Callable[[str], Any]
Vad = Callable[[Any], list[Any]]

FSMN_VAD = {
    **{"input_dim": 400, "input_affine_dim": 140, "fsmn_layers": 4, "linear_dim": 250, "proj_dim": 128},
    **{"lorder": 20, "rorder": 0, "lstride": 1, "rstride": 0, "output_affine_dim": 140, "output_dim": 248},
}
"""The sizes in the config.yaml of iic/speech_fsmn_vad_zh-cn-16k-common-pytorch."""


def faster_whisper() -> tuple[Load, Vad]:
    """PyAV, then silero's ONNX network in batches."""
    from faster_whisper.audio import decode_audio
    from faster_whisper.vad import get_speech_timestamps

    return decode_audio, get_speech_timestamps


def faster_whisper_stereo() -> tuple[Load, Vad]:
    """The same for the two channels of a file on their own, which it offers to who asks: the work that ours does."""
    from faster_whisper.audio import decode_audio
    from faster_whisper.vad import get_speech_timestamps

    def load(file: str) -> Any:
        return decode_audio(file, split_stereo=True)

    def detect(channels: Any) -> list[Any]:
        return [get_speech_timestamps(channel) for channel in channels]

    return load, detect


def whisperx_pyannote() -> tuple[Load, Vad]:
    """The program ffmpeg, then pyannote's segmentation network: WhisperX's default."""
    import torch

    telemetry = "pyannote.audio.telemetry"  # which needs more packages than all the rest
    sys.modules[telemetry] = sys.modules[f"{telemetry}.metrics"] = MagicMock()
    from whisperx.audio import load_audio
    from whisperx.vads.pyannote import load_vad_model

    torch.set_num_threads(1)
    original = torch.load
    torch.load = lambda *args, **kwargs: original(*args, **kwargs | {"weights_only": False})  # as torch did before 2.6
    pipeline = load_vad_model("cpu")

    def detect(audio: Any) -> list[Any]:
        return [pipeline({"waveform": torch.from_numpy(audio)[None], "sample_rate": RATE})]

    return load_audio, detect


def whisperx_silero() -> tuple[Load, Vad]:
    """The program ffmpeg, then silero's network frame by frame, as WhisperX's other choice calls it."""
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad
    from whisperx.audio import load_audio

    torch.set_num_threads(1)
    model = load_silero_vad()

    def detect(audio: Any) -> list[Any]:
        found: list[Any] = get_speech_timestamps(
            torch.from_numpy(audio), model=model, sampling_rate=RATE, max_speech_duration_s=30, threshold=0.5
        )
        return found

    return load_audio, detect


def funasr() -> tuple[Load, Vad]:
    """Its own loading, then fsmn-vad of the published size.

    The weights are in no package, so they are random. That makes little difference to the time: every frame goes
    through the same steps, whatever is decided about it.
    """
    import torch
    from funasr.frontends.wav_frontend import WavFrontendOnline
    from funasr.models.fsmn_vad_streaming import encoder  # noqa: F401 - registers the network by its name
    from funasr.models.fsmn_vad_streaming.model import FsmnVADStreaming
    from funasr.utils.load_utils import load_audio_text_image_video

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = FsmnVADStreaming(encoder="FSMN", encoder_conf=FSMN_VAD).eval()
    frontend = WavFrontendOnline(fs=RATE, window="hamming", n_mels=80, dither=0.0, lfr_m=5, lfr_n=1)

    def detect(audio: Any) -> list[Any]:
        with torch.inference_mode():
            results, _ = model.inference([audio], key=["file"], frontend=frontend, device="cpu")
        found: list[Any] = results[0]["value"]
        return found

    return load_audio_text_image_video, detect


STEREO_ONLY = "each channel"
"""What the names of peers end in that are for files of two channels."""
PEERS: dict[str, tuple[str, Callable[[], tuple[Load, Vad]]]] = {
    "faster-whisper": ("faster-whisper", faster_whisper),
    "faster-whisper, each channel": ("faster-whisper", faster_whisper_stereo),
    "whisperx, pyannote": ("whisperx", whisperx_pyannote),
    "whisperx, silero": ("whisperx", whisperx_silero),
    "funasr, fsmn-vad": ("funasr", funasr),
}


def main() -> None:
    """Measure one peer on one file."""
    name, file = sys.argv[1:]
    package, make = PEERS[name]
    load, vad = make()
    _warm_up(load, vad)
    audio, load_s = _counted(load, file)
    _, vad_s = _counted(vad, audio)
    print(json.dumps({"version": importlib.metadata.version(package), "load_cpu_s": load_s, "vad_cpu_s": vad_s}))


def _warm_up(load: Load, vad: Vad) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "silence.wav"
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(bytes(2 * RATE * WARM_UP_S))
        audio = load(str(path))
    vad(audio)


def _counted(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    before = _cpu_s()
    result = work(*arguments)
    return result, _cpu_s() - before


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
