"""What an hour of a core teaches on Fashion-MNIST: plain, one key, any key, hash codes.

Each of the 10,000 test images queries the others. The keys of image scope that judge a network
play no part in its training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch

from benchmarks.harness.pictures import fashion_mnist
from benchmarks.harness.places import CONFIGS
from benchmarks.methods.cases import Case
from benchmarks.methods.figures import (
    STORE,
    Figures,
    Store,
    all_figures,
    seeds,
    test_map,
    validation_map,
)
from benchmarks.methods.keys import MeasuredKeyEncryptor
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from benchmarks.science.judged_again import JudgedAgain
from benchmarks.science.study import fewer
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import HashTrainConfig, TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import PreparedImages

PLACE = 9.5

SIZE = 32
HASH_SIZE = 48
BITS = (12, 24, 48)
ONE_KEY = (Fraction(1, 4), Fraction(3, 4))
ANY_KEY = (*ONE_KEY, Fraction(1))
DRAWS = 4

LONGER = ", longer"
"""Ends the rows of networks for the ten minutes of a GPU."""

ON_A_GPU = 8
"""Networks that learn at once on a GPU, which one of them does not fill."""

ASKED = {
    "plain": 0.905,
    "one key, M=1/4": 0.895,
    "one key, M=3/4": 0.880,
    "any key, M=1/4": 0.885,
    "any key, M=3/4": 0.870,
    "any key, M=1": 0.870,
    "hash, 12 bits": 0.920,
    "hash, 24 bits": 0.932,
    "hash, 48 bits": 0.935,
}
"""Those of hash codes are of codes searched among the 60,000 others, as is the custom."""

NOTES = """\
All networks of a kind have the same settings, `configs/fashion-mnist-hour*.toml`. For one key the
embedding learns what each value stands for, as all pictures have the same tables; for any key it
sees how bright values are by those beside them, which no table hides, and knows no positions.
"Plain, no positions" is the plain twin of the networks of any key. After 20,000 pictures with all
blocks substituted, the order brought .605 to .665 on the validation part (`results/trials` has the
trials, one seed each).

Hash codes are searched among the 60,000 other pictures, of which the network has seen 57,000, as is
the custom and as QSMIH does; "unseen" is among the test pictures alone. "4 draws" is the mean
vector of four encryptions of every picture, which its owner makes.

Rows with "longer" have `configs/fashion-mnist-hour-longer.toml`: wider networks, larger batches and
46 epochs, for the ten minutes of a GPU. Stochastic depth brought them nothing on the validation
part (`results/trials`).

On a machine with a GPU the same command trains several networks at once, with the same settings,
those with "longer" too; FASHION_MNIST names the folder of the data's files where the package is not
installed. Let CUDA's multi-process service run: without it they wait for each other.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The networks by their rows, those of vectors and those of codes, and the pictures of each."""

    vectors: Mapping[str, TrainedNetwork]
    codes: Mapping[str, TrainedNetwork]
    pictures: PreparedImages
    large_pictures: PreparedImages
    store: Store = STORE


def run(profile: str) -> dict[str, Any]:
    """Return the mAP of each network; "quick" trains for an epoch, on few pictures."""
    return measure(plan(profile))


def plan(profile: str) -> Plan:
    """Return what a profile trains. On a GPU several learn at once: none of them fills it."""
    vectors = TrainConfig.from_toml(CONFIGS / "fashion-mnist-hour.toml")
    codes = HashTrainConfig.from_toml(CONFIGS / "fashion-mnist-hour-hash.toml")
    pictures, large = fashion_mnist(SIZE), fashion_mnist(HASH_SIZE)
    if profile == "quick":
        vectors = replace(vectors, epochs=1, warmup_epochs=0)
        codes = replace(codes, epochs=1, warmup_epochs=0)
        pictures, large = fewer(pictures), fewer(large)
    on_a_gpu = torch.cuda.is_available()
    longer = {} if profile == "quick" else _longer_networks(pictures, every=on_a_gpu)
    return Plan(
        vectors={**vector_networks(vectors), **longer},
        codes=code_networks(codes, BITS),
        pictures=pictures,
        large_pictures=large,
        store=replace(STORE, at_once=ON_A_GPU) if on_a_gpu else STORE,
    )


def vector_networks(config: TrainConfig) -> dict[str, TrainedNetwork]:
    """Return the networks that make vectors, by their rows, the most wanted first."""
    free = _with(config, positions="none")
    ordered, learned = _with(free, embedding="ordered"), _with(config, embedding="learned")
    return {
        **{f"any key, M={share}": _any_key(ordered, share) for share in ANY_KEY},
        **{f"one key, M={share}": _one_key(learned, share) for share in ONE_KEY},
        "plain": TrainedNetwork(name="hour-plain", config=config),
        "plain, no positions": TrainedNetwork(name="hour-plain-free", config=free),
    }


def code_networks(config: HashTrainConfig, lengths: Sequence[int]) -> dict[str, TrainedNetwork]:
    """Return the hash network of each length, by its row, the longest first."""
    return {
        f"hash, {bits} bits": TrainedNetwork(
            name=f"hour-hash-{bits}",
            config=replace(config, network=replace(config.network, bits=bits)),
        )
        for bits in sorted(lengths, reverse=True)
    }


def measure(plan: Plan) -> dict[str, Any]:
    """Return the document of a plan; what was trained before is not trained again."""
    vectors = all_figures(plan.vectors, plan.pictures, plan.store)
    codes = all_figures(plan.codes, plan.large_pictures, plan.store)
    drawn = {
        name: JudgedAgain(network=each, store=plan.store, draws=DRAWS)
        for name, each in plan.vectors.items()
        if name.startswith("any key")
    }
    unseen = {
        name: JudgedAgain(network=each, store=plan.store) for name, each in plan.codes.items()
    }
    again = {
        **all_figures(drawn, plan.pictures, replace(plan.store, at_once=1)),
        **all_figures(unseen, plan.large_pictures, replace(plan.store, at_once=1)),
    }
    return {
        "unit": "mAP",
        "data": "Fashion-MNIST, 60,000 / 10,000",
        "seed": seeds({**vectors, **codes}),
        "results": {
            name: row(name, each, again.get(name)) for name, each in {**vectors, **codes}.items()
        },
        "trainings": {**vectors, **codes},
        "judged again": again,
    }


def row(name: str, figures: Figures, again: Figures | None = None) -> dict[str, Any]:
    """Return a network's row, with what was asked and how it is judged otherwise beside it."""
    otherwise = "unseen" if name.startswith("hash") else f"{DRAWS} draws"
    return {
        "mAP": round(test_map(figures), 4),
        "asked": ASKED.get(name.removesuffix(LONGER), ""),
        otherwise: "" if again is None else round(test_map(again), 4),
        "validation": round(validation_map(figures), 4),
        "P@20": round(figures["test"]["precision_at"]["20"], 4),
        "epochs": len(figures["log"]),
        "CPU minutes": figures["cpu_minutes"],
        "minutes": figures["minutes"],
    }


def _longer_networks(pictures: PreparedImages, *, every: bool) -> dict[str, TrainedNetwork]:
    """Return those for a GPU: every one, or those that have learned on one."""
    networks = vector_networks(TrainConfig.from_toml(CONFIGS / "fashion-mnist-hour-longer.toml"))
    return {
        f"{row}{LONGER}": each
        for row, each in networks.items()
        if every or STORE.found(each, pictures) is not None
    }


def _with(config: TrainConfig, **changes: str) -> TrainConfig:
    return replace(config, network=replace(config.network, **changes))  # type: ignore[arg-type]


def _one_key(config: TrainConfig, share: Fraction) -> TrainedNetwork:
    parameters = _parameters(config, share, Scope.COLLECTION)
    name = f"hour-one-key-{share.numerator}-of-{share.denominator}"
    return key_bound(name, config, parameters, list(b"one key"))


def _any_key(config: TrainConfig, share: Fraction) -> TrainedNetwork:
    parameters = _parameters(config, share, Scope.IMAGE)
    encryptor = AnyKeyEncryptor(parameters)
    return TrainedNetwork(
        name=f"hour-any-key-{share.numerator}-of-{share.denominator}",
        config=config,
        encryptor=encryptor,
        judge=MeasuredKeyEncryptor(parameters, list(b"a key that no training has seen")),
        profile=encryptor.profile,
    )


def _parameters(config: TrainConfig, share: Fraction, scope: Scope) -> CipherParameters:
    case = Case(block_size=config.network.patch_size, share=share, scope=scope)
    return case.parameters(SIZE, SIZE)
