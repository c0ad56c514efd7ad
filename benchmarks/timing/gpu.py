"""Searches of vectors on a GPU beside the CPU: all compared or by lists, and through a server.

Not part of `all`: it is for a machine with an NVIDIA GPU, PyTorch and FAISS's GPU wheel. The tests
of the GPU's path come first. Then either device holds the same rows, and both are asked in turn,
in batches; a rate is the median of the rounds.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.places import ROOT
from benchmarks.harness.progress import say
from benchmarks.harness.ratios import digits
from benchmarks.load import workload
from benchmarks.timing.gpu_indexes import CORES, CPU, GPU, Rates, Searched, searched
from benchmarks.timing.gpu_servers import served, whole_round
from cipherlens.server.index import Device, DeviceUnavailableError, resolve_device

PLACE = 3.8
BY_NAME_ONLY = True

SIZES = {
    "quick": (2000, 10_000),
    "full": (2000, 4000, 6000, 8000, 10_000, 100_000, 1_000_000, 10_000_000),
}
SERVED = {"quick": (2000,), "full": (2000, 10_000, 100_000)}
BATCHES = {"quick": (1, 64), "full": (1, 4, 16, 64, 256, 1024)}
ROUNDS = {"quick": 3, "full": 5}
PLOTTED = (" 10,000", " 100,000", " 1,000,000")
GIB = 2**30
COPIES = 4
"""Of the vectors in memory: rows, those of either index, and what is made on the way."""

NOTES = """\
"CPU" is one thread, as a search in a server has; "all cores" parts a batch between as many threads
as there are cores. "Pays from" is the smallest batch from which the GPU answers more queries a
second than either. A batch that would take more than 3 seconds is left out, and so are vectors that
need more memory than there is. Above 100,000 vectors the CPU has the lists that the GPU has
trained. `ROWS=10000,1000000` measures other sizes, and after `MINUTES=5` none is begun.
`DEVICE=cuda:1` names another GPU; `DEVICE=cpu` tries the script without one, and keeps what it
finds below `build/tried`, as it says nothing of GPUs.
"""


def run(profile: str) -> dict[str, Any]:
    """Return rates, recall and memory on both devices.

    Raises:
        NotHereError: if FAISS can use no GPU here.
    """
    device = wanted_device()
    started = time.monotonic()
    batches, rounds = BATCHES[profile], ROUNDS[profile]
    sizes = _sizes(profile)
    missing = _too_large(sizes)
    tests = _tests()
    through = {}
    with tempfile.TemporaryDirectory() as folder:
        say("a whole round")
        found = whole_round(Path(folder), device)
        for size in [each for each in sizes if each in SERVED[profile]]:
            say(f"{size:,} vectors through a server")
            through[size] = served(Path(folder, str(size)), size, device, batches, rounds)
    in_process = {}
    for size in [each for each in sizes if each not in missing]:
        if time.monotonic() - started > 60 * _minutes():
            missing[size] = f"{size:,} vectors were left out for want of time"
            continue
        say(f"{size:,} vectors in process, after {time.monotonic() - started:.0f} s")
        in_process[size] = searched(size, device, batches, rounds)
    return {
        "unit": "queries a second where nothing else is said",
        "data": workload.DATA,
        "seed": workload.SEED,
        "rounds": rounds,
        "device": str(device),
        "tests": tests,
        "notes": [f"tests/server/index/test_gpu.py: {tests}", *missing.values()],
        **tables(in_process, through, found),
        **({} if device.kind == "cuda" else {"cut": "no GPU: the CPU stands in its place"}),
    }


def wanted_device() -> Device:
    """Return the device that DEVICE names, the first GPU if none.

    Raises:
        NotHereError: if it cannot be used.
    """
    try:
        return resolve_device(os.environ.get("DEVICE", "cuda:0"))
    except (DeviceUnavailableError, ValueError) as error:
        raise NotHereError(
            f"{error}. A machine with an NVIDIA GPU and the extra [gpu] is needed; DEVICE=cpu "
            "tries the script without one"
        ) from error


def tables(
    in_process: Mapping[int, Mapping[str, Searched]],
    through: Mapping[int, Mapping[str, Mapping[str, Rates]]],
    whole: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the tables and the plot of what was measured."""
    rows = {
        f"{way}, {size:,}": each for size, ways in in_process.items() for way, each in ways.items()
    }
    asked = {
        f"{title}, {size:,}": each for size, ways in through.items() for title, each in ways.items()
    }
    ratios = {name: _ratios(each.rates, CPU, CORES) for name, each in rows.items()}
    return {
        "results": {name: _row(each, ratios[name]) for name, each in rows.items()},
        "tables": {
            **{
                f"In process, {on}": _by_batch({n: e.rates[on] for n, e in rows.items()})
                for on in (CPU, CORES, GPU)
            },
            f"In process, {GPU} / the better of {CPU} and {CORES}": ratios,
            **{
                f"Through a server, {on}": _by_batch({n: e[on] for n, e in asked.items()})
                for on in (CPU, GPU)
            },
            f"Through a server, {GPU} / {CPU}": {
                name: _ratios(each, CPU) for name, each in asked.items()
            },
            "Cipher-images: encrypted, embedded, indexed and searched": whole,
        },
        "plots": {"gpu": _plot(ratios)},
    }


def _row(found: Searched, ratios: Mapping[str, float | None]) -> dict[str, Any]:
    in_memory, on_gpu = found.memory
    pays = _pays_from(ratios)
    return {
        **{f"recall@20, {name}": recall for name, recall in found.recall.items()},
        "same hits": round(found.same, 4),
        "bytes a row": round(in_memory),
        "bytes a row on the GPU": None if on_gpu is None else round(on_gpu),
        **{f"trained on the {on}, s": digits(each) for on, each in found.trained_s.items()},
        "pays from": pays,
    }


def _pays_from(ratios: Mapping[str, float | None]) -> str:
    """Return the smallest batch from which the GPU is faster whatever the batch."""
    known = [(title, ratio > 1) for title, ratio in ratios.items() if ratio is not None]
    slower = [index for index, (_, faster) in enumerate(known) if not faster]
    faster = known[slower[-1] + 1 :] if slower else known
    return faster[0][0] if faster else "no batch"


def _by_batch(rates: Mapping[str, Rates]) -> dict[str, dict[str, float | None]]:
    return {
        name: {_title(batch): each and digits(each) for batch, each in row.items()}
        for name, row in rates.items()
    }


def _ratios(rates: Mapping[str, Rates], *others: str) -> dict[str, float | None]:
    """Return how many times the best of the others' rates the GPU's is, by batch."""
    found = {}
    for batch, gpu in rates[GPU].items():
        best = max((rates[other][batch] or 0.0 for other in others), default=0.0)
        found[_title(batch)] = digits(gpu / best) if gpu and best else None
    return found


def _title(batch: int) -> str:
    return f"batch of {batch:,}"


def _plot(ratios: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    """Return how many times the CPU's rate the GPU's is, over the size of a batch."""
    lines: dict[str, list[list[float]]] = {}
    for name, row in ratios.items():
        if not name.endswith(PLOTTED):
            continue
        known = {title: ratio for title, ratio in row.items() if ratio is not None}
        batches = [float(title.rpartition(" ")[2].replace(",", "")) for title in known]
        lines[name] = [batches, list(known.values())]
    panel = {
        "title": "in process",
        "x": "queries in a batch",
        "y": "GPU's rate / the CPU's better one",
        "lines": {name: line for name, line in lines.items() if line[0]},
        "log": "both",
    }
    return {"title": "A GPU beside the CPU, one thread or all cores", "panels": [panel]}


def _sizes(profile: str) -> list[int]:
    named = [each for each in os.environ.get("ROWS", "").split(",") if each]
    return [int(each) for each in named] or list(SIZES[profile])


def _minutes() -> float:
    return float(os.environ.get("MINUTES", "inf"))


def _too_large(sizes: Sequence[int]) -> dict[int, str]:
    """Return a sentence for each size of which memory does not hold the vectors."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    needed = {size: 4 * workload.DIMENSION * size * COPIES for size in sizes}
    return {
        size: f"{size:,} vectors need {each / GIB:.0f} GiB of memory, {memory / GIB:.0f} are free"
        for size, each in needed.items()
        if each > memory
    }


def _tests() -> str:
    """Run the tests of the GPU's path and return how they ended.

    Raises:
        NotHereError: if one failed: what follows would measure something else than it says.
    """
    say("tests/server/index/test_gpu.py")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/server/index/test_gpu.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotHereError(f"tests/server/index/test_gpu.py failed:\n{done.stdout[-2000:]}")
    found = re.findall(r"\d+ (?:passed|skipped)", done.stdout)
    return ", ".join(found)
