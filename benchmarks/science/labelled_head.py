"""What labels add to a network of any key: the head of the shipped one learns 25 classes.

OpenClipart's test part, other drawings of the classes that labels were for, under keys that no
training has seen; each drawing queries the others. Beside it stands the shipped network, which has
seen no label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from benchmarks.harness.places import ROOT
from benchmarks.harness.progress import say
from benchmarks.methods.figures import Figures, test_map, validation_map
from benchmarks.methods.keys import MeasuredKeyEncryptor
from benchmarks.methods.method import judged
from benchmarks.methods.trained_network import FittedNetwork, TrainedNetwork
from benchmarks.science.study import Study, study_of
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import BlockTrainConfig, SplitConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor

PLACE = 4.8

SETTINGS = ROOT / "demo" / "labels.toml"
SHIPPED = ROOT / "demo" / "model.safetensors"
SHARES = {"1/4": 24, "3/4": 72, "all": 96}
MADE_FOR = "1/4"
SEEDS = 3
ASKED = 0.38

NOTES = """\
`demo/labels.toml`: stages of ImageNet look at each block and stay as they are, the head learns from
what they see of six copies of each of 1,227 drawings, of which a tenth chooses the epoch. A seed
decides validation part, copies, weights and batches; keys are other ones for each seed. The shipped
network was made for M = 1/4, the others are made for the share that they are judged at. Its teacher
has .242 on the plain pictures, also without labels. CPU minutes are those of the head, without the
first look at the pictures.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The networks, by the share of substituted blocks and the seed, and the pictures."""

    study: Study
    networks: Mapping[tuple[str, int], TrainedNetwork]


def run(profile: str) -> dict[str, Any]:
    """Return the mAP at each share; "quick" has one share and seed, and learns less."""
    return measure(plan(profile))


def plan(profile: str) -> Plan:
    """Return what a profile trains."""
    config = BlockTrainConfig.from_toml(SETTINGS)
    study = study_of(profile, _parameters(0))
    if profile == "quick":
        config = replace(config, epochs=20, copies=1, split=SplitConfig(validation=0.1, test=0.3))
        return Plan(study=study, networks={(MADE_FOR, 0): network(config, MADE_FOR, 0)})
    drawn = {(MADE_FOR, seed) for seed in range(SEEDS)} | {(share, 0) for share in SHARES}
    networks = {each: network(config, *each) for each in sorted(drawn)}
    return Plan(study=study, networks=networks)


def network(config: BlockTrainConfig, share: str, seed: int) -> TrainedNetwork:
    """Return the network of a share of substituted blocks and a seed."""
    parameters = _parameters(SHARES[share])
    encryptor = AnyKeyEncryptor(parameters)
    return TrainedNetwork(
        name=f"labelled-head-m{SHARES[share]}-{seed}",
        config=replace(config, seed=seed, split=replace(config.split, seed=seed)),
        encryptor=encryptor,
        judge=MeasuredKeyEncryptor(parameters, [*b"unseen by any training", seed]),
        profile=encryptor.profile,
    )


def measure(plan: Plan) -> dict[str, Any]:
    """Return the document of a plan; what was trained before is not trained again."""
    found = plan.study.figures(plan.networks)
    shipped = {each: _shipped(plan, each) for each in plan.networks}
    shares = list(dict.fromkeys(share for share, _ in plan.networks))
    return {
        "unit": "mAP",
        **plan.study.facts(),
        "seed": ", ".join(f"{seed} at M = {share}" for share, seed in plan.networks),
        "results": {
            f"M = {share}": _row(
                [each for (of, _), each in found.items() if of == share],
                [each for (of, _), each in shipped.items() if of == share],
            )
            for share in shares
        },
        "ratios": {
            "mAP on drawings of classes with labels, M = 1/4": {
                "reached": round(_mean(found, MADE_FOR), 3),
                "asked": ASKED,
            }
        },
        "rounds": [
            {"share": share, "seed": seed, "labels": each, "no labels": shipped[share, seed]}
            for (share, seed), each in found.items()
        ],
    }


def _parameters(blocks: int) -> CipherParameters:
    return CipherParameters(block_size=16, substituted_blocks=blocks, scope=Scope.IMAGE)


def _shipped(plan: Plan, drawn: tuple[str, int]) -> float:
    """Return the mAP of the shipped network on what a trained one is judged on."""
    method = plan.networks[drawn]
    say(f"the shipped network at M = {drawn[0]}, seed {drawn[1]}")
    fitted = FittedNetwork(SHIPPED, method.judge or method.encryptor)
    return judged(fitted, method, plan.study.data).mean_average_precision


def _mean(found: Mapping[tuple[str, int], Figures], share: str) -> float:
    return mean(test_map(each) for (of, _), each in found.items() if of == share)


def _row(rounds: Sequence[Figures], shipped: Sequence[float]) -> dict[str, Any]:
    scores = [test_map(each) for each in rounds]
    return {
        "mAP": round(mean(scores), 4),
        "lowest": round(min(scores), 4),
        "highest": round(max(scores), 4),
        "no labels": round(mean(shipped), 4),
        "chance": round(mean(each["test"]["chance"] for each in rounds), 4),
        "P@20": round(mean(each["test"]["precision_at"]["20"] for each in rounds), 4),
        "validation": round(mean(map(validation_map, rounds)), 4),
        "CPU minutes": round(mean(each["cpu_minutes"] for each in rounds), 1),
        "seeds": len(rounds),
    }
