"""Names of items, which the server never reads: keyed ids, and the names sealed beside them.

An item's id is what the server sorts, finds and deletes it by. It is a keyed hash of the name, so
whoever has the key finds the item of a name, and nobody else learns a name or can try one out:

    id      = the base32 of the first 20 bytes of the keyed BLAKE3 of the name, in small letters
    sealed  = AES-SIV (RFC 5297) of the name, a byte 0x80, and zeros up to a multiple of 32 bytes

Both keys come from the collection's seal key: who may open originals may read names, and equal
names in two collections have nothing in common. The encryption is deterministic: equal names under
one key are the same item anyway, and what was sent before can be compared with what would be now.
The id is checked when a name is opened, so that no name can be put beside another item.
"""

import base64
import re
import unicodedata

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from cipherlens.crypto.errors import OpenError
from cipherlens.crypto.salted import check_seal_key

_ID_CONTEXT = "cipherlens 2026-11-25 v1 item id key"
_NAME_CONTEXT = "cipherlens 2026-11-25 v1 item name key"
_ID_BYTES = 20
_SIV_BYTES = 16
_SIV_KEY_BYTES = 64
_BLOCK_BYTES = 32  # names of up to 31, 63, ... bytes look alike in length
_END = b"\x80"
_KEYED_ID = re.compile("[a-z2-7]{32}")


class ItemNames:
    """The names and ids of one collection's items."""

    def __init__(self, seal_key: bytes) -> None:
        """Derive the keys from the collection's 32-byte seal key; ValueError for another length."""
        check_seal_key(seal_key)
        self._id_key = blake3(seal_key, derive_key_context=_ID_CONTEXT).digest()
        name_key = blake3(seal_key, derive_key_context=_NAME_CONTEXT).digest(length=_SIV_KEY_BYTES)
        self._siv = AESSIV(name_key)

    def id_of(self, name: str) -> str:
        """Return the id, 32 letters and digits, of a name; forms of Unicode make no difference."""
        keyed = blake3(_encoded(name), key=self._id_key).digest(length=_ID_BYTES)
        return base64.b32encode(keyed).decode().lower()

    def sealed(self, name: str) -> bytes:
        """Return the sealed name: 16 bytes, and 32 for each 32 that the name begins."""
        data = _encoded(name) + _END
        return self._siv.encrypt(data.ljust(_padded(len(data)), b"\0"), None)

    def opened(self, item_id: str, sealed: bytes) -> str:
        """Return the name of an item.

        Raises:
            OpenError: the sealed name is of another item or key, or was altered.
        """
        try:
            name = self._siv.decrypt(sealed, None).rstrip(b"\0").removesuffix(_END).decode()
        except (InvalidTag, ValueError):
            name = None
        if name is None or self.id_of(name) != item_id:
            raise OpenError
        return name


def is_keyed_id(text: str) -> bool:
    """Return whether a text has the form of a keyed id."""
    return _KEYED_ID.fullmatch(text) is not None


def longest_name_bytes(sealed_bytes: int) -> int:
    """Return how many UTF-8 bytes a name may have that is sealed into so many bytes."""
    return max(0, (sealed_bytes - _SIV_BYTES) // _BLOCK_BYTES * _BLOCK_BYTES - len(_END))


def _encoded(name: str) -> bytes:
    """Return a name in UTF-8, in Unicode's form NFC."""
    return unicodedata.normalize("NFC", name).encode()


def _padded(size: int) -> int:
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
