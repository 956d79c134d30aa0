"""The page in a real browser: no request, no script, readable on a desk, on a phone and on paper."""

import json

import pytest

from funasr_beam.pipeline.report.data import read_report
from funasr_beam.pipeline.report.page import render
from tests.chromium import DESKTOP, PHONE, Chromium, find_chromium
from tests.pipeline.outputs import add_run, recording, segment
from tests.pipeline.report.test_page import NASTY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None, reason="Chromium is not installed: infra/install_debian_packages chromium"
    ),
]
INTRUDERS = (
    "document.querySelectorAll('script,iframe,img,object,embed,link,base,form,[onerror],[onload],[style]').length"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report full of texts that would rather be markup, and of names that are too long."""
    root = tmp_path_factory.mktemp("browser")
    for number in range(3):
        rows, segments = [], []
        for place, text in enumerate([*NASTY, "word " * 200, "x" * 500, "字" * 300]):
            name = f"{number}-{place}"
            uri = f"file:///in/{text[:60]}/{place}.wav" if place % 2 else f"s3://bucket/{'deep/' * 30}{place}.wav"
            shape = {"duration": 60.0 * (place + 1), "speech_duration": 30.0, "num_channels": 1, "uri": uri}
            rows.append(recording(name, **shape))
            rows.append(recording(f"{name}x", "failed", uri=f"{uri}x", error_code="not_media", error_detail=text))
            more = {"flags": ["token_limit", "loop"], "chars_per_s": float(place + 1), "confidence": place / 11}
            segments.append(segment(name, 0.0, 4.0, text, language="zh" if place % 2 else "en", **more))
        add_run(root / "out", f"run{number}", rows, segments)
        told = {
            "recordings": {"ok": 9, "failed": number + 1},
            "audio_hours": 1.0 + number,
            "rtfx": 30.0,
            "wall_s": 60.0,
        }
        (root / f"out/runs/run{number}/metrics.json").write_text(json.dumps(told))
    from funasr_beam.model.storage import Folder

    path = root / "report.html"
    path.write_bytes(render(read_report(Folder(str(root / "out")))).encode(errors="replace"))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_opens_from_its_path_and_asks_for_nothing_else(browser, page, size, dark):
    browser.open(page, size, dark=dark)
    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.value(INTRUDERS) == 0
    assert browser.value("document.querySelectorAll('svg rect').length") > 40
    assert browser.content_size()[0] <= size[0]


def test_nothing_is_cut_off_on_a_phone(browser, page):
    browser.open(page, PHONE)
    outside = """[...document.querySelectorAll('.stack td, .tile, .trend, figure, h1, h2, .legend li, .bars td')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"""
    assert browser.value(outside) == 0
    assert browser.value("parseFloat(getComputedStyle(document.querySelector('.stack td')).fontSize) >= 13")


def test_the_page_is_whole_without_scripts(browser, page):
    browser.open(page, DESKTOP)
    with_scripts = browser.content_size()
    browser.open(page, DESKTOP, scripts=False)
    assert browser.content_size() == with_scripts
    assert browser.requests() == [page.as_uri()]


def test_paper_is_white_and_wide_enough(browser, page):
    browser.open(page, (794, 1123), print_=True)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.content_size()[0] <= 794


def test_the_style_is_let_through_by_the_pages_own_policy(browser, page):
    browser.open(page)
    assert browser.value("getComputedStyle(document.querySelector('.tiles')).display") == "grid"


def test_a_script_that_got_in_would_not_run(browser, page, tmp_path):
    spoiled = tmp_path / "spoiled.html"
    spoiled.write_text(page.read_text().replace("</header>", "</header><script>document.title = 'taken'</script>", 1))
    browser.open(spoiled)
    assert browser.value("document.title") != "taken"
    assert browser.complaints()
