"""The models that are known by a short name: where they come from, and what for. The one place that lists them.

`funasr-beam models`, docs/models.md and the resolution of `--model` are made from it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from funasr_beam.model.families import FUN_ASR_NANO, GLM_ASR, QWEN3_ASR, WHISPER, Family
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
    languages: tuple[str, ...]  # codes
    hub_id: str | None = None  # in the transformers format on the Hugging Face hub
    original_hub_id: str | None = None  # with the original model.pt, on the Hugging Face hub and on ModelScope
    original_sha256s: tuple[str, ...] = ()  # of the published model.pt
    parameters_m: int = 0  # millions
    word_times: str = "none of its own: an aligner's"
    notes: str = ""  # dialects, settings
    accuracy: tuple[Accuracy, ...] = ()


_FUN_ASR_README = "README of FunAudioLLM/Fun-ASR, version 08a52e0"
_SETS = (
    *("AIShell-1", "AIShell-2", "Fleurs zh", "Fleurs en", "LibriSpeech clean", "LibriSpeech other"),
    *("WenetSpeech meeting", "WenetSpeech net", "industry: dialects", "industry: far field", "industry: average of 9"),
)


def _published(*errors: float) -> tuple[Accuracy, ...]:
    """The rows of `_SETS`, as one source compares several models in."""
    return tuple(Accuracy(name, error, _FUN_ASR_README) for name, error in zip(_SETS, errors, strict=True))


KNOWN_MODELS = (
    KnownModel(
        name="fun-asr-nano",
        family=FUN_ASR_NANO,
        purpose="Chinese with its dialects, English, Japanese; the default",
        languages=("zh", "en", "ja"),
        hub_id="FunAudioLLM/Fun-ASR-Nano-2512-hf",
        original_hub_id="FunAudioLLM/Fun-ASR-Nano-2512",
        original_sha256s=(
            "81fec8616083c69377f3ceef36aba3655660ee0ca69a5d4a1e9810cd340ca499",  # ModelScope, with the CTC head
            "55ae0d2fee369f0f11cce0795f6927934ad17cf11b278a7e56a51272074160bb",  # Hugging Face, without it
        ),
        parameters_m=830,
        word_times="its own CTC head, after `convert` of ModelScope's model.pt, which alone has it",
        notes="7 Chinese dialect groups (Wu, Cantonese, Min, Hakka, Gan, Xiang, Jin), 26 accents; lyrics and rap",
        accuracy=_published(1.80, 2.75, 2.56, 5.96, 1.76, 4.33, 6.60, 6.01, 28.18, 5.79, 16.72),
    ),
    KnownModel(
        name="fun-asr-mlt-nano",
        family=FUN_ASR_NANO,
        purpose="31 languages of East and Southeast Asia and Europe",
        languages=tuple(LANGUAGE_NAMES),
        original_hub_id="FunAudioLLM/Fun-ASR-MLT-Nano-2512",
        original_sha256s=("f7ddbef5ff8c57254e6a045f0b316501b704fe2b774f962efc6e402364e8fe37",),
        parameters_m=830,
        notes="published as model.pt only: `funasr-beam convert` makes it loadable; no error rates are published",
    ),
    KnownModel(
        name="qwen3-asr",
        family=QWEN3_ASR,
        purpose="30 languages and 22 Chinese dialects, hints as free text",
        languages=QWEN3_ASR.languages,
        hub_id="Qwen/Qwen3-ASR-1.7B-hf",
        parameters_m=1_700,
        notes="a smaller one of the same family: Qwen/Qwen3-ASR-0.6B-hf",
    ),
    KnownModel(
        name="glm-asr-nano",
        family=GLM_ASR,
        purpose="Mandarin, Cantonese, English; quiet speech",
        languages=GLM_ASR.languages,
        hub_id="zai-org/GLM-ASR-Nano-2512",
        parameters_m=1_500,
        notes="takes no hotwords and no context; error rates: of the open checkpoint",
        accuracy=(
            Accuracy("AIShell-1", 2.17, _FUN_ASR_README),
            Accuracy("AIShell-2", 3.47, _FUN_ASR_README),
            Accuracy("Fleurs zh", 3.65, _FUN_ASR_README),
            Accuracy("Fleurs en", 6.95, _FUN_ASR_README),
            Accuracy("LibriSpeech clean", 2.17, _FUN_ASR_README),
            Accuracy("LibriSpeech other", 4.43, _FUN_ASR_README),
            Accuracy("WenetSpeech meeting", 8.21, _FUN_ASR_README),
            Accuracy("WenetSpeech net", 6.33, _FUN_ASR_README),
            Accuracy("industry: dialects", 54.21, _FUN_ASR_README),
            Accuracy("industry: far field", 9.44, _FUN_ASR_README),
            Accuracy("industry: average of 9", 26.13, _FUN_ASR_README),
        ),
    ),
    KnownModel(
        name="whisper-large-v3",
        family=WHISPER,
        purpose="about 100 languages, such as German, French, Spanish, Russian",
        languages=WHISPER.languages,
        hub_id="openai/whisper-large-v3",
        parameters_m=1_550,
        notes="a faster one of the same family: openai/whisper-large-v3-turbo",
        accuracy=_published(4.72, 4.68, 5.18, 6.23, 1.86, 3.43, 18.39, 11.89, 66.14, 22.21, 33.39),
    ),
)


def how_to_get(model: KnownModel) -> list[str]:
    """The commands that bring a model onto a machine, in order; the first one needs a network."""
    if model.hub_id is not None:
        folder = model.hub_id.rpartition("/")[2]
        return [f"hf download {model.hub_id} --local-dir {folder}", f"funasr-beam transcribe ... --model {folder}"]
    folder = str(model.original_hub_id).rpartition("/")[2]
    return [
        f"modelscope download --model {model.original_hub_id} --local_dir {folder}",
        f"funasr-beam convert {folder}",
        f"funasr-beam transcribe ... --model {model.name}",
    ]


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
