"""Counts and durations without a lock: each thread has its own, added up when somebody asks."""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

# Seconds: from a search of codes to a deadline of ours.
BUCKETS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)

Key = tuple[str, ...]


class Durations:
    """How many took how long: `buckets[i]` took at most `BUCKETS_S[i]`, the last one longer."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float, count: int) -> None:
        """Count so many that took so long."""
        self.buckets[bisect_left(BUCKETS_S, seconds)] += count
        self.sum_s += seconds * count

    def add_all(self, other: "Durations") -> None:
        """Count what another has counted."""
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]
        self.sum_s += other.sum_s


class Counts:
    """Durations by keys, such as method and code.

    A thread writes nothing but its own table, so the many threads of calls never wait for each
    other. A sum that is read meanwhile may lack what is being added, and never loses it.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self._lock = threading.Lock()  # guards _tables, and each table while it gets a key
        self._tables: list[dict[Key, Durations]] = []

    def add(self, key: Key, seconds: float, count: int = 1) -> None:
        """Count so many with a key that took so long each."""
        table = getattr(self._own, "table", None)
        if table is None:
            table = self._own.table = {}
            with self._lock:
                self._tables.append(table)
        durations = table.get(key)
        if durations is None:
            with self._lock:
                durations = table[key] = Durations()
        durations.add(seconds, count)

    def total(self) -> dict[Key, Durations]:
        """Return the durations of all threads by key, in the order of keys."""
        total: defaultdict[Key, Durations] = defaultdict(Durations)
        with self._lock:
            tables: Iterable[tuple[Key, Durations]] = [
                each for table in self._tables for each in table.items()
            ]
        for key, durations in tables:
            total[key].add_all(durations)
        return dict(sorted(total.items()))
