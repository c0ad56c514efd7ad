"""The collections of a data folder: found, described, made, dropped, replaced by another."""

from contextlib import ExitStack, suppress

from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.engine.batches import NewCollection
from cipherlens.server.engine.checks import check_index, check_uuid
from cipherlens.server.engine.creation import made_collection
from cipherlens.server.engine.description import CollectionDescription, describe
from cipherlens.server.engine.housekeeping import Housekeeping
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.loading import Loader
from cipherlens.server.engine.models import CollectionModels
from cipherlens.server.engine.registry import Registry
from cipherlens.server.engine.replacement import replace_collection
from cipherlens.server.engine.role import Role
from cipherlens.server.errors import CollectionReplaced, NotFound
from cipherlens.server.index import Device
from cipherlens.server.locks import ANY_CALL
from cipherlens.server.storage import Database


class Collections:
    """The collections by name, as calls see and change them."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        loader: Loader,
        models: CollectionModels,
        role: Role,
        housekeeping: Housekeeping,
        device: Device,
    ) -> None:
        """`device` is where indexes are."""
        self._database = database
        self._registry = registry
        self._loader = loader
        self._models = models
        self._role = role
        self._housekeeping = housekeeping
        self._device = device

    def find(self, name: str, uuid: str = "") -> LiveCollection:
        """Return the collection of a name, if it is of the UUID. Raises NotFound, DataDamaged.

        Raises CollectionReplaced as well. What another process may just have made is looked for.
        """
        try:
            return self.served(name, uuid)
        except (NotFound, CollectionReplaced):
            if not self._role.catch_up():
                raise
            return self.served(name, uuid)

    def served(self, name: str, uuid: str = "") -> LiveCollection:
        """Return it as `find` does, without a look at the database."""
        live = self._registry.find(name)
        check_uuid(live.collection, uuid)
        return live

    def describe(self, name: str) -> CollectionDescription:
        """Describe a collection. Raises NotFound."""
        with self._database.read() as transaction:
            return describe(transaction, self.find(name))

    def describe_all(self) -> list[CollectionDescription]:
        """Describe all collections that are served, by name."""
        self._role.catch_up()
        described = []
        for live in self._registry.listed():
            # One that is dropped at this moment is left out.
            with suppress(NotFound), self._database.read() as transaction:
                described.append(describe(transaction, live))
        return described

    def create(self, new: NewCollection, call: Call = ANY_CALL) -> CollectionDescription:
        """Make an empty collection, with a model held here if it names one: both or neither.

        Raises InvalidField for its index, AlreadyExists; NotFound, ProfileRefused and what trying
        a model raises, for its model.
        """
        check_index(new.kind, new.index_choice, self._device)
        with ExitStack() as trying:
            embedder = None
            if new.kind is Kind.CIPHER and new.encoder_digest:
                embedder = trying.enter_context(self._models.at_hand(new.encoder_digest, call))
            with self._registry.making.held(call):
                with self._database.write(call) as transaction:
                    state = made_collection(transaction, new, embedder)
                    live = self._loader.load(transaction, state)
                    description = describe(transaction, live)
                self._registry.add(live)
        return description

    def drop(self, name: str, call: Call = ANY_CALL) -> None:
        """Delete a collection with all it holds, damaged or not. Raises NotFound.

        It is gone at once; its rows are removed in the background.
        """
        dropped = self._housekeeping.room.making(lambda: self._dropped(name, call))
        self._housekeeping.forget(dropped)

    def replace(
        self, name: str, replacement: str, sequence: int, call: Call = ANY_CALL
    ) -> CollectionDescription:
        """Give a collection the name and the place of another, which is deleted: both or neither.

        Raises NotFound, InvalidField, CollectionChanged if the other is past the sequence.
        """
        old, new = self.served(name), self.served(replacement)
        replace_collection(self._database, self._registry, old, new, sequence, call)
        self._housekeeping.forget(old)
        return self.describe(name)

    def _dropped(self, name: str, call: Call) -> LiveCollection | None:
        """Drop a collection and return it, None for a damaged one."""
        if self._registry.is_set_aside(name):
            with self._database.write(call) as transaction:
                transaction.collections.drop(name)
            self._registry.forget(name)
            return None
        live = self._registry.find(name)
        with live.writing.held(call), live.committing():
            live.check_there()
            with self._database.write(call) as transaction:
                transaction.collections.drop(name)
            live.mark_dropped()
            self._registry.remove(live)
        return live
