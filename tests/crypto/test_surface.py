"""The public names of the package."""

from cipherlens import crypto
from cipherlens.crypto import hazmat


def test_all_lists_exactly_these_names():
    assert sorted(crypto.__all__) == [
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
        "MAX_TAGS",
        "MAX_TAG_BYTES",
        "Manifest",
        "ManifestError",
        "NotGenuine",
        "NotGranted",
        "OpenError",
        "Original",
        "PREPARATION_VERSION",
        "PreparedSize",
        "Rights",
        "SCHEME_VERSION",
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


def test_what_is_hazardous_stands_apart():
    assert sorted(hazmat.__all__) == ["Sequences", "decrypt_blocks", "encrypt_blocks"]
    assert not set(hazmat.__all__) & set(crypto.__all__)


def test_every_listed_name_exists():
    assert all(hasattr(package, name) for package in (crypto, hazmat) for name in package.__all__)


def test_domain_failures_share_one_base():
    failures = [
        value
        for name in crypto.__all__
        if isinstance(value := getattr(crypto, name), type) and issubclass(value, Exception)
    ]
    assert len(failures) == 18
    assert all(issubclass(failure, crypto.CryptoError) for failure in failures)
