"""What a result was measured on."""

import contextlib
import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "transformers", "apache-beam", "av", "pyarrow")


def describe_machine(*more: str) -> dict[str, object]:
    """Processor, cores, memory, the GPU that torch uses, and the versions of what is installed of PACKAGES and more."""
    gpu = gpu_name()
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "packages": _versions([*PACKAGES, *more]),
    } | ({"gpu": gpu} if gpu else {})


def gpu_name() -> str | None:
    """The GPU's name where torch is loaded and can use one."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def device_label(device: str) -> str:
    """How result files name a device: "cpu", or the GPU as in "nvidia_h100_80gb_hbm3"."""
    name = gpu_name() if device == "cuda" else None
    return re.sub(r"[^a-z0-9]+", "_", (name or device).lower()).strip("_")


def peak_mb() -> int:
    """Most memory that this process has held (MB); unlike `ru_maxrss`, without what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


def cpu_so_far(process: int | None) -> float:
    """User and system seconds of a process; None: of no process."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _versions(names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
