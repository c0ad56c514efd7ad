"""EncryptionService: every method, with a key that must open nothing but what its owner sealed."""

import numpy as np
import torch

from cipherlens.base import Role
from cipherlens.crypto import (
    ImageCipher,
    Keyring,
    Original,
    SealedContext,
    companion_digest,
    release_key,
    seal,
    sealed_head,
)
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashNetworkConfig
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.server.config import Limits, ServerConfig
from cipherlens.v1 import cipher_image_pb2
from cipherlens.v1 import encryption_service_pb2 as pb
from cipherlens.wire.owner import encrypted_message
from tests.fuzz.doors.keys import COLLECTION, OWNER, without_chance
from tests.fuzz.doors.pictures import pictures
from tests.fuzz.doors.served import check_refusal, started
from tests.fuzz.messages import Words, mutated_message
from tests.fuzz.target import Target

_LIMITS = Limits(
    max_message_bytes=1 << 16,
    max_sealed_bytes=2000,
    max_batch_items=4,
    max_image_pixels=4096,
    max_name_bytes=16,
    max_item_id_bytes=32,
    max_concurrent_calls=8,
)
_ROUND = 100
_PLACE = pb.SealTarget(collection_uuid=str(COLLECTION), item_id="a", revision=3)


class OwnersSide:
    """An owner's server: a keyring, a hash network, and what was sealed before."""

    def __init__(self, folder):
        self._path = folder / "owners"
        Keyring([OWNER]).save(self._path, unprotected=True)
        self._keyring = self._path.read_bytes()
        config = ServerConfig(
            data_dir=folder / "unused",
            role=Role.OWNER,
            keyring=self._path,
            hash_model=_hash_network(folder / "hash"),
            limits=_LIMITS,
            device="cpu",
            transport="grpcio",
        )
        self.server, self.methods = started(config)
        self.names = sorted(self.methods.by_name)
        self.pictures = pictures()
        with without_chance():
            self._seal()
        self.words = self._words()
        self._tried = 0

    def _seal(self):
        """Seal one original beside a cipher-image, and one beside a code."""
        pixels = np.random.default_rng(1).integers(0, 256, (16, 32, 3), np.uint8)
        self.image = ImageCipher(OWNER).encrypt_image(pixels)
        self.code, self.plain = b"\x07\x01", Original(media_type="image/png", data=b"plain" * 9)
        beside = {"image": self.image.digest(), "code": companion_digest(self.code)}
        places = {name: _place(digest) for name, digest in beside.items()}
        self.sealed = {name: seal(self.plain, OWNER, place) for name, place in places.items()}
        self.heads = {name: sealed_head(each) for name, each in self.sealed.items()}
        self.keys = {release_key(self.heads[name], OWNER, places[name]) for name in places}
        self.digests = beside

    def attempt(self, data):
        """Make one call."""
        name, payload = self.names[data[0] % len(self.names)] if data else "Encrypt", data[1:]
        answer = self.methods.call(name, payload)
        if answer.refusal is not None:
            check_refusal(answer.refusal)
        else:
            self.check(name, payload, answer.messages[0])
        self._tried += 1
        if self._tried % _ROUND == 0:
            self._path.write_bytes(self._keyring)  # without the keys that were made
            again = self.methods.call("Decrypt", self.decrypt("image").SerializeToString())
            assert again.messages[0].images[0].data == self.plain.data
        return answer.refusal is None

    def check(self, name, payload, message):
        """Assert what must hold of an answer."""
        request = self.methods.by_name[name].request_type.FromString(payload)
        if name == "Decrypt":
            for item, image in zip(request.items, message.images, strict=True):
                genuine = image.data == self.plain.data if item.sealed_original else True
                assert genuine
        elif name == "ReleaseKeys":
            assert len(message.keys) == len(request.items)
            assert set(message.keys) <= self.keys
        elif name == "Encrypt":
            assert len(message.images) == len(request.images)
            sealed = [bool(each.sealed_original) for each in message.images]
            assert sealed == [each.HasField("seal") for each in request.images]
        elif name == "CreateKey":
            assert message.key.name == request.name
        size = message.ByteSize()
        assert size <= _LIMITS.max_message_bytes + _HEADERS, f"{name} answers {size} bytes"

    def mutate(self, data, rng):
        """Return a call with another message, now and then of another method."""
        number = rng.randrange(len(self.names)) if not data or rng.random() < 0.03 else data[0]
        method = self.methods.by_name[self.names[number % len(self.names)]]
        return bytes([number]) + mutated_message(method.request_type, data[1:], rng, self.words)

    def _words(self):
        texts = ["owner", OWNER.fingerprint.hex(), str(COLLECTION), "a", "b"]
        sealed = [*self.sealed.values(), *self.heads.values(), *self.digests.values()]
        some = [OWNER.fingerprint, bytes(16), self.code, self.image.pixels.tobytes()]
        return Words(texts=texts, bytes=[*sealed, *some, *self.pictures])

    def decrypt(self, beside):
        item = pb.DecryptItem(sealed_original=self.sealed[beside], seal=_PLACE)
        if beside == "image":
            item.cipher_image.CopyFrom(encrypted_message(self.image))
        else:
            item.companion = self.code
        return pb.DecryptRequest(key="owner", items=[item])

    def seeds(self):
        """Yield a call of each method that is answered, and some of some."""
        profile = cipher_image_pb2.CipherProfile(
            height=16,
            width=32,
            block_size=8,
            substituted_blocks=2,
            scope=cipher_image_pb2.KEY_SCOPE_IMAGE,
        )
        yield self.seed("CreateKey", pb.CreateKeyRequest(name="new", profile=profile))
        yield self.seed("ListKeys", pb.ListKeysRequest())
        for data in self.pictures[::5]:
            images = [pb.PlainImage(data=data, seal=_PLACE), pb.PlainImage(data=data)]
            yield self.seed("Encrypt", pb.EncryptRequest(key="owner", images=images))
            kinds = {"CIPHER_IMAGE": "owner", "CODE": ""}
            for kind, key in kinds.items():
                number = pb.TrapdoorKind.Value(f"TRAPDOOR_KIND_{kind}")
                trapdoor = pb.TrapdoorRequest(key=key, pictures=[data], kind=number)
                yield self.seed("Trapdoor", trapdoor)
        trapdoor.key, trapdoor.mask_collection_uuid = "owner", str(COLLECTION)
        yield self.seed("Trapdoor", trapdoor)
        for beside, head in self.heads.items():
            yield self.seed("Decrypt", self.decrypt(beside))
            item = pb.SealedHead(seal=_PLACE, head=head, companion_digest=self.digests[beside])
            yield self.seed("ReleaseKeys", pb.ReleaseKeysRequest(key="owner", items=[item]))
        bare = self.decrypt("image")
        bare.items[0].ClearField("sealed_original")
        yield self.seed("Decrypt", bare)

    def seed(self, name, message):
        return bytes([self.names.index(name)]) + message.SerializeToString()


_HEADERS = 4096
"""What fields and descriptions take in an answer beside its pixels and seals."""


def encryption(folder):
    """A byte that says which method, and its request."""
    side = OwnersSide(folder)
    return Target(
        name="encryption",
        seeds=list(side.seeds()),
        attempt=side.attempt,
        mutate=side.mutate,
        close=lambda: side.server.stop(0),
        most_bytes=40_000,
    )


def _place(digest):
    return SealedContext(
        collection_uuid=COLLECTION, item_id="a", revision=3, companion_digest=digest
    )


def _hash_network(path):
    """Write the smallest hash network."""
    config = HashNetworkConfig(backbone="test_resnet", bits=12, height=32, width=32, classes=2)
    described = CheckpointConfiguration(architecture="hash", network=config, profile=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save(path, HashNetwork(config), described)
    return path
