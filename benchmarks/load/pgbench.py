"""pgvector under load from pgbench, the C load generator that comes with PostgreSQL."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.processor_time import cpu_s
from benchmarks.load.arrangement import Arrangement
from benchmarks.load.contender import Driven
from benchmarks.load.workload import Workload
from benchmarks.peers.remote import Remote, peer_at_work

_RATE = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")
_DONE = re.compile(r"number of transactions actually processed: (\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pgvector:
    """pgvector with a workload and an index; queries come from a table, one at random each time."""

    remote: Remote
    pid: int
    queries: Path
    folder: Path
    recall: float
    settings: str

    def drive(self, arrangement: Arrangement, seconds: float, turn: int) -> Driven:  # noqa: ARG002
        """Load it with as many clients as calls are in flight, for whole seconds."""
        load = self.remote.ask(
            "load",
            queries=str(self.queries),
            clients=arrangement.in_flight,
            folder=str(self.folder),
        )
        before_s = cpu_s(self.pid)
        rate, done = transactions(load, seconds)
        return Driven(rate=rate, cpu_us=(cpu_s(self.pid) - before_s) * 1e6 / done)


def transactions(load: Mapping[str, Any], seconds: float) -> tuple[float, int]:
    """Run pgbench as a peer's load says, for whole seconds; return its rate and its count."""
    done = subprocess.run(
        [load["program"], "-T", str(max(1, round(seconds))), *load["arguments"]],
        env={**os.environ, **load["environment"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(_RATE.findall(done.stdout)[0]), int(_DONE.findall(done.stdout)[0])


@contextmanager
def pgvector(workload: Workload, folder: Path, *, index: str, knob: int) -> Iterator[Pgvector]:
    """Run PostgreSQL with the workload behind an index of pgvector. Raises NotHereError."""
    place = folder / f"pgvector-{workload.kind}"
    place.mkdir()
    rows, queries = place / "rows.npy", place / "queries.npy"
    np.save(rows, workload.rows)
    np.save(queries, workload.queries)
    with peer_at_work("pgvector") as remote:
        facts = remote.ask("setup", folder=str(place))
        remote.ask("fill", kind=workload.kind, rows=str(rows))
        built = remote.ask("build", kind=workload.kind, index=index)
        remote.ask("tune", knob=knob)
        yield Pgvector(
            remote=remote,
            pid=remote.ask("pids")[0],
            queries=queries,
            folder=place,
            recall=workload.recall(np.array(remote.ask("found", queries=str(queries)))),
            settings=f"{index}, {built['settings']}, knob {knob}; {facts}",
        )
