"""E2E's Tables II to IV on Fashion-MNIST, at blocks of 4x4 and 8x8, over three seeds.

Here 10,000 test pictures leave little to chance, and networks learn: differences between settings
of alpha and m, and between backbones, can be told from those between seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from statistics import mean
from typing import Any, TypeAlias

import torch

from benchmarks.harness.pictures import fashion_mnist
from benchmarks.harness.places import CONFIGS
from benchmarks.methods.cases import Case, with_patches
from benchmarks.methods.figures import STORE, Figures, test_map, validation_map
from benchmarks.methods.loss_settings import (
    SETTINGS,
    Setting,
    chosen_setting,
    network,
    setting_name,
)
from benchmarks.methods.trained_network import TrainedNetwork
from benchmarks.science import backbone_table
from benchmarks.science.backbone_table import Plan
from benchmarks.science.study import Study, fewer
from cipherlens.model.config import TrainConfig

PLACE = 9.6

SIZE = 32
CASES = tuple(
    Case(block_size=size, share=Fraction(quarters, 4)) for size in (4, 8) for quarters in (1, 2, 3)
)
BACKBONES = {"ViT": "fashion-mnist-vit.toml", "ResNet": "fashion-mnist-resnet.toml"}
RATES = (3e-4, 1e-3, 3e-3)
TWINS = ("learned", "none")
"""Positions of the plain twins."""

Cell: TypeAlias = tuple[Case, Setting, int]
"""A case, a setting and a seed."""

LEARNED_EVERY = 5
"""Of so many training pictures one is learned from; all test pictures are asked for."""

ON_A_GPU = 8
"""Networks that learn at once on a GPU, which one of them does not fill."""

NOTES = """\
One key for all pictures, which are scaled to 32x32: 64 blocks at P=4, 16 at P=8. Networks learn
from every fifth of the 60,000 training pictures, and each of the 10,000 test pictures queries the
others. The ViT has the paper's linear embedding. Both backbones have about as many parameters (0.37
and 0.39 million), the same pictures, batches, changes, loss and epochs, and each the learning rate
of three that is best on the validation part. Table III is of the ViT, at its best rate. Each seed
has its own weights, batches, key and validation part, not its own test part. A row's "lowest" and
"highest" are over the seeds. Levels are those of small networks after few epochs:
[fashion-mnist-hour](#fashion-mnist-hour) has what more of both bring.

The ResNet is ahead in all six cases, in five of them by more than the seeds differ, where the paper
has its ViT ahead of ResNet50; alpha and m change less than a seed does. Both rates are the highest
of those tried.
"""


def run(profile: str) -> dict[str, Any]:
    """Return the tables; "quick" has one case and seed, an epoch and few pictures."""
    return measure(plan(profile))


def plan(profile: str) -> Plan:
    """Return what a profile trains."""
    configs = {name: TrainConfig.from_toml(CONFIGS / file) for name, file in BACKBONES.items()}
    data = fashion_mnist(SIZE, every=LEARNED_EVERY)
    store = replace(STORE, at_once=ON_A_GPU) if torch.cuda.is_available() else STORE
    if profile == "full":
        study = Study(name="Fashion-MNIST", data=data, store=store)
        return Plan(study=study, configs=configs, rates=RATES, rate_case=CASES[4], cases=CASES)
    few = fewer(data)
    return Plan(
        study=Study(name="Fashion-MNIST, few", data=few, store=store),
        configs={name: replace(each, epochs=1, warmup_epochs=0) for name, each in configs.items()},
        rates=RATES[1:2],
        rate_case=CASES[3],
        cases=CASES[3:4],
        seeds=range(1),
    )


def measure(plan: Plan) -> dict[str, Any]:
    """Return the document of a plan; what was trained before is not trained again."""
    fourth = backbone_table.measure(plan)
    config = replace(plan.configs["ViT"], learning_rate=fourth["learning_rates"]["ViT"])
    cells = {
        (case, setting, seed): _cell(plan, config, case, setting, seed)
        for seed, case, setting in product(plan.seeds, plan.cases, SETTINGS)
    }
    twins = {
        (kind, size, seed): _plain(_seeded(config, seed), kind, size)
        for seed, size, kind in product(
            plan.seeds, dict.fromkeys(case.block_size for case in plan.cases), TWINS
        )
    }
    figures, plain = plan.study.figures(cells), plan.study.figures(twins)
    return {
        "unit": fourth["unit"],
        **plan.study.facts(),
        "seed": fourth["seed"],
        "learning_rates": fourth["learning_rates"],
        "results": {str(case): _third(figures, plan, case) for case in plan.cases},
        "tables": {
            "Setting chosen on validation, judged on test (Table II)": {
                str(case): _second(figures, plan, case) for case in plan.cases
            },
            "Plain twins, with positions and without": {
                f"P={size}, {kind}": _spread([plain[kind, size, seed] for seed in plan.seeds])
                for kind, size, seed in twins
                if seed == plan.seeds[0]
            },
            "ViT and ResNet of as many parameters (Table IV)": fourth["results"],
            **fourth["tables"],
        },
        "paper": fourth["paper"],
    }


def _cell(
    plan: Plan, config: TrainConfig, case: Case, setting: Setting, seed: int
) -> TrainedNetwork:
    """Return the network of a cell of Table III, that of Table IV where it is the same."""
    if setting == (config.alpha, config.margin):
        return backbone_table.network(plan, "ViT", case, seed, config.learning_rate)
    return network(plan.study.data, _seeded(config, seed), case, setting)


def _seeded(config: TrainConfig, seed: int) -> TrainConfig:
    return replace(config, seed=seed, split=replace(config.split, seed=seed))


def _plain(config: TrainConfig, positions: str, block_size: int) -> TrainedNetwork:
    """Return the network of plain pictures, which knows where blocks stand or does not."""
    patched = with_patches(config, block_size)
    network = replace(patched.network, positions=positions)
    name = f"tables-plain-p{block_size}-{positions}"
    return TrainedNetwork(name=name, config=replace(patched, network=network))


def _third(figures: Mapping[Cell, Figures], plan: Plan, case: Case) -> dict[str, float]:
    """Return a case's row of Table III: mean, lowest and highest over the seeds."""
    row: dict[str, float] = {}
    for setting in SETTINGS:
        found = _spread([figures[case, setting, seed] for seed in plan.seeds])
        row |= {_column(setting_name(setting), name): value for name, value in found.items()}
    return row


def _column(setting: str, name: str) -> str:
    return setting if name == "mean" else f"{setting}, {name}"


def _second(figures: Mapping[Cell, Figures], plan: Plan, case: Case) -> dict[str, Any]:
    """Return a case's row of Table II: each seed has the setting that is best in validation."""
    chosen = {
        seed: chosen_setting({each: validation_map(figures[case, each, seed]) for each in SETTINGS})
        for seed in plan.seeds
    }
    best = [figures[case, setting, seed] for seed, setting in chosen.items()]
    return {"chosen": "; ".join(map(setting_name, chosen.values())), **_spread(best)}


def _spread(rounds: Sequence[Figures]) -> dict[str, float]:
    scores = [test_map(each) for each in rounds]
    return {
        "mean": round(mean(scores), 4),
        "lowest": round(min(scores), 4),
        "highest": round(max(scores), 4),
    }
