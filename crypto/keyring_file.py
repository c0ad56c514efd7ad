"""The keyring file: one JSON object, encrypted under a passphrase unless told otherwise.

    {
      "magic": "cipherlens-keyring",
      "version": 2,
      "protection": {"kind": "scrypt", "n": 131072, "r": 8, "p": 1, "salt": ..., "nonce": ...},
      "body": ...,
      "checksum": ...
    }

Bytes are base64; the passphrase is UTF-8 in form NFC. The body is the JSON text of entries,
received grants and identities, encrypted with AES-256-GCM under the scrypt key of the passphrase;
its associated data is the canonical JSON (sorted keys, no spaces) of the first three members.
Without a passphrase the protection is {"kind": "none"} and the body is the plain JSON text. The
checksum is the BLAKE3 of the canonical header and the body as stored: it tells an accident from a
wrong passphrase, and protects against nobody.

Version 1 had no signing seeds: owners signed with a subkey of the root that readers hold. Such a
file is read only to be upgraded.
"""

import base64
import json
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cipherlens.crypto.errors import (
    KeyringError,
    KeyringNotProtected,
    KeyringOutdated,
    KeyringPassphraseError,
)
from cipherlens.crypto.identity import Identity
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.parameters import CipherParameters
from cipherlens.crypto.private_file import read_private, replace_private
from cipherlens.crypto.scrypt_cost import ScryptCost
from cipherlens.crypto.signing import SEED_SIZE

Grants = Sequence[Mapping[str, object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a keyring file holds.

    Attributes:
        entries: the key entries.
        grants: received grants, JSON objects.
        identities: what opens them.
        others: members of the body that this version does not know, kept as they were read.
    """

    entries: Sequence[KeyEntry]
    grants: Grants
    identities: Sequence[Identity]
    others: Mapping[str, object]


MAX_FILE_SIZE = 16 * 2**20
"""Largest keyring file that is read, in bytes."""

_MAGIC = "cipherlens-keyring"
_FORMAT_VERSION = 2
_OUTDATED_VERSION = 1
_SALT_SIZE = 32
_NONCE_SIZE = 12
_KEY_SIZE = 32
_MEMBERS = {"magic", "version", "protection", "body", "checksum"}
_PROTECTION_MEMBERS = {
    "none": {"kind"},
    "scrypt": {"kind", "n", "r", "p", "salt", "nonce"},
}


def read_keyring(path: Path, passphrase: str | None, *, upgrade: bool) -> tuple[Contents, bytes]:
    """Return what is in a keyring file, and its bytes; raises as `Keyring.load` says."""
    data = read_private(path, MAX_FILE_SIZE)
    header, body = _parse(data, path)
    if header["version"] != _FORMAT_VERSION and not upgrade:
        raise KeyringOutdated(
            f"{path} is of version {header['version']}, whose readers could sign as the owner; "
            f"upgrade it to version {_FORMAT_VERSION}"
        )
    if header["protection"]["kind"] == "none":
        if passphrase is not None:
            # Whoever could swap the file would otherwise make the user encrypt under their own key.
            raise KeyringNotProtected(f"{path} has no passphrase, but one was given")
        text = body
    else:
        if passphrase is None:
            raise KeyringPassphraseError(f"{path} needs a passphrase")
        text = _decrypt(header, body, passphrase, path)
    return _decode_body(text, header["version"], path), data


def write_keyring(
    path: Path,
    contents: Contents,
    passphrase: str | None,
    cost: ScryptCost,
    known: bytes | None,
) -> bytes:
    """Replace the keyring file at path and return its bytes.

    None as passphrase leaves it unprotected; `known` is what `replace_private` takes.
    """
    text = _encode_body(contents)
    header: dict[str, Any] = {"magic": _MAGIC, "version": _FORMAT_VERSION}
    if passphrase is None:
        header["protection"] = {"kind": "none"}
        body = text
    else:
        header["protection"] = {
            "kind": "scrypt",
            **asdict(cost),
            "salt": _to_base64(os.urandom(_SALT_SIZE)),
            "nonce": _to_base64(os.urandom(_NONCE_SIZE)),
        }
        nonce = _from_base64(header["protection"]["nonce"])
        key = _passphrase_key(header["protection"], passphrase)
        body = AESGCM(key).encrypt(nonce, text, _canonical(header))
    checksum = blake3(_canonical(header) + body).hexdigest()
    document = {**header, "body": _to_base64(body), "checksum": checksum}
    data = (json.dumps(document, indent=2) + "\n").encode()
    replace_private(path, data, known=known)
    return data


def is_protected(path: Path) -> bool:
    """Return whether the keyring file needs a passphrase."""
    header, _ = _parse(read_private(path, MAX_FILE_SIZE), path)
    return bool(header["protection"]["kind"] == "scrypt")


def _parse(data: bytes, path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the checked header and the body of a keyring file."""
    try:
        document = json.loads(data)
        header = {name: document[name] for name in ("magic", "version", "protection")}
        if document.keys() != _MEMBERS:
            raise KeyringError(f"{path}: its members must be {', '.join(sorted(_MEMBERS))}")
        if header["magic"] != _MAGIC:
            raise KeyringError(f"{path} is not a keyring")
        if header["version"] not in {_OUTDATED_VERSION, _FORMAT_VERSION}:
            raise KeyringError(
                f"{path}: version must be {_FORMAT_VERSION}, got {header['version']!r}"
            )
        body = _from_base64(document["body"])
        if blake3(_canonical(header) + body).hexdigest() != document["checksum"]:
            raise KeyringError(f"{path} is damaged: the checksum is wrong")
        protection = header["protection"]
        if protection.keys() != _PROTECTION_MEMBERS[protection["kind"]]:
            raise KeyringError(f"{path}: the members of its protection are wrong")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KeyringError(f"{path} is not a keyring, or is damaged") from error
    return header, body


def _decrypt(header: dict[str, Any], body: bytes, passphrase: str, path: Path) -> bytes:
    """Return the plain body."""
    try:
        key = _passphrase_key(header["protection"], passphrase)
        nonce = _from_base64(header["protection"]["nonce"])
        return AESGCM(key).decrypt(nonce, body, _canonical(header))
    except InvalidTag:
        pass
    except (ValueError, TypeError) as error:
        raise KeyringError(f"{path}: {error}") from error
    raise KeyringPassphraseError(f"the passphrase of {path} is wrong")


def _passphrase_key(protection: Mapping[str, Any], passphrase: str) -> bytes:
    """Return the AES key of a passphrase; raises ValueError for costs out of their bounds."""
    if not passphrase:
        raise ValueError("the passphrase must not be empty")
    cost = ScryptCost(n=protection["n"], r=protection["r"], p=protection["p"])
    salt = _from_base64(protection["salt"])
    kdf = Scrypt(salt=salt, length=_KEY_SIZE, n=cost.n, r=cost.r, p=cost.p)
    # Keyboards differ in how they compose an accent; the passphrase is the same.
    return kdf.derive(unicodedata.normalize("NFC", passphrase).encode())


def _encode_body(contents: Contents) -> bytes:
    """Return the JSON text of a body."""
    body = {
        **contents.others,
        "entries": [
            {
                "name": entry.name,
                "root": _to_base64(entry.root),
                "signing_seed": _to_base64(entry.signing_seed),
                "created_at": entry.created_at.isoformat(),
                "parameters": asdict(entry.parameters),
            }
            for entry in contents.entries
        ],
        "grants": [dict(grant) for grant in contents.grants],
        "identities": [
            {
                "name": identity.name,
                "private_key": _to_base64(identity.private_key),
                "created_at": identity.created_at.isoformat(),
            }
            for identity in contents.identities
        ],
    }
    return json.dumps(body).encode()


def _decode_body(text: bytes, version: int, path: Path) -> Contents:
    """Return what the JSON text of a body says."""
    decode = _decode_entry if version == _FORMAT_VERSION else _upgraded_entry
    try:
        body = dict(json.loads(text))
        entries = [decode(**member) for member in body.pop("entries")]
        grants = [dict(grant) for grant in body.pop("grants")]
        identities = [_decode_identity(**member) for member in body.pop("identities", [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KeyringError(f"{path} holds an entry that this version does not read") from error
    return Contents(entries=entries, grants=grants, identities=identities, others=body)


def _upgraded_entry(**member: Any) -> KeyEntry:
    """Return an entry of version 1 with a signing seed of its own."""
    return _decode_entry(**member, signing_seed=_to_base64(os.urandom(SEED_SIZE)))


def _decode_entry(
    *, name: str, root: str, signing_seed: str, created_at: str, parameters: dict[str, Any]
) -> KeyEntry:
    """Return one entry; a member too many or too few is a TypeError, as saving would lose it."""
    return KeyEntry(
        name=name,
        root=_from_base64(root),
        signing_seed=_from_base64(signing_seed),
        parameters=CipherParameters(**parameters),
        created_at=datetime.fromisoformat(created_at),
    )


def _decode_identity(*, name: str, private_key: str, created_at: str) -> Identity:
    """Return one identity; a member too many or too few is a TypeError, as saving would lose it."""
    return Identity(
        name=name,
        private_key=_from_base64(private_key),
        created_at=datetime.fromisoformat(created_at),
    )


def _canonical(header: Mapping[str, Any]) -> bytes:
    """Return the one JSON text of a header."""
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _to_base64(data: bytes) -> str:
    """Return the standard base64 text of data."""
    return base64.b64encode(data).decode("ascii")


def _from_base64(text: str) -> bytes:
    """Return the bytes of a base64 text; binascii.Error, a ValueError, if it is none."""
    return base64.b64decode(text, validate=True)
