"""A collection described as it stands."""

from dataclasses import dataclass

from sqlalchemy import Connection

from cipherlens.server.live import LiveCollection
from cipherlens.server.storage import collections, reading
from cipherlens.server.storage.records import Collection, Generation


@dataclass(frozen=True, slots=True)
class Status:
    """A collection, its generations with their numbers of items, and the index behind it."""

    collection: Collection
    item_count: int
    damaged_count: int
    active: tuple[Generation, int] | None
    shadow: tuple[Generation, int] | None
    index: dict[str, str | int | float | None] | None
    index_sequence: int


def describe(connection: Connection, live: LiveCollection) -> Status:
    """Return the status of a collection. Raises NotFound if it has been dropped."""
    view, shadow = live.view, live.shadow
    collection = collections.current(connection, live.collection)
    return Status(
        collection=collection,
        item_count=reading.count(connection, collection),
        damaged_count=len(view.damaged) if view else 0,
        active=_counted(connection, view.generation if view else None),
        shadow=_counted(connection, shadow),
        index=view.index.describe() if view else None,
        index_sequence=view.sequence if view else 0,
    )


def _counted(
    connection: Connection, generation: Generation | None
) -> tuple[Generation, int] | None:
    """Return a generation with the number of its representations."""
    if generation is None:
        return None
    return generation, reading.count_represented(connection, generation)
