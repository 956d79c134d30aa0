"""The built wheel, installed into an environment of its own, works from another folder."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A new environment with the wheel; its dependencies are those of this one, its funasr_beam is not."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run(pip, check=True)
    return folder


def test_only_funasr_beam_is_installed(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"funasr_beam"}
    assert any(name.endswith("checkpoints/demo/model.safetensors") for name in names)
    assert any(name.endswith("model/audio/sandbox_worker.py") for name in names)
    assert any(name.endswith("py.typed") for name in names)


def test_the_command_works_from_another_folder(environment, tmp_path):
    place = [str(environment / "bin/python"), "-c", "import funasr_beam.model; print(funasr_beam.model.__file__)"]
    found = subprocess.run(place, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.startswith(str(environment))
    sample = next(path for path in sorted((ROOT / "samples").rglob("*.wav")) if path.stat().st_size > 50_000)
    command = [str(environment / "bin/funasr-beam"), "transcribe", str(sample), "--output", "out", "--model", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("out/recordings/run=*/*.parquet"))
