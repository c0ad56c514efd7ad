"""Batches of pictures on their way to the server, without those that it refuses."""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from cipherlens.client.client import Client
from cipherlens.client.core.batches import MAX_BATCH_PICTURES, batched
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Place
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.core.tags import BlindedTags
from cipherlens.client.errors import (
    CipherLensError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    Unavailable,
)
from cipherlens.client.folder.making import Making
from cipherlens.client.folder.tally import Tally, Waiting
from cipherlens.client.folder.walk import Skipped
from cipherlens.client.picture import PreparedPicture
from cipherlens.crypto import ListedItem

IN_FLIGHT = 2
"""Batches that are encrypted, sealed and sent at a time: one is written while one is embedded."""
_TRIES = 3
_RECONNECT_S = 30.0


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Candidate:
    """A picture to send, its file's name, where it will stand, its owner tag, and its tags."""

    name: str
    place: Place
    owner_tag: bytes
    tags: BlindedTags
    picture: PreparedPicture


Made = tuple[Candidate, EncryptedPicture | CodedPicture]


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Sender:
    """Sends candidates to one collection, and counts what became of them.

    Attributes:
        written: what a manifest says of the items that were written, by id; threads add to it.
    """

    client: Client
    where: Collection
    making: Making
    tally: Tally
    written: dict[str, ListedItem] = field(default_factory=dict)

    def send_all(self, candidates: Iterable[Candidate]) -> None:
        """Send the candidates in batches, a few at a time; the next is taken meanwhile.

        In memory are those, the one that is being taken, and what is made of them.
        """
        batches = batched(
            candidates,
            lambda candidate: candidate.picture.size_bytes,
            max_items=min(MAX_BATCH_PICTURES, self.client.limits.max_batch_items),
        )
        threads = ThreadPoolExecutor(IN_FLIGHT, "index")
        under_way: deque[Future[None]] = deque()
        try:
            for batch in batches:
                if len(under_way) == IN_FLIGHT:
                    under_way.popleft().result()
                under_way.append(threads.submit(self._send, batch))
            while under_way:
                under_way.popleft().result()
        finally:
            # An interrupted run does not wait for batches under way: closing the client ends them.
            threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, batch: Sequence[Candidate]) -> None:
        """Write one batch, without those items that the server names as wrong."""
        # Made once: what is sent again must be the same bytes under the same revision.
        made = self.making.made([each.picture for each in batch], [each.place for each in batch])
        left = list(zip(batch, made, strict=True))
        while left:
            try:
                self._write(left)
            except (InvalidArgument, FailedPrecondition) as error:
                number = _named_item(error, [each.place.item_id for each, _ in left])
                if number is None:
                    raise
                refused, _ = left.pop(number)
                self.tally.skip(Skipped(name=refused.name, reason=error.message))
            else:
                for each, picture in left:
                    listed = picture.listed(each.place.revision, each.tags.listed())
                    self.written[each.place.item_id] = listed
                self.tally.count(indexed=len(left))
                return

    def _write(self, made: Sequence[Made]) -> None:
        """Write items; a server that does not answer is waited for, but not for ever."""
        for attempt in range(1, _TRIES + 1):
            try:
                self.client.index_encrypted(
                    self.where,
                    [each.place.item_id for each, _ in made],
                    [picture for _, picture in made],
                    revisions=[each.place.revision for each, _ in made],
                    owner_tags=[each.owner_tag for each, _ in made],
                    tags=[each.tags for each, _ in made],
                )
            except (Unavailable, DeadlineExceeded) as error:
                if attempt == _TRIES:
                    raise
                self.tally.tell(Waiting(reason=error.message))
                self.client.wait_until_reachable(_RECONNECT_S)
            else:
                return


def _named_item(error: CipherLensError, item_ids: Sequence[str]) -> int | None:
    """Return the number of the item that an error names, if it is about one item."""
    if error.metadata.get("item_id") in item_ids:
        return item_ids.index(error.metadata["item_id"])
    if not isinstance(error, InvalidArgument):
        return None
    number = position_in_field(error.metadata.get("field", ""))
    return None if number is None or number >= len(item_ids) else number


def position_in_field(field: str) -> int | None:
    """Return the 3 of a field's path such as "items[3].owner_tag"; None for one without."""
    position = re.search(r"\[(\d+)\]", field)
    return None if position is None else int(position[1])
