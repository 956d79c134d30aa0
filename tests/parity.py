"""Our recogniser beside upstream's: what is asked of both, and how far they are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.records import RecognitionOptions
from tests.upstream import Prompt, Samples, Stages

WORDS = ("开放时间", "Fun-ASR")
PROMPTS = {
    "automatic": Prompt(RecognitionOptions()),
    "zh": Prompt(RecognitionOptions("zh")),
    "en": Prompt(RecognitionOptions("en")),
    "ja": Prompt(RecognitionOptions("ja")),
    "verbatim": Prompt(RecognitionOptions(), itn=False),
    "zh verbatim": Prompt(RecognitionOptions("zh"), itn=False),
    "en verbatim": Prompt(RecognitionOptions("en"), itn=False),
    "hotwords": Prompt(RecognitionOptions(None, WORDS)),
    "one hotword": Prompt(RecognitionOptions("zh", WORDS[:1])),
    "hotwords, en verbatim": Prompt(RecognitionOptions("en", WORDS), itn=False),
    "context": Prompt(RecognitionOptions(None, (), "a call to the bank")),
    "context, hotwords": Prompt(RecognitionOptions("zh", WORDS, "a call to the bank\nabout a card")),
    "context, hotwords, ja verbatim": Prompt(RecognitionOptions("ja", WORDS, "電話"), itn=False),
    "yue": Prompt(RecognitionOptions("yue")),
    "ko": Prompt(RecognitionOptions("ko")),
    "vi verbatim": Prompt(RecognitionOptions("vi"), itn=False),
    "fil": Prompt(RecognitionOptions("fil")),
    "ar hotwords": Prompt(RecognitionOptions("ar", WORDS)),
    "el": Prompt(RecognitionOptions("el")),
    "sv verbatim": Prompt(RecognitionOptions("sv"), itn=False),
}
"""Twenty: languages of both checkpoints, hotwords, context, and ITN off."""


@dataclass(frozen=True)
class Apart:
    """The largest absolute difference at each stage."""

    features: float
    encoder: float
    adaptor: float
    ctc: float | None  # None: there is no head


class Ours:
    """Our recogniser, opened up at the same places."""

    def __init__(self, folder: Path, max_tokens: int = 24) -> None:
        self._max_tokens = max_tokens
        settings = RecognizerSettings("cpu", base_tokens=max_tokens, tokens_per_s=0.0)
        self.recognizer = FunAsrNanoRecognizer.load(resolve(str(folder)), settings)

    def hear(self, audio_tokens: str) -> None:
        """Give the LLM the audio tokens "low" or "all"."""
        self.recognizer._audio_tokens = audio_tokens

    @torch.inference_mode()
    def stages(self, samples: Samples) -> Stages:
        """Features, encoder, adaptor and CTC head."""
        model, timer = self.recognizer._model, self.recognizer._timer
        features = self.recognizer._extract_features([Utterance(samples)])
        outputs = model.get_audio_features(features.values, features.mask, return_dict=True)
        encoded = outputs.last_hidden_state[0]
        ctc = None
        if timer is not None:
            ctc = timer._head.score(timer.decode_frames([encoded])[0], torch.arange(timer._head.config.vocab_size + 1))
        return Stages(features.values[0], encoded, outputs.pooler_output, ctc)

    @torch.inference_mode()
    def embeddings(self, samples: Samples, prompt: Prompt) -> torch.Tensor:
        """Everything that the LLM is given: (positions, LLM)."""
        utterance = Utterance(samples, prompt.options, prompt.itn)
        rows, _ = self.recognizer._encode_audio(self.recognizer._extract_features([utterance]))
        return self.recognizer._embed(utterance, rows[0])

    def texts(self, asked: Sequence[tuple[Samples, Prompt]], max_tokens: int) -> list[str]:
        """What it writes in one batch; `max_tokens` is what the constructor was told."""
        assert max_tokens == self._max_tokens
        utterances = [Utterance(samples, prompt.options, prompt.itn) for samples, prompt in asked]
        return [hypothesis.text for hypothesis in self.recognizer.recognize(utterances)]


def compare_stages(theirs: Stages, ours: Stages) -> Apart:
    """How far the stages are apart."""
    return Apart(
        features=_apart(theirs.features, ours.features),
        encoder=_apart(theirs.encoded, ours.encoded),
        adaptor=_apart(theirs.adapted, ours.adapted),
        ctc=None if theirs.ctc is None or ours.ctc is None else _apart(theirs.ctc, ours.ctc),
    )


def _apart(theirs: torch.Tensor, ours: torch.Tensor) -> float:
    assert theirs.shape == ours.shape, (theirs.shape, ours.shape)
    return (theirs.float() - ours.float()).abs().max().item()
