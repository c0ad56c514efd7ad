"""How long a restarted server takes to its first answered search, and the memory that it holds.

From files: after a clean stop. From the database: the files of the indexes were lost.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness.progress import say
from benchmarks.harness.server import running
from benchmarks.harness.stored import item_ids, store_codes, store_vectors, wait_for_lists
from benchmarks.timing.local import Codes, K, Vectors, random_codes
from cipherlens.client import Client

PLACE = 4
NOTES = """
Memory is what the process holds beyond that of a server without collections, right after the first
searches: its own, and pages of the files, which the system takes back where it needs room.
"""

DIMENSION, BITS = 768, 64
SEED = 1
FROM_FILES, FROM_DATABASE = "from files", "from the database"


class Size(NamedTuple):
    """How many items there are, and how often a start from files and one without is measured."""

    codes: int
    vectors: int
    starts: int
    rebuilds: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.codes:,} codes of {BITS} bits, {self.vectors:,} vectors of {DIMENSION}"


SIZES = {
    "quick": [Size(10_000, 10_000, 3, 1)],
    "full": [Size(10_000, 10_000, 11, 3), Size(1_000_000, 100_000, 5, 1)],
}


class Start(NamedTuple):
    """Seconds since the process was begun, and bytes that it holds: its own, and of files."""

    ready_s: float
    first_vector_search_s: float
    first_code_search_s: float
    own_bytes: int
    file_bytes: int


def run(profile: str) -> dict[str, Any]:
    """Return median seconds from the start of the process to the first hits, and bytes an item."""
    raw: dict[str, list[Start]] = {}
    results: dict[str, dict[str, float]] = {}
    for size in SIZES[profile]:
        with tempfile.TemporaryDirectory() as folder:
            taken = _starts(Path(folder), size)
        raw |= taken
        results |= {name: _figures(size, starts) for name, starts in taken.items()}
    return {
        "seed": SEED,
        "rounds": {name: [each._asdict() for each in starts] for name, starts in raw.items()},
        "results": results,
    }


def _figures(size: Size, starts: list[Start]) -> dict[str, float]:
    median = Start(*(statistics.median(column) for column in zip(*starts, strict=True)))
    items = size.codes + size.vectors
    return {
        **{name: round(getattr(median, name), 3) for name in Start._fields[:3]},
        "own bytes an item": round(median.own_bytes / items),
        "bytes of files an item": round(median.file_bytes / items),
    }


def _starts(folder: Path, size: Size) -> dict[str, list[Start]]:
    """Return what starts took, from files and from the database, after filling the folder."""
    vectors, codes = _fill(folder / "data", size)
    empty = _resident_when_empty(folder / "empty")

    def start() -> Start:
        return _restart(folder / "data", vectors, codes, empty)

    say(f"restart: {size.name}")
    kept = [start() for _ in range(size.starts)]
    rebuilt = []
    for _ in range(size.rebuilds):
        shutil.rmtree(folder / "data" / "indexes")
        rebuilt.append(start())
    return {f"{size.name}, {FROM_FILES}": kept, f"{size.name}, {FROM_DATABASE}": rebuilt}


def _fill(folder: Path, size: Size) -> tuple[Vectors, Codes]:
    """Index vectors and codes, wait for the lists, and return the first of each."""
    draw = np.random.default_rng(SEED)
    vectors = draw.standard_normal((size.vectors, DIMENSION), dtype=np.float32)
    codes = random_codes(draw, size.codes, BITS)
    with running(folder) as server, Client(server.address) as client:
        store_vectors(client, "vectors", vectors)
        store_codes(client, "codes", codes, BITS)
        wait_for_lists(client, "vectors")
    return vectors[:1].copy(), codes[:1].copy()


def _restart(folder: Path, vector: Vectors, code: Codes, empty: tuple[int, int]) -> Start:
    begun = time.perf_counter()
    with running(folder) as server, Client(server.address) as client:
        ready_s = time.perf_counter() - begun
        assert client.search_vectors("vectors", vector, K)[0].item_ids[0] == item_ids(vector)[0]
        vector_s = time.perf_counter() - begun
        assert len(client.search_codes("codes", code, K)[0].item_ids) == K
        code_s = time.perf_counter() - begun
        own, of_files = (
            held - before for held, before in zip(_resident(server.pid), empty, strict=True)
        )
    return Start(round(ready_s, 3), round(vector_s, 3), round(code_s, 3), own, of_files)


def _resident_when_empty(folder: Path) -> tuple[int, int]:
    with running(folder) as server, Client(server.address) as client:
        client.list_collections()
        return _resident(server.pid)


def _resident(pid: int) -> tuple[int, int]:
    """Return the bytes of its own, and of files, that a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    own, of_files = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
    return own, of_files
