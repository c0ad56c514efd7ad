import json
from collections.abc import Callable

import pytest

from benchmarks.methods.figures import Store
from benchmarks.science.demo_seeds import measure
from benchmarks.science.study import Study
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

TINY = TrainConfig(
    network=NetworkConfig(patch_size=16, dim=8, depth=1, heads=1, feature_dim=4),
    split=SplitConfig(validation=0.25, test=0.25),
    epochs=1,
    precision="fp32",
)


def test_means_of_either_network_over_the_seeds(
    store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    study = Study(name="noise", data=make_pictures(128, 192), store=store)
    document = measure(study, TINY, range(2))
    assert len(list(store.networks.glob("*.safetensors"))) == 4
    rounds = document["rounds"]
    for column, name in (("cipher", "on cipher-images"), ("plain", "plain twin")):
        scores = [each[column]["test"]["map"] for each in rounds]
        row = document["results"][name]
        assert row["mAP"] == pytest.approx(sum(scores) / 2, abs=1e-4)
        assert (row["lowest"], row["highest"]) == pytest.approx(
            (min(scores), max(scores)), abs=1e-4
        )
    figures = [json.loads(path.read_text()) for path in store.figures.glob("*.json")]
    profiles = [each["profile"] for each in figures]
    assert profiles.count(None) == 2, "the plain twins"
    fingerprints = {each["key_fingerprint"] for each in profiles if each is not None}
    assert len(fingerprints) == 2, "each seed has a key of its own"
