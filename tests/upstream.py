"""Upstream's own Fun-ASR-Nano, from the package `funasr`, with the weights of an original checkpoint folder."""

import contextlib
import importlib.machinery
import importlib.util
import io
import logging
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import yaml
from transformers import AutoTokenizer

from funasr_beam.model.conversion.original import read_original
from funasr_beam.model.languages import LANGUAGE_NAMES
from funasr_beam.model.prompts import instruction
from funasr_beam.model.records import RecognitionOptions

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Prompt:
    """What is asked of an utterance, besides its samples."""

    options: RecognitionOptions
    itn: bool = True


@dataclass(frozen=True)
class Stages:
    """What goes from stage to stage for one utterance; all float32."""

    features: torch.Tensor  # (frames, 560)
    encoded: torch.Tensor  # (frames, encoder)
    adapted: torch.Tensor  # (frames, LLM)
    ctc: torch.Tensor | None  # (frames, tokens + 1) log-probabilities


class Upstream:
    """Upstream's model, fed and asked as its own `inference` does it."""

    def __init__(self, folder: Path, device: str = "cpu", llm_dtype: str = "fp32") -> None:
        self._run_on = {"device": device, "llm_dtype": llm_dtype}
        with quiet():
            nano, frontend, ctc_tokenizer = _import_funasr()
            told = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
            self.model = nano(**arguments(told, folder)).eval()
            self.frontend = frontend(**told["frontend_conf"], dither=0.0)
            self.ctc_tokenizer = ctc_tokenizer
        tensors = read_original(folder / "model.pt")
        missing, unexpected = self.model.load_state_dict(tensors, strict=False)
        assert not unexpected
        assert all(name.startswith(("ctc.", "ctc_decoder.")) for name in missing)
        self.has_ctc = not missing
        if not self.has_ctc:
            self.model.ctc_decoder = None  # as upstream does where the file has no head
        self.model.to(device)
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "Qwen3-0.6B")
        # The same question twice is prepared once: at full size the encoder takes most of the time.
        self._prepare, self._prepared = self.model.inference_prepare, {}
        self.model.inference_prepare = self._prepare_once

    @torch.inference_mode()
    def stages(self, samples: Samples) -> Stages:
        """Features, encoder, adaptor and CTC head."""
        features, lengths = self.frontend(waveform(samples)[None], torch.tensor([len(samples)]))
        encoded, encoded_lengths = self.model.encode(features.clone(), lengths)  # it scales them in place
        adapted, _ = self.model.audio_adaptor(encoded, encoded_lengths)
        ctc = None
        if self.has_ctc:
            decoded, _ = self.model.ctc_decoder(encoded, encoded_lengths)
            ctc = self.model.ctc.log_softmax(decoded)[0]
        return Stages(features[0], encoded[0], adapted[0], ctc)

    @torch.inference_mode()
    def embeddings(self, samples: Samples, prompt: Prompt) -> torch.Tensor:
        """Everything that the LLM is given: (positions, LLM)."""
        found, *_ = self.model.inference_prepare(
            [self._chat(samples, prompt)], key=["a"], tokenizer=self.tokenizer, frontend=self.frontend, **self._run_on
        )
        return found[0]

    @torch.inference_mode()
    def texts(self, asked: Sequence[tuple[Samples, Prompt]], max_tokens: int) -> list[str]:
        """What its `inference_llm` writes, greedily: one by one for one, in a batch for several."""
        decoder, self.model.ctc_decoder = self.model.ctc_decoder, None
        results, _ = self.model.inference_llm(
            [self._chat(samples, prompt) for samples, prompt in asked],
            key=[str(number) for number in range(len(asked))],
            tokenizer=self.tokenizer,
            frontend=self.frontend,
            **self._run_on,
            max_length=max_tokens,
            llm_kwargs={"do_sample": False},
        )
        self.model.ctc_decoder = decoder
        return [" ".join(result["text"].split()) for result in results]

    def hear(self, audio_tokens: str) -> None:
        """Give the LLM the audio tokens "low" or "all"."""
        self.forget()
        self.model.use_low_frame_rate = audio_tokens == "low"

    def forget(self) -> None:
        """Prepare anew what was asked before."""
        self._prepared.clear()

    def _prepare_once(self, data, *arguments, **options):
        chat = data[0][1]
        key = chat["content"], chat["audio"].numpy().tobytes()
        if key not in self._prepared:
            self._prepared[key] = self._prepare(data, *arguments, **options)
        return self._prepared[key]

    def _chat(self, samples: Samples, prompt: Prompt) -> list[dict]:
        options = prompt.options
        if options.context is None:
            name = LANGUAGE_NAMES[options.language] if options.language else None
            asked = self.model.get_prompt(list(options.hotwords), name, prompt.itn)
        else:
            asked = instruction(options, itn=prompt.itn)  # upstream's own function knows hotwords only
        return self.model.generate_chatml(asked, waveform(samples))


def build_empty(told: dict, folder: Path) -> torch.nn.Module:
    """Upstream's model of these sizes without any numbers, for its names and shapes."""
    with quiet():
        nano, *_ = _import_funasr()
        with torch.device("meta"):
            return nano(**arguments(told, folder))


def arguments(told: dict, folder: Path) -> dict:
    """What upstream's model takes from a config.yaml; the CTC tokenizer is not needed for numbers."""
    known = ("audio_encoder", "audio_encoder_conf", "audio_adaptor", "audio_adaptor_conf", "ctc_decoder")
    conf = {name: told[name] for name in known}
    llm = told["llm_conf"] | {"init_param_path": str(folder / told["llm_conf"]["init_param_path"]), "llm_dtype": "fp32"}
    tokens = {"vocab_path": str(folder / "multilingual.tiktoken"), "is_multilingual": True}
    return conf | {
        "llm": "Qwen3-0.6b",
        "llm_conf": llm,
        "input_size": 560,
        "ctc_decoder_conf": told["ctc_decoder_conf"],
        "ctc_vocab_size": told["ctc_vocab_size"],
        "ctc_tokenizer": "SenseVoiceTokenizer",
        "ctc_tokenizer_conf": tokens,
    }


def waveform(samples: Samples) -> torch.Tensor:
    """Samples from -1 to 1, as upstream takes them."""
    return torch.from_numpy(samples.astype(np.float32) / 32_768)


@contextlib.contextmanager
def quiet():
    """No prints and no log lines: funasr talks while it is imported and built."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def _import_funasr() -> Sequence[type]:
    """Its model, front end and CTC tokenizer; a test that needs them is skipped where the package is not installed.

    It is installed without its dependencies. It imports librosa only to resample, which no test needs.
    """
    if importlib.util.find_spec("funasr") is None:
        import pytest

        pytest.skip("pip install --no-deps funasr; pip install 'funasr-beam[parity]'")
    if importlib.util.find_spec("librosa") is None:
        stand_in = types.ModuleType("librosa")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("librosa", None)
        sys.modules["librosa"] = stand_in
    import funasr.models.llm_asr.adaptor
    import funasr.models.sense_voice.model  # noqa: F401 - registers the encoder
    from funasr.frontends.wav_frontend import WavFrontend
    from funasr.models.fun_asr_nano.model import FunASRNano
    from funasr.tokenizer.whisper_tokenizer import SenseVoiceTokenizer

    return FunASRNano, WavFrontend, SenseVoiceTokenizer
