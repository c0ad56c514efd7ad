"""A model that arrives in pieces, checked against what its header announced."""

from collections.abc import Iterator

from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField
from cipherlens.server.fields import DIGEST_BYTES, check_name, check_size, check_text
from cipherlens.server.storage import Upload
from cipherlens.v1 import retrieval_service_pb2 as pb


def model_header(first: pb.PushModelRequest | None, limits: Limits) -> pb.ModelHeader:
    """Return the header of a push, checked."""
    if first is None or first.WhichOneof("part") != "header":
        raise InvalidField("part", "must begin with a header")
    header = first.header
    if header.collection:
        check_name("header.collection", header.collection, limits)
    check_size("header.name", len(header.name.encode()), limits.max_name_bytes)
    check_text("header.name", header.name)
    check_size("header.size_bytes", header.size_bytes, limits.max_model_bytes)
    if len(header.digest) != DIGEST_BYTES:
        raise InvalidField(
            "header.digest", f"must have {DIGEST_BYTES} bytes", value=len(header.digest)
        )
    return header


def receive(header: pb.ModelHeader, stream: Iterator[pb.PushModelRequest], upload: Upload) -> None:
    """Take in the checkpoint; return once all of it has come and agrees with the header."""
    for part in stream:
        if part.WhichOneof("part") != "chunk":
            raise InvalidField("part", "must be a chunk after the header")
        if upload.size_bytes + len(part.chunk) > header.size_bytes:
            raise InvalidField("chunk", "more bytes than announced", limit=header.size_bytes)
        upload.write(part.chunk)
    if upload.size_bytes != header.size_bytes:
        raise InvalidField(
            "header.size_bytes", f"announced {header.size_bytes} bytes", value=upload.size_bytes
        )
    if upload.digest != header.digest:
        raise InvalidField("header.digest", "is not the SHA-256 of the bytes that came")
