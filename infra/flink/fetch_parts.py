#!/usr/bin/env python3
"""Fetch the jars of Flink and of Beam's job server, once, into infra/flink/.parts (about 400 MB of downloads).

    python infra/flink/fetch_parts.py

Flink comes from its PyPI package, the job server from Maven. FLINK_PARTS names another folder, to share one between
checkouts. Needs `mvn` and `java` (Debian: openjdk-17-jre-headless, maven).
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VERSIONS: dict[str, Any] = tomllib.loads((HERE / "versions.toml").read_text(encoding="utf-8"))

_SERVICES = "META-INF/services/"
_LEFT_OUT = re.compile(r"/$|^module-info\.class$|^META-INF/(MANIFEST\.MF|INDEX\.LIST|[^/]+\.(SF|RSA|DSA))$")


@dataclass(frozen=True)
class Parts:
    """Where the jars are."""

    folder: Path

    @property
    def flink(self) -> Path:
        """The jars of Flink itself."""
        return self.folder / f"flink-{VERSIONS['flink']['version']}"

    @property
    def job_server(self) -> Path:
        """Beam's job server with all that it needs, merged into one jar."""
        return self.folder / f"{VERSIONS['job_server']['artifact']}-{VERSIONS['job_server']['version']}"

    @property
    def complete(self) -> bool:
        """Whether everything has been fetched."""
        return self.flink.is_dir() and self.job_server.is_dir()


def default_parts() -> Parts:
    """FLINK_PARTS, or .parts beside this file."""
    return Parts(Path(os.environ.get("FLINK_PARTS") or HERE / ".parts"))


def fetch(parts: Parts) -> None:
    """Fetch what is missing; a folder appears only when it is whole."""
    parts.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parts.folder) as name:
        draft = Path(name)
        if not parts.flink.is_dir():
            _fetch_flink(draft).rename(parts.flink)
        if not parts.job_server.is_dir():
            _fetch_job_server(draft).rename(parts.job_server)


def _fetch_flink(draft: Path) -> Path:
    """The jars out of the source archive of Flink's package on PyPI."""
    requirement = f"{VERSIONS['flink']['package']}=={VERSIONS['flink']['version']}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # Without isolation, since all that the package's own build would need is setuptools, which is here.
    _run([*pip, "--no-build-isolation", "--no-binary", ":all:", "--dest", str(draft), requirement])
    (archive,) = draft.glob("*.tar.gz")
    jars = draft / "flink"
    jars.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar:
            if "/deps/lib/" in member.name and member.name.endswith(".jar") and "-table-" not in member.name:
                member.name = Path(member.name).name
                tar.extract(member, jars, filter="data")
    return jars


def _fetch_job_server(draft: Path) -> Path:
    if shutil.which("mvn") is None:
        raise SystemExit("mvn is missing: install the Debian packages openjdk-17-jre-headless and maven")
    shutil.copy(HERE / "job_server_pom.xml", draft / "pom.xml")
    told = VERSIONS["job_server"]
    versions = [f"-Dartifact={told['artifact']}", f"-Dbeam={told['version']}"]
    maven = ["mvn", "--quiet", "--batch-mode", "--file", str(draft / "pom.xml")]
    _run([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={draft / 'jars'}", *versions])
    merged = draft / "job-server"
    merged.mkdir()
    _merge_jars(sorted((draft / "jars").glob("*.jar")), merged / "job-server.jar")
    return merged


def _merge_jars(jars: Sequence[Path], merged: Path) -> None:
    """One jar for all: the job server sends its class path with every job, and 161 files take four times as long."""
    services: dict[str, list[bytes]] = {}
    seen = set()
    with zipfile.ZipFile(merged, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        target.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMulti-Release: true\n")
        for jar in jars:
            with zipfile.ZipFile(jar) as source:
                for name in source.namelist():
                    if name.startswith(_SERVICES):
                        services.setdefault(name, []).append(source.read(name))
                    elif name not in seen and not _LEFT_OUT.search(name):
                        seen.add(name)
                        target.writestr(name, source.read(name))
        for name, found in services.items():
            target.writestr(name, b"\n".join(found))


def _run(command: list[str]) -> None:
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True)


def main() -> int:
    """Fetch what is missing and say where it is."""
    began, parts = time.monotonic(), default_parts()
    if not parts.complete:
        fetch(parts)
        print(f"fetched in {time.monotonic() - began:.0f} s")
    print(f"Flink {VERSIONS['flink']['version']} and Beam's job server are in {parts.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
