import json
from collections.abc import Callable
from fractions import Fraction

import pytest

from benchmarks.methods.cases import Case
from benchmarks.methods.figures import Store
from benchmarks.science import backbones
from benchmarks.science.backbone_table import PAPER, Plan, measure
from benchmarks.science.backbones import BACKBONES, CONFIGS
from benchmarks.science.study import Study
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

CASE = Case(block_size=8, share=Fraction(1, 4))


def config(network: NetworkConfig) -> TrainConfig:
    return TrainConfig(
        network=network,
        split=SplitConfig(validation=0.25, test=0.25),
        epochs=1,
        precision="fp32",
    )


@pytest.fixture
def plan(store: Store, make_pictures: Callable[..., PreparedImages]) -> Plan:
    return Plan(
        study=Study(name="noise", data=make_pictures(32, 48), store=store),
        configs={
            "ViT": config(NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4)),
            "ResNet50": config(NetworkConfig(backbone="test_resnet", feature_dim=4)),
        },
        rates=(1e-3, 1e-2),
        rate_case=CASE,
        cases=(CASE,),
        seeds=range(2),
    )


def test_mean_and_spread_over_the_seeds(store: Store, plan: Plan) -> None:
    document = json.loads(json.dumps(measure(plan)))
    row = document["results"]["P=8, M=1/4"]
    for name in ("ViT", "ResNet50"):
        scores = [
            document["trainings"][f"{name}, P=8, M=1/4, seed {seed}"]["test"]["map"]
            for seed in (0, 1)
        ]
        assert row[name] == pytest.approx(sum(scores) / 2, abs=1e-4)
        assert row[f"{name}, lowest"] == pytest.approx(min(scores), abs=1e-4)
        assert row[f"{name}, highest"] == pytest.approx(max(scores), abs=1e-4)
    ours, paper = document["plots"]["backbones"]["panels"]
    assert ours["lines"]["ViT P=8"] == [[0.25], [row["ViT"]]]
    assert ours["spread"]["ViT P=8"] == [[row["ViT, lowest"]], [row["ViT, highest"]]]
    (curves,) = document["plots"]["backbones-recall"]["panels"]
    assert list(curves["spread"]) == ["ViT, M=1/4", "ResNet50, M=1/4"]
    assert paper["lines"]["ResNet50 P=16"] == [[0.25, 0.5, 0.75], [0.3192, 0.2627, 0.2232]]
    assert document["paper"]["P=8, M=1/4"] == {"ViT": 0.5211, "ResNet50": 0.2197}
    # Two rates each with the first seed, one of which is the table's; then the second seed.
    assert len(list(store.networks.glob("*.safetensors"))) == 6


def test_the_rate_is_that_of_the_best_validation(store: Store, plan: Plan) -> None:
    document = measure(plan)
    (rates,) = document["tables"].values()
    for name, rate in document["learning_rates"].items():
        assert rates[name][f"{rate:g}"] == max(rates[name].values())
    used = {
        figures["config"]["network"]["backbone"]: figures["config"]["learning_rate"]
        for figures in (json.loads(path.read_text()) for path in store.figures.glob("*.json"))
        if figures["config"]["seed"] == 1
    }
    assert used == {
        "vit": document["learning_rates"]["ViT"],
        "test_resnet": document["learning_rates"]["ResNet50"],
    }


def test_only_the_backbone_and_the_number_of_epochs_differ() -> None:
    vit, resnet = (TrainConfig.from_toml(CONFIGS / file) for file in BACKBONES.values())
    ours, theirs = vit.to_dict(), resnet.to_dict()
    assert (ours.pop("network")["backbone"], theirs.pop("network")["backbone"]) == (
        "vit",
        "resnet50",
    )
    for name in ("epochs", "warmup_epochs"):
        assert ours.pop(name) > theirs.pop(name)
    for rated in (ours, theirs):
        del rated["learning_rate"]  # the benchmark sets it
    assert ours == theirs
    assert (vit.alpha, vit.margin) == (0.5, 0.5)


def test_table_4_in_the_order_of_the_cases() -> None:
    assert all(len(row) == len(backbones.CASES) for row in PAPER.values())
    assert PAPER["ViT"][3] == 0.4813
    assert PAPER["ResNet50"][5] == 0.2232
