"""Trainings over two processes, each of them compared with the same training in one."""

import json
import os
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cipherlens.model.checkpoint import load_hash_network
from cipherlens.model.config import HashNetworkConfig, HashTrainConfig, SplitConfig, TrainConfig
from cipherlens.model.errors import ProcessLost
from cipherlens.model.training.distributed import ALONE, Processes, joined, launched

WORKER = Path(__file__).parent / "train_worker.py"


@pytest.fixture
def e2e(train_config: TrainConfig) -> TrainConfig:
    return replace(train_config, epochs=2)


@pytest.fixture
def hashing() -> HashTrainConfig:
    """Two orientations of maps of one pixel, now and then a picture alone in its orientation."""
    return HashTrainConfig(
        network=HashNetworkConfig(backbone="test_resnet", bits=12, height=16, width=24),
        split=SplitConfig(validation=0.2, test=0.3, seed=3),
        epochs=2,
        batch_size=5,
        precision="fp32",
        seed=11,
    )


def task(config: TrainConfig | HashTrainConfig, folder: Path, out: Path, **changes: Any) -> Any:
    return {
        "kind": "e2e" if isinstance(config, TrainConfig) else "hash",
        "config": config.to_dict(),
        "folder": str(folder),
        "out": str(out),
        "scope": None,
        "killed": [],
        "calls": 0,
        "save_minutes": 10,
        **changes,
    }


def launch(tasks: list[Any], processes: int, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(tasks))
    return torchrun(processes, WORKER, file)


def torchrun(processes: int, *words: object) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [sys.executable, *launcher, *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def trained(tasks: list[Any], processes: int, tmp_path: Path) -> None:
    if processes == 1:
        run = runpy.run_path(str(WORKER))["run"]
        for each in tasks:
            run(each, ALONE)
        return
    done = launch(tasks, processes, tmp_path)
    assert done.returncode == 0, done.stderr


def log(out: Path) -> list[dict[str, Any]]:
    lines = out.with_name(out.name + ".log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def assert_alike(found: Path, expected: Path, tolerance: float = 1e-4) -> None:
    """Pass if two trainings had the same losses and validation to float tolerance."""
    assert len(log(found)) == len(log(expected)) == 2
    for one, other in zip(log(found), log(expected), strict=True):
        for name in ("loss", "triplet", "cross_entropy", "learning_rate", "validation_map"):
            if other[name] is None:
                assert one[name] is None, name
            else:
                assert one[name] == pytest.approx(other[name], rel=tolerance), name


def test_two_processes_train_as_one(
    e2e: TrainConfig, hashing: HashTrainConfig, folder: Path, tmp_path: Path
) -> None:
    free = replace(e2e, network=replace(e2e.network, positions="none"))
    pieces = replace(e2e, pieces=2, ema=0.9, pairs="contrastive", classifier="cosine")
    # Batch norms magnify what floats round off, more on some processors: a smaller rate keeps that
    # below the tolerance.
    hashing = replace(hashing, learning_rate=hashing.learning_rate / 4)
    for count in (1, 2):
        tasks = [
            task(e2e, folder, tmp_path / f"key{count}", scope="collection"),
            task(free, folder, tmp_path / f"any{count}", scope="image"),
            task(pieces, folder, tmp_path / f"pieces{count}", scope="image"),
            task(hashing, folder, tmp_path / f"hash{count}"),
        ]
        trained(tasks, count, tmp_path)
    for name in ("key", "any", "pieces", "hash"):
        assert_alike(tmp_path / f"{name}2", tmp_path / f"{name}1")
    one, two = (load_hash_network(tmp_path / f"hash{count}").state_dict() for count in (1, 2))
    for tensor, expected in one.items():  # statistics of batch norms among them
        torch.testing.assert_close(two[tensor], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_batch_may_be_too_small_for_all_processes(
    hashing: HashTrainConfig, folder: Path, tmp_path: Path
) -> None:
    # Norms over two pictures magnify what floats round off: a small rate keeps that from growing.
    small = replace(hashing, batch_size=2, learning_rate=1e-5)
    for count in (1, 3):
        trained([task(small, folder, tmp_path / f"{count}")], count, tmp_path)
    assert_alike(tmp_path / "3", tmp_path / "1")


@pytest.mark.slow
def test_a_job_that_was_killed_goes_on_to_the_losses_of_an_unbroken_one(
    hashing: HashTrainConfig, folder: Path, tmp_path: Path
) -> None:
    whole = task(hashing, folder, tmp_path / "whole")
    parts = task(hashing, folder, tmp_path / "parts", save_minutes=0)
    trained([whole], 2, tmp_path)
    for calls in (4, 9):  # within the first epoch, where there is no checkpoint yet, and later
        killed = launch([{**parts, "killed": [0, 1], "calls": calls}], 2, tmp_path)
        assert killed.returncode != 0
        assert (tmp_path / "parts.state").exists()
    trained([parts], 2, tmp_path)
    assert_alike(tmp_path / "parts", tmp_path / "whole", tolerance=1e-6)


@pytest.mark.slow
def test_a_process_that_dies_ends_all(e2e: TrainConfig, folder: Path, tmp_path: Path) -> None:
    done = launch([task(e2e, folder, tmp_path / "out", killed=[1], calls=3)], 2, tmp_path)
    assert done.returncode == 1
    assert "exitcode  : -9" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_processes_that_are_done_end_well(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "import torch\n"
        "from cipherlens.model.training.distributed import joined, launched\n"
        "processes = launched()\n"
        'with joined(processes, torch.device("cpu")):\n'
        "    for size in range(1, 30):\n"
        "        rows = processes.gather(torch.ones(1, size), [1] * processes.count)\n"
        "        assert rows.shape == (processes.count, size)\n"
    )
    for _ in range(3):  # one of these in two failed while Gloo's group stayed open at the end
        done = torchrun(8, job)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_command_trains_in_several_processes_and_one_of_them_speaks(
    folder: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "hash.toml"
    settings.write_text(
        '[hash]\nbackbone = "test_resnet"\nbits = 12\nheight = 16\nwidth = 24\n'
        "[training]\nepochs = 1\nbatch_size = 4\n"
    )
    words = ("train", settings, "--data", folder, "--out", tmp_path / "out", "--device", "cpu")
    done = torchrun(2, "-m", "cipherlens.client.cli", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("holds epoch 1 of 1") == 1
    assert done.stderr.count("epoch 1 of 1: loss") == 1
    assert len((tmp_path / "out.log.jsonl").read_text().splitlines()) == 1


def test_what_is_not_launched_is_alone(tmp_path: Path) -> None:
    assert launched() == ALONE
    assert ALONE.first
    rows = torch.rand(3, 2, requires_grad=True)
    assert ALONE.gather(rows, [3]) is rows
    assert ALONE.of_first(b"own") == b"own"


def test_the_launcher_says_which_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("TORCHELASTIC_RUN_ID", "job"),
        ("RANK", "5"),
        ("WORLD_SIZE", "8"),
        ("LOCAL_RANK", "1"),
    ):
        monkeypatch.setenv(name, value)
    assert launched() == Processes(rank=5, count=8, local_rank=1)
    assert not launched().first


def test_each_process_has_its_own_part_and_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Processes(rank=2, count=4, local_rank=1)
    parts = third.parts(np.arange(10))
    assert np.concatenate(parts).tolist() == list(range(10))
    assert [len(part) for part in parts] == [3, 3, 2, 2]
    assert third.device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert third.device("auto") == torch.device("cuda:1")
    assert ALONE.device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ValueError, match="device must be auto or cpu for 4 processes, got cuda:0"):
        third.device("cuda:0")


def test_a_lost_process_is_told_from_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_a, **_k: None)
    pair = Processes(count=2)
    for text, kind in (
        ("[gloo/transport/tcp/pair.cc] Connection closed by peer", ProcessLost),
        ("x", RuntimeError),
    ):
        with pytest.raises(kind) as caught, joined(pair, torch.device("cpu")):
            raise RuntimeError(text)
        assert type(caught.value) is kind
