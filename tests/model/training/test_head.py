from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.config import BlockSetConfig, BlockTrainConfig, SplitConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.networks.pretrained_lite0 import LITE0_ARCHITECTURE
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.head import with_rows
from cipherlens.model.training.recipes import recipe_of
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.steps import Steps
from cipherlens.model.training.train import train
from tests.model.training.runs import without_seconds


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> BlockTrainConfig:
    """Settings whose stages have weights in a file."""
    path = tmp_path_factory.mktemp("stages") / "stages.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        save_file(timm.create_model(LITE0_ARCHITECTURE, num_classes=0).state_dict(), path)
    return BlockTrainConfig(
        network=BlockSetConfig(
            block_size=8, feature_dim=24, identity_dim=8, hidden=32, dropout=0.2
        ),
        split=SplitConfig(validation=0.2, test=0.2),
        epochs=12,
        batch_size=8,
        precision="fp32",
        stages=str(path),
        copies=2,
    )


@pytest.fixture(scope="module")
def encryptor(parameters: CipherParameters) -> AnyKeyEncryptor:
    return AnyKeyEncryptor(replace(parameters, scope=Scope.IMAGE))


def test_labels_bring_classes_together(
    config: BlockTrainConfig, data: PreparedImages, encryptor: AnyKeyEncryptor, tmp_path: Path
) -> None:
    out, seen = tmp_path / "model.safetensors", []
    result = train(
        config,
        data,
        encryptor,
        encryptor.profile,
        out,
        taught=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (42, 42)  # two copies of 18 pictures, and six of the validation part
    assert result.history[-1].loss < 0.8 * result.history[0].loss
    assert result.validation_map == pytest.approx(1.0)  # three plain colours
    configuration = read_configuration(out)
    assert (configuration.architecture, configuration.network.classes) == ("blocks", 3)
    judged = evaluate_checkpoint(out, data, encryptor)
    assert judged.mean_average_precision > 0.9 > judged.chance
    assert Embedder(out).dimension == 24


def test_the_stages_stay_as_they_are(
    config: BlockTrainConfig, data: PreparedImages, encryptor: AnyKeyEncryptor, tmp_path: Path
) -> None:
    out = tmp_path / "model.safetensors"
    train(replace(config, epochs=2), data, encryptor, encryptor.profile, out)
    started = recipe_of(config, data).build().backbone.state_dict()
    learned = Embedder(out, precision="fp32").network.backbone.state_dict()
    unlike = {name for name in started if not torch.equal(started[name], learned[name])}
    assert unlike == {"gate.weight", "gate.bias"}


def test_a_training_goes_on_as_if_it_had_not_been_interrupted(
    config: BlockTrainConfig, data: PreparedImages, encryptor: AnyKeyEncryptor, tmp_path: Path
) -> None:
    def interrupt(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    facts = (replace(config, epochs=4), data, encryptor, encryptor.profile)
    whole = train(*facts, tmp_path / "whole.safetensors")
    out, resumed = tmp_path / "model.safetensors", []
    with pytest.raises(KeyboardInterrupt):
        train(*facts, out, progress=interrupt)
    result = train(*facts, out, resumed=resumed.append)
    assert resumed == [3]
    assert without_seconds(result) == without_seconds(whole)
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_several_processes_are_refused(
    config: BlockTrainConfig, data: PreparedImages, encryptor: AnyKeyEncryptor
) -> None:
    steps = Steps(
        config=config,
        recipe=recipe_of(config, data),
        images=data,
        encryptor=encryptor,
        device=torch.device("cpu"),
        precision="fp32",
        processes=Processes(rank=0, count=2),
    )
    with pytest.raises(ValueError, match="one process, got 2"):
        with_rows(steps, data, lambda _done, _all: None)
