"""A caller whose collection comes under another key of his, and back, again and again."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from cipherlens.client import Client, Rotation
from cipherlens.crypto import KeyEntry, Original, mask_id
from tests.server.durability import content
from tests.server.durability.caller import Caller
from tests.server.durability.facts import Facts

_ITEMS = 80


class KeyRotator(Caller):
    """Has a collection of codes, masked and sealed, and two keys."""

    prefix = "rotated"

    def __init__(self) -> None:
        super().__init__()
        self._keys = [KeyEntry.generate(name, content.PARAMETERS) for name in ("one", "two")]
        self._count = 0

    @property
    def operations(self) -> Mapping[str, Callable[[Client], None]]:
        return {"rotate a key": self._rotate, "index under a key": self._index}

    def prepare(self, client: Client) -> None:
        client.key = self._keys[0]
        client.create_code_collection(self.prefix, content.BITS)
        self.ledger.held["collection", self.prefix] = self._what(self._keys[0])
        for _ in range(4):
            self._index(client)
        client.key = None

    def owns(self, fact: tuple[str, ...]) -> bool:
        return fact[:2] in (("collection", self.prefix), ("item", self.prefix))

    def leaves(self, fact: tuple[str, ...]) -> bool:
        """Return whether it is of the copy under the other key, of which any part may be there."""
        return fact[0] != "model" and fact[1].startswith(f"{self.prefix}.to-")

    def check(self, client: Client) -> None:
        """Open all originals, and find every item by its code."""
        client.key = self._key()
        held = self._held(self.prefix)
        where = client.get_collection(self.prefix)
        for fetched in client.fetch(where, sorted(held)):
            assert fetched.item is not None
            original = client.open_original(fetched.item)
            assert original.data == content.sealed(fetched.item_id, held[fetched.item_id])
            assert fetched.item.code is not None
            code = client.unmasked(where, fetched.item.code[None])[0]
            assert np.array_equal(code, content.code(fetched.item_id, held[fetched.item_id]))
        queries = np.stack([content.code(*each) for each in sorted(held.items())])
        hits = client.search_codes(where, queries, k=1)
        assert [each.item_ids[0] for each in hits] == sorted(held)
        client.key = None

    def _key(self) -> KeyEntry:
        what = self.ledger.held["collection", self.prefix]
        return next(key for key in self._keys if self._what(key) == what)

    def _what(self, key: KeyEntry) -> tuple[str, str, str]:
        return ("code", "", mask_id(key.fingerprint))

    def _index(self, client: Client) -> None:
        client.key = self._key()
        held = sorted(self._held(self.prefix))
        if len(held) < _ITEMS:
            self._count += 10
            ids = [str(self._count - n) for n in range(10)]
        else:
            ids = self._rng.sample(held, 5)
        revisions, after = self._written(self.prefix, ids)
        self._call("index under a key", after, lambda: _index(client, self.prefix, ids, revisions))

    def _rotate(self, client: Client) -> None:
        """Bring the collection under the other key, from where an earlier run ended."""
        old, new = sorted(self._keys, key=lambda key: key is not self._key())
        after: Facts = {**self.ledger.held, ("collection", self.prefix): self._what(new)}
        with Client(
            client.target, key=new, channel=client._channel, deadlines=client.deadlines
        ) as other:
            client.key = old
            rotation = Rotation(client, other, self.prefix)
            self._call("rotate a key", after, rotation.run)


def _index(client: Client, name: str, ids: Iterable[str], revisions: list[int]) -> None:
    heads = list(zip(ids, revisions, strict=True))
    client.index_codes(
        name,
        [item_id for item_id, _ in heads],
        np.stack([content.code(*each) for each in heads]),
        originals=[Original(media_type="image/png", data=content.sealed(*each)) for each in heads],
        revisions=revisions,
    )
