"""Keys, the image cipher, sealed originals and networks, and signed manifests of CipherLens."""

from cipherlens.base import Scope
from cipherlens.crypto.cipher import ImageCipher
from cipherlens.crypto.cipher_image import CipherImage
from cipherlens.crypto.errors import (
    CipherMismatch,
    CryptoError,
    FormatError,
    GrantError,
    ImageError,
    KeyringChanged,
    KeyringError,
    KeyringNotProtected,
    KeyringOutdated,
    KeyringPassphraseError,
    KeyringPermissionError,
    ManifestError,
    NotGenuine,
    NotGranted,
    OpenError,
    StaleItem,
    UnknownKey,
    WrongKey,
)
from cipherlens.crypto.grant import Grant
from cipherlens.crypto.granted_key import GrantedKey, Rights
from cipherlens.crypto.identity import Identity, recipient_from, recipient_text
from cipherlens.crypto.item_names import ItemNames, is_keyed_id, longest_name_bytes
from cipherlens.crypto.item_tags import (
    MAX_TAG_BYTES,
    MAX_TAGS,
    SealedTags,
    TagTokens,
    checked_tag,
    checked_tags,
)
from cipherlens.crypto.key import Key
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.keyring import Keyring
from cipherlens.crypto.listed_item import ListedItem, ListedTags
from cipherlens.crypto.manifest import Manifest
from cipherlens.crypto.masks import CodeMask, VectorMask, mask_id
from cipherlens.crypto.parameters import (
    PREPARATION_VERSION,
    SCHEME_VERSION,
    CipherParameters,
)
from cipherlens.crypto.preparation import PreparedSize, open_image, prepare
from cipherlens.crypto.scrypt_cost import ScryptCost
from cipherlens.crypto.seal import (
    Original,
    SealedContext,
    companion_digest,
    open_released,
    open_sealed,
    release_key,
    seal,
    sealed_head,
)
from cipherlens.crypto.sealed_network import (
    is_sealed_network,
    open_network,
    read_network,
    seal_network,
)

__all__ = [
    "MAX_TAGS",
    "MAX_TAG_BYTES",
    "PREPARATION_VERSION",
    "SCHEME_VERSION",
    "CipherImage",
    "CipherMismatch",
    "CipherParameters",
    "CodeMask",
    "CryptoError",
    "FormatError",
    "Grant",
    "GrantError",
    "GrantedKey",
    "Identity",
    "ImageCipher",
    "ImageError",
    "ItemNames",
    "Key",
    "KeyEntry",
    "Keyring",
    "KeyringChanged",
    "KeyringError",
    "KeyringNotProtected",
    "KeyringOutdated",
    "KeyringPassphraseError",
    "KeyringPermissionError",
    "ListedItem",
    "ListedTags",
    "Manifest",
    "ManifestError",
    "NotGenuine",
    "NotGranted",
    "OpenError",
    "Original",
    "PreparedSize",
    "Rights",
    "Scope",
    "ScryptCost",
    "SealedContext",
    "SealedTags",
    "StaleItem",
    "TagTokens",
    "UnknownKey",
    "VectorMask",
    "WrongKey",
    "checked_tag",
    "checked_tags",
    "companion_digest",
    "is_keyed_id",
    "is_sealed_network",
    "longest_name_bytes",
    "mask_id",
    "open_image",
    "open_network",
    "open_released",
    "open_sealed",
    "prepare",
    "read_network",
    "recipient_from",
    "recipient_text",
    "release_key",
    "seal",
    "seal_network",
    "sealed_head",
]
