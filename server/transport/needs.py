"""One table: what a caller must be allowed for each method."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from cipherlens.server.access import OF_COLLECTIONS, Principal, Scope
from cipherlens.server.errors import PermissionDenied
from cipherlens.server.transport.service import Method


class KeyUse(NamedTuple):
    """A key as a request names it, and the UUID of the collection for which it is used.

    Both are empty where the request does not say.
    """

    key: str
    collection_uuid: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a method needs of its caller; where nothing is said, only that he is known.

    Attributes:
        everywhere: a scope that is not one of collections.
        collection: returns the name of the collection that a request, or the first of a stream, is
            about; empty for none.
        one_of: scopes of which one is enough in that collection.
        beside: returns the name of another collection in which one of them is needed as well.
        further: returns a scope that a request needs there as well, None for none.
        uses: returns the keys that a request uses, for which `everywhere` must be allowed.
        shown: returns what a caller may know of a response.
    """

    everywhere: Scope | None = None
    collection: Callable[[Any], str] | None = None
    one_of: Set[Scope] = frozenset()
    beside: Callable[[Any], str] | None = None
    further: Callable[[Any], Scope | None] | None = None
    uses: Callable[[Any], Iterable[KeyUse]] | None = None
    shown: Callable[[Any, Principal], Any] | None = None

    def check_caller(self, caller: Principal) -> None:
        """Raise PermissionDenied if no request of the caller's can be let in."""
        if self.everywhere is not None and not caller.may(self.everywhere):
            raise _denied(caller, {self.everywhere})

    def check(self, request: Any, caller: Principal) -> None:
        """Raise PermissionDenied unless the caller may make a request.

        Whether the collection is there plays no part: who may not see it learns nothing of it.
        """
        self.check_caller(caller)
        if self.everywhere is not None and self.uses is not None:
            for use in set(self.uses(request)):
                if not caller.may_use(self.everywhere, use.key, use.collection_uuid):
                    raise _denied_key(caller, self.everywhere, use)
        if self.collection is None or not (collection := self.collection(request)):
            return
        named = [collection] if self.beside is None else [collection, self.beside(request)]
        for each in named:
            if not caller.may_within(self.one_of, each):
                raise _denied(caller, self.one_of, each)
        further = self.further and self.further(request)
        if further and not caller.may_within({further}, collection):
            raise _denied(caller, {further}, collection)


def need_of(method: Method) -> Need:
    """Return what a method needs. Raises LookupError if the table does not say: nobody may then."""
    key = f"{method.service}/{method.name}"
    if key not in NEEDS:
        raise LookupError(f"transport/needs.py does not say what {key} needs of its caller")
    return NEEDS[key]


def _denied(caller: Principal, scopes: Set[Scope], collection: str = "") -> PermissionDenied:
    needed = sorted(scopes)
    where = f" in collection {collection!r}" if collection else ""
    named = {"collection": collection} if collection else {}
    return PermissionDenied(
        f"token {caller.name!r} does not allow {' or '.join(needed)}{where}",
        {"scope": ",".join(needed), **named},
    )


def _denied_key(caller: Principal, scope: Scope, use: KeyUse) -> PermissionDenied:
    key = f"key {use.key!r}" if use.key else "a key that is not named"
    where = f" in collection {use.collection_uuid}" if use.collection_uuid else ""
    return PermissionDenied(
        f"token {caller.name!r} does not allow {scope} with {key}{where}",
        {"scope": scope, "key": use.key, "collection_uuid": use.collection_uuid},
    )


def _collection(request: Any) -> str:
    name: str = request.collection
    return name


def _name(request: Any) -> str:
    name: str = request.name
    return name


def _replacement(request: Any) -> str:
    name: str = request.replacement
    return name


def _announced(request: Any) -> str:
    name: str = request.header.collection
    return name


def _items_along(request: Any) -> Scope | None:
    """Return what a search needs that asks for the hits as they are stored."""
    return Scope.FETCH if request.item_budget_bytes else None


def _encrypted(request: Any) -> Iterable[KeyUse]:
    """Yield what pictures are encrypted with, and for which collection they are sealed."""
    for image in request.images:
        sealed_for = image.seal.collection_uuid if image.HasField("seal") else ""
        yield KeyUse(request.key, sealed_for)


def _decrypted(request: Any) -> Iterable[KeyUse]:
    """Yield what opens items; a cipher-image alone is of a key, and of no single collection."""
    for item in request.items:
        yield KeyUse(request.key, item.seal.collection_uuid if item.sealed_original else "")


def _released(request: Any) -> Iterable[KeyUse]:
    return (KeyUse(request.key, item.seal.collection_uuid) for item in request.items)


def _trapdoor(request: Any) -> Iterable[KeyUse]:
    return [KeyUse(request.key, request.mask_collection_uuid)]


def _made(request: Any) -> Iterable[KeyUse]:
    return [KeyUse(request.name)]


def _usable(response: Any, caller: Principal) -> Any:
    """Return a response without the keys that its caller may not list."""
    seen = [each for each in response.keys if caller.may_use(Scope.KEYS, each.name, "")]
    return type(response)(keys=seen)


def _visible(response: Any, caller: Principal) -> Any:
    """Return a response without the collections that its caller may not see."""
    seen = [each for each in response.collections if caller.may_within(OF_COLLECTIONS, each.name)]
    return type(response)(collections=seen)


_CLOUD = "cipherlens.v1.RetrievalService"
_OWNER = "cipherlens.v1.EncryptionService"

NEEDS: Mapping[str, Need] = {
    f"{_CLOUD}/GetServerInfo": Need(),  # every client must know the limits
    f"{_CLOUD}/CreateCollection": Need(
        # Both: an answer tells whether the name is taken, which who may not see it must not learn.
        everywhere=Scope.SERVER,
        collection=_name,
        one_of={Scope.ADMIN},
    ),
    f"{_CLOUD}/GetCollection": Need(collection=_name, one_of=OF_COLLECTIONS),
    f"{_CLOUD}/ListCollections": Need(shown=_visible),
    f"{_CLOUD}/DeleteCollection": Need(collection=_name, one_of={Scope.ADMIN}),
    f"{_CLOUD}/ReplaceCollection": Need(
        collection=_name, one_of={Scope.ADMIN}, beside=_replacement
    ),
    f"{_CLOUD}/Index": Need(collection=_collection, one_of={Scope.INDEX}),
    f"{_CLOUD}/Delete": Need(collection=_collection, one_of={Scope.INDEX}),
    f"{_CLOUD}/Search": Need(collection=_collection, one_of={Scope.SEARCH}, further=_items_along),
    f"{_CLOUD}/Count": Need(collection=_collection, one_of={Scope.SEARCH}),
    f"{_CLOUD}/Fetch": Need(collection=_collection, one_of={Scope.FETCH}),
    # Who indexes a folder goes on from what is there.
    f"{_CLOUD}/ListItems": Need(collection=_collection, one_of={Scope.FETCH, Scope.INDEX}),
    f"{_CLOUD}/PushModel": Need(
        everywhere=Scope.SERVER, collection=_announced, one_of={Scope.ADMIN}
    ),
    f"{_CLOUD}/ListModels": Need(everywhere=Scope.SERVER),
    f"{_CLOUD}/DeleteModel": Need(everywhere=Scope.SERVER),
    f"{_OWNER}/CreateKey": Need(everywhere=Scope.KEYS, uses=_made),
    f"{_OWNER}/ListKeys": Need(everywhere=Scope.KEYS, shown=_usable),
    f"{_OWNER}/Encrypt": Need(everywhere=Scope.ENCRYPT, uses=_encrypted),
    f"{_OWNER}/Decrypt": Need(everywhere=Scope.DECRYPT, uses=_decrypted),
    # Keys of single items are as good as the items.
    f"{_OWNER}/ReleaseKeys": Need(everywhere=Scope.DECRYPT, uses=_released),
    f"{_OWNER}/Trapdoor": Need(everywhere=Scope.TRAPDOOR, uses=_trapdoor),
    # Health checks of the server as a whole need no token, those that name a service do.
    "grpc.health.v1.Health/Check": Need(),
    "grpc.health.v1.Health/Watch": Need(),
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Need(),
}
"""By service and method. A method that is missing here keeps the server from starting."""
