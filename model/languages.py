"""Languages: their codes, and the Chinese names that stand in the prompts of the Fun-ASR-Nano family."""

import difflib
from collections.abc import Collection

LANGUAGE_NAMES = {
    "zh": "中文",
    "en": "英文",
    "yue": "粤语",
    "ja": "日文",
    "ko": "韩文",
    "vi": "越南语",
    "id": "印尼语",
    "th": "泰语",
    "ms": "马来语",
    "fil": "菲律宾语",
    "ar": "阿拉伯语",
    "hi": "印地语",
    "bg": "保加利亚语",
    "hr": "克罗地亚语",
    "cs": "捷克语",
    "da": "丹麦语",
    "nl": "荷兰语",
    "et": "爱沙尼亚语",
    "fi": "芬兰语",
    "el": "希腊语",
    "hu": "匈牙利语",
    "ga": "爱尔兰语",
    "lv": "拉脱维亚语",
    "lt": "立陶宛语",
    "mt": "马耳他语",
    "pl": "波兰语",
    "pt": "葡萄牙语",
    "ro": "罗马尼亚语",
    "sk": "斯洛伐克语",
    "sl": "斯洛文尼亚语",
    "sv": "瑞典语",
}
"""ISO code -> the name the models were trained with. Source: upstream's list for Fun-ASR-MLT-Nano."""

OTHER_LANGUAGES = {
    "af": "afrikaans",
    "am": "amharic",
    "as": "assamese",
    "az": "azerbaijani",
    "ba": "bashkir",
    "be": "belarusian",
    "bn": "bengali",
    "bo": "tibetan",
    "br": "breton",
    "bs": "bosnian",
    "ca": "catalan",
    "cy": "welsh",
    "de": "german",
    "es": "spanish",
    "eu": "basque",
    "fa": "persian",
    "fo": "faroese",
    "fr": "french",
    "gl": "galician",
    "gu": "gujarati",
    "ha": "hausa",
    "haw": "hawaiian",
    "he": "hebrew",
    "ht": "haitian creole",
    "hy": "armenian",
    "is": "icelandic",
    "it": "italian",
    "jv": "javanese",
    "ka": "georgian",
    "kk": "kazakh",
    "km": "khmer",
    "kn": "kannada",
    "la": "latin",
    "lb": "luxembourgish",
    "ln": "lingala",
    "lo": "lao",
    "mg": "malagasy",
    "mi": "maori",
    "mk": "macedonian",
    "ml": "malayalam",
    "mn": "mongolian",
    "mr": "marathi",
    "my": "burmese",
    "ne": "nepali",
    "nn": "nynorsk",
    "no": "norwegian",
    "oc": "occitan",
    "pa": "punjabi",
    "ps": "pashto",
    "ru": "russian",
    "sa": "sanskrit",
    "sd": "sindhi",
    "si": "sinhala",
    "sn": "shona",
    "so": "somali",
    "sq": "albanian",
    "sr": "serbian",
    "su": "sundanese",
    "sw": "swahili",
    "ta": "tamil",
    "te": "telugu",
    "tg": "tajik",
    "tk": "turkmen",
    "tr": "turkish",
    "tt": "tatar",
    "uk": "ukrainian",
    "ur": "urdu",
    "uz": "uzbek",
    "yi": "yiddish",
    "yo": "yoruba",
}
"""ISO code -> English name of languages that only other families know (Whisper, Qwen3-ASR, remote services)."""

LANGUAGE_CODES = (*LANGUAGE_NAMES, *OTHER_LANGUAGES)
"""Every code that some model may be told."""

_ENGLISH_NAMES = {
    "chinese": "zh",
    "mandarin": "zh",
    "english": "en",
    "cantonese": "yue",
    "japanese": "ja",
    "korean": "ko",
    "vietnamese": "vi",
    "indonesian": "id",
    "thai": "th",
    "malay": "ms",
    "filipino": "fil",
    "tagalog": "fil",
    "arabic": "ar",
    "hindi": "hi",
    "bulgarian": "bg",
    "croatian": "hr",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "estonian": "et",
    "finnish": "fi",
    "greek": "el",
    "hungarian": "hu",
    "irish": "ga",
    "latvian": "lv",
    "lithuanian": "lt",
    "maltese": "mt",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "slovak": "sk",
    "slovenian": "sl",
    "swedish": "sv",
}
_CODES = (
    {code: code for code in LANGUAGE_CODES}
    | {name: code for code, name in LANGUAGE_NAMES.items()}
    | {name: code for code, name in OTHER_LANGUAGES.items()}
    | _ENGLISH_NAMES
)


def language_code(language: str | None, allowed: Collection[str] | None = None) -> str | None:
    """The code of what the user wrote, or None where the model is to decide.

    Args:
        language: a code ("zh"), a locale ("zh-CN", "en_US"), an English name ("Chinese") or the Chinese name; None, ""
            and "auto" mean that nothing is known.
        allowed: codes that the checkpoint was trained on; None: any.

    Raises:
        ValueError: no such language, or none of this checkpoint; the message names the nearest ones.
    """
    if language is None or language.strip().lower() in ("", "auto"):
        return None
    wanted = language.strip().lower()
    code = _CODES.get(wanted) or _CODES.get(wanted.replace("_", "-").partition("-")[0])
    if code is None:
        raise ValueError(f'language = "{language}": unknown; {_suggest(wanted)}')
    if allowed is not None and code not in allowed:
        raise ValueError(f'language = "{language}": not one of this checkpoint\'s: {", ".join(sorted(allowed))}')
    return code


def _suggest(wanted: str) -> str:
    """Name the nearest spellings, or every code when nothing is near."""
    near = difflib.get_close_matches(wanted, _CODES, n=3, cutoff=0.6)
    if near:
        return "did you mean " + ", ".join(
            f"{name} ({_CODES[name]})" if name != _CODES[name] else name for name in near
        )
    return "known codes: " + ", ".join(LANGUAGE_CODES)
