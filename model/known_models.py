"""The models that are known by a short name: where they come from, and what for. The one place that lists them.

`funasr-beam models`, docs/models.md and the resolution of `--model` are made from it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from funasr_beam.model.families import FUN_ASR_NANO, Family
from funasr_beam.model.languages import LANGUAGE_NAMES

HOME_VARIABLE = "FUNASR_BEAM_HOME"


@dataclass(frozen=True)
class Accuracy:
    """A published error rate."""

    test_set: str
    error_percent: float  # WER, for Chinese and Japanese CER
    source: str


@dataclass(frozen=True)
class KnownModel:
    """A model with a short name."""

    name: str
    family: Family
    purpose: str  # one line: what to choose it for
    languages: tuple[str, ...]  # codes; empty: see `purpose`
    hub_id: str | None = None  # in the transformers format on the Hugging Face hub
    original_hub_id: str | None = None  # with the original model.pt, on the Hugging Face hub and on ModelScope
    original_sha256s: tuple[str, ...] = ()  # of the published model.pt
    parameters_m: float = 0.0
    weights_gb: float = 0.0  # to download, 10^9 bytes
    word_times: str = "none of its own"
    notes: str = ""  # dialects, settings
    accuracy: tuple[Accuracy, ...] = ()


_FUN_ASR_README = "README of FunAudioLLM/Fun-ASR"

KNOWN_MODELS = (
    KnownModel(
        name="fun-asr-nano",
        family=FUN_ASR_NANO,
        purpose="Chinese with dialects, English, Japanese; the default",
        languages=("zh", "en", "ja"),
        hub_id="FunAudioLLM/Fun-ASR-Nano-2512-hf",
        original_hub_id="FunAudioLLM/Fun-ASR-Nano-2512",
        original_sha256s=(
            "81fec8616083c69377f3ceef36aba3655660ee0ca69a5d4a1e9810cd340ca499",  # ModelScope, with the CTC head
            "55ae0d2fee369f0f11cce0795f6927934ad17cf11b278a7e56a51272074160bb",  # Hugging Face, without it
        ),
        parameters_m=830.0,
        weights_gb=1.97,
        word_times="after `convert` of ModelScope's model.pt (2.13 GB), which alone has the CTC head",
        notes="7 Chinese dialect groups (Wu, Cantonese, Min, Hakka, Gan, Xiang, Jin), 26 accents; lyrics and rap; "
        "audio tokens: low; segments up to 30 s",
        accuracy=(
            Accuracy("AIShell-1", 1.80, _FUN_ASR_README),
            Accuracy("AIShell-2", 2.75, _FUN_ASR_README),
            Accuracy("Fleurs zh", 2.56, _FUN_ASR_README),
            Accuracy("Fleurs en", 5.96, _FUN_ASR_README),
            Accuracy("LibriSpeech test-clean", 1.76, _FUN_ASR_README),
            Accuracy("LibriSpeech test-other", 4.33, _FUN_ASR_README),
            Accuracy("WenetSpeech meeting", 6.60, _FUN_ASR_README),
            Accuracy("WenetSpeech net", 6.01, _FUN_ASR_README),
        ),
    ),
    KnownModel(
        name="fun-asr-mlt-nano",
        family=FUN_ASR_NANO,
        purpose="31 languages of East and Southeast Asia and Europe",
        languages=tuple(LANGUAGE_NAMES),
        original_hub_id="FunAudioLLM/Fun-ASR-MLT-Nano-2512",
        original_sha256s=("f7ddbef5ff8c57254e6a045f0b316501b704fe2b774f962efc6e402364e8fe37",),
        parameters_m=830.0,
        weights_gb=1.97,
        notes="published as model.pt only: `funasr-beam convert` makes it loadable; audio tokens: low",
    ),
)


def find_known(name: str) -> KnownModel | None:
    """The known model of this short name."""
    return next((model for model in KNOWN_MODELS if model.name == name), None)


def identify_original(sha256: str, folder_name: str) -> KnownModel | None:
    """The known model whose original file this is: by its checksum, else by its folder's name."""
    for model in KNOWN_MODELS:
        if sha256 in model.original_sha256s:
            return model
    hub_names = {(model.original_hub_id or "").rpartition("/")[2].lower(): model for model in KNOWN_MODELS}
    return hub_names.get(folder_name.lower()) or find_known(folder_name.lower())


def models_home() -> Path:
    """The folder of the models that were converted on this machine, by their short names."""
    told = os.environ.get(HOME_VARIABLE)
    base = Path(told).expanduser() if told else Path.home() / ".cache" / "funasr-beam"
    return base / "models"
