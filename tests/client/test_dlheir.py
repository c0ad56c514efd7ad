"""The six functions of the DLHEIR paper, each one call, between its three parties."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client, EncryptionClient, FailedPrecondition, make_codes
from cipherlens.crypto import (
    CipherParameters,
    KeyEntry,
    Keyring,
    OpenError,
    WrongKey,
    read_network,
    seal_network,
)
from cipherlens.model.hash_encoder import HashEncoder

COLOURS = ((1, 0.1, 0.1), (0.1, 1, 0.1), (0.1, 0.1, 1), (1, 1, 0.1), (0.2, 0.2, 0.2))


@pytest.fixture
def files(noise, tmp_path: Path) -> list[Path]:
    """Five pictures of different colours, which the network tells apart."""
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        tint = COLOURS[number]
        Image.fromarray((np.asarray(noise(number)) * tint).astype(np.uint8)).save(path)
    return paths


def test_keygen_encimg_hashgen_trapgen_search_dec(
    target: str, hash_checkpoint: Path, files: list[Path], tmp_path: Path
) -> None:
    ids = [path.name for path in files]
    sealed = tmp_path / "hash.sealed"

    key = KeyEntry.generate("owner", CipherParameters())  # KeyGen
    with Client(target, key=key) as owner:
        encoder = HashEncoder(hash_checkpoint)
        owner.create_code_collection("dlheir", encoder.bits)
        codes = make_codes(files, encoder)  # HashGen
        owner.index_codes("dlheir", ids, codes, originals=files)  # EncImg
        sealed.write_bytes(seal_network(hash_checkpoint.read_bytes(), key))

    with Client(target, key=key) as user:  # whom the owner has given the key
        encoder = HashEncoder(read_network(sealed.read_bytes(), Keyring([key])))
        trapdoors = make_codes([files[3]], encoder)  # TrapGen
        (hits,) = user.search_codes("dlheir", trapdoors, k=5, with_items=True)  # Search
        assert (hits[0].item_id, hits[0].distance) == (ids[3], 0)
        assert list(hits.distances) == sorted(hits.distances)
        for hit in hits:
            assert hit.item is not None
            original = user.open_original(hit.item)  # Dec
            assert original.data == files[ids.index(hit.item_id)].read_bytes()

    with Client(target, key=KeyEntry.generate("x", CipherParameters())) as stranger:
        with pytest.raises(WrongKey, match="the masks of key 'x' are"):
            stranger.search_codes("dlheir", trapdoors, k=1)
        (fetched,) = stranger.fetch("dlheir", [ids[3]])
        assert fetched.item is not None
        with pytest.raises(OpenError):
            stranger.open_original(fetched.item)


def test_the_owners_service_makes_trapdoors_for_who_holds_no_network(
    key: KeyEntry, hash_checkpoint: Path, files: list[Path], tmp_path: Path
) -> None:
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import Role, ServerConfig

    Keyring([key]).save(tmp_path / "keys", unprotected=True)
    config = ServerConfig(
        data_dir=tmp_path / "data",
        role=Role.ALL,
        listen="127.0.0.1:0",
        device="cpu",
        keyring=tmp_path / "keys",
        hash_model=hash_checkpoint,
    )
    server = CipherLensServer(config)
    address = f"127.0.0.1:{server.start()}"
    with EncryptionClient(address) as service, Client(address, key=key) as client:
        client.create_code_collection("codes", 24)
        queries = files * 4  # more than one message takes
        trapdoors = service.trapdoor_codes(queries)
        assert len(np.unique(trapdoors, axis=0)) == 5
        assert np.array_equal(trapdoors, np.tile(trapdoors[:5], (4, 1)))
        ids = [path.name for path in files]
        client.index_codes("codes", ids, trapdoors[:5], originals=files)
        for number, hits in enumerate(client.search_codes("codes", trapdoors, k=1)):
            assert hits.item_ids == (ids[number % 5],)
        (fetched,) = client.fetch("codes", [ids[0]])
        assert fetched.item is not None
        assert service.decrypt([fetched.item])[0].data == files[0].read_bytes()
        assert len(service.trapdoors(queries)) == 20
        with pytest.raises(ValueError, match="pictures must not be empty"):
            service.trapdoor_codes([])
    server.stop(1)


def test_a_service_without_a_network_says_so(key: KeyEntry, folder: Path, tmp_path: Path) -> None:
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import Role, ServerConfig

    Keyring([key]).save(tmp_path / "keys", unprotected=True)
    config = ServerConfig(
        data_dir=tmp_path, role=Role.OWNER, listen="127.0.0.1:0", keyring=tmp_path / "keys"
    )
    server = CipherLensServer(config)
    with (
        EncryptionClient(f"127.0.0.1:{server.start()}") as service,
        pytest.raises(FailedPrecondition, match="holds no hash network"),
    ):
        service.trapdoor_codes([folder / "a.png"])
    server.stop(1)
