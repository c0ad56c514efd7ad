"""Indexes kept in files, so that a start need not ask the database for every row again.

The database is the truth. A file is only taken for what it says of itself: this collection, this
generation, everything up to a sequence; what came later is followed from the database. One that
does not fit, or is damaged, is removed and the index made from the rows.

A row that was damaged since is then named when it is read, and no longer at the start.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.engine.item_names import ItemNames
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.tag_postings import TagPostings
from cipherlens.server.errors import DataDamaged, ServerError
from cipherlens.server.index import IndexState, UnfitStateError, VectorIndex
from cipherlens.server.storage import IndexFiles, Kept
from cipherlens.server.storage.records import CollectionState, Generation

_log = logging.getLogger(__name__)

_NAMES, _TAGS, _VECTORS = "names/", "tags/", "vectors/"
# What facts and arrays that are none of ours may come to: the start goes on without them.
_OTHERWISE = (AttributeError, LookupError, OverflowError, TypeError, ValueError)


class IndexKeeper:
    """Keeps the indexes that serve, a file for each collection."""

    def __init__(self, files: IndexFiles, may_write: Callable[[], bool]) -> None:
        """Take what tells whether the files are this process's, or another's to be read."""
        self._files = files
        self._may_write = may_write
        # The file of each collection that was read last, of another process.
        self._read: dict[str, object] = {}

    def keep(self, live: LiveCollection) -> None:
        """Write the index that serves to its file. Raises StorageFull, StorageUnavailable."""
        with live.writing:  # names and rows of one moment; both are cheap to hold on to
            serving = live.serving
            if serving is None or live.is_behind:
                return
            moment, standing = serving.moment(), serving.standing
        facts = {
            **_identity(live, serving.generation),
            "sequence": moment.sequence,
            "damaged": moment.damaged,
            "vectors": dict(moment.vectors.facts),
        }
        arrays = {
            **_named(_NAMES, moment.names.arrays()),
            **_named(_TAGS, moment.tags.arrays()),
            **_named(_VECTORS, moment.vectors.arrays),
        }
        kept = Kept(facts, arrays)
        self._files.write(live.collection.uuid, kept)
        serving.kept = standing

    def keep_all(self, served: Iterable[LiveCollection]) -> None:
        """Keep what a start would have to ask the database for; nothing depends on it."""
        if not self._may_write():
            return
        for live in served:
            serving = live.serving
            if serving is None or not serving.worth_keeping:
                continue
            try:
                self.keep(live)
            except ServerError as error:
                named = live.collection.name
                _log.warning("collection %r: its index was not kept: %s", named, error)

    def restored(
        self, live: LiveCollection, state: CollectionState, generation: Generation
    ) -> ItemIndex | None:
        """Return the index as it was kept, at some sequence up to that of the state, or None."""
        name = live.collection.uuid
        self._read[name] = self._files.stamp(name)
        try:
            kept = self._files.read(name)
            if kept is None:
                return None
            _check(kept, live, state, generation)
            return _item_index(kept, generation, live.empty(generation))
        except (DataDamaged, UnfitStateError, _Misfit, *_OTHERWISE) as error:
            named = live.collection.name
            _log.warning("collection %r: its index is made from the database: %s", named, error)
            if isinstance(error, _Ahead):
                self._read.pop(name)  # another look at the database may find that it fits
            # Else it might seem to fit later on, when the database has gone another way.
            self._remove(name)
            return None

    def has_another(self, live: LiveCollection) -> bool:
        """Return whether there is another file of a collection than the one that was read last."""
        stamp = self._files.stamp(live.collection.uuid)
        return stamp is not None and stamp != self._read.get(live.collection.uuid)

    def forget(self, live: LiveCollection) -> None:
        """Remove the file of a collection that is dropped."""
        self._remove(live.collection.uuid)

    def clear_away(self) -> None:
        """Remove what was never written in full."""
        if self._may_write():
            self._files.clear_away()

    def forget_all_but(self, served: Iterable[LiveCollection]) -> None:
        """Remove the files of all other collections."""
        known = {live.collection.uuid for live in served}
        for name in set(self._files.names()) - known:
            self._remove(name)

    def _remove(self, name: str) -> None:
        """Remove a file if that can be done: none is worth more than what it was made for."""
        if not self._may_write():
            return
        try:
            self._files.remove(name)
        except ServerError as error:
            _log.warning("the index file %s cannot be removed: %s", name, error)


class _Misfit(Exception):
    """A file is of another collection, generation or time."""


class _Ahead(_Misfit):
    """A file has changes that the database does not have, or had not when it was looked at."""


def _identity(live: LiveCollection, generation: Generation) -> dict[str, Any]:
    return {"collection": live.collection.uuid, "generation": generation.id}


def _check(
    kept: Kept, live: LiveCollection, state: CollectionState, generation: Generation
) -> None:
    for name, wanted in _identity(live, generation).items():
        if (found := kept.facts.get(name)) != wanted:
            raise _Misfit(f"its file is of the {name} {found}")
    sequence = kept.facts["sequence"]
    told = f"its file ends at the change {sequence}, the last one is {state.sequence}"
    if sequence > state.sequence:
        raise _Ahead(told)
    if sequence < state.purge_horizon:
        raise _Misfit(told)


def _item_index(kept: Kept, generation: Generation, vectors: VectorIndex) -> ItemIndex:
    vectors.restore(IndexState(facts=kept.facts["vectors"], arrays=_of(_VECTORS, kept)))
    if vectors.lacks_rows:
        raise _Misfit("the engine of the vectors lacks rows of it")
    names = ItemNames.restored(_of(_NAMES, kept))
    if len(names) != len(vectors):
        raise _Misfit(f"its file has {len(names)} names for {len(vectors)} rows")
    index = ItemIndex(
        generation,
        vectors,
        sequence=kept.facts["sequence"],
        names=names,
        tags=TagPostings.restored(_of(_TAGS, kept), len(names)),
        encoded=[None] * len(names),
        damaged=dict(kept.facts["damaged"]),
    )
    index.kept = index.standing
    return index


def _named(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": each for name, each in arrays.items()}


def _of(prefix: str, kept: Kept) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): each
        for name, each in kept.arrays.items()
        if name.startswith(prefix)
    }
