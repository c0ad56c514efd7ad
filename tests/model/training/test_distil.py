from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from cipherlens.crypto import CipherParameters
from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.config import BlockSetConfig, DistillConfig, SplitConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import PreparedImages, list_pictures, load_prepared
from cipherlens.model.embedder import Embedder
from cipherlens.model.errors import ResumeError
from cipherlens.model.training.distil import DistillSteps, nearest, with_teacher
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.recipes import recipe_of
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.steps import Steps
from cipherlens.model.training.train import train
from tests.model.training.runs import without_seconds

ARCHITECTURE = "test_efficientnet"


@pytest.fixture(scope="module")
def pictures(folder: Path, parameters: CipherParameters) -> PreparedImages:
    return load_prepared(list_pictures(folder), parameters)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, stages: str) -> DistillConfig:
    """Settings whose teacher is a small network with weights in a file."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        save_file(timm.create_model(ARCHITECTURE, num_classes=0).state_dict(), path)
    return DistillConfig(
        network=BlockSetConfig(block_size=8, feature_dim=24, identity_dim=8),
        split=SplitConfig(validation=0.2, test=0.0),
        epochs=4,
        batch_size=8,
        learning_rate=3e-3,
        precision="fp32",
        pretrained=str(path),
        stages=stages,
        teacher=ARCHITECTURE,
        copies=2,
    )


def test_it_comes_nearer_to_its_teacher(
    config: DistillConfig, pictures: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:
    out, seen = tmp_path / "model.safetensors", []
    result = train(
        # Batches of all pictures at once: which of them meet would else outweigh what is learnt.
        replace(config, epochs=15, batch_size=24, learning_rate=1e-3),
        pictures,
        any_key,
        any_key.profile,
        out,
        taught=lambda done, total: seen.append((done, total)),
    )
    first = result.history[0]
    assert first.triplet is not None
    assert first.triplet < 0.7  # the head begins near the teacher; by chance it would be 1
    losses = [report.loss for report in result.history]
    assert np.mean(losses[-5:]) < np.mean(losses[1:6])
    assert result.validation_map is not None
    assert seen[-1] == (48, 48)  # two copies of 24 pictures that are not in the validation part
    configuration = read_configuration(out)
    assert configuration.architecture == "blocks"
    assert configuration.profile == any_key.profile
    assert configuration.training["teacher"]["architecture"] == ARCHITECTURE
    assert Embedder(out).embed(np.stack(pictures.images[1:2])).shape == (1, 24)
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, out.name + ".log.jsonl"]


def test_an_interrupted_training_goes_on_and_ends_as_an_unbroken_one(
    config: DistillConfig, pictures: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:
    def interrupt(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    facts = (config, pictures, any_key, any_key.profile)
    whole = train(*facts, tmp_path / "whole.safetensors")
    out = tmp_path / "model.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(*facts, out, progress=interrupt)
    assert (tmp_path / "model.safetensors.teacher").exists()
    taught: list[int] = []
    resumed: list[int] = []
    result = train(
        *facts, out, taught=lambda done, _all: taught.append(done), resumed=resumed.append
    )
    assert (taught, resumed) == ([], [3])
    assert without_seconds(result) == without_seconds(whole)
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


@pytest.mark.parametrize(("scores", "best"), [((0.9, 0.3, 0.9), 0), ((0.2, 0.3, 0.1), 1)])
def test_the_start_is_kept_unless_an_epoch_is_better(
    config: DistillConfig,
    pictures: PreparedImages,
    any_key: AnyKeyEncryptor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scores: tuple[float, ...],
    best: int,
) -> None:
    """Interrupted after the first epoch, the training still knows with what it began."""

    def interrupt(_report: EpochReport) -> None:
        raise KeyboardInterrupt

    left = iter(scores)
    monkeypatch.setattr(DistillSteps, "score", lambda *_arguments: next(left))
    out = tmp_path / "model.safetensors"
    facts = (replace(config, epochs=2), pictures, any_key, any_key.profile)
    with pytest.raises(KeyboardInterrupt):
        train(*facts, out, progress=interrupt)
    result = train(*facts, out)
    assert (result.best_epoch, result.validation_map) == (best, max(scores))
    assert read_configuration(out).training["best_epoch"] == best


def test_other_settings_do_not_take_over(
    config: DistillConfig, pictures: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:
    def interrupt(_report: EpochReport) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "model.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(config, pictures, any_key, any_key.profile, out, progress=interrupt)
    with pytest.raises(ResumeError):
        train(replace(config, relation=0.5), pictures, any_key, any_key.profile, out)


def test_several_processes_are_refused(
    config: DistillConfig, pictures: PreparedImages, any_key: AnyKeyEncryptor
) -> None:
    steps = Steps(
        config=config,
        recipe=recipe_of(config, pictures),
        images=pictures,
        encryptor=any_key,
        device=torch.device("cpu"),
        precision="fp32",
        processes=Processes(rank=0, count=2),
    )
    with pytest.raises(ValueError, match="one process, got 2"):
        with_teacher(steps, pictures, Path("unused"), lambda _done, _all: None)


def test_the_nearest_are_never_a_picture_itself() -> None:
    vectors = np.random.default_rng(1).standard_normal((30, 4)).astype(np.float32)
    near = nearest(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert not near.diagonal().any()
    assert (near.sum(axis=1) == 6).all()  # a fifth
    assert (nearest(np.eye(3, dtype=np.float32)).sum(axis=1) == 1).all()
