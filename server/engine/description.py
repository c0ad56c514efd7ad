"""A collection described as it stands."""

from dataclasses import dataclass

from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.index import IndexDescription
from cipherlens.server.storage import Transaction
from cipherlens.server.storage.records import Collection, Generation


@dataclass(frozen=True, slots=True)
class CollectionDescription:
    """A collection, its generations with their numbers of items, and the index behind it."""

    collection: Collection
    sequence: int
    item_count: int
    damaged_count: int
    active: tuple[Generation, int] | None
    shadow: tuple[Generation, int] | None
    index: IndexDescription | None
    index_sequence: int


def describe(transaction: Transaction, live: LiveCollection) -> CollectionDescription:
    """Return the collection as it is. Raises NotFound if it has been dropped."""
    serving, shadow = live.serving, live.shadow
    state = transaction.collections.state(live.collection)
    # Of what answers the index knows the number; only a generation that is filled has to count.
    represented = serving.vectors.live_count if serving else 0
    damaged = len(serving.damaged) if serving else 0
    return CollectionDescription(
        collection=state.collection,
        sequence=state.sequence,
        item_count=represented + damaged,
        damaged_count=damaged,
        active=(serving.generation, represented) if serving else None,
        shadow=(shadow, transaction.items.count_represented(shadow)) if shadow else None,
        index=serving.vectors.describe() if serving else None,
        index_sequence=serving.sequence if serving else 0,
    )
