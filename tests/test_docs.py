"""The documents say what the code says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.command_line import make_parsers

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_generated_pages_are_up_to_date():
    subprocess.run([sys.executable, "-m", "docs.generate", "--check"], check=True, cwd=ROOT)


def test_links_between_files_lead_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.slow
def test_the_readmes_commands_and_programs_run(tmp_path, monkeypatch):
    """Every `funasr-beam` line and every Python block of the README, in order, with the demo checkpoint."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    copy_few_samples(tmp_path / "recordings")
    copy_few_samples(tmp_path / "other-recordings")
    ran = 0
    for kind, block in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL):
        if kind == "python":
            exec(compile(block, "README.md", "exec"), {})
            ran += 1
            continue
        for line in block.splitlines():
            if line.startswith("funasr-beam "):
                assert run_line(line) in (0, 1), line
                ran += 1
    assert ran >= 4


def copy_few_samples(folder):
    folder.mkdir()
    found = [path for path in sorted((ROOT / "samples").rglob("*.wav")) if 50_000 < path.stat().st_size < 1_500_000]
    for path in found[:3]:
        shutil.copy2(path, folder / path.name)


def run_line(line):
    arguments = shlex.split(line, comments=True)[1:]
    if arguments[0] == "transcribe":
        arguments += ["--model", "demo"]
    if arguments[0] == "compare":
        arguments[2] = arguments[1]
    return main(arguments)


def lines_with(program):
    """Whatever follows the program in a document, up to the end of the line or of the code."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        for found in re.findall(rf"(?:`|\$ |^ *){re.escape(program)} ([^`\n#|]+)", text, flags=re.MULTILINE):
            yield document.name, found


def test_commands_in_the_documents_have_the_options_that_are_shown():
    _, commands = make_parsers()
    seen = set()
    for document, line in lines_with("funasr-beam"):
        name = line.split()[0]
        if name in commands:
            seen.add(name)
            for option in re.findall(r"(?<![\w=\"'-])--[a-z][a-z-]*", line):
                assert option in commands[name]._option_string_actions, f"{document}: {name} {option}"
    assert {"transcribe", "query", "export", "evaluate", "select"} <= seen


def test_targets_and_benchmarks_in_the_documents_are_there():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = {line.split()[0] for _, line in lines_with("make")}
    assert {"demo", "test", "flink-up"} <= shown <= set(targets)
    for document, line in lines_with("python -m"):
        module, *arguments = line.split()
        source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        for option in [word for word in arguments if word.startswith("--")]:
            assert f'"{option}"' in source, f"{document}: {module} {option}"
