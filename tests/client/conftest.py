"""A key, pictures, a real server in this process, and one that answers as it is told."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client
from cipherlens.crypto import CipherParameters, KeyEntry, Scope
from cipherlens.v1 import retrieval_service_pb2_grpc as services

PARAMETERS = CipherParameters(
    height=32, width=48, block_size=8, substituted_blocks=6, scope=Scope.COLLECTION
)


@pytest.fixture(scope="session")
def key() -> KeyEntry:
    """A collection-scope key for pictures of 32x48."""
    return KeyEntry.generate("small", PARAMETERS)


@pytest.fixture(scope="session")
def image_key() -> KeyEntry:
    """An image-scope key for pictures of 32x48."""
    parameters = CipherParameters(
        height=32, width=48, block_size=8, substituted_blocks=6, scope=Scope.IMAGE
    )
    return KeyEntry.generate("fresh", parameters)


def noise(seed: int, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Return a picture of random pixels; size is (width, height)."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(name="noise")
def noise_fixture() -> Callable[..., Image.Image]:
    """The function that makes pictures of random pixels."""
    return noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with five sound pictures, two of them in folders of their own."""
    root = tmp_path / "pictures"
    for number, name in enumerate(["a.png", "b.png", "c.jpg", "deep/d.png", "deep/er/e.webp"]):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(number).save(path)
    return root


@pytest.fixture(scope="session")
def checkpoint(key: KeyEntry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network for the pictures of `key`."""
    import torch

    from cipherlens.model.checkpoint import CheckpointConfiguration, save
    from cipherlens.model.config import NetworkConfig
    from cipherlens.model.networks.end_to_end import EndToEndNetwork

    network = NetworkConfig(
        patch_size=8, dim=32, depth=1, heads=2, feature_dim=16, height=32, width=48, classes=3
    )
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = EndToEndNetwork(network)
    save(path, made, CheckpointConfiguration(network=network, profile=key.profile))
    return path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real cloud server in this process."""
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import ServerConfig

    config = ServerConfig(
        data_dir=tmp_path_factory.mktemp("data"), listen="127.0.0.1:0", device="cpu"
    )
    server = CipherLensServer(config)
    yield f"127.0.0.1:{server.start()}"
    server.stop(1)


@pytest.fixture
def with_tls(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server with TLS, and its authority's certificate."""
    from cipherlens.client.cli.dev_certificates import Authority
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import ServerConfig, TlsListener

    authority = Authority(1)
    pair = authority.server(["localhost"])
    for name, data in (("ca.pem", authority.certificate), ("s.pem", pair.certificate)):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "s.key").write_bytes(pair.key)
    tls = TlsListener(listen="127.0.0.1:0", certificate=tmp_path / "s.pem", key=tmp_path / "s.key")
    config = ServerConfig(data_dir=tmp_path / "data", listen=f"unix:{tmp_path}/s", tls=tls)
    server = CipherLensServer(config)
    server.start()
    yield f"localhost:{server.tls_port}", tmp_path / "ca.pem"
    server.stop(0)


@pytest.fixture
def client(target: str, key: KeyEntry) -> Iterator[Client]:
    """A client of the real server, with the key."""
    with Client(target, key=key) as made:
        yield made


@pytest.fixture
def photos(client: Client, checkpoint: Path, request: pytest.FixtureRequest) -> str:
    """The name of a fresh cipher collection with a model."""
    name = f"photos-{abs(hash(request.node.nodeid))}"
    client.create_cipher_collection(name)
    client.push_model(checkpoint, collection=name)
    return name


class ScriptedServer:
    """Answers each method with what was put in its queue: a message, or an error to raise."""

    def __init__(self) -> None:
        """Begin with empty queues."""
        self.answers: dict[str, deque[Any]] = {}
        self.handlers: dict[str, Callable[[Any, grpc.ServicerContext], Any]] = {}
        self.requests: list[tuple[str, Any]] = []
        self.target = ""

    def will(self, method: str, *answers: Any) -> None:
        """Queue answers: messages, or functions that take the context and abort."""
        self.answers.setdefault(method, deque()).extend(answers)

    def will_take(self, method: str, handler: Callable[[Any, grpc.ServicerContext], Any]) -> None:
        """Let a function handle a method, which is given the requests themselves."""
        self.handlers[method] = handler

    def calls(self, method: str) -> list[Any]:
        """Return the requests that a method got."""
        return [request for name, request in self.requests if name == method]

    def __getattr__(self, method: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        """Return the handler of a method."""

        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            if method in self.handlers:
                return self.handlers[method](request, context)
            self.requests.append((method, request))
            answer = self.answers[method].popleft()
            return answer(context) if callable(answer) else answer

        return handle


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server that answers as a test tells it."""
    script = ScriptedServer()
    server = grpc.server(
        ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", 64 * 2**20)]
    )
    services.add_RetrievalServiceServicer_to_server(script, server)
    script.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield script
    server.stop(0).wait()


@pytest.fixture(scope="session")
def hash_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hash network of 24 bits for pictures of 32x48, whose bits depend on the picture."""
    import torch

    from cipherlens.model.checkpoint import CheckpointConfiguration, save
    from cipherlens.model.config import HashNetworkConfig
    from cipherlens.model.networks.hash_network import HashNetwork

    network = HashNetworkConfig(backbone="test_resnet", bits=24, height=32, width=48, classes=3)
    path = tmp_path_factory.mktemp("hash") / "hash.safetensors"
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        made = HashNetwork(network).train()
        for _ in range(20):  # gives the norm its statistics
            made(torch.rand(8, 3, 32, 48) * 2 - 1)
    configuration = CheckpointConfiguration(architecture="hash", network=network, profile=None)
    save(path, made.eval(), configuration)
    return path
