"""Write the pages of docs/ that say what the code says: configuration keys, cause codes, tables.

python docs/generate.py [--check]      --check: exit code 1 if a page is out of date
"""

import sys
from pathlib import Path

from funasr_beam.model.errors import Cause
from funasr_beam.model.tables import DESCRIPTIONS, TABLES
from funasr_beam.pipeline.config import describe_keys

HERE = Path(__file__).parent
NOTE = "<!-- written by docs/generate.py -->\n"


def configuration() -> str:
    """Every configuration key."""
    rows = [
        f"| `{key}` | {kind.replace('|', 'or')} | `{default}` | {text} |"
        for key, kind, default, text in describe_keys()
    ]
    return "\n".join(
        [
            "# Configuration",
            NOTE,
            "Defaults, then `--config run.toml`, then `--set KEY=VALUE`, then the command's own flags; later ones win.",
            "In TOML, what stands before a dot is a section: `plan.unit_s` is `unit_s` below `[plan]`.",
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
    return "\n".join(lines)


PAGES = {"configuration.md": configuration, "causes.md": causes, "tables.md": tables}


def main() -> int:
    """Write the pages, or check that they are what the code says."""
    stale = []
    for name, page in PAGES.items():
        text = page()
        if "--check" in sys.argv:
            stale += [name] if (HERE / name).read_text(encoding="utf-8") != text else []
        else:
            (HERE / name).write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
