"""Which images go through a network next, on which of its threads, and with how many cores."""

import math
from dataclasses import dataclass

from cipherlens.server.embedding.lane import Image, Lane

# Every fourth batch is bulk work: a storm of queries cannot starve indexing.
_BULK_TURN = 4
# Passes without company after which one has all cores: to change over costs as much as a pass.
_LONE = 8
# Passes with all cores that may take longer than those with a share did, one after another, until
# it is given up for so many. The first ones are slow in any case: their threads have to come first.
_SLOW = 12
_GIVEN_UP = 200
_REMEMBERED = 8  # passes that a mean goes back, about


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes through in one pass, and how many passes share the cores meanwhile."""

    images: list[Image]
    passes: int


class Schedule:
    """Two lanes and the threads that take from them; its owner's lock guards it.

    A batch is what waits when a thread becomes free, of one shape: nobody waits for company.
    Queries go before bulk work, and no bulk work shares their batches, as a batch takes the longer
    the more it holds. Several passes with a core each get more done than one with all of them,
    whose threads wait for each other at every layer; but who comes alone is through sooner with
    all cores, and has them on the first thread. Where other programs use the cores as well he is
    not, so how long such passes take is compared.
    """

    def __init__(self, *, max_batch: int, max_waiting: int, passes: int) -> None:
        """Take the largest batch, the bound of each lane, and how many threads there are."""
        self.urgent = Lane(max_waiting, "queries")
        self.bulk = Lane(max_waiting, "images")
        self._max_batch = max_batch
        self._passes = passes
        self._idle = set(range(passes))
        self._batches_before_bulk = 0
        self._lone = 0  # passes in a row without company; below zero where it is given up
        self._share_s = math.inf  # a moving mean of those that had their share of the cores
        self._slow = 0  # passes in a row that had all cores and took longer

    @property
    def waiting(self) -> int:
        """How many images wait."""
        return len(self.urgent) + len(self.bulk)

    def end_pass(self, thread: int) -> None:
        """Note that a thread is free again."""
        self._idle.add(thread)

    def learn(self, batch: Batch, seconds: float) -> None:
        """Take how long the pass of a batch took, and see whether all cores are worth it."""
        if self._lone <= 0 or len(batch.images) > 1:
            return
        if batch.passes > 1:
            known_s = seconds if self._lone == 1 else self._share_s
            self._share_s = known_s + (seconds - known_s) / _REMEMBERED
            return
        self._slow = self._slow + 1 if seconds > self._share_s else 0
        if self._slow == _SLOW:
            self._slow, self._lone = 0, -_GIVEN_UP

    def begin_pass(self, thread: int) -> Batch | None:
        """Return the next batch of a free thread, None if there is none for it.

        Threads that are free together share what waits.
        """
        if not self.waiting or (self.waiting == 1 and thread != min(self._idle)):
            return None
        lane = self._lane_in_turn()
        share = -(-len(lane) // len(self._idle))
        images = lane.take(min(share, self._max_batch))
        self._idle.remove(thread)
        is_alone = len(self._idle) == self._passes - 1 and not self.waiting
        self._lone = self._lone + 1 if is_alone else min(self._lone, 0)
        has_all_cores = thread == 0 and self._lone > _LONE
        return Batch(images, 1 if has_all_cores else self._passes)

    def _lane_in_turn(self) -> Lane:
        """Return the lane that the next batch is of, never an empty one."""
        self._batches_before_bulk = self._batches_before_bulk + 1 if self.bulk else 0
        if self.bulk and (not self.urgent or self._batches_before_bulk >= _BULK_TURN):
            self._batches_before_bulk = 0
            return self.bulk
        return self.urgent
