"""Trapdoor through a real server: encrypted queries, and codes of a hash network."""

import io

import grpc
import numpy as np
import pytest
from PIL import Image

from cipherlens.client.core.answers import cipher_image_from
from cipherlens.crypto import (
    CipherImage,
    CipherParameters,
    ImageCipher,
    KeyEntry,
    Keyring,
    open_image,
    prepare,
    seal_network,
)
from cipherlens.model import checkpoint
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import Limits, Role, ServerConfig
from cipherlens.server.errors import StartupError
from cipherlens.v1 import encryption_service_pb2 as pb
from cipherlens.v1 import encryption_service_pb2_grpc

CODE, CIPHER = pb.TRAPDOOR_KIND_CODE, pb.TRAPDOOR_KIND_CIPHER_IMAGE


def picture(seed=0, size=(48, 32)):
    tint = np.random.default_rng(seed).integers(1, 256, 3)
    pixels = np.random.default_rng(seed).integers(0, tint, (size[1], size[0], 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def key():
    parameters = CipherParameters(height=16, width=32, block_size=8, substituted_blocks=2)
    return KeyEntry.generate("one", parameters)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return the bytes of a hash network whose bits depend on the picture."""
    torch = pytest.importorskip("torch")
    from cipherlens.model.config import HashNetworkConfig
    from cipherlens.model.networks.hash_network import HashNetwork

    config = HashNetworkConfig(backbone="test_resnet", bits=24, height=32, width=48, classes=3)
    path = tmp_path_factory.mktemp("hash") / "hash.safetensors"
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        made = HashNetwork(config).train()
        for _ in range(20):
            made(torch.rand(8, 3, 32, 48) * 2 - 1)
    configuration = checkpoint.CheckpointConfiguration(
        architecture="hash", network=config, profile=None
    )
    checkpoint.save(path, made.eval(), configuration)
    return path.read_bytes()


@pytest.fixture(scope="module")
def settings(key, network, tmp_path_factory):
    """Return a server's settings: a keyring, and the network sealed under its key."""
    folder = tmp_path_factory.mktemp("owner")
    Keyring([key]).save(folder / "keyring", unprotected=True)
    (folder / "hash.sealed").write_bytes(seal_network(network, key))
    return {
        "data_dir": folder / "data",
        "role": Role.OWNER,
        "keyring": folder / "keyring",
        "hash_model": folder / "hash.sealed",
        "listen": "127.0.0.1:0",
        "device": "cpu",
        "max_batch": 3,
        "limits": Limits(max_batch_items=8, max_message_bytes=10_000, max_sealed_bytes=1000),
    }


def serving(settings):
    server = CipherLensServer(ServerConfig(**settings))
    with grpc.insecure_channel(f"127.0.0.1:{server.start()}") as channel:
        yield encryption_service_pb2_grpc.EncryptionServiceStub(channel)
    server.stop(0)


@pytest.fixture(scope="module")
def owner(settings):
    """Return a stub of a server with a hash network."""
    yield from serving(settings)


@pytest.fixture
def keys_only(settings):
    """Return a stub of a server without one."""
    yield from serving({**settings, "hash_model": None})


def trapdoors(stub, pictures, kind=CODE, key=""):
    request = pb.TrapdoorRequest(key=key, pictures=pictures, kind=kind)
    return stub.Trapdoor(request, timeout=30)


def test_encrypted_queries_are_the_pictures_prepared_and_encrypted(owner, key):
    sent = [picture(1, (32, 16)), picture(2, (16, 32))]
    answer = trapdoors(owner, sent, CIPHER, "one").cipher_images.images
    for data, message in zip(sent, answer, strict=True):
        image: CipherImage = cipher_image_from(message)
        expected = prepare(open_image(data), key.parameters)
        np.testing.assert_array_equal(ImageCipher(key).decrypt_image(image), expected)


def test_codes_are_those_of_the_network_whoever_runs_it(owner, network):
    from cipherlens.model.hash_encoder import HashEncoder

    encoder = HashEncoder(network)
    # Both orientations, and more than fit into one batch of the server's queue.
    sent = [picture(n, (48, 32) if n % 3 else (32, 48)) for n in range(8)]
    prepared = [prepare(open_image(data), encoder)[None] for data in sent]
    sure = [np.abs(encoder.activations(each) - 0.5).min() > 1e-5 for each in prepared]
    expected = np.concatenate([encoder.encode(each) for each in prepared])
    answer = trapdoors(owner, sent).codes
    found = np.frombuffer(answer.data, np.uint8).reshape(-1, 3)
    assert answer.bits == 24
    assert sum(sure) > 5
    assert len(np.unique(expected, axis=0)) > 5
    np.testing.assert_array_equal(found[sure], expected[sure])


def test_a_server_without_a_network_makes_no_codes(keys_only, failure):
    code, text, details = failure(trapdoors, keys_only, [picture()])
    assert (code.name, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "MODEL_MISMATCH")
    assert "holds no hash network" in text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": pb.TRAPDOOR_KIND_UNSPECIFIED}, "kind"),
        ({"pictures": []}, "pictures"),
        ({"pictures": [picture()] * 9}, "pictures"),
        ({"pictures": [picture(), b"no picture"]}, "pictures[1]"),
        ({"pictures": [picture(), b""], "kind": CIPHER}, "pictures[1]"),
        ({"pictures": [picture()] * 7, "kind": CIPHER}, "pictures"),  # 7 * 1536 bytes of answer
        ({"key": "one"}, "key"),
    ],
)
def test_trapdoors_that_cannot_be(owner, failure, changes, field):
    fields = {"pictures": [picture()], "kind": CODE, **changes}
    code, _, details = failure(trapdoors, owner, **fields)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details["ErrorInfo"].metadata["field"] == field


def test_a_trapdoor_of_a_key_that_is_not_here(owner, failure):
    code, _, _ = failure(trapdoors, owner, [picture()], CIPHER, "two")
    assert code is grpc.StatusCode.NOT_FOUND


def test_a_network_that_does_not_open_stops_the_start(settings, network, tmp_path):
    stranger = KeyEntry.generate("stranger", CipherParameters())
    sealed = settings["hash_model"].read_bytes()
    path = tmp_path / "hash"
    for data, sentence in (
        (seal_network(network, stranger), stranger.fingerprint.hex()),
        (sealed[:-1], "the sealed data does not open"),
        (b"no checkpoint at all", "no checkpoint"),
    ):
        path.write_bytes(data)
        with pytest.raises(StartupError, match=sentence):
            CipherLensServer(ServerConfig(**{**settings, "hash_model": path}))
    with pytest.raises(StartupError, match="absent: No such file"):
        CipherLensServer(ServerConfig(**{**settings, "hash_model": tmp_path / "absent"}))


def test_a_plain_network_does_too(settings, network, tmp_path):
    path = tmp_path / "hash.safetensors"
    path.write_bytes(network)
    for stub in serving({**settings, "hash_model": path}):
        assert trapdoors(stub, [picture()]).codes.bits == 24


def test_both_packages_know_a_sealed_network_by_the_same_bytes():
    from cipherlens.crypto import sealed_network

    assert checkpoint.SEALED_MAGIC == sealed_network.MAGIC
