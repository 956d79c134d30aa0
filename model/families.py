"""What is known of each family of models before one is loaded; no code, only facts."""

from dataclasses import dataclass

from funasr_beam.model.languages import LANGUAGE_CODES, LANGUAGE_NAMES


@dataclass(frozen=True)
class Family:
    """Facts that hold for every checkpoint of a family, unless the checkpoint says otherwise."""

    name: str  # as people call it
    languages: tuple[str, ...]  # codes that it may be told
    longest_segment_s: float  # longer utterances lose text, or do not fit
    takes_hints: bool  # whether hotwords and context reach the model


FUN_ASR_NANO = Family("Fun-ASR-Nano", tuple(LANGUAGE_NAMES), 30.0, takes_hints=True)
"""Quality falls beyond 30 s (FunASR PR 3420): passages drop at 60 s."""

QWEN3_ASR = Family(
    "Qwen3-ASR",
    (
        *("zh", "en", "yue", "ar", "de", "fr", "es", "pt", "id", "it", "ko", "ru", "th", "vi", "ja", "tr", "hi", "ms"),
        *("nl", "sv", "da", "fi", "pl", "cs", "fil", "fa", "el", "ro", "hu", "mk"),
    ),
    120.0,
    takes_hints=True,
)
"""The 30 names of LANGUAGE_CODE_TO_NAME in transformers 5.23; the system prompt carries hotwords and context."""

GLM_ASR = Family("GLM-ASR-Nano", ("zh", "en", "yue"), 30.0, takes_hints=False)
"""Windows of 30 s, as the service of the same model; its card names Mandarin, English and Cantonese."""

WHISPER = Family("Whisper", LANGUAGE_CODES, 30.0, takes_hints=True)
"""One window of 30 s; a checkpoint's own languages are in its generation_config.json."""

WHISPER_CODES = {"tl": "fil", "jw": "jv"}
"""Codes that only Whisper writes so -> ours."""

CODES_FOR_WHISPER = {ours: whispers for whispers, ours in WHISPER_CODES.items()}
"""Our codes that Whisper writes otherwise -> its own."""

REMOTE = Family("remote", LANGUAGE_CODES, 30.0, takes_hints=True)
"""An OpenAI-compatible endpoint: 30 s is what every such service takes; what it knows, only it can say."""

FAMILIES = {
    "fun_asr_nano": FUN_ASR_NANO,
    "qwen3_asr": QWEN3_ASR,
    "glmasr": GLM_ASR,
    "whisper": WHISPER,
}
"""The families that are loaded here, by the `model_type` of their config.json."""
