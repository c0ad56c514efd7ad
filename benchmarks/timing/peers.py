"""Other vector stores beside ours: the same rows and queries, each with its own client.

Every peer has an environment of its own, made under build/peers, and is measured at every setting
of its indexes: recall over 256 queries, and single searches, one after another. Where an index
reaches a recall of .99, or at its most thorough setting, it also meets 8 threads of its own client,
batches of 64, and, where it has a door for one, a C load generator with 8 connections.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.kept import kept_at
from benchmarks.harness.progress import say
from benchmarks.load import workload
from benchmarks.load.peer_trial import Row, trial
from benchmarks.load.workload import TITLES
from benchmarks.peers.remote import client_of, title_of

PLACE = 3.65

NOTES = """
`PEERS` names those to measure anew, and `ROWS` the sizes, as in `PEERS=ours,pgvector ROWS=10000
python -m benchmarks peers`; all other figures stay as they were kept, the full profile's small
sizes as the quick one has them, each with the time at which it was measured: compare those of one
hour. The quick profile measures those that need little installed. One that cannot be installed, or
is not done in time, is named with the reason. Libraries that search in process have neither a
network nor other processes to pay for; all others run in a process of their own on the same cores.
Settings and versions of every row stand in the raw figures.
"""

NAMES = (
    "ours",
    "pgvector",
    "raw_faiss",
    "hnsw_lib",
    "u_search",
    "qdrant_edge_shard",
    "lance",
    "milvus_lite_file",
    "milvus_standalone",
    "cyborg",
)
SMALL = ("ours", "pgvector", "raw_faiss")
"""The peers of the quick profile."""
SIZES = {"quick": (2000, 10_000), "full": (2000, 10_000, 100_000)}
LIMIT_S = {"quick": 100, "full": 900}

COLUMNS = {
    "recall": "recall@20",
    "p50_us": "p50 us",
    "rate": "1 thread",
    "threads": "8 threads",
    "batches": "batches of 64",
    "c_load": "C load, 8 connections",
    "generator": "generator",
}


def run(profile: str) -> dict[str, Any]:
    """Return every row of every peer, the tables of what serves best, and the plots."""
    peers = _kept(profile)
    for name in _wanted("PEERS", NAMES if profile == "full" else SMALL):
        for size in _wanted("ROWS", tuple(map(str, SIZES[profile]))):
            peers[name][size] = _measured(name, int(size), LIMIT_S[profile])
    ordered = {name: each for name, each in peers.items() if each}
    return {
        "unit": "searches or queries a second, but for recall and medians",
        "data": workload.DATA,
        "seed": workload.SEED,
        "peers": ordered,
        "notes": [
            f"{title_of(name)}, {each['measured_at']}: {reason}"
            for name, sizes in ordered.items()
            for each in sizes.values()
            for reason in each["missing"]
        ],
        **tables(ordered),
    }


Measured = dict[str, dict[str, Any]]
"""What was found of a peer, by the number of rows: when, each setting's row, what is missing."""


def tables(peers: dict[str, Measured]) -> dict[str, Any]:
    """Return a table of what serves for each kind and size, and plots of recall against rate."""
    by_case = {
        (size, kind): [
            (f"{title_of(name)}, {row['index']}", row)
            for name, each in peers.items()
            for row in _rows(each)
            if (row["size"], row["kind"]) == (size, kind)
        ]
        for size, kind in sorted(
            {(row["size"], row["kind"]) for each in peers.values() for row in _rows(each)}
        )
    }
    return {
        "results": {
            title_of(name): {"client": client_of(name), "measured": _times(each)}
            for name, each in peers.items()
        },
        "tables": {
            f"{TITLES[kind]}, {size:,} rows": {
                title: {head: _cell(row, key) for key, head in COLUMNS.items()}
                for title, row in rows
                if row.get("serves")
            }
            for (size, kind), rows in by_case.items()
        },
        "plots": {
            f"peers-{kind}-{size}": {
                "title": "",
                "panels": [_panel(f"{TITLES[kind]}, {size:,} rows", rows)],
            }
            for (size, kind), rows in by_case.items()
        },
    }


def _kept(profile: str) -> dict[str, Measured]:
    """Return what is kept of every peer; the quick profile's sizes are some of the full one's."""
    found: dict[str, Measured] = {name: {} for name in NAMES}
    for each in ("quick", profile):
        for name, sizes in (kept_at("peers", each) or {}).get("peers", {}).items():
            found[name] |= sizes
    return found


def _wanted(variable: str, known: Sequence[str]) -> Sequence[str]:
    """Return what a variable names, or all. Raises NotHereError for one that is unknown."""
    wanted = [each for each in os.environ.get(variable, "").split(",") if each] or known
    for each in wanted:
        if each not in known:
            raise NotHereError(f"{variable} names {each!r}, which is none of {', '.join(known)}")
    return wanted


def _measured(name: str, size: int, limit_s: float) -> dict[str, Any]:
    """Return all rows of a peer at a size and the reasons for what is missing."""
    rows: list[Row] = []
    missing = []
    for asked in (workload.codes(size), workload.vectors(size)):
        try:
            found, reason = trial(name, asked, limit_s)
        except NotHereError as error:
            found, reason = [], str(error)
        rows += [{"kind": asked.kind, "size": size, **row} for row in found]
        if reason:
            say(reason)
            missing.append(f"{TITLES[asked.kind]}, {size:,} rows: {reason}")
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "missing": missing,
    }


def _rows(measured: Measured) -> list[Row]:
    return [row for each in measured.values() for row in each["rows"]]


def _times(measured: Measured) -> str:
    """Return when each size was measured, the same time once."""
    return ", ".join(dict.fromkeys(each["measured_at"] for each in measured.values()))


def _cell(row: Row, key: str) -> Any:
    value = row.get(key)
    return round(value) if isinstance(value, float) and key != "recall" else value


def _panel(title: str, rows: list[tuple[str, Row]]) -> dict[str, Any]:
    """Return the rate of single searches over recall, a line for each index."""
    lines: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name, _ in rows}
    for name, row in sorted(rows, key=lambda each: each[1]["recall"]):
        recalls, rates = lines[name]
        recalls.append(row["recall"])
        rates.append(row["rate"])
    return {
        "title": title,
        "x": "recall@20",
        "y": "searches a second, one after another",
        "lines": {name: [list(x), list(y)] for name, (x, y) in lines.items()},
        "log": True,
    }
