"""Where an index lives: on the processor, or on one GPU."""

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from cipherlens.server.index.errors import DeviceUnavailableError, FaissInstallationError
from cipherlens.server.index.untyped import faiss

PROBE = (sys.executable, "-m", "cipherlens.server.index.gpu_probe")
PROBE_SECONDS = 120

_CUDA = re.compile(r"cuda(?::([0-9]{1,4}))?")


@dataclass(frozen=True)
class Device:
    """A place that exists on this machine; written "cpu" or "cuda:N"."""

    kind: Literal["cpu", "cuda"]
    ordinal: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"cuda:{self.ordinal}"


def resolve_device(requested: str) -> Device:
    """Return the device for "auto", "cpu", "cuda" (the first GPU) or "cuda:N".

    "auto" is the first GPU when the installed FAISS can use one and one is there, else the CPU.

    Raises:
        ValueError: requested is none of these.
        DeviceUnavailableError: a GPU was asked for by name and cannot be used.
    """
    if requested == "cpu":
        return Device("cpu")
    if requested == "auto":
        return Device("cuda") if _gpu_obstacle(0) is None else Device("cpu")
    match = _CUDA.fullmatch(requested)
    if match is None:
        raise ValueError(f'device must be "auto", "cpu", "cuda" or "cuda:N", got {requested!r}')
    ordinal = int(match[1] or 0)
    obstacle = _gpu_obstacle(ordinal)
    if obstacle is not None:
        raise DeviceUnavailableError(f"device {requested!r} cannot be used: {obstacle}")
    return Device("cuda", ordinal)


def _gpu_obstacle(ordinal: int) -> str | None:
    """Return why GPU number ordinal cannot be used, or None when it can."""
    if not hasattr(faiss, "StandardGpuResources"):
        return "the installed FAISS is a CPU build"
    count = faiss.get_num_gpus()
    if count == 0:
        return "FAISS sees no GPU"
    if ordinal >= count:
        return f"FAISS sees {count} GPU(s), numbered from 0"
    return _probed(ordinal)


def _probed(ordinal: int) -> str | None:
    """Return why a search on a GPU that is there fails, or None when it does not.

    A wheel of FAISS may have no code for a GPU as new as this one. FAISS then aborts the process,
    so a process of its own is what tries.
    """
    try:
        done = subprocess.run(  # noqa: S603 a module of this package
            [*PROBE, str(ordinal)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"FAISS has not answered a search there within {PROBE_SECONDS} s"
    if done.returncode == 0:
        return None
    reason = re.search(r"CUDA error .+|\w*Error: .+", done.stderr)
    return f"FAISS cannot search there: {reason[0] if reason else f'exit {done.returncode}'}"


def check_faiss_installation() -> str:
    """Return the name of the one installed FAISS distribution, such as "faiss-cpu".

    The CPU and GPU distributions both install the module `faiss`: with two of them the files of
    one lie over the files of the other, and which code runs depends on the order of installation.

    Raises:
        FaissInstallationError: none is installed, or more than one.
    """
    names = {_normalised(found.name) for found in metadata.distributions() if found.name}
    installed = sorted(n for n in names if n == "faiss-cpu" or n.startswith("faiss-gpu"))
    if not installed:
        raise FaissInstallationError("FAISS is not installed: install faiss-cpu or faiss-gpu")
    if len(installed) > 1:
        raise FaissInstallationError(
            f"{' and '.join(installed)} are installed over each other: keep one of them"
        )
    return installed[0]


def faiss_build() -> str:
    """Return what the installed FAISS is compiled for, such as "OPTIMIZE DD AVX2 AVX512"."""
    built: str = faiss.get_compile_options()
    return built.strip()


def _normalised(name: str) -> str:
    """Return a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
