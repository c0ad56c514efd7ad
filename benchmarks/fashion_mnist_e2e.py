"""End-to-end networks on Fashion-MNIST: cipher-images against plain ones, one key against any.

Each of the 10,000 test images queries the others. The keys of image scope that judge a network
play no part in its training.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.keys import MeasuredKeyEncryptor
from benchmarks.training import Training, all_figures
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.fashion_mnist import load_fashion_mnist
from cipherlens.model.data.images import PreparedImages

FOLDER = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
CONFIGS = Path(__file__).parent / "configs"
QUICK = {"epochs": 1, "warmup_epochs": 0}
SIZE = 32

NOTES = """\
Fashion-MNIST is grey and centred, its 28x28 pictures are scaled to 32x32, and a block of 8x8 is a
sixteenth of one: M=1/4 substitutes the colours of 4 of 16 blocks, 3/4 of 12, 1/1 of all. Neither
paper reports it; it stands here because anyone can get it and 10,000 test images leave little to
chance.

"One key" is scope collection: every image has the same sequences. "Any key" is scope image: each
has its own, in training too, and the key of the test was in no training. Settings were chosen on
the validation part with plain pictures and are the same for all, but that a network of any key has
no position embeddings. The epoch that counts is the best on the validation part; the test part was
looked at once per network. Networks of earlier settings were judged on the same test part (plain
.866, any key .829); nothing was chosen by it. One seed each. `results/trials` has what the settings
were chosen from; those trials ran on a GPU, stopped before their end, and none is a row here.
"""


def run(profile: str) -> dict[str, Any]:
    """Return the mAP of each network, and how it compares with the plain twin's."""
    trainings = e2e_trainings(profile)
    data = fashion_mnist(SIZE)
    figures = all_figures(trainings, data)
    plain = figures["fashion-mnist-plain"]["test"]["map"]
    return {
        "data": "Fashion-MNIST, 60,000 / 10,000, test against test",
        "trainings": figures,
        "results": {name: _row(each, plain) for name, each in figures.items()},
    }


def e2e_trainings(profile: str) -> dict[str, Training]:
    """Return the training of each network by its name."""
    bound = _config("fashion-mnist-e2e.toml", profile)
    free = _config("fashion-mnist-any-key.toml", profile)
    trainings = [
        Training(name="fashion-mnist-plain", config=bound),
        _key_bound(bound, 1, 4),
        _key_bound(bound, 3, 4),
        _any_key(free, 1, 4),
        _any_key(free, 3, 4),
        _any_key(free, 1, 1),
    ]
    return {each.name: each for each in trainings}


def fashion_mnist(size: int) -> PreparedImages:
    """Return the images prepared to size x size."""
    return load_fashion_mnist(
        FOLDER, CipherParameters(height=size, width=size, substituted_blocks=0)
    )


def _config(name: str, profile: str) -> TrainConfig:
    config = TrainConfig.from_toml(CONFIGS / name)
    return replace(config, **QUICK) if profile == "quick" else config


def _key_bound(config: TrainConfig, part: int, of: int) -> Training:
    parameters = _parameters(config, Scope.COLLECTION, part, of)
    encryptor = MeasuredKeyEncryptor(parameters, list(b"one key"))
    return Training(
        name=f"fashion-mnist-one-key-{part}-of-{of}",
        config=config,
        encryptor=encryptor,
        profile=encryptor.profile,
    )


def _any_key(config: TrainConfig, part: int, of: int) -> Training:
    parameters = _parameters(config, Scope.IMAGE, part, of)
    encryptor = AnyKeyEncryptor(parameters)
    return Training(
        name=f"fashion-mnist-any-key-{part}-of-{of}",
        config=config,
        encryptor=encryptor,
        judge=MeasuredKeyEncryptor(parameters, list(b"a key that no training has seen")),
        profile=encryptor.profile,
    )


def _parameters(config: TrainConfig, scope: Scope, part: int, of: int) -> CipherParameters:
    block = config.network.patch_size
    return CipherParameters(
        height=SIZE,
        width=SIZE,
        block_size=block,
        substituted_blocks=(SIZE // block) ** 2 * part // of,
        scope=scope,
    )


def _row(figures: dict[str, Any], plain: float) -> dict[str, Any]:
    return {
        "mAP": round(figures["test"]["map"], 4),
        "of plain": round(figures["test"]["map"] / plain, 3),
        "P@20": round(figures["test"]["precision_at"]["20"], 4),
        "epochs": len(figures["log"]),
        "CPU minutes": figures["cpu_minutes"],
    }
