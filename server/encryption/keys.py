"""Keys as requests describe them and answers tell of them."""

from cipherlens.crypto import PREPARATION_VERSION, SCHEME_VERSION, CipherParameters, KeyEntry
from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.fields import invalid_field
from cipherlens.v1 import cipher_image_pb2
from cipherlens.v1 import encryption_service_pb2 as pb
from cipherlens.wire import MalformedMessage, profile_from, profile_message, timestamp_message


def new_entry(name: str, profile: cipher_image_pb2.CipherProfile, limits: Limits) -> KeyEntry:
    """Return a new key of a name and a profile. Raises InvalidField."""
    parameters = _parameters(profile, limits)
    try:
        return KeyEntry.generate(name, parameters)
    except ValueError as error:  # what a collection may be called and a key may not
        raise InvalidField("name", str(error)) from error


def key_message(entry: KeyEntry) -> pb.Key:
    """Return a key as others may know it."""
    made_at_us = int(entry.created_at.timestamp() * 1e6)
    return pb.Key(
        name=entry.name,
        profile=profile_message(entry.profile),
        create_time=timestamp_message(made_at_us),
    )


def _parameters(profile: cipher_image_pb2.CipherProfile, limits: Limits) -> CipherParameters:
    if profile.key_fingerprint:
        raise InvalidField("profile.key_fingerprint", "must be empty: a new key has its own")
    pixels = profile.height * profile.width
    if pixels > limits.max_image_pixels:
        raise LimitExceeded(
            "profile.height * width", limit=limits.max_image_pixels, value=pixels, unit="pixels"
        )
    wanted = cipher_image_pb2.CipherProfile()
    wanted.CopyFrom(profile)
    wanted.scheme_version = profile.scheme_version or SCHEME_VERSION
    wanted.preparation_version = profile.preparation_version or PREPARATION_VERSION
    try:
        return CipherParameters.of(profile_from(wanted))
    except MalformedMessage as error:
        raise invalid_field("profile", error) from error
    except ValueError as error:  # a version that is not known here
        raise InvalidField("profile", str(error)) from error
