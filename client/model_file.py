"""A model's file on its way to a server."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cipherlens.client.core import catalog
from cipherlens.client.core.call import Call
from cipherlens.client.core.catalog import UploadProgress
from cipherlens.client.core.collection import Model
from cipherlens.v1.retrieval_service_pb2 import ModelHeader

_CHUNK_BYTES = 2**20


def upload(
    checkpoint: str | Path, collection: str, name: str, on_progress: UploadProgress | None
) -> Call[Model]:
    """Read a checkpoint's digest and return the call that sends it; see `Client.push_model`."""
    path = Path(checkpoint)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        size = file.tell()
    header = ModelHeader(
        collection=collection, size_bytes=size, digest=digest, name=name or path.stem
    )
    return catalog.push_model(header, partial(_chunks, path), on_progress)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield a file in pieces. They are taken in a thread that may outlive a refused call."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
