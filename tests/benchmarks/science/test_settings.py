import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from benchmarks.methods.cases import CASES, Case
from benchmarks.methods.figures import Store
from benchmarks.science import settings
from benchmarks.science.settings import PAPER, SETTINGS, chosen_setting, measure
from benchmarks.science.study import Study
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

TINY = TrainConfig(
    network=NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4),
    split=SplitConfig(validation=0.25, test=0.25),
    epochs=1,
    learning_rate=1e-2,
    precision="fp32",
)
CASE = Case(block_size=8, share=Fraction(1, 2))


def test_the_papers_six_cases() -> None:
    parameters = {str(case): case.parameters(128, 192) for case in CASES}
    assert {name: each.substituted_blocks for name, each in parameters.items()} == {
        "P=8, M=1/4": 96,
        "P=8, M=1/2": 192,
        "P=8, M=3/4": 288,
        "P=16, M=1/4": 24,
        "P=16, M=1/2": 48,
        "P=16, M=3/4": 72,
    }


def test_the_papers_best_of_four_are_its_table_2() -> None:
    best = [max(PAPER[case]) for case in CASES]
    assert best == [0.5373, 0.5109, 0.4929, 0.5089, 0.4818, 0.4342]


def test_the_first_best_setting_is_chosen() -> None:
    assert chosen_setting({(1, 0.3): 0.2, (1, 0.5): 0.4, (0.5, 0.3): 0.4}) == (1, 0.5)


def test_every_cell_is_trained_and_kept(
    store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    study = Study(name="noise", data=make_pictures(16, 24), store=store)
    document = json.loads(json.dumps(measure(study, TINY, (CASE,))))
    row = document["results"]["P=8, M=1/2"]
    assert list(row) == ["alpha=1, m=0.3", "alpha=1, m=0.5", "alpha=0.5, m=0.3", "alpha=0.5, m=0.5"]
    # Each setting's, the plain twin's, and the weights that a training starts from.
    assert len(list(store.networks.glob("*.safetensors"))) == len(SETTINGS) + 2
    ours, paper = document["plots"]["settings"]["panels"]
    (share,), (score,) = ours["lines"]["P=8"]
    assert (share, score) == (0.5, pytest.approx(sum(row.values()) / 4, abs=2e-4))
    assert ours["spread"]["P=8"] == [[min(row.values())], [max(row.values())]]
    assert paper["lines"]["P=16"][1][0] == pytest.approx(
        (0.5089 + 0.4927 + 0.4932 + 0.4813) / 4, abs=1e-4
    )
    assert paper["spread"]["P=16"][1] == [0.5089, 0.4818, 0.4342]
    (curves,) = document["plots"]["settings-recall"]["panels"]
    assert list(curves["lines"]) == ["plain pictures", "M=1/2, four settings"]
    assert document["paper"]["P=8, M=1/2"]["alpha=0.5, m=0.5"] == 0.5109
    _the_choice_is_of_validation(document)
    assert measure(study, TINY, (CASE,))["trainings"] == document["trainings"], "trained again"


def _the_choice_is_of_validation(document: dict) -> None:
    validation, chosen, beside = document["tables"].values()
    scores = validation["P=8, M=1/2"]
    row = chosen["P=8, M=1/2"]
    assert scores[row["chosen"]] == max(scores.values()) == row["validation"]
    assert row["test"] == document["results"]["P=8, M=1/2"][row["chosen"]]
    assert row["paper: best of four on test"] == 0.5109
    assert chosen["Wang [14], quoted"] == {"paper: best of four on test": 0.0511}
    cipher, plain = beside["P=8, M=1/2"]["cipher"], beside["P=8, M=1/2"]["plain"]
    assert beside["P=8, M=1/2"]["of plain"] == pytest.approx(cipher / plain, abs=2e-3)
    assert 0 < beside["P=8, M=1/2"]["random weights"] <= 1


def test_cells_differ_in_alpha_margin_and_cipher_only(
    make_pictures: Callable[..., PreparedImages],
) -> None:
    training = settings.network(make_pictures(16, 24), TINY, CASE, (0.5, 0.3))
    assert replace(training.config, alpha=TINY.alpha, margin=TINY.margin) == TINY
    assert (training.config.alpha, training.config.margin) == (0.5, 0.3)
    assert training.profile is not None
    assert (training.profile.block_size, training.profile.substituted_blocks) == (8, 3)


def test_the_settings_file_is_the_papers_but_for_what_its_header_says() -> None:
    config = TrainConfig.from_toml(settings.CONFIG)
    assert (config.batch_classes, config.batch_images) == (10, 5)
    assert config.split.validation > 0
