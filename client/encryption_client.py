"""The client of the owner's service, which holds the keyring and encrypts for others."""

from collections.abc import Sequence
from pathlib import Path

import grpc
import numpy as np
import numpy.typing as npt

from cipherlens.client.access import OPEN, Access
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES
from cipherlens.client.core import encryption
from cipherlens.client.core.batches import check_count
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.encryption import KeyInfo, ReleasedKey
from cipherlens.client.core.item import Item, Place
from cipherlens.client.core.pictures import EncryptedPicture
from cipherlens.client.picture import file_bytes
from cipherlens.client.shell import Shell
from cipherlens.crypto import CipherImage, CipherParameters, Original
from cipherlens.v1.encryption_service_pb2_grpc import EncryptionServiceStub


class EncryptionClient(Shell):
    """Encrypts and decrypts through the owner's service: keys stay there, plain pictures travel.

    Whoever may call it can recover a collection-scope key from one picture of his choice: the
    service is for the owner's own machines. `Client` with a key does the same in process.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        access: Access = OPEN,
        channel: grpc.Channel | None = None,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel, as `Client` does; it connects with the first call.

        Raises:
            ValueError: plain pictures would leave this machine unencrypted, and `access` does not
                say `insecure`.
            OSError: a file that `access` names cannot be read.
        """
        super().__init__(
            EncryptionServiceStub,
            target,
            deadlines,
            max_message_bytes,
            access,
            channel,
            sends_secrets=True,
        )
        self._max_message_bytes = max_message_bytes

    def create_key(
        self, name: str, parameters: CipherParameters, *, timeout_s: float | None = None
    ) -> KeyInfo:
        """Make a key in the service's keyring and return what others may know of it.

        Raises:
            AlreadyExists: the name is taken.
        """
        return self._run(encryption.create_key(name, parameters), timeout_s)

    def list_keys(self, *, timeout_s: float | None = None) -> list[KeyInfo]:
        """Return what others may know of every key."""
        return self._run(encryption.list_keys(), timeout_s)

    def encrypt(
        self,
        pictures: Sequence[bytes | Path],
        *,
        key: str = "",
        places: Sequence[Place] | None = None,
        timeout_s: float | None = None,
    ) -> list[EncryptedPicture]:
        """Return pictures encrypted, ready for `Client.index_encrypted`.

        Args:
            pictures: bytes or paths of picture files.
            key: name or hexadecimal fingerprint; may be empty if the service has one key.
            places: where the sealed originals will stand, one for each; None seals nothing.
            timeout_s: how long each batch may take.

        Raises:
            ValueError: there are not as many places as pictures.
        """
        if places is not None:
            check_count("places", places, len(pictures), of="pictures")
        encrypted = encryption.encrypt(
            map(file_bytes, pictures), key, places, self._max_message_bytes
        )
        return self._run(encrypted, timeout_s)

    def decrypt(
        self, items: Sequence[Item], *, key: str = "", timeout_s: float | None = None
    ) -> list[Original]:
        """Return the plain pictures of items: originals where sealed, else PNGs.

        Raises:
            FailedPrecondition: an item does not open; without detail.
        """
        return self._run(encryption.decrypt(items, key, self._max_message_bytes), timeout_s)

    def release_keys(
        self, items: Sequence[Item], *, key: str = "", timeout_s: float | None = None
    ) -> list[ReleasedKey]:
        """Return the keys of single sealed originals, such as the hits of a search.

        This is the DLHEIR paper's way for a user who holds no key: he asks for those of the results
        that he found. `open_released` opens an item with its key, which opens no other. The
        originals stay where they are: what travels are their headers and digests.

        Args:
            items: with sealed originals, from a search with items or from `fetch`.
            key: name or hexadecimal fingerprint; may be empty if the service has one key.
            timeout_s: how long each batch may take.

        Raises:
            OpenError: an item has no sealed original.
            FailedPrecondition: an item is not what the owner sealed there; without detail.
        """
        return self._run(encryption.release_keys(items, key), timeout_s)

    def trapdoor(
        self, picture: bytes | Path, *, key: str = "", timeout_s: float | None = None
    ) -> CipherImage:
        """Return an encrypted query, which `Client.search_image` takes in a picture's place."""
        return self.trapdoors([picture], key=key, timeout_s=timeout_s)[0]

    def trapdoors(
        self, pictures: Sequence[bytes | Path], *, key: str = "", timeout_s: float | None = None
    ) -> list[CipherImage]:
        """Return encrypted queries, which `Client.search_images` takes in place of pictures.

        `timeout_s` is for each batch.
        """
        made = encryption.trapdoors(map(file_bytes, pictures), key, self._max_message_bytes)
        return self._run(made, timeout_s)

    def trapdoor_codes(
        self,
        pictures: Sequence[bytes | Path],
        *,
        where: Collection | None = None,
        key: str = "",
        timeout_s: float | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Return the codes of queries under the owner's hash network, for `Client.search_codes`.

        This is TrapGen of the DLHEIR paper for a user who does not hold the network.

        Args:
            pictures: bytes or paths of picture files, at least one.
            where: the collection to search. If it is masked, the codes come under its mask, and
                searches by them take `SearchOptions(mask_id=where.mask_id)`.
            key: name or hexadecimal fingerprint of the key of the mask; may be empty if the service
                has one key.
            timeout_s: how long each batch may take.

        Returns:
            (n, ceil(bits / 8)) uint8.

        Raises:
            FailedPrecondition: the service has no hash network.
        """
        made = encryption.trapdoor_codes(
            map(file_bytes, pictures), where, key, self._max_message_bytes
        )
        return self._run(made, timeout_s)
