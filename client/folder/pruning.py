"""Which items of a collection have no file in a folder any more."""

from collections.abc import Iterable

from cipherlens.client.core.item import ItemSummary
from cipherlens.client.folder.tally import Vanished
from cipherlens.client.folder.walk import Walk
from cipherlens.client.naming import Naming


def vanished(walk: Walk, stored: Iterable[ItemSummary], naming: Naming) -> dict[str, str]:
    """Return the ids of the items to delete, each with its name.

    Those that nothing in the folder accounts for, and those that are stored anew under the other
    kind of id.
    """
    here = {file.name for file in walk.files}
    named = {item.item_id: naming.name_of(item) for item in stored}
    return {
        item_id: name
        for item_id, name in named.items()
        if not walk.covers(name) or (name in here and naming.id_of(name) != item_id)
    }


def check_one_kind_of_ids(walk: Walk, stored: Iterable[ItemSummary], naming: Naming) -> None:
    """Return unless a file is stored already under the other kind of id.

    Raises:
        ValueError: it is: the same picture would be found twice.
    """
    here = {file.name for file in walk.files}
    for item in stored:
        name = naming.name_of(item)
        if name in here and naming.id_of(name) != item.item_id:
            raise ValueError(
                f"{name!r} is stored already as item {item.item_id!r}: index with the same kind of "
                "ids, readable or keyed, or prune what is stored under the other"
            )


def at_most_half(vanished: Vanished) -> bool:
    """Return True: items may be deleted, as long as they are no more than half of a collection.

    Raises:
        ValueError: they are more; names both numbers.
    """
    if vanished.are_most:
        raise ValueError(
            f"pruning would delete {len(vanished.names)} of {vanished.stored_count} items: more "
            "than half, as with a wrong folder"
        )
    return True
