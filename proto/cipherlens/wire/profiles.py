"""Kinds of collection, indexes, claims of cipher-images, and cipher-images with their claim."""

from dataclasses import fields

from cipherlens.base import CipherProfile, IndexChoice, Kind, Scope
from cipherlens.v1 import cipher_image_pb2, collection_pb2
from cipherlens.wire.errors import MalformedMessage

_KINDS = {
    Kind.CIPHER: collection_pb2.COLLECTION_KIND_CIPHER,
    Kind.VECTOR: collection_pb2.COLLECTION_KIND_VECTOR,
    Kind.CODE: collection_pb2.COLLECTION_KIND_CODE,
}
_INDEXES = {
    IndexChoice.AUTO: collection_pb2.INDEX_CHOICE_AUTO,
    IndexChoice.FLAT: collection_pb2.INDEX_CHOICE_FLAT,
    IndexChoice.IVF: collection_pb2.INDEX_CHOICE_IVF,
    IndexChoice.HNSW: collection_pb2.INDEX_CHOICE_HNSW,
}
_INDEX_OF = {number: choice for choice, number in _INDEXES.items()}
_SCOPES = {
    Scope.COLLECTION: cipher_image_pb2.KEY_SCOPE_COLLECTION,
    Scope.IMAGE: cipher_image_pb2.KEY_SCOPE_IMAGE,
}
_SCOPE_OF = {number: scope for scope, number in _SCOPES.items()}
_PLAIN_FIELDS = [field.name for field in fields(CipherProfile) if field.name != "scope"]


def kind_message(kind: Kind) -> collection_pb2.CollectionKind.ValueType:
    """Return the protocol's number of a kind."""
    return _KINDS[kind]


def kind_from(number: int) -> Kind:
    """Return the kind of a number. Raises MalformedMessage if there is none."""
    for kind, known in _KINDS.items():
        if known == number:
            return kind
    raise MalformedMessage("kind", "must be CIPHER, VECTOR or CODE", number)


def index_choice_message(choice: IndexChoice) -> collection_pb2.IndexChoice.ValueType:
    """Return the protocol's number of an index."""
    return _INDEXES[choice]


def index_choice_from(number: int) -> IndexChoice:
    """Return the index of a number; not stated it is AUTO. Raises MalformedMessage if unknown."""
    if number == collection_pb2.INDEX_CHOICE_UNSPECIFIED:
        return IndexChoice.AUTO
    for known, choice in _INDEX_OF.items():
        if known == number:
            return choice
    raise MalformedMessage("index", "must be AUTO, FLAT, IVF or HNSW", number)


def profile_message(profile: CipherProfile) -> cipher_image_pb2.CipherProfile:
    """Return the message of a claim; its fields have the same names."""
    return cipher_image_pb2.CipherProfile(
        **{name: getattr(profile, name) for name in _PLAIN_FIELDS}, scope=_SCOPES[profile.scope]
    )


def profile_from(message: cipher_image_pb2.CipherProfile) -> CipherProfile:
    """Return the claim in a message. Raises MalformedMessage if it cannot be true."""
    if message.scope not in _SCOPE_OF:
        raise MalformedMessage("scope", "must be COLLECTION or IMAGE", message.scope)
    try:
        return CipherProfile(
            **{name: getattr(message, name) for name in _PLAIN_FIELDS},
            scope=_SCOPE_OF[message.scope],
        )
    except ValueError as error:
        raise MalformedMessage("", str(error)) from error


def cipher_image_message(
    profile: CipherProfile, *, height: int, width: int, nonce: bytes, pixels: bytes
) -> cipher_image_pb2.CipherImage:
    """Return the message of a cipher-image; pixels are height * width * 3 bytes in raster order."""
    return cipher_image_pb2.CipherImage(
        profile=profile_message(profile), height=height, width=width, nonce=nonce, pixels=pixels
    )
