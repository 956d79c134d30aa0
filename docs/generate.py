"""Write what the code and the stored results say: configuration keys, cause codes, tables, and the README's numbers.

python -m docs.generate [--check]      --check: exit code 1 if a page is out of date
"""

import re
import sys
from pathlib import Path

from docs import measured, performance_tables
from docs.configuration_keys import describe_keys
from docs.results import is_measured, result
from funasr_beam.model.aligners.base import Untimed
from funasr_beam.model.aligners.support import MMS_HUB_ID, MMS_LANGUAGES, WAV2VEC2_HUB_IDS
from funasr_beam.model.errors import Cause
from funasr_beam.model.guards import Symptom
from funasr_beam.model.known_models import KNOWN_MODELS
from funasr_beam.model.tables import DESCRIPTIONS, TABLES
from funasr_beam.pipeline.export.formats import FORMATS

HERE = Path(__file__).parent
EXPORT = HERE / "export.md"
README = HERE.parent / "README.md"
NOTE = "<!-- written by docs/generate.py -->\n"


def configuration() -> str:
    """Every configuration key."""
    rows = [f"| `{key}` | {kind} | {default} | {meaning} |" for key, kind, default, meaning in describe_keys()]
    return "\n".join(
        [
            "# Configuration",
            NOTE,
            "Defaults, then `--config run.toml`, then `--set KEY=VALUE`, then the command's own flags; later ones win.",
            "In TOML, what stands before a dot is a section: `plan.unit_s` is `unit_s` below `[plan]`.",
            "Problems are reported all at once, before anything starts.",
            "",
            "```toml",
            'input = ["s3://bucket/calls/"]',
            'output = "s3://bucket/transcripts/"',
            "",
            "[recognition]",
            'language = "zh"',
            'hotwords = ["开放时间"]',
            "```",
            "",
            "| key | type | default | meaning |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def causes() -> str:
    """Every cause code."""
    rows = [f"| `{cause}` | {cause.sentence} | {'yes' if cause.retryable else 'no'} |" for cause in Cause]
    return "\n".join(
        [
            "# Cause codes",
            NOTE,
            '`error_code` in the tables. A recording that failed for a cause with "yes" is tried again next time.',
            "",
            "| code | meaning | tried again |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def tables() -> str:
    """Every table and column."""
    lines = ["# Tables", NOTE, "Times are seconds on the original recording's clock.", ""]
    for name, schema in TABLES.items():
        lines += [f"## {name}", "", "| column | type | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{field.name}` | {field.type} | {DESCRIPTIONS[name][field.name]} |" for field in schema]
        lines.append("")
    lines += [
        "## flags",
        "",
        "With `_repaired` behind it: the first text had it, and after another attempt it is gone.",
        "",
    ]
    lines += ["| flag | meaning |", "| --- | --- |"]
    lines += [f"| `{flag}` | {flag.sentence} |" for flag in (*Symptom, *Untimed)]
    return "\n".join([*lines, ""])


def export() -> str:
    """The page about exports with the table of its formats."""
    rows = [
        f"| `{name}` | {each.writes} | {each.read_by} | {each.audio or ('on request' if each.takes_audio else '')} |"
        for name, each in FORMATS.items()
    ]
    table = "\n".join(["| format | writes | read by | clips |", "| --- | --- | --- | --- |", *rows])
    return _filled(EXPORT, {"formats": f"\n{table}\n"})


def readme() -> str:
    """The README with its numbers from the stored results."""
    return _filled(README, {"numbers": measured.headlines()})


def models() -> str:
    """The page about models, with what the code and the stored results know."""
    parts = {
        "models": known_models(),
        "languages": model_languages(),
        "accuracy": published_accuracy(),
        "conversion": conversion(),
        "parity": parity(),
    }
    return _filled(HERE / "models.md", parts)


def alignment() -> str:
    """The page about word times, with what the code and the stored results know."""
    return _filled(HERE / "alignment.md", {"wav2vec2": letter_models(), "results": alignment_errors()})


def performance() -> str:
    """The page about speed, with what the stored results know."""
    return _filled(HERE / "performance.md", performance_tables.parts())


def measurements() -> str:
    """All that was measured but for speed, which has a page of its own."""
    return "\n".join(["# Measurements", NOTE, measured.page(), ""])


def _filled(page: Path, parts: dict[str, str]) -> str:
    """A page with its marked parts made anew."""
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        marked = rf"(<!-- {name} -->).*(<!-- /{name} -->)"
        text = re.sub(marked, lambda found, part=part: f"{found[1]}\n{part}\n{found[2]}", text, flags=re.DOTALL)
    return text


def letter_models() -> str:
    """The models of letters by language."""
    rows = [f"| {code} | {model} |" for code, model in sorted(WAV2VEC2_HUB_IDS.items())]
    rows += [f"| {' '.join(MMS_LANGUAGES)} | {MMS_HUB_ID} |"]
    return "\n".join(["| language | model |", "| --- | --- |", *rows])


def alignment_errors() -> str:
    """How far word times are off, and what scores tell."""
    if not is_measured("alignment"):
        return "Not measured yet: `python -m benchmarks.alignment --store`."
    found = result("alignment")
    rows = [
        f"| {name} | {row['words']} | {row['start_median_ms']:.0f} / {row['start_p95_ms']:.0f} ms "
        f"| {row['end_median_ms']:.0f} / {row['end_p95_ms']:.0f} ms | {row['score_right'][1]:.2f} "
        f"| {row['score_replaced'][1]:.2f} | {row['score_other'][1]:.2f} | {row['auroc_other']:.3f} |"
        for name, row in found["rows"].items()
    ]
    head = [
        "| aligner, language, channel | words | start, median / p95 | end, median / p95 | score: text as said "
        "| a quarter of the words wrong | another text | AUROC |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def known_models() -> str:
    """The models with a short name."""
    rows = [
        f"| `{model.name}` | {model.purpose} | {model.parameters_m:,} M | {model.word_times} "
        f"| {'yes' if model.family.takes_hints else 'no'} | {model.hub_id or f'{model.original_hub_id} (`model.pt`)'} "
        f"| {model.notes} |"
        for model in KNOWN_MODELS
    ]
    head = [
        "| name | for | parameters | word times | hotwords, context | from | notes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def model_languages() -> str:
    """The codes of each model."""
    rows = [f"| `{model.name}` | {len(model.languages)} | {' '.join(model.languages)} |" for model in KNOWN_MODELS]
    return "\n".join(["| model | languages | codes |", "| --- | --- | --- |", *rows])


def published_accuracy() -> str:
    """Error rates that the publishers state, and where."""
    rated = [model for model in KNOWN_MODELS if model.accuracy]
    sets = list(dict.fromkeys(accuracy.test_set for model in rated for accuracy in model.accuracy))
    errors = {(model.name, accuracy.test_set): accuracy for model in rated for accuracy in model.accuracy}
    rows = [
        f"| {name} | "
        + " | ".join(
            f"{errors[key].error_percent:.2f}" if (key := (model.name, name)) in errors else "" for model in rated
        )
        + " |"
        for name in sets
    ]
    sources = sorted({accuracy.source for model in rated for accuracy in model.accuracy})
    head = [
        "| test set | " + " | ".join(f"`{model.name}`" for model in rated) + " |",
        "| --- |" + " --- |" * len(rated),
    ]
    return "\n".join([*head, *rows, "", f"Source: {'; '.join(sources)}."])


def conversion() -> str:
    """What a full-size conversion and loading took."""
    if not is_measured("conversion"):
        return "Not measured yet: `make conversion`."
    found = result("conversion")
    rows = [
        f"| {step.replace('_', ', ')} | {name} | {kind['file_gb']:.2f} GB "
        f"| {cost['wall_s']:.0f} s, {cost['cpu_s']:.0f} s CPU "
        f"| {cost['own_gb']:.2f} GB | {cost['resident_gb']:.2f} GB |"
        for name, kind in found["files"].items()
        for step, cost in kind.items()
        if isinstance(cost, dict)
    ]
    head = [
        "Time and memory with files of the published names, shapes and number types "
        f"(`make conversion`; {found['machine']['cores']} cores of an {found['machine']['processor']}, busy otherwise; "
        "load: on the CPU, in float32 unless it says otherwise):",
        "",
        "| step | file | size | time | memory of its own, peak | with mapped files |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def parity() -> str:
    """How far the recogniser is from upstream's at full size."""
    if not is_measured("parity"):
        return "Not measured yet: `make parity`."
    found = result("parity")
    rows = [
        f"| {name} | {apart:.1e} | {found['limits'][name]:.0e} |" for name, apart in found["largest_difference"].items()
    ]
    rows += [
        f"| greedy texts, {mode} audio tokens | {texts['equal']} of {texts['of']} equal | all |"
        for mode, texts in found["texts"].items()
    ]
    head = [
        "70 x 512 encoder, 28-layer LLM, CTC head, random weights, float32 on a CPU; twenty prompts (languages of both "
        "checkpoints, hotwords, context, ITN off):",
        "",
        "| stage | largest difference | limit |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*head, *rows])


PAGES = {
    HERE / "configuration.md": configuration,
    HERE / "causes.md": causes,
    HERE / "tables.md": tables,
    HERE / "models.md": models,
    HERE / "alignment.md": alignment,
    HERE / "performance.md": performance,
    HERE / "measurements.md": measurements,
    EXPORT: export,
    README: readme,
}


def main() -> int:
    """Write the pages, or check that they are what the code and the results say."""
    stale = []
    for path, page in PAGES.items():
        text = page()
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        print(f"out of date: {', '.join(stale)}; run make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
