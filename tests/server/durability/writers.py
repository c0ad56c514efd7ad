"""Callers that write items: of codes, together with others, and of vectors, in large batches."""

from collections.abc import Callable, Mapping

import numpy as np

from cipherlens.client import Client, CodedPicture
from tests.server.durability import content
from tests.server.durability.caller import Caller

_MOST_CODES = 150
_MOST_VECTORS = 900


class CodeWriter(Caller):
    """Writes codes with what stands for sealed originals into a collection that others share."""

    prefix = "shared"

    def __init__(self, letter: str) -> None:
        """Take what its items' ids begin with."""
        super().__init__()
        self._letter = letter
        self._count = 0

    @property
    def operations(self) -> Mapping[str, Callable[[Client], None]]:
        return {
            "index one": lambda client: self._index(client, "index one", self._new(1)),
            "index a batch": lambda client: self._index(
                client, "index a batch", self._new(self._rng.randint(2, 60))
            ),
            "replace items": self._replace,
            "delete items": self._delete,
        }

    def prepare(self, client: Client) -> None:
        if self._letter == "a":
            self.ledger.held["collection", self.prefix] = ("code", "", "")
            client.create_code_collection(self.prefix, content.BITS)

    def owns(self, fact: tuple[str, ...]) -> bool:
        if fact == ("collection", self.prefix):
            return self._letter == "a"
        return fact[:2] == ("item", self.prefix) and fact[2].startswith(self._letter)

    def _new(self, count: int) -> list[str]:
        self._count += count
        return [f"{self._letter}/{self._count - n}" for n in range(count)]

    def _some(self) -> list[str]:
        """Return ids of items that are there; more of them where there are many."""
        there = sorted(self._held(self.prefix))
        few = 0 if len(there) < _MOST_CODES else len(there) // 2
        return self._rng.sample(there, min(len(there), few + self._rng.randint(1, 8)))

    def _replace(self, client: Client) -> None:
        if ids := self._some()[:40]:
            self._index(client, "replace items", ids)

    def _index(self, client: Client, operation: str, ids: list[str]) -> None:
        revisions, after = self._written(self.prefix, ids)
        pictures = [
            CodedPicture(
                code=content.code(each, revision), sealed_original=content.sealed(each, revision)
            )
            for each, revision in zip(ids, revisions, strict=True)
        ]
        self._call(
            operation,
            after,
            lambda: client.index_encrypted(self.prefix, ids, pictures, revisions=revisions),
        )

    def _delete(self, client: Client) -> None:
        if ids := self._some():
            after = self._without(self.prefix, ids)
            self._call("delete items", after, lambda: client.delete(self.prefix, ids))


class VectorWriter(Caller):
    """Writes so many vectors that the index is trained again and again, and kept in its file."""

    prefix = "vectors"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    @property
    def operations(self) -> Mapping[str, Callable[[Client], None]]:
        return {"index many": self._index, "delete many": self._delete}

    def prepare(self, client: Client) -> None:
        self.ledger.held["collection", self.prefix] = ("vector", "", "")
        client.create_vector_collection(self.prefix, content.DIMENSION, index="ivf")

    def _index(self, client: Client) -> None:
        there = len(self._held(self.prefix))
        if there > _MOST_VECTORS:
            self._delete(client)
        count = self._rng.randint(20, 200)
        self._count += count
        ids = [f"v/{self._count - n}" for n in range(count)]
        revisions, after = self._written(self.prefix, ids)
        rows = np.stack([content.vector(*each) for each in zip(ids, revisions, strict=True)])
        self._call(
            "index many",
            after,
            lambda: client.index_vectors(self.prefix, ids, rows, revisions=revisions),
        )

    def _delete(self, client: Client) -> None:
        there = sorted(self._held(self.prefix))
        if len(there) > 200:
            ids = self._rng.sample(there, self._rng.randint(1, len(there) // 2))
            after = self._without(self.prefix, ids)
            self._call("delete many", after, lambda: client.delete(self.prefix, ids))
