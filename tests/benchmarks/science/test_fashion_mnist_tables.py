import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.harness.places import CONFIGS
from benchmarks.methods.figures import Store
from benchmarks.science.backbone_table import Plan
from benchmarks.science.fashion_mnist_tables import BACKBONES, CASES, measure
from benchmarks.science.study import Study
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from tests.benchmarks.conftest import MakePictures


def config(network: NetworkConfig) -> TrainConfig:
    split = SplitConfig(validation=0.25, test=0.25)
    return TrainConfig(network=network, split=split, epochs=1, precision="fp32")


@pytest.fixture
def plan(store: Store, make_pictures: MakePictures) -> Plan:
    return Plan(
        study=Study(name="noise", data=make_pictures(32, 32), store=store),
        configs={
            "ViT": config(NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4)),
            "ResNet": config(NetworkConfig(backbone="test_resnet", feature_dim=4)),
        },
        rates=(1e-3,),
        rate_case=CASES[3],
        cases=CASES[3:4],
        seeds=range(2),
    )


def test_rows_are_over_the_seeds(plan: Plan) -> None:
    document = json.loads(json.dumps(measure(plan)))
    row = document["results"]["P=8, M=1/4"]
    for setting in ("alpha=1, m=0.3", "alpha=0.5, m=0.5"):
        assert row[f"{setting}, lowest"] <= row[setting] <= row[f"{setting}, highest"]
    tables = document["tables"]
    second = tables["Setting chosen on validation, judged on test (Table II)"]["P=8, M=1/4"]
    assert second["chosen"].count("alpha") == 2
    twins = tables["Plain twins, with positions and without"]
    assert list(twins) == ["P=8, learned", "P=8, none"]
    fourth = tables["ViT and ResNet of as many parameters (Table IV)"]["P=8, M=1/4"]
    assert fourth["ViT"] != fourth["ResNet"]
    # Two seeds of three settings, as the fourth is that of a backbone, two twins and two backbones.
    kept = [each.stem for each in plan.study.store.figures.glob("*.json")]
    assert len(kept) == 2 * (3 + 2 + 2)
    means = [value for name, value in row.items() if "est" not in name]
    assert np.isfinite(means).all()


def test_the_backbones_are_of_a_size() -> None:
    sizes = []
    for file in BACKBONES.values():
        network = TrainConfig.from_toml(CONFIGS / file).network
        built = EndToEndNetwork(replace(network, height=32, width=32, classes=10))
        sizes.append(sum(each.numel() for each in built.parameters()))
    assert max(sizes) < 1.05 * min(sizes)


def test_all_but_the_backbone_is_equal() -> None:
    vit, resnet = (TrainConfig.from_toml(CONFIGS / file) for file in BACKBONES.values())
    assert replace(vit, network=resnet.network) == resnet
