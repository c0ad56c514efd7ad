"""A table of backbones on cipher-images, as E2E's Table IV: each at the best of some rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean
from typing import Any

from benchmarks.methods.cases import CASES, Case, with_patches
from benchmarks.methods.figures import Figures, outcome, test_map, validation_map
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from benchmarks.science.panels import precision_recall, share_panel
from benchmarks.science.study import Study
from cipherlens.model.config import TrainConfig

RATES = (3e-4, 1e-3, 3e-3)
RATE_CASE = CASES[1]
"""Where the learning rates are chosen, with the first seed: P=8, M=1/2."""

PAPER = {
    "ViT": (0.5211, 0.5109, 0.4929, 0.4813, 0.4721, 0.4319),
    "ResNet50": (0.2197, 0.1738, 0.1395, 0.3192, 0.2627, 0.2232),
}
"""Table IV, mAP at alpha = m = 0.5, in the order of the cases."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is trained: every backbone at every case with every seed, at the best of the rates."""

    study: Study
    configs: Mapping[str, TrainConfig]
    rates: Sequence[float] = RATES
    rate_case: Case = RATE_CASE
    cases: Sequence[Case] = CASES
    seeds: Sequence[int] = range(3)


def measure(plan: Plan) -> dict[str, Any]:
    """Return the document of a plan; what was trained before is not trained again."""
    rates = _rates(plan)
    chosen = {name: max(found, key=lambda rate: found[rate]) for name, found in rates.items()}
    # Seed by seed, so that whole tables of fewer seeds stand first.
    cells = {
        (name, case, seed): network(plan, name, case, seed, chosen[name])
        for seed, case, name in product(plan.seeds, plan.cases, plan.configs)
    }
    figures = plan.study.figures(cells)
    return {
        "unit": "mAP, each test picture ranking the others; minutes of training, of one core",
        **plan.study.facts(),
        "seed": ", ".join(map(str, plan.seeds)),
        "epochs": {name: each.epochs for name, each in plan.configs.items()},
        "learning_rates": chosen,
        "results": {str(case): _row(plan, figures, case) for case in plan.cases},
        "plots": {
            "backbones": _plot(plan, figures),
            "backbones-recall": _curves(plan, figures),
        },
        "paper": {
            str(case): {name: row[CASES.index(case)] for name, row in PAPER.items()}
            for case in plan.cases
            if case in CASES
        },
        "tables": {
            f"mAP on the validation part by learning rate, {plan.rate_case}": {
                name: {f"{rate:g}": round(found, 4) for rate, found in each.items()}
                for name, each in rates.items()
            }
        },
        "trainings": {
            f"{name}, {case}, seed {seed}": outcome(each)
            for (name, case, seed), each in figures.items()
        },
    }


def _rates(plan: Plan) -> dict[str, dict[float, float]]:
    """Return each backbone's validation mAP by learning rate; the test part has no say."""
    figures = plan.study.figures(
        {
            (name, rate): network(plan, name, plan.rate_case, plan.seeds[0], rate)
            for name, rate in product(plan.configs, plan.rates)
        }
    )
    return {
        name: {rate: validation_map(figures[name, rate]) for rate in plan.rates}
        for name in plan.configs
    }


def network(plan: Plan, name: str, case: Case, seed: int, rate: float) -> TrainedNetwork:
    """Return the network of a cell of Table IV."""
    config = with_patches(plan.configs[name], case.block_size)
    seeded = replace(config, learning_rate=rate, seed=seed, split=replace(config.split, seed=seed))
    parameters = case.parameters(plan.study.data.height, plan.study.data.width)
    size = f"p{case.block_size}-m{parameters.substituted_blocks}"
    return key_bound(f"backbones-{name.lower()}-{size}-{rate:g}-seed-{seed}", seeded, parameters)


def _row(
    plan: Plan, figures: Mapping[tuple[str, Case, int], Figures], case: Case
) -> dict[str, float]:
    """Return each backbone's mean over the seeds, its spread and its minutes."""
    row = {}
    for name in plan.configs:
        rounds = [figures[name, case, seed] for seed in plan.seeds]
        scores = [test_map(each) for each in rounds]
        row[name] = round(mean(scores), 4)
        row[f"{name}, lowest"] = round(min(scores), 4)
        row[f"{name}, highest"] = round(max(scores), 4)
        row[f"{name}, CPU minutes"] = round(mean(each["cpu_minutes"] for each in rounds), 1)
    return row


def _plot(plan: Plan, figures: Mapping[tuple[str, Case, int], Figures]) -> dict[str, Any]:
    """Return the means over the seeds, with their spread, beside the paper's table."""
    ours = {
        name: {
            case: [test_map(figures[name, case, seed]) for seed in plan.seeds]
            for case in plan.cases
        }
        for name in plan.configs
    }
    paper = {
        name: {case: [score] for case, score in zip(CASES, row, strict=True)}
        for name, row in PAPER.items()
    }
    return {
        "title": "ViT and ResNet50 on cipher-images",
        "panels": [
            share_panel(f"ours, {plan.study.name}", ours),
            share_panel("E2E Table IV, Corel10K", paper),
        ],
    }


def _curves(plan: Plan, figures: Mapping[tuple[str, Case, int], Figures]) -> dict[str, Any]:
    """Return precision over recall, a panel for each block size."""
    panels: dict[str, dict[str, list[Figures]]] = {}
    for case, name in product(plan.cases, plan.configs):
        lines = panels.setdefault(f"P={case.block_size}", {})
        lines[f"{name}, M={case.share}"] = [figures[name, case, seed] for seed in plan.seeds]
    return precision_recall(f"Precision and recall, {plan.study.name}", panels)
