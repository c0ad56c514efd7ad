"""How many calls are in flight, over how many connections."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrangement:
    """So many processes of h2load, each with a body of its own, one connection and these streams.

    `pgbench` meets the same number in flight as clients, each on a connection: its protocol has no
    streams.
    """

    name: str
    processes: int
    streams: int

    @property
    def in_flight(self) -> int:
        """Calls in flight."""
        return self.processes * self.streams


ALONE = Arrangement(name="1 in flight", processes=1, streams=1)
EIGHT = Arrangement(name="8 connections", processes=8, streams=1)
FOUR_BY_EIGHT = Arrangement(name="4 connections x 8 streams", processes=4, streams=8)
