"""mAP on cipher-images over alpha, the margin m, P and M: E2E's Table III, and II from it.

Every cell is a training. For Table II the setting of alpha and m is chosen on the validation part.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.cases import CASES, HEIGHT, WIDTH, Case, key_bound, panel, with_patches
from benchmarks.outcome import Figures, outcome, test_map, validation_map
from benchmarks.pictures import described, pictures
from benchmarks.training import Training, all_figures
from benchmarks.untrained import untrained_map
from cipherlens.crypto import CipherParameters
from cipherlens.model.config import SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

Setting: TypeAlias = tuple[float, float]
"""(alpha, m)."""

CONFIG = Path(__file__).parent / "configs" / "openclipart-e2e.toml"
QUICK_EPOCHS = 25
SETTINGS = tuple(product((1.0, 0.5), (0.3, 0.5)))
"""In the order of the paper's Table III."""

TWINS = (0.5, 0.5)
"""The setting at which a network of plain pictures stands beside those of cipher-images."""

PAPER = dict(
    zip(
        CASES,
        (
            (0.4910, 0.5373, 0.5075, 0.5211),
            (0.4898, 0.5031, 0.4994, 0.5109),
            (0.4839, 0.4897, 0.4768, 0.4929),
            (0.5089, 0.4927, 0.4932, 0.4813),
            (0.4681, 0.4756, 0.4818, 0.4721),
            (0.4060, 0.4342, 0.4232, 0.4319),
        ),
        strict=True,
    )
)

QUOTED = {
    "Zhang [7]": 0.1478,
    "Li [8]": 0.1493,
    "Liang [9]": 0.1008,
    "Xia (AC) [10]": 0.1298,
    "Xia (BOEW) [13]": 0.1269,
    "Xu [11]": 0.4252,
    "Wang [14]": 0.0511,
    "Xia (LBP) [15]": 0.0928,
}
"""Other schemes on Corel10K, as the paper's Table II gives them."""

PAPERS_CHOICE = "paper: best of four on test"

NOTES = """\
The paper's figures are of Corel10K: 100 classes of 100 photographs of 128x192, ViT-Base, 60 epochs
on 7,000 pictures. Ours are of other pictures at half the height and width, so that a block holds
four times as much of a picture, a network over a hundred times smaller and minutes of training from
random weights: levels do not compare, only how they change over P, M, alpha and m. The settings
with the paper's numbers are in `configs/corel10k-e2e-*.toml`; they have never been run.

The paper's Table II takes, for each P and M, the best of the four settings on the test part. Ours
takes the one that is best on the validation part and shows its mAP on the test part; every network
was judged there once, and no choice looked at it. The other schemes of Table II are quoted from the
paper and were not run. With one seed, differences between settings of a hundredth are noise.

The triplets are batch-all. With batch-hard ones these networks stop at a triplet loss of about the
margin, with all features alike, and m changes nothing; on the validation part at P=8, M=1/4 they
reached .181 and batch-all .229 in as many epochs at the same rate. Such trainings of few epochs are
not at their end: three times as many reached .261 there.

"Random weights" is a network that has learned nothing: blocks that are not substituted keep their
colours, and those alone find a good deal.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is trained, and on what."""

    config: TrainConfig
    cases: tuple[Case, ...]
    data: PreparedImages
    name: str


def run(profile: str) -> dict[str, Any]:
    """Return Table III of our networks, and what is chosen from it."""
    return measure(plan(profile))


def plan(profile: str) -> Plan:
    """Return all cells on OpenClipart for "full", a third of them on the demo's pictures else."""
    config = TrainConfig.from_toml(CONFIG)
    data = pictures(profile, CipherParameters(height=HEIGHT, width=WIDTH, substituted_blocks=0))
    if profile == "full":
        return Plan(config=config, cases=CASES, data=data, name="OpenClipart")
    quick = replace(config, epochs=QUICK_EPOCHS, split=SplitConfig(validation=0.15, test=0.3))
    return Plan(config=quick, cases=(CASES[3], CASES[5]), data=data, name="demo/samples")


def measure(plan: Plan) -> dict[str, Any]:
    """Return the document of a plan; what was trained before is not trained again."""
    cells = {
        (case, setting): _training(plan, case, setting)
        for case, setting in product(plan.cases, SETTINGS)
    }
    twins = {
        size: _plain(plan, size) for size in dict.fromkeys(each.block_size for each in plan.cases)
    }
    figures, plain = all_figures(cells, plan.data), all_figures(twins, plan.data)
    return {
        "unit": "mAP, each test picture ranking the others",
        "data": f"{plan.name}: {len(plan.data)} pictures in {len(plan.data.class_names)} classes",
        "pictures": described(plan.name, plan.data),
        "seed": plan.config.seed,
        "epochs": plan.config.epochs,
        "cpu_minutes": round(
            sum(each["cpu_minutes"] for each in [*figures.values(), *plain.values()]), 1
        ),
        "results": _table(figures, plan.cases, test_map),
        "paper": {
            str(case): dict(zip(map(setting_name, SETTINGS), PAPER[case], strict=True))
            for case in plan.cases
            if case in PAPER
        },
        "tables": _further_tables(plan, figures, plain),
        "plots": {"settings": _plot(plan, figures)},
        "trainings": {
            f"{case}, {setting_name(setting)}": outcome(each)
            for (case, setting), each in figures.items()
        },
        "plain": {f"P={size}": outcome(each) for size, each in plain.items()},
    }


def _further_tables(
    plan: Plan, figures: Mapping[tuple[Case, Setting], Figures], plain: Mapping[int, Figures]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what the choice was made from, what it leads to, and the plain twins."""
    quoted = {f"{name}, quoted": {PAPERS_CHOICE: value} for name, value in QUOTED.items()}
    return {
        "mAP on the validation part": _table(figures, plan.cases, validation_map),
        "Setting chosen on validation, judged on test (Table II)": {
            **{str(case): _chosen(figures, case) for case in plan.cases},
            **quoted,
        },
        "Beside a network of plain pictures and one with random weights, alpha=0.5, m=0.5": {
            str(case): _beside(
                test_map(figures[case, TWINS]),
                test_map(plain[case.block_size]),
                untrained_map(_training(plan, case, TWINS), plan.data),
            )
            for case in plan.cases
        },
    }


def _training(plan: Plan, case: Case, setting: Setting) -> Training:
    alpha, margin = setting
    config = replace(with_patches(plan.config, case.block_size), alpha=alpha, margin=margin)
    parameters = case.parameters(plan.data.height, plan.data.width)
    name = f"settings-p{case.block_size}-m{parameters.substituted_blocks}-{alpha:g}-{margin:g}"
    return key_bound(name, config, parameters)


def _plain(plan: Plan, block_size: int) -> Training:
    alpha, margin = TWINS
    config = replace(with_patches(plan.config, block_size), alpha=alpha, margin=margin)
    return Training(name=f"settings-p{block_size}-plain", config=config)


def _table(
    figures: Mapping[tuple[Case, Setting], Figures],
    cases: Sequence[Case],
    score: Callable[[Figures], float],
) -> dict[str, dict[str, float]]:
    """Return a row for each case with a column for each setting."""
    return {
        str(case): {
            setting_name(setting): round(score(figures[case, setting]), 4) for setting in SETTINGS
        }
        for case in cases
    }


def chosen_setting(scores: Mapping[Setting, float]) -> Setting:
    """Return the setting with the best score on validation, the first of equals."""
    return max(scores, key=lambda setting: scores[setting])


def setting_name(setting: Setting) -> str:
    """Return how the tables call a setting."""
    alpha, margin = setting
    return f"alpha={alpha:g}, m={margin:g}"


def _chosen(figures: Mapping[tuple[Case, Setting], Figures], case: Case) -> dict[str, Any]:
    """Return a case's row of Table II."""
    setting = chosen_setting({each: validation_map(figures[case, each]) for each in SETTINGS})
    best = figures[case, setting]
    row = {
        "chosen": setting_name(setting),
        "validation": round(validation_map(best), 4),
        "test": round(test_map(best), 4),
        "random order": round(best["test"]["chance"], 4),
    }
    return {**row, PAPERS_CHOICE: max(PAPER[case])} if case in PAPER else row


def _beside(cipher: float, plain: float, untrained: float) -> dict[str, float]:
    return {
        "cipher": round(cipher, 4),
        "plain": round(plain, 4),
        "of plain": round(cipher / plain, 3),
        "random weights": round(untrained, 4),
    }


def _plot(plan: Plan, figures: Mapping[tuple[Case, Setting], Figures]) -> dict[str, Any]:
    """Return the mAP of every setting beside the paper's."""
    ours = {
        setting_name(setting): {case: test_map(figures[case, setting]) for case in plan.cases}
        for setting in SETTINGS
    }
    paper = {
        setting_name(setting): {case: row[number] for case, row in PAPER.items()}
        for number, setting in enumerate(SETTINGS)
    }
    return {
        "title": "mAP on cipher-images",
        "panels": [panel(f"ours, {plan.name}", ours), panel("E2E Table III, Corel10K", paper)],
    }
