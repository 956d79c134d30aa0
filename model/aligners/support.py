"""Which aligner knows which language; no code, only facts."""

QWEN3_HUB_ID = "Qwen/Qwen3-ForcedAligner-0.6B-hf"
QWEN3_LANGUAGES = ("zh", "en", "yue", "fr", "de", "it", "ja", "ko", "pt", "ru", "es")
"""Source: FORCED_ALIGNER_LANGUAGES of transformers 5.23 (models/qwen3_asr/processing_qwen3_asr.py)."""

MMS_HUB_ID = "MahmoudAshraf/mms-300m-1130-forced-aligner"
"""MMS for alignment, on romanised text of any language; its weights are CC-BY-NC: not for commercial use."""

_XLSR = "jonatasgrosman/wav2vec2-large-xlsr-53-"
WAV2VEC2_HUB_IDS = {
    "ar": f"{_XLSR}arabic",
    "cs": "comodoro/wav2vec2-xls-r-300m-cs-250",
    "da": "saattrupdan/wav2vec2-xls-r-300m-ftspeech",
    "de": f"{_XLSR}german",
    "el": f"{_XLSR}greek",
    "en": f"{_XLSR}english",
    "es": f"{_XLSR}spanish",
    "fi": f"{_XLSR}finnish",
    "fr": f"{_XLSR}french",
    "hi": "theainerd/Wav2Vec2-large-xlsr-hindi",
    "hr": "classla/wav2vec2-xls-r-parlaspeech-hr",
    "hu": f"{_XLSR}hungarian",
    "id": "cahya/wav2vec2-large-xlsr-indonesian",
    "it": f"{_XLSR}italian",
    "ja": f"{_XLSR}japanese",
    "ko": "kresnik/wav2vec2-large-xlsr-korean",
    "lv": "jimregan/wav2vec2-large-xlsr-latvian-cv",
    "nl": f"{_XLSR}dutch",
    "pl": f"{_XLSR}polish",
    "pt": f"{_XLSR}portuguese",
    "ro": "gigant/romanian-wav2vec2",
    "ru": f"{_XLSR}russian",
    "sk": "comodoro/wav2vec2-xls-r-300m-sk-cv8",
    "sl": "anton-l/wav2vec2-large-xlsr-53-slovenian",
    "sv": "KBLab/wav2vec2-large-voxrex-swedish",
    "fil": "Khalsuu/filipino-wav2vec2-l-xls-r-300m-official",
    "vi": "nguyenvulebinh/wav2vec2-base-vi-vlsp2020",
    "zh": f"{_XLSR}chinese-zh-cn",
}
"""Models that others align with, by language. Source: the tables of WhisperX; none could be tried here."""

MMS_LANGUAGES = ("bg", "et", "ga", "lt", "ms", "mt", "th")
"""Languages of MLT-Nano for which only the romanising model is known."""
