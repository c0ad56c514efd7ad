"""Manifests in a folder: what the owner signed last of each collection, to hold servers to."""

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from cipherlens.base import make_folder, read_regular, replace_file
from cipherlens.crypto import FormatError, Key, ListedItem, Manifest, ManifestError

MAX_MANIFEST_BYTES = 512 * 2**20
"""The largest manifest that is read: some six million items."""


class ManifestFolder:
    """A folder of signed manifests, a file for each collection by its UUID.

    What is in it is checked against the owner's key whenever it is read: the folder may lie where
    others write. They can take a manifest away, or put an older one there.

    Attributes:
        folder: made when the first manifest is kept.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self.folder = folder

    @classmethod
    def beside(cls, keyring: Path) -> "ManifestFolder":
        """Return the folder of manifests beside a keyring file."""
        return cls(keyring.with_name(keyring.name + ".manifests"))

    def path(self, collection_uuid: uuid.UUID) -> Path:
        """Return the file of a collection's manifest."""
        return self.folder / f"{collection_uuid}.manifest"

    def load(self, collection_uuid: uuid.UUID, verify_key: bytes) -> Manifest | None:
        """Return the manifest of a collection; None if there is none.

        Args:
            collection_uuid: the collection.
            verify_key: 32 bytes, `KeyEntry.verify_key` of its owner.

        Raises:
            ManifestError: it is not signed by this owner, is of another collection, or is not read
                by this version; names the file.
            OSError: it is there and cannot be read.
        """
        path = self.path(collection_uuid)
        if not path.exists():
            return None
        try:
            return _of(collection_uuid, read_regular(path, MAX_MANIFEST_BYTES), verify_key)
        except (FormatError, ManifestError) as error:
            raise ManifestError(f"{path}: {error}") from error

    def signed(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the bytes of a collection's manifest, which are its owner's word.

        Raises:
            FileNotFoundError: there is none.
        """
        return read_regular(self.path(collection_uuid), MAX_MANIFEST_BYTES)

    def keep(self, collection_uuid: uuid.UUID, signed: bytes, verify_key: bytes) -> Manifest:
        """Keep a manifest that came from elsewhere, if none that is newer was known.

        Raises:
            ManifestError: it is not signed by this owner, or is of another collection.
            StaleItem: its counter is lower than that of the one here.
        """
        known = self.load(collection_uuid, verify_key)
        counter = 0 if known is None else known.counter
        manifest = _of(collection_uuid, signed, verify_key, minimum_counter=counter)
        self._write(collection_uuid, signed)
        return manifest

    def record(
        self,
        key: Key,
        collection_uuid: uuid.UUID,
        written: Mapping[str, ListedItem],
        removed: Iterable[str] = (),
    ) -> Manifest:
        """Sign and keep the manifest that follows the one here, and return it.

        Args:
            key: the owner's.
            collection_uuid: the collection.
            written: what the owner has written since, by item id.
            removed: ids of what he has deleted.
        """
        known = self.load(collection_uuid, key.verify_key)
        items = {} if known is None else dict(known.items)
        for item_id in removed:
            items.pop(item_id, None)
        manifest = Manifest(
            collection_uuid=collection_uuid,
            counter=1 if known is None else known.counter + 1,
            items={**items, **written},
        )
        self._write(collection_uuid, manifest.sign(key))
        return manifest

    def _write(self, collection_uuid: uuid.UUID, signed: bytes) -> None:
        make_folder(self.folder, 0o700)
        replace_file(self.path(collection_uuid), signed)


def _of(
    collection_uuid: uuid.UUID, signed: bytes, verify_key: bytes, *, minimum_counter: int = 0
) -> Manifest:
    """Return the manifest of a collection that its owner signed; see `ManifestFolder.load`."""
    manifest = Manifest.verify(signed, verify_key, minimum_counter=minimum_counter)
    manifest.check_collection(collection_uuid)
    return manifest
