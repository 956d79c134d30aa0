"""The page: what it tells, and that nothing from outside becomes markup in it."""

import json
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.config import MetricsConfig
from funasr_beam.pipeline.metrics import RunFacts, write_metrics
from funasr_beam.pipeline.report import words
from funasr_beam.pipeline.report.data import read_report
from funasr_beam.pipeline.report.page import render
from funasr_beam.pipeline.report.write import write_run_report
from funasr_beam.pipeline.run_folder import Run
from tests.pipeline.outputs import add_run, recording, segment

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</title></style></svg><iframe src=https://example.org>",
    "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    "<!-- -->]]>&lt;&#60;script&#62;",
    "\u202egnp.exe\u2066 \x00\x1b[31m",
]


class Shape(HTMLParser):
    """The elements of a page with their attributes' names, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.links, self.text = Counter(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag not in ("text", "rect"):  # as many as a chart needs for its values
            self.elements[tag, tuple(sorted(name for name, _ in attributes))] += 1
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data):
        self.text.append(data)


def make_output(root, text, uri="file:///in/call.wav"):
    """One of each status, with `text` wherever a text of others may stand."""
    recordings = [
        recording("a", uri=uri, duration=60.0, speech_duration=40.0, num_channels=1, language="en", model_id="demo"),
        recording("b", "failed", error_code="not_media", error_detail=text),
        recording("c", "partial", error_code="truncated", error_detail=text, duration=5.0),
    ]
    segments = [segment("a", 0.0, 4.0, text or "x", flags=["token_limit"], chars_per_s=2.0, confidence=0.5)]
    return add_run(root, "run1", recordings, segments)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return read_report(make_output(tmp_path_factory.mktemp("report"), "plain text"))


@pytest.fixture(scope="module")
def plain(data):
    return Shape(render(data))


def spoiled(data, text, uri):
    """The same report with other texts in it."""
    from dataclasses import replace

    troubles = tuple(replace(each, uri=uri, error_detail=text) for each in data.troubles)
    worst = {
        name: tuple(replace(each, text=text, uri=uri, language=text, flags=(text,) * len(each.flags)) for each in found)
        for name, found in data.worst.items()
    }
    made = tuple({**each, "model_id": text} for each in data.provenance)
    return replace(data, place=uri, troubles=troubles, worst=worst, provenance=made)


@given(st.one_of(st.sampled_from(NASTY), st.text(max_size=60)), st.one_of(st.sampled_from(NASTY), st.text(max_size=30)))
def test_no_text_and_no_file_name_becomes_markup(data, plain, text, name):
    shape = Shape(render(spoiled(data, text, f"file:///in/{name}.wav")))
    assert shape.elements == plain.elements
    for link in shape.links:
        assert link.startswith("file:///in/") and not set(link) & set("<>\"' ")


@pytest.mark.parametrize("text", NASTY)
def test_texts_are_read_from_tables_and_shown_as_they_are(tmp_path, text, plain):
    shape = Shape(render(read_report(make_output(tmp_path, text))))
    assert shape.elements == plain.elements
    assert words.clean(text) in "".join(shape.text)


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("file:///a b/ü#1?.wav", "file:///a%20b/%C3%BC%231%3F.wav#t=1.00,2.50"),
        ("https://host/a.wav", "https://host/a.wav#t=1.00,2.50"),
        ("s3://bucket/a.wav", None),
        ("javascript://x/%0aalert(1)", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
    ],
)
def test_links_lead_to_the_second_and_never_into_a_script(uri, link):
    assert words.listen_link(uri, 1.0, 2.5) == link


def test_the_page_tells_what_is_there(data, plain):
    told = " ".join(" ".join(plain.text).split())
    for text in ("3 recordings", "1 ok", "1 failed", "1 partial", "plain text", "not_media", "Least sure", "Flagged"):
        assert text in told
    assert "The bytes are no audio or video container" in told


def test_a_page_without_text_quotes_none(data):
    page = render(data, with_text=False)
    assert "Least sure" not in page and "quotes no transcripts" in page


def test_the_policy_allows_nothing_but_the_pages_own_style(data):
    page = render(data)
    assert "default-src 'none'" in page and "<script" not in page and "style=" not in page and "@import" not in page
    assert "url(" not in page


def test_an_output_without_rows_has_a_page(tmp_path):
    assert "There are no rows yet" in render(read_report(add_run(tmp_path, "run1", [])))


def test_runs_are_compared(tmp_path):
    for number in (1, 2, 3):
        add_run(tmp_path, f"run{number}", [recording("a", duration=60.0 * number)])
        told = {
            "recordings": {"ok": 90, "partial": 0, "no_speech": 0, "failed": 10 * number, "unchanged": 5},
            "audio_hours": 10.0,
            "speech_hours": 5.0,
            "confidence": {"p50": 0.9},
            "segments": {"count": 7, "characters_per_s": 12.0},
            "rtfx": 30.0,
            "wall_s": 100.0,
        }
        (tmp_path / f"runs/run{number}/metrics.json").write_text(json.dumps(told))
    data = read_report(Folder(str(tmp_path)))
    assert [run.failed for run in data.runs] == [10, 20, 30]
    page = render(data)
    assert "The last run beside earlier ones" in page and "25 %" in page
    earlier = read_report(Folder(str(tmp_path)), "run2")
    assert [run.id for run in earlier.runs] == ["run1", "run2"]
    assert earlier.summary["audio_hours"] == pytest.approx(120 / 3600)


def test_alarms_of_the_last_run_stand_on_top(tmp_path):
    for number in (1, 2, 3):
        confidence = 0.4 if number == 3 else 0.9
        rows = [recording(f"{number}-{place}", confidence=confidence, duration=60.0) for place in range(40)]
        output = add_run(tmp_path, f"run{number}", rows)
        write_metrics(output, Run(f"run{number}", "c", "2026-01-01T00:00:00"), MetricsConfig(), RunFacts(10.0, 0))
    alarmed = render(read_report(output))
    assert "the last run is not like the 2 before it" in alarmed and "<b>confidence</b>" in alarmed
    assert "No alarms" in render(read_report(output, "run2"))


def test_the_command_writes_the_page_where_it_is_wanted(tmp_path, capsys):
    output = make_output(tmp_path / "out", "text")
    assert main(["report", output.uri]) == 0
    assert main(["report", output.uri, "--run", "run1", "--output", str(tmp_path / "page.html")]) == 0
    assert "page.html" in capsys.readouterr().out
    assert "3 recordings" in (tmp_path / "out/report.html").read_text()
    assert "Run run1" in (tmp_path / "page.html").read_text()
    assert main(["report", output.uri, "--run", "nope"]) == 2
    assert "the last runs are run1" in capsys.readouterr().err


def test_a_run_that_is_about_to_finish_has_a_page_and_never_fails_for_want_of_it(tmp_path, caplog):
    output = add_run(tmp_path, "run1", [recording("a")], finished=False)
    run = Run("run1", "texthash", "2026-01-01T00:00:00+00:00")
    write_run_report(output, run)
    assert "1 recordings" in (tmp_path / "runs/run1/report.html").read_text()
    (tmp_path / "recordings/run=run1/part-00000.parquet").write_bytes(b"no parquet")
    write_run_report(output, run)
    assert "could not be written" in caplog.text


def test_a_page_elsewhere_is_a_file_and_nothing_beside_it(tmp_path):
    output = add_run(tmp_path / "out", "1", [recording()])
    for target in (tmp_path / "pages/a.html", tmp_path / "pages/a.html"):
        assert main(["report", output.uri, "--output", str(target)]) == 0
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["a.html"]
    assert main(["report", output.uri, "--output", str(tmp_path / "pages")]) == 2
    assert main(["report", output.uri, "--output", str(tmp_path / "pages/a.html/b.html")]) == 3
    assert not list(tmp_path.glob("*.tmp"))
