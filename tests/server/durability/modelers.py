"""A caller that pushes models, sets them to work, deletes them, and writes cipher-images."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from cipherlens.client import Client, EncryptedPicture
from cipherlens.crypto import CipherParameters
from tests.server.durability import content
from tests.server.durability.caller import Caller

_IMAGES = 60
_MOST_COLLECTIONS = 3


class ModelPusher(Caller):
    """Has a collection of cipher-images, whose models take over from each other."""

    prefix = "pictures"
    is_costly = True

    def __init__(self, checkpoints: list[Path]) -> None:
        """Take the files of models that fit."""
        super().__init__()
        self._paths = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in checkpoints}
        self._count = 0

    @property
    def operations(self) -> Mapping[str, Callable[[Client], None]]:
        return {
            "push a model": self._push,
            "delete a model": self._delete,
            "set a model to work": self._set_to_work,
            "index cipher-images": self._index,
            "create with a model": self._create,
        }

    def prepare(self, client: Client) -> None:
        parameters: CipherParameters = content.PARAMETERS
        client.create_cipher_collection(self.prefix, parameters.profile(content.FINGERPRINT))
        digest, path = next(iter(self._paths.items()))
        client.push_model(path, collection=self.prefix)
        self.ledger.held["model", digest] = True
        self.ledger.held["collection", self.prefix] = ("cipher", digest, "")
        for _ in range(3):
            self._index(client)

    def owns(self, fact: tuple[str, ...]) -> bool:
        return fact[0] == "model" or super().owns(fact)

    def _models(self) -> set[str]:
        return {digest for kind, digest, *_ in self.ledger.held if kind == "model"}

    def _in_use(self) -> set[str]:
        held = self.ledger.held.items()
        return {str(value[1]) for fact, value in held if isinstance(value, tuple)}

    def _push(self, client: Client) -> None:
        if new := sorted(self._paths.keys() - self._models()):
            digest = self._rng.choice(new)
            after = {**self.ledger.held, ("model", digest): True}
            self._call("push a model", after, lambda: client.push_model(self._paths[digest]))
        else:
            self._delete(client)

    def _delete(self, client: Client) -> None:
        self._settle(client)  # until then it needs the model before, too
        if idle := sorted(self._models() - self._in_use()):
            digest = self._rng.choice(idle)
            after = {fact: value for fact, value in self.ledger.held.items() if fact[1] != digest}
            self._call("delete a model", after, lambda: client.delete_model(bytes.fromhex(digest)))

    def _set_to_work(self, client: Client) -> None:
        digest = self._rng.choice(sorted(self._paths))
        after = {
            **self.ledger.held,
            ("model", digest): True,
            ("collection", self.prefix): ("cipher", digest, ""),
        }
        self._call(
            "set a model to work",
            after,
            lambda: client.push_model(self._paths[digest], collection=self.prefix),
        )

    def _index(self, client: Client) -> None:
        there = sorted(self._held(self.prefix))
        if len(there) > _IMAGES:
            ids = self._rng.sample(there, 10)
        else:
            self._count += 20
            ids = [f"{self._count - n}" for n in range(20)]
        revisions, after = self._written(self.prefix, ids)
        pictures = [
            EncryptedPicture(cipher_image=content.cipher_image(*each))
            for each in zip(ids, revisions, strict=True)
        ]
        self._call(
            "index cipher-images",
            after,
            lambda: client.index_encrypted(self.prefix, ids, pictures, revisions=revisions),
        )

    def _create(self, client: Client) -> None:
        """Make a collection with a model that is held, or drop one where there are many."""
        others = {n for kind, n, *_ in self.ledger.held if kind == "collection"} - {self.prefix}
        if len(others) >= _MOST_COLLECTIONS:
            name = self._rng.choice(sorted(others))
            after = {fact: value for fact, value in self.ledger.held.items() if fact[1] != name}
            self._call("drop a collection", after, lambda: client.delete_collection(name))
            return
        self._count += 1
        name, digest = f"{self.prefix}.{self._count}", self._rng.choice(sorted(self._models()))
        after = {**self.ledger.held, ("collection", name): ("cipher", digest, "")}
        profile = content.PARAMETERS.profile(content.FINGERPRINT)
        self._call(
            "create with a model",
            after,
            lambda: client.create_cipher_collection(
                name, profile, model_digest=bytes.fromhex(digest)
            ),
        )

    def _settle(self, client: Client) -> None:
        """Return once the model set to work last has taken over."""
        while client.get_collection(self.prefix).shadow is not None:
            pass
