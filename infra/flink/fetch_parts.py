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
    def resource_definition(self) -> Path:
        """The operator's definition of a FlinkDeployment, against which manifests are checked."""
        return self.folder / f"flinkdeployment-{VERSIONS['operator']['version']}.yml"

    @property
    def complete(self) -> bool:
        """Whether everything has been fetched."""
        return self.flink.is_dir() and self.job_server.is_dir() and self.resource_definition.is_file()


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
        if not parts.resource_definition.is_file():
            _fetch_resource_definition(draft).rename(parts.resource_definition)


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
    told = VERSIONS["job_server"]
    jars = _fetch_from_maven(draft / "jars", "org.apache.beam", told["artifact"], told["version"])
    merged = draft / "job-server"
    merged.mkdir()
    _merge_jars(jars, merged / "job-server.jar")
    return merged


def _fetch_resource_definition(draft: Path) -> Path:
    told = VERSIONS["operator"]
    jars = _fetch_from_maven(draft / "operator", "org.apache.flink", told["artifact"], told["version"], alone=True)
    found = draft / "flinkdeployment.yml"
    with zipfile.ZipFile(jars[0]) as jar:
        found.write_bytes(jar.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"))
    return found


def _fetch_from_maven(folder: Path, group: str, artifact: str, version: str, *, alone: bool = False) -> list[Path]:
    """An artifact's jar, with all that it needs unless it is wanted alone."""
    if shutil.which("mvn") is None:
        raise SystemExit("mvn is missing: install the Debian packages openjdk-17-jre-headless and maven")
    maven = ["mvn", "--quiet", "--batch-mode", f"-DoutputDirectory={folder}"]
    if alone:
        _run([*maven, "dependency:copy", f"-Dartifact={group}:{artifact}:{version}"])
    else:
        told = {"group": group, "artifact": artifact, "version": version}
        pom = ["--file", str(HERE / "pom.xml"), *(f"-D{key}={value}" for key, value in told.items())]
        _run([*maven, *pom, "dependency:copy-dependencies"])
    return sorted(folder.glob("*.jar"))


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
