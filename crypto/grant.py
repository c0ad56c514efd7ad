"""Grants: a part of a key, wrapped to one user's public key and signed by the owner.

A grant is, little-endian:

    offset  size  field
         0     4  magic "CLGR"
         4     1  format version, 1
         5     1  rights (1 search, 2 search and open)
         6     1  kind of the collection (1 cipher-images, 2 vectors, 3 codes)
         7    16  grant id, a random UUID
        23    32  recipient, X25519 public key
        55    16  collection UUID, big-endian as in its text
        71    16  fingerprint of the key
        87    32  the owner's Ed25519 public key
       119     8  when it was made, seconds since 1970
       127     8  when it expires, seconds since 1970; 0 for never
       135     4  length w of what is wrapped
       139     w  HPKE, base mode (RFC 9180): X25519, HKDF-SHA256, AES-256-GCM; info is all before
         -    64  Ed25519 signature of everything before, as `signing` puts it in its context

What is wrapped is the JSON text of the key's parameters and of the secrets, base64 by purpose.
"""

import base64
import json
import struct
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from cipherlens.base import Kind
from cipherlens.crypto.errors import FormatError, GrantError
from cipherlens.crypto.granted_key import GrantedKey, Rights, granted_secrets
from cipherlens.crypto.hazmat.schedule import Purpose
from cipherlens.crypto.identity import Identity, recipient_text
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.parameters import CipherParameters
from cipherlens.crypto.signing import SIGNATURE_SIZE, Signed, is_signed

MAGIC = b"CLGR"
"""What a grant begins with."""

MAX_GRANT_SIZE = 16 * 2**10
"""Bytes of a grant at most."""

_FORMAT_VERSION = 1
_HEADER = struct.Struct("<4sBBB16s32s16s16s32sQQI")
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_WRAP_OVERHEAD = 32 + 16
_RIGHTS = {1: Rights.SEARCH, 2: Rights.OPEN}
_KINDS = {1: Kind.CIPHER, 2: Kind.VECTOR, 3: Kind.CODE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What a grant says to everybody; only its recipient can take the keys out of it.

    Attributes:
        grant_id: the owner's number for it.
        recipient: 32 bytes, the user's X25519 public key.
        collection_uuid: the collection.
        kind: of the collection's items.
        rights: what the user may do.
        fingerprint: 16 bytes, of the key.
        verify_key: 32 bytes, the owner's Ed25519 public key.
        made_at: when it was made.
        expires_at: when the owner wants it to end; None for never.
        data: the whole grant.
    """

    grant_id: uuid.UUID
    recipient: bytes
    collection_uuid: uuid.UUID
    kind: Kind
    rights: Rights
    fingerprint: bytes
    verify_key: bytes
    made_at: datetime
    expires_at: datetime | None
    data: bytes

    @classmethod
    def make(
        cls,
        key: KeyEntry,
        recipient: bytes,
        collection_uuid: uuid.UUID,
        kind: Kind,
        rights: Rights,
        expires_at: datetime | None = None,
    ) -> "Grant":
        """Return a new grant of a part of the owner's key.

        Raises:
            ValueError: the recipient is no public key, or the expiry is not after 1970.
        """
        body = _secrets_text(key, collection_uuid, kind, rights)
        header = _HEADER.pack(
            MAGIC,
            _FORMAT_VERSION,
            _code(_RIGHTS, rights),
            _code(_KINDS, kind),
            uuid.uuid4().bytes,
            recipient,
            collection_uuid.bytes,
            key.fingerprint,
            key.verify_key,
            int(datetime.now(UTC).timestamp()),
            _seconds(expires_at),
            len(body) + _WRAP_OVERHEAD,
        )
        public = X25519PublicKey.from_public_bytes(recipient)
        signed = header + _SUITE.encrypt(body, public, header)
        return cls.read(signed + key.sign(Signed.GRANT, signed))

    @classmethod
    def read(cls, data: bytes) -> "Grant":
        """Return the grant of its bytes, after a look at its signature.

        The signature is by the key that the grant names: that it is the owner's, somebody must
        know who knows him.

        Raises:
            FormatError: they are no grant of this version, whole and unchanged.
            GrantError: the signature is wrong.
        """
        try:
            fields = _HEADER.unpack_from(data)
        except struct.error as error:
            raise FormatError("not a grant: it is cut short") from error
        magic, version, rights, kind, grant_id, recipient, collection, *rest = fields
        fingerprint, verify_key, made_at, expires_at, size = rest
        if (magic, version) != (MAGIC, _FORMAT_VERSION):
            raise FormatError("not a grant of this version")
        if len(data) != _HEADER.size + size + SIGNATURE_SIZE:
            raise FormatError("not a grant: its length is wrong")
        if not is_signed(verify_key, Signed.GRANT, data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]):
            raise GrantError("the grant does not carry its owner's signature")
        if rights not in _RIGHTS or kind not in _KINDS:
            raise FormatError("the grant is for something that this version does not know")
        return cls(
            grant_id=uuid.UUID(bytes=grant_id),
            recipient=recipient,
            collection_uuid=uuid.UUID(bytes=collection),
            kind=_KINDS[kind],
            rights=_RIGHTS[rights],
            fingerprint=fingerprint,
            verify_key=verify_key,
            made_at=_time(made_at),
            expires_at=_time(expires_at) if expires_at else None,
            data=data,
        )

    def open(self, identity: Identity, name: str) -> GrantedKey:
        """Return the keys in it, under a name of its holder's.

        Raises:
            GrantError: it is wrapped to another user.
            FormatError: it does not hold what it says.
        """
        if identity.recipient != self.recipient:
            raise GrantError(
                f"the grant is for {recipient_text(self.recipient)}, "
                f"identity {identity.name!r} is {recipient_text(identity.recipient)}"
            )
        header = self.data[: _HEADER.size]
        wrapped = self.data[_HEADER.size : -SIGNATURE_SIZE]
        try:
            document = json.loads(_SUITE.decrypt(wrapped, identity.secret(), header))
            parameters = CipherParameters(**document["parameters"])
            secrets = {
                Purpose[purpose]: base64.b64decode(text, validate=True)
                for purpose, text in document["secrets"].items()
            }
        except (InvalidTag, ValueError, KeyError, TypeError, AttributeError):
            document = None
        if document is None:  # outside of the handler: what a secret could not be parsed as stays
            raise FormatError("the grant does not open, or holds what this version does not read")
        return GrantedKey(
            name=name,
            grant_id=self.grant_id,
            fingerprint=self.fingerprint,
            parameters=parameters,
            verify_key=self.verify_key,
            collection_uuid=self.collection_uuid,
            kind=self.kind,
            rights=self.rights,
            expires_at=self.expires_at,
            secrets=secrets,
        )


def _secrets_text(key: KeyEntry, collection_uuid: uuid.UUID, kind: Kind, rights: Rights) -> bytes:
    secrets = granted_secrets(key, collection_uuid, kind, rights)
    encoded = {each.name: base64.b64encode(secret).decode() for each, secret in secrets.items()}
    return json.dumps({"parameters": asdict(key.parameters), "secrets": encoded}).encode()


def _code(codes: dict[int, Rights] | dict[int, Kind], wanted: Rights | Kind) -> int:
    return next(code for code, each in codes.items() if each is wanted)


def _seconds(moment: datetime | None) -> int:
    """Return a moment in seconds since 1970, 0 for none. Raises ValueError for one before."""
    if moment is None:
        return 0
    seconds = int(moment.timestamp())
    if not 0 < seconds < 2**40:
        raise ValueError(f"expires_at must be after 1970, got {moment}")
    return seconds


def _time(seconds: int) -> datetime:
    """Return the moment of seconds since 1970. Raises FormatError for one out of the calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise FormatError("the grant has a time that no calendar has") from error
