"""A caller that makes collections, fills them, drops them, and lets one take another's place."""

from collections.abc import Callable, Mapping

from cipherlens.client import Client, CodedPicture
from tests.server.durability import content
from tests.server.durability.caller import Caller
from tests.server.durability.facts import Facts

_MOST = 6
_ITEMS = 50
_WHAT = ("code", "", "")


class CollectionMaker(Caller):
    """Works on whole collections."""

    prefix = "made"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    @property
    def operations(self) -> Mapping[str, Callable[[Client], None]]:
        return {
            "create a collection": self._create,
            "drop a collection": self._drop,
            "replace a collection": self._replace,
        }

    def _names(self) -> list[str]:
        return sorted(name for kind, name, *_ in self.ledger.held if kind == "collection")

    def _create(self, client: Client) -> None:
        if len(self._names()) >= _MOST:
            self._drop(client)
        self._count += 1
        name = f"{self.prefix}.{self._count}"
        self._call(
            "create a collection",
            {**self.ledger.held, ("collection", name): _WHAT},
            lambda: client.create_code_collection(name, content.BITS),
        )
        self._fill(client, name)

    def _fill(self, client: Client, name: str) -> None:
        ids = [f"{self._count}/{n}" for n in range(self._rng.randint(1, _ITEMS))]
        revisions, after = self._written(name, ids)
        pictures = [
            CodedPicture(code=content.code(*each), sealed_original=content.sealed(*each))
            for each in zip(ids, revisions, strict=True)
        ]
        self._call(
            "fill a collection",
            after,
            lambda: client.index_encrypted(name, ids, pictures, revisions=revisions),
        )

    def _drop(self, client: Client) -> None:
        if names := self._names():
            name = self._rng.choice(names)
            self._call(
                "drop a collection", self._gone(name), lambda: client.delete_collection(name)
            )

    def _replace(self, client: Client) -> None:
        if len(names := self._names()) < 2:
            self._create(client)
            return
        name, replacement = self._rng.sample(names, 2)
        renamed = {
            (fact[0], name, *fact[2:]): value
            for fact, value in self.ledger.held.items()
            if fact[1] == replacement
        }
        after = {fact: value for fact, value in self._gone(name).items() if fact[1] != replacement}
        sequence = client.get_collection(name).sequence
        self._call(
            "replace a collection",
            {**after, **renamed},
            lambda: client.replace_collection(name, replacement, sequence),
        )

    def _gone(self, name: str) -> Facts:
        return {fact: value for fact, value in self.ledger.held.items() if fact[1] != name}
