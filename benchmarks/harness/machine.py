"""What a figure was measured on: it is kept beside every result."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from benchmarks.harness.places import ROOT

_LIBRARIES = (
    "cipherlens",
    "numpy",
    "blake3",
    "cryptography",
    "faiss-cpu",
    "faiss-gpu",
    "faiss-gpu-cu12",
    "grpcio",
    "protobuf",
    "SQLAlchemy",
    "torch",
    "timm",
)

_MEASURED = (":(exclude)benchmarks/results", ":(exclude)benchmarks/REPORT.md")


def environment() -> dict[str, object]:
    """Return machine, versions and commit."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": platform.system(),
            "load_1m": round(os.getloadavg()[0], 2),
            **_gpu(),
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "commit": _commit(),
    }


def _processor() -> str:
    """Return the processor's name, from the kernel where it tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpu() -> dict[str, str]:
    """Return the name of the first GPU and how many there are, where PyTorch is in use."""
    torch = sys.modules.get("torch")
    if not torch or not torch.cuda.is_available():
        return {}
    count = torch.cuda.device_count()
    name = torch.cuda.get_device_name(0)
    return {"gpu": name if count == 1 else f"{count} x {name}"}


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """Return the commit, marked if the tree differs from it in more than what was measured.

    Outside of a checkout it is what COMMIT says, where somebody has copied one, or "unknown".
    """
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *_MEASURED)
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("COMMIT", "unknown")
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
