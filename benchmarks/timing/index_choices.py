"""The indexes that a collection may have, beside raw FAISS: recall, rates, time to build, memory.

In process and on one thread. Queries are none of the stored rows. Recall counts the hits at k = 20
that are as good as the last true one, so that any of several equal distances will do. Our choices
and the raw FAISS index beneath each (exact, IVF with our lists and as many probed, HNSW with as
large an ef; float32 where ours holds a byte a number) take turns in every round; a figure is the
median over rounds.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import told
from benchmarks.harness.ratios import Ratios, at_least, at_most, digits
from benchmarks.harness.rounds import asking, medians_us
from benchmarks.timing.bare_indexes import bare
from benchmarks.timing.choice_data import QUERIES, SEED, Data, drawn
from benchmarks.timing.local import K, singles
from cipherlens.base import IndexChoice, Kind
from cipherlens.server.config import IvfSettings
from cipherlens.server.index import (
    SearchParameters,
    SearchResult,
    VectorIndex,
    new_index,
    resolve_device,
    use_one_thread,
)

PLACE = 2.5

NOTES = """
`flat` is exact. `ivf` is what `auto` takes from 2,000 vectors or 50,000 codes on; noise 3 is nearly
rows without structure at 10,000, and most lists have to be probed. Ours in batches of 64 against
raw FAISS is more than 1 where a byte a number is read in place of four.
"""

ROUNDS = 5
BATCH = 64
_MANY = 10_000  # rows; fewer single queries of more speak as well
_EXACT = SearchParameters(exact=True)

Search = Callable[[NDArray[Any]], object]


def run(profile: str) -> dict[str, Any]:
    """Return the figures of every data set and choice, and ratios beside what was asked."""
    use_one_thread()
    results: dict[str, Any] = {}
    for draw in told("data sets", drawn(profile)):
        data = draw()
        for choice in data.choices:
            name = f"{data.name}, {len(data.rows):,}, {choice}"
            results[name] = _compared(data, choice)
    return {
        "seed": SEED,
        "k": K,
        "queries": QUERIES,
        "rounds": ROUNDS,
        "results": results,
        "ratios": ratios(results),
    }


def ratios(results: Mapping[str, Mapping[str, Any]]) -> Ratios:
    """Return what was asked of indexes: growth of codes to a million, and batches beside FAISS."""
    codes = "codes around centres"
    small = results[f"{codes}, 10,000, {IndexChoice.FLAT}"]["single_us"]
    large = results[f"{codes}, 1,000,000, {IndexChoice.IVF}"]["single_us"]
    found = {"a query of 1,000,000 codes / of 10,000": at_most(large, small, 4)}
    for choice in IndexChoice:
        of_choice = [each for name, each in results.items() if name.endswith(f", {choice}")]
        if of_choice:
            least = min(of_choice, key=lambda each: float(each["batch / raw"]))
            found[f"{choice}: queries a second in batches of 64 / raw FAISS, the least"] = at_least(
                least["batch_per_s"], least["raw_batch_per_s"], 0.8
            )
    return found


def _compared(data: Data, choice: IndexChoice) -> dict[str, Any]:
    """Return the figures of one index and of the raw one beneath it."""
    index, build_s = _built(data, choice)
    raw = bare(index)

    def search(queries: NDArray[Any]) -> SearchResult:
        return index.search(queries, K)

    recall = _recall(search(data.queries), index.search(data.queries, K, _EXACT))
    ways = {"ours": search, "raw": raw}
    calls = 64 if len(data.rows) <= _MANY or data.kind is Kind.CODE else 16
    single = medians_us(_asked(ways, data.queries, 1), rounds=ROUNDS, calls=calls)
    batch = medians_us(_asked(ways, data.queries, BATCH), rounds=ROUNDS, calls=calls // 16)
    described = index.describe()
    return {
        "recall": round(recall, 4),
        "single_us": single["ours"],
        "raw_single_us": single["raw"],
        "batch_per_s": round(BATCH * 1e6 / batch["ours"]),
        "raw_batch_per_s": round(BATCH * 1e6 / batch["raw"]),
        "batch / raw": digits(batch["raw"] / batch["ours"]),
        "build_s": round(build_s, 2),
        "bytes_per_item": round(described.memory_bytes / len(index)),
        "lists": described.nlist or None,
        "probed": described.nprobe or None,
    }


def _built(data: Data, choice: IndexChoice) -> tuple[VectorIndex, float]:
    """Return the filled and trained index, and how many seconds that took."""
    width = data.rows.shape[1]
    length = 8 * width if data.kind is Kind.CODE else width
    index = new_index(data.kind, length, resolve_device("cpu"), IvfSettings(), choice)
    start = time.perf_counter()
    index.append(data.rows)
    if index.wants_training:
        index.train(SEED)
    return index, time.perf_counter() - start


def _asked(
    ways: Mapping[str, Search], queries: NDArray[Any], batch: int
) -> dict[str, Callable[[], object]]:
    """Return searches by one batch after the other, around and around."""
    parts = singles(queries) if batch == 1 else np.split(queries, len(queries) // batch)
    return {name: asking(search, parts) for name, search in ways.items()}


def _recall(found: SearchResult, truth: SearchResult) -> float:
    """Return which part of the hits is as good as the last true one of its query."""
    worst = truth.scores[:, -1:]
    if truth.scores.dtype == np.int32:
        return float(np.mean(found.scores <= worst))
    return float(np.mean(found.scores >= worst - 1e-6))
