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
    return CollectionDescription(
        collection=state.collection,
        sequence=state.sequence,
        item_count=transaction.items.count(state.collection),
        damaged_count=len(serving.damaged) if serving else 0,
        active=_counted(transaction, serving.generation if serving else None),
        shadow=_counted(transaction, shadow),
        index=serving.vectors.describe() if serving else None,
        index_sequence=serving.sequence if serving else 0,
    )


def _counted(
    transaction: Transaction, generation: Generation | None
) -> tuple[Generation, int] | None:
    """Return a generation with the number of its representations."""
    if generation is None:
        return None
    return generation, transaction.items.count_represented(generation)
