"""One of the processes of a training in a test: torchrun starts it with a file of tasks."""

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from cipherlens.crypto import CipherParameters, KeyEntry, Scope
from cipherlens.model.config import HashTrainConfig, TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor, Encryptor, KeyEncryptor, plain
from cipherlens.model.data.images import Pixels, list_folder, load_prepared
from cipherlens.model.training.distributed import Processes, launched
from cipherlens.model.training.train import train


def main(tasks: Path) -> None:
    processes = launched()
    for task in json.loads(tasks.read_text()):
        run(task, processes)


def run(task: dict[str, Any], processes: Processes) -> None:
    """Train as a task says; a process of rank `killed` dies at its call `calls` for a batch."""
    kind = TrainConfig if task["kind"] == "e2e" else HashTrainConfig
    config = kind.from_dict(task["config"])
    data = load_prepared(list_folder(Path(task["folder"])), config.network)
    scope = Scope(task["scope"]) if task["scope"] else None
    parameters = CipherParameters(
        height=16, width=24, block_size=8, substituted_blocks=2, scope=scope or Scope.COLLECTION
    )
    encryptor, profile = plain, None
    if scope is Scope.COLLECTION:
        root = bytes(range(32))
        entry = KeyEntry(
            name="test",
            root=root,
            signing_seed=bytes(32),
            parameters=parameters,
            created_at=datetime.now(UTC),
        )
        encryptor = KeyEncryptor(entry)
    elif scope is Scope.IMAGE:
        encryptor = AnyKeyEncryptor(parameters)
    if scope is not None:
        profile = encryptor.profile
    if processes.rank in task["killed"]:
        encryptor = killing(encryptor, task["calls"])
    train(
        config,
        data,
        encryptor,
        profile,
        Path(task["out"]),
        processes=processes,
        save_minutes=task["save_minutes"],
    )


def killing(encryptor: Encryptor, calls: int) -> Encryptor:
    """Return an encryptor that kills this process, as a machine that fails would."""
    done = 0

    def kill(images: Pixels, generator: np.random.Generator) -> Pixels:
        nonlocal done
        done += 1
        if done == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return encryptor(images, generator)

    return kill


if __name__ == "__main__":
    main(Path(sys.argv[1]))
