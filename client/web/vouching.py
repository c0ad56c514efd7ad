"""The owner's word on a collection: his signed manifest, and what was written here since."""

import threading
import uuid

from cipherlens.client.manifests import ManifestFolder
from cipherlens.crypto import Key, ListedItem, Manifest


class Vouching:
    """What the items of one collection are held to; threads may share it."""

    def __init__(self, manifests: ManifestFolder, key: Key, collection_uuid: uuid.UUID) -> None:
        """Read the manifest. Raises ManifestError if it is not the owner's."""
        self._manifests, self._key, self._uuid = manifests, key, collection_uuid
        self._signing = threading.Lock()  # one manifest at a time follows another
        self._lock = threading.Lock()  # guards what follows
        self._signed = manifests.load(collection_uuid, key.verify_key)
        self._unsigned: dict[str, ListedItem] = {}
        self._whole: Manifest | None = self._signed  # None while it has to be made

    @property
    def manifest(self) -> Manifest | None:
        """Return the manifest with what was written since; None where none was ever signed."""
        with self._lock:
            if self._signed is not None and self._whole is None:
                self._whole = Manifest(
                    collection_uuid=self._uuid,
                    counter=self._signed.counter,
                    items={**self._signed.items, **self._unsigned},
                )
            return self._whole

    def add(self, item_id: str, listed: ListedItem) -> int:
        """Take what the owner has written, and return how much of that is not signed."""
        with self._lock:
            self._unsigned[item_id] = listed
            self._whole = None
            return len(self._unsigned)

    def sign(self) -> None:
        """Sign what was written since the last time, if anything was."""
        with self._signing:
            with self._lock:
                written = dict(self._unsigned)
            if not written:
                return
            signed = self._manifests.record(self._key, self._uuid, written)
            with self._lock:
                self._signed, self._whole = signed, None
                self._unsigned = {
                    item_id: listed
                    for item_id, listed in self._unsigned.items()
                    if written.get(item_id) != listed
                }
