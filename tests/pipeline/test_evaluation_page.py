"""docs/evaluation.md: its commands print what stands below them.

`python -m tests.pipeline.test_evaluation_page` writes the output anew.
"""

import json
import re
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np

from funasr_beam.model.scores import error_columns
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.config import MetricsConfig
from funasr_beam.pipeline.metrics import RunFacts, write_metrics
from funasr_beam.pipeline.run_folder import Run
from tests.pipeline.outputs import add_run, recording

PAGE = Path(__file__).parent.parent.parent / "docs/evaluation.md"
CONSOLE = re.compile(r"(```console\n\$ )([^\n]*\n)(.*?)(```)", re.DOTALL)
CALLS = {
    "anna": ("en", "Good morning, this is Anna.", "good morning this is hannah"),
    "bill": ("en", "I can't pay the bill of twenty five dollars.", "i cannot pay a bill of twenty five dollars"),
    "chen": ("zh", "我的 iPhone 不能用了。", "我的iphone不用了"),
    "dora": ("hi", "नमस्ते, आप कैसे हैं?", "नमस्ते आप कैसे है"),
    "emil": ("en", "Are you still there?", None),
}


def test_the_pages_commands_print_what_stands_below_them(tmp_path, monkeypatch, capsys):
    text = PAGE.read_text(encoding="utf-8")
    assert rewritten(text, tmp_path, monkeypatch.setenv, monkeypatch.chdir, lambda: capsys.readouterr().out) == text


def rewritten(text, folder, setenv, chdir, printed):
    """The page with the output of each of its commands."""
    setenv("COLUMNS", "100")
    chdir(folder)
    make_output(folder)

    def output(match):
        main(shlex.split(match[2])[1:])
        lines = printed().replace(f"file://{folder}", "").splitlines()
        return match[1] + match[2] + "\n".join(line.rstrip() for line in lines).strip("\n") + "\n" + match[4]

    return CONSOLE.sub(output, text)


def make_output(folder):
    """Six quiet nights, and one in which it became noisy; the last one's calls have references."""
    for day in range(1, 8):
        generator = np.random.default_rng(day)
        noisy = day == 7
        rows, segments = [], []
        for place in range(40):
            row, segment = call(generator, f"{day}-{place}", noisy)
            rows.append(row)
            segments.append(segment)
        if noisy:
            for name, (language, _, heard) in CALLS.items():
                row, segment = call(generator, name, noisy, heard, language)
                rows.append(row)
                segments += [segment] if heard else []
        run_id = f"202601{day:02d}T020000Z-a1b2c3"
        output = add_run(folder / "OUT", run_id, rows, segments)
        write_metrics(output, Run(run_id, "h", ""), MetricsConfig(group_by=()), RunFacts(60.0, 0))
    truth = [{"uri": f"calls/{name}.wav", "text": said} for name, (_, said, _) in CALLS.items()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in truth)
    (folder / "truth.jsonl").write_text(lines, encoding="utf-8")


def call(generator, name, noisy, text="thank you for calling", language="en"):
    confidence = round(float(np.clip(generator.normal(0.75 if noisy else 0.93, 0.05), 0, 1)), 6)
    length = 2.0 + 4 * float(generator.random())
    row = recording(
        name,
        status="ok" if text else "failed",
        error_code=None if text else "not_media",
        text=text,
        language=language,
        codec="mp3",
        duration=round(length * 1.4, 4) if text else None,
        speech_duration=round(length, 4) if text else None,
        num_channels=1,
        channel_layout="mono",
        num_segments=1 if text else 0,
        num_characters=len(text or ""),
        confidence=confidence if text else None,
        snr_db=round(float(generator.normal(12 if noisy else 25, 4)), 6),
        metadata=[("queue", ["sales", "support"][len(name) % 2])],
        **error_columns(None),
    )
    row["uri"] = f"file:///archive/calls/{name}.wav"
    return row, {
        "segment_id": name,
        "recording_id": row["recording_id"],
        "channel": 0,
        "start": 0.0,
        "end": length,
        "text": text,
        "text_raw": text,
        "language": language,
        "timestamp_source": "none",
        **{column: row[column] for column in ("confidence", "snr_db")},
        "clipping": 0.0,
    }


def write_page():
    """Write the page with today's output."""
    import contextlib
    import io
    import os

    held = io.StringIO()

    def printed():
        found = held.getvalue()
        held.seek(0)
        held.truncate()
        return found

    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(held):
        page = rewritten(text, Path(folder), os.environ.__setitem__, os.chdir, printed)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write_page())
