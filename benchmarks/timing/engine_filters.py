"""Searches of what a filter of tags keeps, in Milvus and in pgvector, beside FAISS in the server.

The tags stay in the server's process; the engines are asked through the index that it has with
`--vectors`, as for vector-engines, by lists (`ivf`). Every row has each of three tokens by chance,
so that filters keep 1 %, 10 % and 50 %. All take turns, one query after the other. Recall counts
the hits at k = 20 that are as good as the last true one of those that are kept.
"""

from collections.abc import Sequence
from typing import Any

from benchmarks.harness.progress import told
from benchmarks.timing.choice_data import QUERIES, SEED
from benchmarks.timing.drawn_tags import SHARES
from benchmarks.timing.engine_rows import ALL, Contender, Figures, filled, one_by_one
from benchmarks.timing.local import K
from cipherlens.base import IndexChoice

PLACE = 2.71
BY_NAME_ONLY = True

NOTES = """
Under a filter that keeps few, an engine is given the numbers of what is kept; under others it is
asked for more hits, and for more again, until enough of them are kept: each time is a call of its
own. One Milvus runs on a machine at a time.
"""

SIZES = {"quick": (10_000,), "full": (10_000, 100_000)}
ROUNDS = {"quick": 1, "full": 3}


def run(profile: str) -> dict[str, Any]:
    """Return p50, p99 and recall by size, kind, engine and filter. Raises NotHereError."""
    results: dict[str, Figures] = {}
    for size in told("sizes", SIZES[profile]):
        with filled(size, only=(IndexChoice.IVF,)) as (contenders, _):
            results |= timed(contenders, ROUNDS[profile])
    return {
        "unit": "microseconds",
        "seed": SEED,
        "k": K,
        "queries": QUERIES,
        "rounds": ROUNDS[profile],
        "results": results,
    }


def timed(contenders: Sequence[Contender], rounds: int) -> dict[str, Figures]:
    """Return the figures of each under each filter."""
    return {
        f"{name}, {kept or 'all items'}": figures
        for kept in (ALL, *SHARES)
        for name, figures in one_by_one(contenders, kept, rounds).items()
    }
