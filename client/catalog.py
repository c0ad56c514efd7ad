"""What a server holds: collections and models."""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import grpc

from cipherlens.base import CipherProfile, Kind
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES, Deadlines, invoke
from cipherlens.client.collection import Collection, Limits, Model, ServerInfo
from cipherlens.client.connection import Connection
from cipherlens.client.conversion import collection_from, model_from, server_info_from
from cipherlens.client.errors import from_rpc_error
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from cipherlens.wire import kind_message, profile_message

_CHUNK_BYTES = 2**20

UploadProgress = Callable[[int, int], None]
"""Called with the bytes sent so far and the bytes of the whole."""


class Catalog(Connection):
    """The calls that make, describe and drop collections, and push models."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel; it connects with the first call. See `Connection`."""
        super().__init__(target, deadlines=deadlines, max_message_bytes=max_message_bytes)
        self._stub = RetrievalServiceStub(self._channel)

    @cached_property
    def limits(self) -> Limits:
        """Return what the server accepts; asked for once."""
        return self.server_info().limits

    def server_info(self, *, timeout_s: float | None = None) -> ServerInfo:
        """Return what runs at the target and what it accepts."""
        request = messages.GetServerInfoRequest()
        return server_info_from(
            invoke(self._stub.GetServerInfo, request, timeout_s or self.deadlines.quick_s)
        )

    def create_cipher_collection(
        self, name: str, profile: CipherProfile, *, timeout_s: float | None = None
    ) -> Collection:
        """Make a collection of cipher-images that claim a profile.

        Raises:
            AlreadyExists: the name is taken.
        """
        request = messages.CreateCollectionRequest(
            name=name, kind=kind_message(Kind.CIPHER), profile=profile_message(profile)
        )
        return self._create(request, timeout_s)

    def create_vector_collection(
        self,
        name: str,
        dimension: int,
        *,
        encoder_digest: bytes = b"",
        timeout_s: float | None = None,
    ) -> Collection:
        """Make a collection of ready vectors, compared by cosine similarity.

        Args:
            name: the name that requests will use.
            dimension: numbers in a vector.
            encoder_digest: SHA-256 of what makes the vectors; searches may then ask for it.
            timeout_s: how long it may take.

        Raises:
            AlreadyExists: the name is taken.
        """
        request = messages.CreateCollectionRequest(
            name=name,
            kind=kind_message(Kind.VECTOR),
            dimension=dimension,
            encoder_digest=encoder_digest,
        )
        return self._create(request, timeout_s)

    def create_code_collection(
        self, name: str, bits: int, *, encoder_digest: bytes = b"", timeout_s: float | None = None
    ) -> Collection:
        """Make a collection of ready binary codes, compared by Hamming distance.

        Args:
            name: the name that requests will use.
            bits: 12, 24, 32, 48, 64, 128 or 256.
            encoder_digest: SHA-256 of what makes the codes; searches may then ask for it.
            timeout_s: how long it may take.

        Raises:
            AlreadyExists: the name is taken.
        """
        request = messages.CreateCollectionRequest(
            name=name, kind=kind_message(Kind.CODE), bits=bits, encoder_digest=encoder_digest
        )
        return self._create(request, timeout_s)

    def get_collection(self, name: str, *, timeout_s: float | None = None) -> Collection:
        """Return a collection as it stands now.

        Raises:
            NotFound: there is none of that name.
        """
        request = messages.GetCollectionRequest(name=name)
        answer = invoke(self._stub.GetCollection, request, timeout_s or self.deadlines.quick_s)
        return collection_from(answer.collection)

    def list_collections(self, *, timeout_s: float | None = None) -> list[Collection]:
        """Return all collections, by name."""
        request = messages.ListCollectionsRequest()
        answer = invoke(self._stub.ListCollections, request, timeout_s or self.deadlines.quick_s)
        return [collection_from(message) for message in answer.collections]

    def delete_collection(self, name: str, *, timeout_s: float | None = None) -> None:
        """Remove a collection with all its items; it cannot be undone.

        Raises:
            NotFound: there is none of that name.
        """
        request = messages.DeleteCollectionRequest(name=name)
        invoke(self._stub.DeleteCollection, request, timeout_s or self.deadlines.write_s)

    def push_model(
        self,
        checkpoint: str | Path,
        *,
        collection: str = "",
        name: str = "",
        on_progress: UploadProgress | None = None,
        timeout_s: float | None = None,
    ) -> Model:
        """Upload a checkpoint, set it to work in a cipher collection, and return it as held.

        Args:
            checkpoint: the safetensors file.
            collection: name of the collection; empty only keeps the model.
            name: a name for people; the file's own if empty.
            on_progress: called as bytes leave.
            timeout_s: how long it may take.

        Raises:
            InvalidArgument: the file is no checkpoint that the server reads.
            FailedPrecondition: it was trained for another profile than the collection's.
            OSError: the file cannot be read.
        """
        path = Path(checkpoint)
        parts = _model_parts(path, collection, name or path.stem, on_progress)
        try:
            answer = self._stub.PushModel(parts, timeout=timeout_s or self.deadlines.upload_s)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return model_from(answer.model)

    def list_models(self, *, timeout_s: float | None = None) -> list[Model]:
        """Return the models that the server holds, newest first."""
        request = messages.ListModelsRequest()
        answer = invoke(self._stub.ListModels, request, timeout_s or self.deadlines.quick_s)
        return [model_from(message) for message in answer.models]

    def _create(
        self, request: messages.CreateCollectionRequest, timeout_s: float | None
    ) -> Collection:
        """Return the collection that a request makes."""
        answer = invoke(self._stub.CreateCollection, request, timeout_s or self.deadlines.quick_s)
        return collection_from(answer.collection)


def _model_parts(
    path: Path, collection: str, name: str, on_progress: UploadProgress | None
) -> Iterator[messages.PushModelRequest]:
    """Return the header and the chunks of a checkpoint; reads the file once for its digest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        size = file.tell()
    header = messages.ModelHeader(collection=collection, size_bytes=size, digest=digest, name=name)
    return _stream(path, header, on_progress)


def _stream(
    path: Path, header: messages.ModelHeader, on_progress: UploadProgress | None
) -> Iterator[messages.PushModelRequest]:
    """Yield the header and the chunks as gRPC takes them."""
    yield messages.PushModelRequest(header=header)
    sent = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield messages.PushModelRequest(chunk=chunk)
            sent += len(chunk)
            if on_progress is not None:
                on_progress(sent, header.size_bytes)
