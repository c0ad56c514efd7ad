"""The hash pipeline by its commands: against a real server, and between real processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cipherlens.client import Client, EncryptionClient
from cipherlens.crypto import KeyEntry, Keyring, is_keyed_id, is_sealed_network, open_network

# Runs the command line's own entry point, and tells at the end what the process has loaded.
SERVE = """
import sys
from cipherlens.client.cli import main
code = main(["serve", "--listen", "127.0.0.1:0", "--device", "cpu", *sys.argv[1:]])
print("cipherlens.crypto" in sys.modules, "torch" in sys.modules)
sys.exit(code)
"""

CONFIG = """
[hash]
backbone = "test_resnet"
bits = 24
height = 32
width = 32
[training]
epochs = 1
batch_size = 4
precision = "fp32"
"""


@pytest.fixture
def sealed(run, keyring: Path, hash_checkpoint: Path, tmp_path: Path) -> Path:
    out = tmp_path / "hash.sealed"
    made = run("model", "seal", hash_checkpoint, "--keyring", keyring, "--out", out)
    assert made.code == 0, made.err
    return out


def test_sealing(
    run, keyring: Path, key: KeyEntry, hash_checkpoint: Path, sealed: Path, tmp_path: Path
) -> None:
    assert open_network(sealed.read_bytes(), key) == hash_checkpoint.read_bytes()
    words = ("--keyring", keyring, "--out", tmp_path / "again")
    document = run("model", "seal", hash_checkpoint, *words, "--json").document
    assert (document["bits"], document["key_fingerprint"]) == (24, key.fingerprint.hex())
    twice = run("model", "seal", sealed, *words)
    assert (twice.code, "is sealed already" in twice.err) == (2, True)


def test_a_network_of_cipher_images_is_pushed_and_not_sealed(
    run, keyring: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = run("model", "seal", checkpoint, "--keyring", keyring, "--out", out)
    assert outcome.code == 2
    assert "is no hash network" in outcome.err
    assert "model push" in outcome.err
    assert not out.exists()


def test_no_server_is_given_a_hash_network(run, to, hash_checkpoint: Path, sealed: Path) -> None:
    plain = run("model", "push", hash_checkpoint, *to)
    assert (plain.code, "which no server is given" in plain.err) == (2, True)
    assert "sealed hash network" in run("model", "push", sealed, *to).err


def test_a_server_refuses_a_sealed_network_by_itself(client: Client, sealed: Path) -> None:
    from cipherlens.client import InvalidArgument

    with pytest.raises(InvalidArgument, match="this is a sealed hash network"):
        client.push_model(sealed)


def test_from_collection_to_gallery(
    run, to, keyring: Path, sealed: Path, hash_checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    mine = ("--keyring", keyring, "--device", "cpu")
    words = ("--kind", "code", "--model", sealed, "--keyring", keyring)
    made = run("collection", "create", "album", *words, *to, "--json")
    assert (made.code, made.document["bits"]) == (0, 24)
    assert len(made.document["active_generation"]["model_digest"]) == 64
    first = run("index", "album", folder, *mine, "--model", sealed, *to)
    assert first.out == "5 pictures found: 5 indexed, 0 unchanged, 0 skipped\n"
    # Sealed or plain, it is the same network.
    again = run("index", "album", folder, *mine, "--model", hash_checkpoint, *to)
    assert again.out == "5 pictures found: 0 indexed, 5 unchanged, 0 skipped\n"

    page = tmp_path / "hits.html"
    query = folder / "deep/d.png"
    words = ("search", "album", query, "-k", 3, *mine, "--model", sealed, *to)
    found = run(*words, "--html", page, "--json")
    assert found.code == 0, found.err
    hits = found.document["hits"]
    assert (hits[0]["name"], hits[0]["distance"]) == ("deep/d.png", 0)
    assert page.read_text().count("data:image/jpeg") == 1 + 3
    assert "0 bits" in run(*words).out.splitlines()[1]
    out = tmp_path / "fetched"
    run("item", "fetch", "album", "deep/d.png", "--keyring", keyring, *to, "--out", out)
    assert (out / "deep/d.png").read_bytes() == query.read_bytes()


def test_networks_and_collections_that_do_not_go_together(
    run, to, keyring: Path, sealed: Path, checkpoint: Path, folder: Path, image_key, tmp_path
) -> None:
    run("collection", "create", "short", "--kind", "code", "--bits", 12, *to)
    run("collection", "create", "ciphers", "--kind", "cipher", "--keyring", keyring, *to)
    run("collection", "create", "longer", "--kind", "code", "--bits", 24, *to)
    others = tmp_path / "others.keys"
    Keyring([image_key]).save(others, unprotected=True)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(sealed.read_bytes()[:-1])
    for collection, keys, extra, code, sentence in (
        ("short", keyring, (), 2, "give --model FILE"),
        ("short", keyring, ("--model", sealed), 2, "of 12 bits, the hash network makes 24"),
        ("ciphers", keyring, ("--model", sealed), 2, "holds items of kind cipher"),
        ("longer", keyring, ("--model", checkpoint), 1, "this is no hash network"),
        ("longer", keyring, ("--model", damaged), 1, f"{damaged}: the sealed data does not open"),
        ("longer", others, ("--model", sealed), 3, f"{sealed} is sealed: the keyring does not"),
        ("longer", keyring, ("--model", tmp_path / "absent"), 1, "No such file"),
    ):
        for words in (("index", collection, folder), ("search", collection, folder / "a.png")):
            outcome = run(*words, "--keyring", keys, *extra, "--device", "cpu", *to)
            assert (outcome.code, sentence in outcome.err) == (code, True), outcome.err
    listed = run("collection", "list", *to, "--json").document["collections"]
    assert {each["item_count"] for each in listed if each["name"] in {"short", "longer"}} == {0}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "--kind code needs --bits or --model"),
        (("--bits", 24, "--model"), "leave --bits out"),
    ],
)
def test_options_of_a_code_collection(
    run, to, words, sentence: str, sealed: Path, keyring: Path
) -> None:
    files = {"--model": sealed, "--keyring": keyring}
    path = [files[words[-1]]] if words and words[-1] in files else []
    outcome = run("collection", "create", "x", "--kind", "code", *words, *path, *to)
    assert (outcome.code, sentence in outcome.err) == (2, True)


def test_a_cloud_server_refuses_a_hash_network(run, sealed: Path, tmp_path: Path) -> None:
    outcome = run("serve", "--data-dir", tmp_path / "d", "--hash-model", sealed)
    assert outcome.code == 2
    assert "the cloud never holds a hash network" in outcome.err


@contextmanager
def serving(*words: object) -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server process, and after its end what it printed last."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline().split()
        assert len(line) > 3, server.communicate(timeout=60)[1]
        printed: list[str] = []
        yield line[3], printed
        server.send_signal(signal.SIGTERM)
        out, logged = server.communicate(timeout=60)
        assert server.returncode == 0, logged
        printed += out.splitlines()


@pytest.mark.slow
def test_from_keys_to_hits_between_processes(run, folder: Path, noise, tmp_path: Path) -> None:
    keys, plain, sealed = tmp_path / "keys", tmp_path / "hash.safetensors", tmp_path / "hash.sealed"
    (tmp_path / "passphrase").write_text("secret\n")
    mine = ("--keyring", keys, "--passphrase-file", tmp_path / "passphrase")
    config = tmp_path / "hash.toml"
    config.write_text(CONFIG)
    for label in ("cats", "dogs"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            noise(number + 50 * (label == "cats")).save(tmp_path / f"data/{label}/{number}.png")

    words = ("train", config, "--data", tmp_path / "data", "--out", plain, "--device", "cpu")
    assert run("keys", "new", keys, "--passphrase-file", tmp_path / "passphrase").code == 0
    assert run(*words).code == 0
    assert run("model", "seal", plain, *mine, "--out", sealed).code == 0
    assert is_sealed_network(sealed.read_bytes())
    plain.unlink()  # from here on the network exists sealed only

    owner_words = ("--role", "owner", *mine, "--hash-model", sealed)
    with (
        serving("--data-dir", tmp_path / "cloud", "--role", "cloud") as (cloud, cloud_printed),
        serving("--data-dir", tmp_path / "owner", *owner_words) as (owner, owner_printed),
    ):
        to = ("--server", cloud)
        assert run("collection", "create", "c", "--kind", "code", "--bits", 24, *to).code == 0
        with_model = (*mine, "--model", sealed, "--device", "cpu", *to)
        indexed = run("index", "c", folder, *with_model, "--json")
        assert indexed.document["indexed"] == 5, indexed.err
        page = tmp_path / "hits.html"
        found = run("search", "c", folder / "b.png", *with_model, "--html", page, "--json")
        assert found.document["hits"][0]["distance"] == 0
        assert page.read_text().count("data:image/jpeg") == 1 + 5

        # The Trapdoor way: a user without the network asks the owner, and opens nothing himself.
        with EncryptionClient(owner) as service, Client(cloud) as user:
            trapdoors = service.trapdoor_codes([folder / "b.png"])
            (hits,) = user.search_codes("c", trapdoors, k=5, with_items=True)
            best = [hit for hit in hits if hit.distance == 0]
            assert all(is_keyed_id(hit.item_id) for hit in hits)  # names are not for this user
            items = [hit.item for hit in best if hit.item is not None]
            originals = {each.data for each in service.decrypt(items)}
            assert (folder / "b.png").read_bytes() in originals
    assert cloud_printed[-1] == "False False"
    assert owner_printed[-1] == "True True"
    assert not any(path.suffix == ".safetensors" for path in tmp_path.rglob("*"))


def test_a_masked_collection_is_indexed_searched_and_verified_by_its_key(
    run, to, keyring: Path, sealed: Path, folder: Path, client: Client, tmp_path: Path
) -> None:
    words = ("--kind", "code", "--bits", 24, "--keyring", keyring)
    made = run("collection", "create", "masked", *words, *to, "--json").document
    assert made["mask_id"].endswith(made["uuid"])
    assert "mask-1-" in run("collection", "show", "masked", *to).out
    mine = ("--keyring", keyring, "--model", sealed, *to)
    assert run("index", "masked", folder, *mine).code == 0
    found = run("search", "masked", folder / "a.png", *mine, "--verify", "--json")
    assert found.code == 0
    assert (found.document["hits"][0]["name"], found.document["hits"][0]["distance"]) == (
        "a.png",
        0,
    )
    fetched = run("item", "fetch", "masked", "a.png", "--keyring", keyring, "--out", tmp_path, *to)
    assert fetched.code == 0
    assert run("index", "masked", folder, *mine, "--json").document["unchanged"] == 5
    bare = run("collection", "create", "bare", *words, "--no-mask", *to, "--json").document
    assert bare["mask_id"] == ""


def test_a_masked_collection_is_searched_by_trapdoors_of_the_owners_service(
    run, keyring: Path, key: KeyEntry, sealed: Path, folder: Path, tmp_path: Path
) -> None:
    from cipherlens.client import SearchOptions
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import Role, ServerConfig

    server = CipherLensServer(
        ServerConfig(
            data_dir=tmp_path / "data",
            role=Role.ALL,
            listen="127.0.0.1:0",
            device="cpu",
            keyring=keyring,
            hash_model=sealed,
        )
    )
    target = f"127.0.0.1:{server.start()}"
    try:
        words = ("--kind", "code", "--bits", 24, "--keyring", keyring, "--server", target)
        assert run("collection", "create", "masked", *words).code == 0
        mine = ("--keyring", keyring, "--model", sealed, "--server", target)
        assert run("index", "masked", folder, *mine).code == 0
        with Client(target) as user, EncryptionClient(target) as owner:
            where = user.get_collection("masked")
            trapdoors = owner.trapdoor_codes([folder / "a.png"], where=where)
            options = SearchOptions(mask_id=where.mask_id)
            (hits,) = user.search_codes(where, trapdoors, 1, options=options)
        assert hits.distances == (0,)
    finally:
        server.stop(1)


def test_a_rotated_collection_is_indexed_searched_and_verified_on(
    run, to, keyring: Path, sealed: Path, folder: Path
) -> None:
    words = ("--kind", "code", "--model", sealed, "--keyring", keyring)
    assert run("collection", "create", "turned", *words, *to).code == 0
    mine = ("--keyring", keyring, "--model", sealed, *to)
    assert run("index", "turned", folder, *mine).code == 0
    assert run("keys", "new", keyring, "--name", "next").code == 0
    turned = run("keys", "rotate", "turned", "--keyring", keyring, "--to", "next", *to, "--json")
    assert (turned.code, turned.document["copied"], turned.document["absent"]) == (0, 5, [])
    assert run("index", "turned", folder, *mine, "--json").document["unchanged"] == 5
    found = run("search", "turned", folder / "a.png", *mine, "--verify", "--json")
    assert found.code == 0
    assert found.document["hits"][0]["name"] == "a.png"
