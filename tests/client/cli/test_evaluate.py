"""`cipherlens evaluate`, in memory and through a server."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.base import CipherProfile
from cipherlens.client import Client
from cipherlens.client.cli import served
from cipherlens.crypto import KeyEntry, Keyring, seal_network
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashNetworkConfig, NetworkConfig
from cipherlens.model.data.data_spec import load_data, parse_data_spec
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork

SPLIT = {"validation": 0.2, "test": 0.5, "seed": 4}


@pytest.fixture
def data(tmp_path: Path, noise) -> Path:
    """Two classes of twenty pictures, some of them portraits."""
    root = tmp_path / "data"
    for label in ("cats", "dogs"):
        (root / label).mkdir(parents=True)
        for number in range(20):
            size = (40, 60) if number % 5 == 0 else (60, 40)
            noise(number + 100 * (label == "cats"), size).save(root / label / f"{number}.png")
    return root


def kept(path: Path, network, profile: CipherProfile | None, data: Path) -> Path:
    """Return the checkpoint of a network that claims to have been trained on the data."""
    config = network.config
    digest = load_data(parse_data_spec(str(data)), config).digest()
    configuration = CheckpointConfiguration(
        architecture="hash" if isinstance(config, HashNetworkConfig) else "e2e",
        network=config,
        profile=profile,
        training={"config": {"split": SPLIT}, "data": {"digest": digest}},
    )
    save(path, network, configuration)
    return path


def end_to_end(positions: str) -> EndToEndNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EndToEndNetwork(
            NetworkConfig(
                patch_size=8,
                dim=16,
                depth=1,
                heads=2,
                feature_dim=8,
                height=32,
                width=48,
                classes=2,
                positions=positions,
            )
        )


@pytest.fixture
def ciphered(tmp_path: Path, data: Path, key: KeyEntry) -> Path:
    """The checkpoint of a network of one collection-scope key."""
    return kept(tmp_path / "e2e.st", end_to_end("learned"), key.profile, data)


@pytest.fixture
def hashing(tmp_path: Path, data: Path) -> Path:
    """The checkpoint of a hash network whose codes depend on the picture."""
    config = HashNetworkConfig(
        backbone="test_resnet", bits=12, threshold=0.45, height=32, width=48, classes=2
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = HashNetwork(config).train()
        for _ in range(20):
            network(torch.rand(8, 3, 32, 48) * 2 - 1)
    return kept(tmp_path / "hash.st", network.eval(), None, data)


def names_at(target: str) -> list[str]:
    with Client(target) as client:
        return [each.name for each in client.list_collections()]


def test_a_hash_network_needs_no_key(run, hashing, data) -> None:
    words = ("evaluate", hashing, "--data", data, "--device", "cpu")
    outcome = run(*words, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["queries"] == 20  # of the test part, over the other twenty
    assert outcome.document["precision_at"].keys() == {"20"}
    assert outcome.document["precision_at"]["20"] == pytest.approx(0.5)
    curve = outcome.document["precision_at_recall"]
    assert len(curve) == 101
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] >= 0.5
    assert re.search(r"mAP +0\.\d{4}\n", run(*words).out)


def test_a_sealed_hash_network_opens_in_memory(run, hashing, data, key, keyring) -> None:
    words = ("--data", data, "--device", "cpu", "--json")
    plain = run("evaluate", hashing, *words).document
    hashing.write_bytes(seal_network(hashing.read_bytes(), key))
    without = run("evaluate", hashing, "--data", data)
    assert without.code == 2
    assert "is sealed: it needs --keyring" in without.err
    assert run("evaluate", hashing, "--keyring", keyring, *words).document == plain


def test_a_plain_network_needs_no_key_and_no_server_takes_it(run, tmp_path, data, target) -> None:
    checkpoint = kept(tmp_path / "plain.st", end_to_end("learned"), None, data)
    words = ("evaluate", checkpoint, "--data", data, "--device", "cpu")
    assert run(*words).code == 0
    outcome = run(*words, "--server", target)
    assert outcome.code == 1
    assert "no network of plain pictures" in outcome.err


def test_a_network_of_encrypted_pictures_needs_one(run, ciphered, data) -> None:
    outcome = run("evaluate", ciphered, "--data", data)
    assert outcome.code == 2
    assert "it needs --keyring" in outcome.err


def agrees(document, in_memory) -> None:
    """Assert that a comparison's two columns and the evaluation in memory give one figure."""
    assert document["agrees"] is True
    assert document["served"]["map"] == pytest.approx(document["memory"]["map"], abs=0.002)
    assert document["memory"]["map"] == pytest.approx(in_memory["map"], abs=0.002)
    assert document["queries"] == in_memory["queries"]


def test_one_key_through_a_server(run, ciphered, data, keyring, target) -> None:
    words = ("evaluate", ciphered, "--data", data, "--keyring", keyring, "--device", "cpu")
    outcome = run(*words, "--server", target, "--json")
    assert outcome.code == 0, outcome.err
    agrees(outcome.document, run(*words, "--json").document)
    assert outcome.document["depth"] == 19
    assert outcome.document["lowest_own_cosine"] > 0.9999
    assert outcome.document["largest_score_difference"] < 1e-3
    assert names_at(target) == []


def test_any_key_through_a_server(run, data, image_key, tmp_path, target) -> None:
    profile = AnyKeyEncryptor(image_key.parameters).profile
    checkpoint = kept(tmp_path / "any.st", end_to_end("none"), profile, data)
    mine = tmp_path / "mine.keys"
    Keyring([image_key]).save(mine, unprotected=True)
    words = ("evaluate", checkpoint, "--data", data, "--keyring", mine, "--device", "cpu")
    outcome = run(*words, "--server", target, "--part", "train")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[0].split() == ["SERVER", "MEMORY"]
    _, served_map, memory_map = next(
        line.split() for line in outcome.out.splitlines() if line.startswith("mAP ")
    )
    assert float(served_map) == pytest.approx(float(memory_map), abs=0.002)
    assert re.search(r"differ by at most .*, .* a cosine of (0\.9999|1\.0)\d+ or more", outcome.out)
    assert names_at(target) == []


def test_codes_through_a_server(run, hashing, data, target, monkeypatch) -> None:
    given: list[str] = []
    index_codes = Client.index_codes

    def spied(client: Client, collection, item_ids, codes):
        given.extend(item_ids)
        return index_codes(client, collection, item_ids, codes)

    monkeypatch.setattr(Client, "index_codes", spied)
    words = ("evaluate", hashing, "--data", data, "--device", "cpu", "--json")
    outcome = run(*words, "--server", target)
    assert outcome.code == 0, outcome.err
    in_memory = run(*words).document
    agrees(outcome.document, in_memory)
    assert outcome.document["served"] == outcome.document["memory"]
    assert outcome.document["memory"]["map"] == pytest.approx(in_memory["map"])
    assert outcome.document["largest_score_difference"] == 0
    assert outcome.document["lowest_own_cosine"] is None
    assert names_at(target) == []
    assert len(set(given)) == 20
    assert all(re.fullmatch("[0-9a-f]{32}", item_id) for item_id in given)


def test_more_items_than_are_ranked_in_full(run, hashing, data, target, monkeypatch) -> None:
    monkeypatch.setattr(served, "FULL_RANKING", 10)
    monkeypatch.setattr(served, "TOP", 5)
    words = ("evaluate", hashing, "--data", data, "--device", "cpu", "--json")
    outcome = run(*words, "--server", target, "--part", "train")
    assert outcome.code == 0, outcome.err
    assert outcome.document["depth"] == 5  # of six hits, one of them the query itself
    assert outcome.document["served"]["map"] is None


def test_an_interrupted_run_leaves_nothing(run, hashing, data, target, monkeypatch) -> None:
    def interrupted(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "search_codes", interrupted)
    outcome = run("evaluate", hashing, "--data", data, "--server", target, "--device", "cpu")
    assert outcome.code == 130
    assert names_at(target) == []


def test_what_does_not_agree_is_a_failure(run, hashing, data, target, monkeypatch) -> None:
    monkeypatch.setattr(
        served,
        "rank_codes",
        lambda queries, codes, k: served.Rankings(
            positions=np.tile(np.arange(k), (len(queries), 1)),
            scores=np.full((len(queries), k), 3),
        ),
    )
    outcome = run("evaluate", hashing, "--data", data, "--server", target, "--device", "cpu")
    assert outcome.code == 1
    assert "SERVER" in outcome.out
    assert "server and memory differ: " in outcome.err
    assert "distances differ by up to" in outcome.err


def test_an_answer_that_is_cut_short(run, hashing, data, target, monkeypatch) -> None:
    search_codes = Client.search_codes
    monkeypatch.setattr(
        Client,
        "search_codes",
        lambda client, name, codes, k, options: search_codes(client, name, codes, k - 1),
    )
    outcome = run("evaluate", hashing, "--data", data, "--server", target, "--device", "cpu")
    assert outcome.code == 1
    assert "did not answer with 20 items" in outcome.err
    assert names_at(target) == []


@pytest.fixture
def process(tmp_path: Path) -> Iterator[str]:
    """The address of a cloud server in a process of its own."""
    command = [sys.executable, "-m", "cipherlens.client.cli", "serve", "--device", "cpu"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "served")],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[3]
        server.send_signal(signal.SIGTERM)


@pytest.mark.slow
def test_both_pipelines_through_a_real_process(
    run, ciphered, hashing, data, keyring, process: str
) -> None:
    for words in (("evaluate", ciphered, "--keyring", keyring), ("evaluate", hashing)):
        shared = (*words, "--data", data, "--device", "cpu", "--json")
        outcome = run(*shared, "--server", process)
        assert outcome.code == 0, outcome.err
        agrees(outcome.document, run(*shared).document)
    assert names_at(process) == []


def test_part_all_judges_pictures_that_no_training_has_seen(
    run, ciphered, keyring, noise, tmp_path
) -> None:
    """By one collection-scope key every draw is the same."""
    others = tmp_path / "others"
    for label in ("a", "b"):
        (others / label).mkdir(parents=True)
        for number in range(4):
            noise(1000 + number + 10 * (label == "a")).save(others / label / f"{number}.png")
    words = ("evaluate", ciphered, "--data", others, "--keyring", keyring, "--device", "cpu")
    assert "not the data of the training" in run(*words).err
    outcome = run(*words, "--part", "all", "--draws", 2, "--json")
    assert outcome.code == 0, outcome.err
    document = outcome.document
    assert (document["queries"], document["draws"]) == (8, 2)
    assert document["map_lowest"] == document["map"] == document["map_highest"]
    assert document["identical_first"] == 1
    assert len(document["baseline_map"]) == 3
    assert "a picture finds itself first" in run(*words, "--part", "all").out


def test_part_all_of_a_hash_network(run, hashing, data) -> None:
    words = ("evaluate", hashing, "--data", data, "--device", "cpu", "--json")
    assert run(*words, "--part", "all").document["queries"] == 40
