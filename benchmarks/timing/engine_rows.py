"""Engines of vectors filled with rows, and asked for the nearest of what a filter keeps."""

import os
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import say, told
from benchmarks.timing.choice_data import QUERIES, SEED, Data, clusters, code_clusters
from benchmarks.timing.drawn_tags import SHARES, drawn_tokens, kept_by
from benchmarks.timing.engine_servers import EngineServer, milvus, pgvector
from benchmarks.timing.local import K
from cipherlens.base import IndexChoice, Kind
from cipherlens.server.config import IvfSettings
from cipherlens.server.engine.tag_postings import TagPostings
from cipherlens.server.index import RowFilter, VectorIndex, new_index, resolve_device
from cipherlens.server.vectors import VectorTables

ALL = ""
"""The filter that keeps all."""

_FAISS = "FAISS"
_MANY = 200_000
_NARROW = 128
_FEW = 64
_ROWS_PER_APPEND = 4096

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows, and what is asked of them.

    kept: filters by their names; the empty one keeps all.
    truth: (queries, K) scores of the true hits under each of them.
    """

    data: Data
    kept: dict[str, RowFilter | None]
    truth: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Contender:
    """An index that is filled, and what filling it took."""

    name: str
    index: VectorIndex
    asked: Asked
    figures: Figures


@contextmanager
def filled(
    size: int, only: Collection[IndexChoice] = tuple(IndexChoice)
) -> Iterator[tuple[list[Contender], list[EngineServer]]]:
    """Yield every index, or those of some choices, and the servers, which end afterwards."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        servers = [opened.enter_context(start(folder)) for start in (pgvector, milvus)]
        contenders = []
        for data in _drawn(size):
            asked = _asked(data)
            for choice in filter(only.__contains__, data.choices):
                contenders.append(_in_process(asked, choice))
                contenders += [_in_engine(each, asked, choice, folder) for each in servers]
        yield contenders, servers
        for each in servers:
            each.store.close()


def one_by_one(contenders: Sequence[Contender], kept: str, rounds: int) -> dict[str, Figures]:
    """Return p50 and p99 of single searches under a filter, and their recall, by contender."""
    single: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in told(f"rounds, {kept or 'all items'}", range(rounds)):
        for each in contenders:
            single[each.name] += [search_us(each, query, kept) for query in queries_of(each)]
    return {
        each.name: {"recall": _recall(each, kept)} | _quantiles(single[each.name])
        for each in contenders
    }


def _quantiles(times: Sequence[float]) -> Figures:
    return {
        "p50_us": round(float(np.median(times))),
        "p99_us": round(float(np.quantile(times, 0.99))),
    }


def _asked(data: Data) -> Asked:
    """Return what is asked of rows, with the truth, which an exact index of FAISS finds."""
    flat = new_index(
        data.kind, _length(data), resolve_device("cpu"), IvfSettings(), IndexChoice.FLAT
    )
    flat.append(data.rows)
    kept: dict[str, RowFilter | None] = {ALL: None}
    if len(data.rows) < _MANY:
        postings = TagPostings()
        postings.append(0, drawn_tokens(len(data.rows)))
        kept |= {share: postings.among(kept_by(share)) for share in SHARES}
    truth = {name: flat.search(data.queries, K, rows=rows).scores for name, rows in kept.items()}
    return Asked(data, kept, truth)


def _drawn(size: int) -> Iterator[Data]:
    """Yield vectors and codes; few choices of large ones, which take their time to build."""
    vectors = clusters(2.0, size) if size < _MANY else _narrow(size)
    graphs = (IndexChoice.IVF, IndexChoice.HNSW)
    vectors_by = graphs if size < _MANY else graphs[:1]
    width = vectors.rows.shape[1]
    name = f"vectors of {width}"
    yield Data(name, Kind.VECTOR, vectors_by, vectors.rows, vectors.queries)
    if "NUMBERS" in os.environ:
        return
    codes = code_clusters(size)
    yield Data("codes of 64 bits", Kind.CODE, (IndexChoice.IVF,), codes.rows, codes.queries)


def _narrow(size: int) -> Data:
    draw, width = np.random.default_rng(SEED), int(os.environ.get("NUMBERS", _NARROW))
    centres = draw.standard_normal((100, width), np.float32)
    rows = draw.standard_normal((size + QUERIES, width), np.float32)
    rows *= 2
    for part in np.array_split(rows, 100):  # a second array of a million would not fit beside it
        np.add(part, centres[draw.integers(0, len(centres), len(part))], out=part)
        np.divide(part, np.linalg.norm(part, axis=1, keepdims=True), out=part)
    return Data("", Kind.VECTOR, (), rows[:size], rows[size:])


def _in_process(asked: Asked, choice: IndexChoice) -> Contender:
    data = asked.data
    length = _length(data)
    index = new_index(data.kind, length, resolve_device("cpu"), IvfSettings(), choice)
    figures = _fill(index, data)
    figures["process_mib"] = mib(index.describe().memory_bytes)
    return Contender(_name(data, choice, _FAISS), index, asked, figures)


def _in_engine(server: EngineServer, asked: Asked, choice: IndexChoice, folder: Path) -> Contender:
    data = asked.data
    tables = VectorTables(server.store, folder)
    index = tables.index(str(uuid4()), 1, data.kind, _length(data), choice)
    figures = _fill(index, data)
    figures["process_mib"] = mib(index.describe().memory_bytes)
    return Contender(_name(data, choice, server.name), index, asked, figures)


def _fill(index: VectorIndex, data: Data) -> Figures:
    """Fill and train an index."""
    start = time.perf_counter()
    for first in range(0, len(data.rows), _ROWS_PER_APPEND):
        rows = data.rows[first : first + _ROWS_PER_APPEND]
        index.append(rows, np.arange(first + 1, first + 1 + len(rows)))
    appended_s = time.perf_counter() - start
    while index.wants_training:
        index.train(SEED)
    trained_s = time.perf_counter() - start
    say(f"{len(data.rows):,} rows in {trained_s:.0f} s")
    described = index.describe()
    return {
        "appended_s": round(appended_s, 1),
        "searchable_s": round(trained_s, 1),
        "lists": described.nlist or None,
        "probed": described.nprobe or None,
    }


def queries_of(each: Contender) -> list[slice]:
    """Return slices of one query each, so many that a round takes some seconds at most."""
    count = QUERIES if len(each.asked.data.rows) < _MANY else _FEW
    return [slice(number, number + 1) for number in range(count)]


def search_us(each: Contender, asked: slice, kept: str = ALL) -> float:
    """Return how long a search by some queries takes under a filter, in microseconds."""
    queries, rows = each.asked.data.queries[asked], each.asked.kept[kept]
    start = time.perf_counter()
    each.index.search(queries, K, rows=rows)
    return (time.perf_counter() - start) * 1e6


def _recall(each: Contender, kept: str) -> float:
    asked = each.asked
    scores = each.index.search(asked.data.queries, K, rows=asked.kept[kept]).scores
    worst = asked.truth[kept][:, -1:]
    good = scores <= worst if worst.dtype == np.int32 else scores >= worst - 1e-5
    return round(float(np.mean(good)), 4)


def _name(data: Data, choice: IndexChoice, engine: str) -> str:
    return f"{data.name}, {len(data.rows):,}, {choice}, {engine}"


def _length(data: Data) -> int:
    width = int(data.rows.shape[1])
    return 8 * width if data.kind is Kind.CODE else width


def mib(size_bytes: int) -> float:
    """Return a size in MiB, to a tenth."""
    return round(size_bytes / 2**20, 1)
