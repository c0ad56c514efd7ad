import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.harness.places import CONFIGS
from benchmarks.methods.figures import Store
from benchmarks.methods.method import judged
from benchmarks.science.fashion_mnist_hour import (
    ASKED,
    BITS,
    Plan,
    code_networks,
    measure,
    vector_networks,
)
from benchmarks.science.judged_again import DrawnNetwork, JudgedAgain
from cipherlens.model.config import (
    HashNetworkConfig,
    HashTrainConfig,
    NetworkConfig,
    SplitConfig,
    TrainConfig,
)
from tests.benchmarks.conftest import MakePictures

SPLIT = SplitConfig(validation=0.25, test=0.25)


@pytest.fixture
def plan(store: Store, make_pictures: MakePictures) -> Plan:
    vectors = TrainConfig(
        network=NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4, embedding="residual"),
        split=SPLIT,
        epochs=1,
        ema=0.9,
        precision="fp32",
    )
    codes = HashTrainConfig(
        network=HashNetworkConfig(backbone="test_resnet", height=32, width=32),
        split=SPLIT,
        epochs=1,
        precision="fp32",
    )
    pictures = make_pictures(32, 32, 96)
    return Plan(
        vectors=vector_networks(vectors),
        codes=code_networks(codes, (6,)),
        pictures=pictures,
        large_pictures=pictures,
        store=store,
    )


def test_every_network_has_its_row(plan: Plan) -> None:
    document = json.loads(json.dumps(measure(plan)))
    rows = document["results"]
    assert list(rows) == [*plan.vectors, *plan.codes]
    for name, row in rows.items():
        assert row["mAP"] == pytest.approx(document["trainings"][name]["test"]["map"], abs=1e-4)
        assert row["asked"] == ASKED.get(name, "")
    drawn = [name for name, row in rows.items() if row.get("4 draws")]
    assert drawn == ["any key, M=1/4", "any key, M=3/4", "any key, M=1"]
    unseen = document["judged again"]["hash, 6 bits"]["test"]
    assert unseen["queries"] == 24
    assert rows["hash, 6 bits"]["unseen"] == pytest.approx(unseen["map"], abs=1e-4)
    assert document["trainings"]["hash, 6 bits"]["test"]["queries"] == 24


def test_the_settings_are_those_of_the_table() -> None:
    vectors = vector_networks(TrainConfig.from_toml(CONFIGS / "fashion-mnist-hour.toml"))
    codes = code_networks(HashTrainConfig.from_toml(CONFIGS / "fashion-mnist-hour-hash.toml"), BITS)
    assert set(ASKED) == {*vectors, *codes} - {"plain, no positions"}
    kinds = {name: each.config.network for name, each in vectors.items()}
    for name, network in kinds.items():
        free = name.startswith("any key") or name == "plain, no positions"
        assert network.positions == ("none" if free else "learned")
    assert {name.split(",")[0]: each.embedding for name, each in kinds.items()} == {
        "any key": "ordered",
        "one key": "learned",
        "plain": "residual",
    }
    whole = vectors["any key, M=1"].encryptor
    assert whole.profile.to_dict()["substituted_blocks"] == 16


def test_draws_are_averaged(plan: Plan) -> None:
    network = plan.vectors["any key, M=1/4"]
    fitted = JudgedAgain(network=network, store=plan.store, draws=3).fit(plan.pictures, None)
    assert isinstance(fitted, DrawnNetwork)
    pixels = np.stack(plan.pictures.images[:5])
    encrypted = fitted.encrypt(pixels, np.random.default_rng(0))
    assert encrypted.shape == (5, 3, 32, 32, 3)
    assert not (encrypted[:, 0] == encrypted[:, 1]).all()
    vectors = fitted.encode(encrypted)
    one = JudgedAgain(network=network, store=plan.store).fit(plan.pictures, None)
    mean = sum(one.encode(encrypted[:, each]) for each in range(3))
    np.testing.assert_allclose(
        vectors, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5
    )


def test_codes_are_judged_among_unseen_pictures_alone(plan: Plan) -> None:
    (network,) = plan.codes.values()
    again = JudgedAgain(network=network, store=plan.store)
    fitted = again.fit(plan.large_pictures, None)
    assert (network.against_rest, again.against_rest) == (True, False)
    unseen = judged(fitted, again, plan.large_pictures)
    custom = judged(fitted, network, plan.large_pictures)
    assert (unseen.queries, custom.queries) == (24, 24)
    assert unseen.chance != custom.chance  # 23 pictures are searched, not 72
    assert replace(again, draws=2).name.endswith("-2-draws")
