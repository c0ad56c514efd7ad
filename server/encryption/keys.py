"""Keys as requests describe them and answers tell of them."""

from google.protobuf.timestamp_pb2 import Timestamp

from cipherlens.client.conversion import profile_message, profile_of
from cipherlens.crypto import (
    PREPARATION_VERSION,
    SCHEME_VERSION,
    CipherParameters,
    KeyEntry,
    Scope,
)
from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.v1 import cipher_image_pb2
from cipherlens.v1 import encryption_service_pb2 as pb

_SCOPES = {
    cipher_image_pb2.KEY_SCOPE_COLLECTION: Scope.COLLECTION,
    cipher_image_pb2.KEY_SCOPE_IMAGE: Scope.IMAGE,
}


def new_entry(name: str, profile: cipher_image_pb2.CipherProfile, limits: Limits) -> KeyEntry:
    """Return a new key of a name and a profile. Raises InvalidField."""
    parameters = _parameters(profile, limits)
    try:
        return KeyEntry.generate(name, parameters)
    except ValueError as error:  # what a collection may be called and a key may not
        raise InvalidField("name", str(error)) from error


def key_message(entry: KeyEntry) -> pb.Key:
    """Return a key as others may know it."""
    made = Timestamp()
    made.FromDatetime(entry.created_at)
    return pb.Key(name=entry.name, profile=profile_message(profile_of(entry)), create_time=made)


def _parameters(profile: cipher_image_pb2.CipherProfile, limits: Limits) -> CipherParameters:
    if profile.key_fingerprint:
        raise InvalidField("profile.key_fingerprint", "must be empty: a new key has its own")
    if profile.scope not in _SCOPES:
        raise InvalidField("profile.scope", "must be COLLECTION or IMAGE", value=profile.scope)
    pixels = profile.height * profile.width
    if pixels > limits.max_image_pixels:
        raise LimitExceeded(
            "profile.height * width", limit=limits.max_image_pixels, value=pixels, unit="pixels"
        )
    try:
        return CipherParameters(
            scheme_version=profile.scheme_version or SCHEME_VERSION,
            preparation_version=profile.preparation_version or PREPARATION_VERSION,
            height=profile.height,
            width=profile.width,
            block_size=profile.block_size,
            substituted_blocks=profile.substituted_blocks,
            scope=_SCOPES[profile.scope],
        )
    except ValueError as error:
        raise InvalidField("profile", str(error)) from error
