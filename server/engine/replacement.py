"""One collection takes the name and the place of another, which is gone."""

from contextlib import ExitStack

from cipherlens.server.call import Call
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.registry import Registry
from cipherlens.server.errors import CollectionChanged, InvalidField
from cipherlens.server.storage import Database, Transaction


def replace_collection(
    database: Database,
    registry: Registry,
    old: LiveCollection,
    new: LiveCollection,
    sequence: int,
    call: Call,
) -> None:
    """Drop the old collection and give its name to the new one, in one transaction.

    Every call sees either the one or the other: searches under way end in the index that they began
    in. Raises InvalidField unless both are of one kind and length and the new one answers;
    CollectionChanged if the old one has changed since the sequence; NotFound.
    """
    _check_fits(old, new)
    with ExitStack() as held:
        # Always in one order, so that two that replace each other do not wait for ever.
        for live in sorted((old, new), key=lambda each: each.collection.id):
            held.enter_context(live.writing.held(call))
            held.enter_context(live.committing())
            live.check_there()
        _check_answers(old, new)
        with database.write(call) as transaction:
            _check_unchanged(transaction, old, sequence)
            renamed = transaction.collections.replace(old.collection, new.collection)
        registry.rename(new, renamed)
        old.mark_dropped()


def _check_fits(old: LiveCollection, new: LiveCollection) -> None:
    """Raise InvalidField unless the new one is another of the same kind and length."""
    problem = ""
    if new is old:
        problem = "must be another collection"
    elif new.collection.kind is not old.collection.kind:
        problem = f"must be of the kind {old.collection.kind}"
    elif _length(new) != _length(old):
        problem = f"must have the length {_length(old)}"
    if problem:
        raise InvalidField("replacement", problem, value=repr(new.collection.name))


def _check_answers(old: LiveCollection, new: LiveCollection) -> None:
    """Raise InvalidField if searches would find no model any more. The caller holds `writing`."""
    if new.serving is None and old.serving is not None:
        raise InvalidField("replacement", "has no model yet", value=repr(new.collection.name))


def _length(live: LiveCollection) -> int:
    """Return the numbers of ready vectors or the bits of ready codes, 0 for cipher-images."""
    return live.collection.dimension or live.collection.bits


def _check_unchanged(transaction: Transaction, old: LiveCollection, sequence: int) -> None:
    """Raise CollectionChanged if the collection is at another sequence."""
    last = transaction.collections.state(old.collection).sequence
    if last != sequence:
        raise CollectionChanged(
            f"collection {old.collection.name!r} has changed: it is at {last}, not at {sequence}",
            {"field": "sequence", "last": str(last), "value": str(sequence)},
        )
