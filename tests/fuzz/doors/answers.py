"""What a server answers, as its clients read it: it may be anybody's."""

from contextlib import suppress

import grpc
import numpy as np
from google.rpc import status_pb2

from cipherlens.client import Client
from cipherlens.client.channel import from_rpc_error
from cipherlens.client.core import answers, encryption
from cipherlens.client.core.item import Item
from cipherlens.client.errors import CipherLensError, UnreadableAnswer
from cipherlens.client.naming import Naming
from cipherlens.crypto import CryptoError, ImageCipher, Original, SealedContext, seal
from cipherlens.v1 import collection_pb2, item_pb2
from cipherlens.v1 import encryption_service_pb2 as owner_pb
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.representation_pb2 import Codes
from cipherlens.wire import ErrorDetails, details_message, timestamp_message
from cipherlens.wire.owner import encrypted_message
from tests.fuzz.doors.keys import COLLECTION, NOW, OWNER
from tests.fuzz.doors.requests import profile_message
from tests.fuzz.messages import Words, mutated_message
from tests.fuzz.target import Target

_WHEN = timestamp_message(int(NOW.timestamp() * 1e6))


def server_answers(_folder):
    """A byte that says which answer, and the answer: read as documented, or an UnreadableAnswer."""
    genuine = _genuine_item()
    reads = _reads()
    kinds = [type(each) for each in _answers(genuine)]
    words = Words(
        texts=[str(COLLECTION), "a", "b", "image/png", "cpu"],
        bytes=[OWNER.fingerprint, bytes(16), bytes(32), genuine.sealed_original],
    )

    def attempt(data):
        kind = kinds[data[0] % len(kinds)] if data else kinds[0]
        try:
            message = kind.FromString(data[1:])
        except Exception:  # noqa: BLE001 - gRPC tells of it before anything of ours
            return False
        try:
            reads[kind](message)
        except UnreadableAnswer:
            return False
        return True

    def mutate(data, rng):
        number = data[0] if data and rng.random() > 0.03 else rng.randrange(len(kinds))
        kind = kinds[number % len(kinds)]
        return bytes([number]) + mutated_message(kind, data[1:], rng, words)

    return Target(
        name="answers",
        seeds=[
            bytes([number]) + each.SerializeToString()
            for number, each in enumerate(_answers(genuine))
        ],
        attempt=attempt,
        mutate=mutate,
    )


def _genuine_item():
    image = ImageCipher(OWNER).encrypt_image(
        np.random.default_rng(1).integers(0, 256, (16, 32, 3), np.uint8)
    )
    place = SealedContext(
        collection_uuid=COLLECTION, item_id="a", revision=3, companion_digest=image.digest()
    )
    return item_pb2.StoredItem(
        item_id="a",
        revision=3,
        sequence=9,
        owner_tag=b"tag",
        cipher_image=encrypted_message(image),
        sealed_original=seal(Original(media_type="image/png", data=b"plain"), OWNER, place),
    )


def _answers(item):
    """Return an answer of each kind, in one order."""
    generation = collection_pb2.Generation(id=1, numeric_mode="cpu-fp32", item_count=3)
    collection = collection_pb2.Collection(
        uuid=str(COLLECTION),
        name="photos",
        kind=collection_pb2.COLLECTION_KIND_CIPHER,
        profile=profile_message(),
        active_generation=generation,
        create_time=_WHEN,
    )
    hits = pb.Hits(item_ids=["a", "b"], revisions=[1, 2], similarities=[0.9, 0.5])
    return [
        collection,
        pb.Model(digest=bytes(32), name="m", profile=profile_message(), create_time=_WHEN),
        pb.GetServerInfoResponse(version="1", limits=pb.Limits(max_k=5), roles=["cloud"]),
        pb.FetchResponse(item_id="a", state=pb.ITEM_STATE_PRESENT, item=item),
        pb.SearchResponse(results=[hits], sequence=3, items=[item]),
        item_pb2.ItemSummary(item_id="a", revision=1, owner_tag=b"t" * 80),
        owner_pb.ListKeysResponse(
            keys=[owner_pb.Key(name="k", profile=profile_message(), create_time=_WHEN)]
        ),
        owner_pb.EncryptResponse(
            images=[owner_pb.EncryptedImage(cipher_image=item.cipher_image, sealed_original=b"s")]
        ),
        owner_pb.DecryptResponse(
            images=[owner_pb.DecryptedImage(media_type="image/png", data=b"plain")]
        ),
        owner_pb.ReleaseKeysResponse(keys=[bytes(44)], verify_key=bytes(32)),
        owner_pb.TrapdoorResponse(codes=Codes(bits=12, data=b"\x01\x02")),
    ]


def _reads():
    """Return what reads each kind of answer."""
    client = Client("127.0.0.1:1", key=OWNER)  # connects to nothing before it is asked to
    asked = Item(
        collection_uuid=COLLECTION,
        item_id="a",
        revision=3,
        sequence=0,
        owner_tag=b"",
        sealed_original=_genuine_item().sealed_original,
    )

    def fetched(message):
        found = answers.fetched_from(message, "a", COLLECTION)
        if found.item is not None:
            _restored(client, found.item)

    def searched(message):
        items = [answers.item_from(each, COLLECTION) for each in message.items]
        for hits in answers.hits_from(message, items, queries=1, k=3):
            assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))

    return {
        collection_pb2.Collection: answers.collection_from,
        pb.Model: answers.model_from,
        pb.GetServerInfoResponse: answers.server_info_from,
        pb.FetchResponse: fetched,
        pb.SearchResponse: searched,
        item_pb2.ItemSummary: lambda message: _named(answers.summary_from(message)),
        owner_pb.ListKeysResponse: encryption.list_keys().read,
        owner_pb.EncryptResponse: _answering(lambda: encryption.encrypt([b"p"], "", None, 10**6)),
        owner_pb.DecryptResponse: _answering(lambda: encryption.decrypt([asked], "", 10**6)),
        owner_pb.ReleaseKeysResponse: _answering(lambda: encryption.release_keys([asked], "")),
        owner_pb.TrapdoorResponse: _answering(
            lambda: encryption.trapdoor_codes([b"p"], None, "", 10**6)
        ),
    }


def _answering(begin):
    """Return what lets steps that ask once go on with an answer."""

    def read(message):
        steps = begin()
        next(steps)
        with suppress(StopIteration):
            steps.send(message)

    return read


def _restored(client, item):
    """Open an item with the owner's key: what opens is what he sealed."""
    _named(item)
    try:
        original = client.restore(item)
    except (CryptoError, ValueError):
        return
    assert not item.sealed_original or original.data == b"plain"


def _named(item):
    with suppress(CryptoError):
        Naming(OWNER, COLLECTION).name_of(item)


class _Failed(grpc.RpcError):
    """A call that failed, as grpcio gives it."""

    def __init__(self, status):
        self.code = lambda: grpc.StatusCode.INVALID_ARGUMENT
        self.details = lambda: "said"
        self.trailing_metadata = lambda: (("grpc-status-details-bin", status),)


def server_failures(_folder):
    """The details of a status: whatever they are, the client's own error comes of them."""
    details = ErrorDetails(
        reason="QUEUE_FULL", metadata={"limit": "3"}, field="k", description="d", retry_after_s=1.5
    )
    status = status_pb2.Status(code=3, message="said", details=details_message(details))

    def attempt(data):
        error = from_rpc_error(_Failed(data))
        assert isinstance(error, CipherLensError)
        return bool(error.reason)

    def mutate(data, rng):
        if rng.random() < 0.5:
            return mutated_message(status_pb2.Status, data, rng, words)
        try:
            changed = status_pb2.Status.FromString(data)
        except Exception:  # noqa: BLE001 - whatever it is, it is no status
            return mutated_message(status_pb2.Status, data, rng, words)
        for each in changed.details:
            each.value = mutated_message(status_pb2.Status, each.value, rng, words)
        return changed.SerializeToString()

    urls = [each.type_url for each in status.details]
    words = Words(texts=[*urls, "said"], bytes=[each.value for each in status.details])
    return Target(
        name="failures", seeds=[status.SerializeToString()], attempt=attempt, mutate=mutate
    )
