from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.config import BlockSetConfig, BlockTrainConfig, SplitConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.head import with_rows
from cipherlens.model.training.recipes import recipe_of
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.steps import Steps
from cipherlens.model.training.train import train
from tests.model.training.runs import without_seconds


@pytest.fixture
def config(stages: str) -> BlockTrainConfig:
    return BlockTrainConfig(
        network=BlockSetConfig(
            block_size=8, feature_dim=24, identity_dim=8, hidden=32, dropout=0.2
        ),
        split=SplitConfig(validation=0.2, test=0.2),
        epochs=12,
        batch_size=8,
        precision="fp32",
        stages=stages,
        copies=2,
    )


def test_labels_bring_classes_together(
    config: BlockTrainConfig, data: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:
    out, seen = tmp_path / "model.safetensors", []
    result = train(
        config,
        data,
        any_key,
        any_key.profile,
        out,
        taught=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (42, 42)  # two copies of 18 pictures, and six of the validation part
    assert result.history[-1].loss < 0.8 * result.history[0].loss
    assert result.validation_map == pytest.approx(1.0)  # three plain colours
    configuration = read_configuration(out)
    assert (configuration.architecture, configuration.network.classes) == ("blocks", 3)
    judged = evaluate_checkpoint(out, data, any_key)
    assert judged.mean_average_precision > 0.9 > judged.chance
    assert Embedder(out).dimension == 24


def test_the_stages_stay_as_they_are(
    config: BlockTrainConfig, data: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:
    out = tmp_path / "model.safetensors"
    train(replace(config, epochs=2), data, any_key, any_key.profile, out)
    started = recipe_of(config, data).build().backbone.state_dict()
    learned = Embedder(out, precision="fp32").network.backbone.state_dict()
    unlike = {name for name in started if not torch.equal(started[name], learned[name])}
    assert unlike == {"gate.weight", "gate.bias"}


def test_a_training_goes_on_as_if_it_had_not_been_interrupted(
    config: BlockTrainConfig, data: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:
    def interrupt(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    facts = (replace(config, epochs=4), data, any_key, any_key.profile)
    whole = train(*facts, tmp_path / "whole.safetensors")
    out, resumed, looked = tmp_path / "model.safetensors", [], []
    with pytest.raises(KeyboardInterrupt):
        train(*facts, out, progress=interrupt)
    result = train(
        *facts, out, taught=lambda done, _all: looked.append(done), resumed=resumed.append
    )
    assert (looked, resumed) == ([], [3])  # it looks at no picture again
    assert without_seconds(result) == without_seconds(whole)
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    left = [out.name, out.name + ".log.jsonl"]
    assert sorted(each.name for each in tmp_path.glob("model.*")) == left


def test_pictures_under_other_settings_are_looked_at_again(
    config: BlockTrainConfig, data: PreparedImages, any_key: AnyKeyEncryptor, tmp_path: Path
) -> None:

    def interrupt(_report: EpochReport) -> None:
        raise KeyboardInterrupt

    facts = (data, any_key, any_key.profile)
    out, short = tmp_path / "model.safetensors", replace(config, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(short, *facts, out, progress=interrupt)
    out.with_name(out.name + ".state").unlink()
    looked: list[int] = []
    other = replace(short, seed=config.seed + 1)
    result = train(other, *facts, out, taught=lambda done, _all: looked.append(done))
    assert looked
    assert without_seconds(result) == without_seconds(
        train(other, *facts, tmp_path / "alone.safetensors")
    )


def test_several_processes_are_refused(
    config: BlockTrainConfig, data: PreparedImages, any_key: AnyKeyEncryptor
) -> None:
    steps = Steps(
        config=config,
        recipe=recipe_of(config, data),
        images=data,
        encryptor=any_key,
        device=torch.device("cpu"),
        precision="fp32",
        processes=Processes(rank=0, count=2),
    )
    with pytest.raises(ValueError, match="one process, got 2"):
        with_rows(steps, data, Path("unused"), "", lambda _done, _all: None)
