"""Checkpoints of networks that a stranger made: nothing is built that the file does not hold."""

import json
import struct

import torch
from google.rpc import code_pb2

from cipherlens.model.checkpoint import (
    Checkpoint,
    CheckpointConfiguration,
    load_hash_network,
    read_configuration,
    save,
)
from cipherlens.model.config import HashNetworkConfig, NetworkConfig
from cipherlens.model.errors import CheckpointError
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.server.embedding.loading import tried_embedder
from cipherlens.server.transport.status import status_of
from tests.fuzz.doors.keys import PARAMETERS
from tests.fuzz.mutation import mutated_bytes, mutated_json
from tests.fuzz.target import Target

_LENGTH = struct.Struct("<Q")


def tiny_checkpoint(folder):
    """Write the smallest network of any key, and return the file's bytes."""
    network = NetworkConfig(
        patch_size=8, dim=8, depth=1, heads=2, mlp_ratio=1.0, feature_dim=4, height=16, width=32,
        classes=2, positions="none",
    )  # fmt: skip
    configuration = CheckpointConfiguration(
        network=network, profile=PARAMETERS.profile(b""), training={"class_names": ["a", "ü"]}
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save(folder / "tiny", EndToEndNetwork(network), configuration)
    return (folder / "tiny").read_bytes()


def checkpoint(folder):
    """The bytes of a checkpoint: a CheckpointError, or a network that runs as the server needs."""
    path = folder / "checkpoint"
    hash_config = HashNetworkConfig(backbone="test_resnet", bits=12, height=32, width=32, classes=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save(
            path,
            HashNetwork(hash_config),
            CheckpointConfiguration(architecture="hash", network=hash_config, profile=None),
        )
    seeds = [tiny_checkpoint(folder), path.read_bytes()]

    def attempt(data):
        path.write_bytes(data)
        found = _or_refused(lambda: Checkpoint.read(data).configuration)
        assert _or_refused(lambda: read_configuration(path)) == found
        networks = [
            _or_refused(lambda: tried_embedder(path, "cpu")),
            _or_refused(lambda: load_hash_network(path)),
        ]
        assert found is not None or networks == [None, None]
        return any(networks)

    return Target(
        name="checkpoint",
        seeds=seeds,
        attempt=attempt,
        mutate=mutated_checkpoint,
        most_bytes=2**20,
    )


def _or_refused(make):
    """Return what is made, None where a CheckpointError says why not; callers can be told it."""
    try:
        return make()
    except CheckpointError as error:
        assert status_of(error).code == code_pb2.INVALID_ARGUMENT
        return None


def mutated_checkpoint(data, rng):
    """Return a checkpoint with another header, configuration in it, or bytes."""
    draw = rng.random()
    try:
        (length,) = _LENGTH.unpack_from(data)
        header = json.loads(data[8 : 8 + length])
        if draw < 0.6:
            document = mutated_json(json.loads(header["__metadata__"]["cipherlens"]), rng)
            header["__metadata__"]["cipherlens"] = json.dumps(document)
        elif draw < 0.9:
            header = mutated_json(header, rng)
    except (ValueError, LookupError, TypeError, RecursionError, struct.error):
        return mutated_bytes(data, rng)
    if draw >= 0.9:
        return mutated_bytes(data, rng)
    text = json.dumps(header).encode()
    return _LENGTH.pack(len(text)) + text + data[8 + length :]
