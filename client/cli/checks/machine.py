"""The machine, and what is installed on it."""

import os
import platform
import sqlite3
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cipherlens.client.cli.checks.finding import Finding, note, ok, problem, warning

_PACKAGES = (
    *("cipherlens", "grpcio", "pygrpc-native", "protobuf", "numpy", "cryptography", "blake3"),
    *("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "torch", "timm", "sqlalchemy", "pydantic"),
    *("prometheus-client", "opentelemetry-sdk"),
)
ONE_FAISS = (
    "remove them all and install one: pip uninstall faiss-cpu faiss-gpu; pip install faiss-cpu, "
    "or faiss-gpu for an NVIDIA GPU"
)
_GIB = 2**30
# Files of ours are of this year or later; a clock before it would have the server refuse revisions.
_EARLIEST_S = 1_700_000_000


def machine() -> Iterator[Finding]:
    """Yield what the machine is, what is installed, and whether FAISS works on it."""
    yield ok("machine", f"{platform.platform()}, {os.cpu_count()} cores, {_memory()} of memory")
    yield ok("python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    yield ok("packages", ", ".join(f"{name} {found}" for name, found in _installed()))
    yield from _clock()
    yield from _faiss()


def _installed() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "an unknown amount"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.1f} GiB"


def _clock() -> Iterator[Finding]:
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    if time.time() < _EARLIEST_S:
        yield problem("clock", f"it says {now}", "set it: revisions and certificates go by it")
    else:
        yield ok("clock", now)


def _faiss() -> Iterator[Finding]:
    try:
        from cipherlens.server.index.device import (
            check_faiss_installation,
            faiss_build,
            resolve_device,
        )
    except ModuleNotFoundError as error:
        advice = "a server of role cloud or all needs it: pip install 'cipherlens[server,cpu]'"
        yield note("faiss", f"{error.name} is not installed", advice)
        return
    try:
        name = check_faiss_installation()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it is the finding
        yield problem("faiss", str(error), ONE_FAISS)
        return
    built = faiss_build()
    if "AVX512" not in built and "avx512f" in _cpu_flags():
        yield warning(
            "faiss",
            f"{name} is built for {built}, and the processor has AVX-512",
            "the official wheel of FAISS 1.11 or newer uses it",
        )
    else:
        yield ok("faiss", f"{name}, built for {built}")
    device = str(resolve_device("auto"))
    yield ok("device", device) if device != "cpu" else note("device", "no GPU that FAISS can use")


def _cpu_flags() -> str:
    known = Path("/proc/cpuinfo")
    return known.read_text(errors="replace") if known.is_file() else ""
