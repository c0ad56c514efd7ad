import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.crypto import KeyEntry, Scope
from cipherlens.model.checkpoint import load_network, read_configuration
from cipherlens.model.config import AugmentationConfig, SplitConfig, TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor, KeyEncryptor, plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError, TrainingDiverged
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.training import steps
from cipherlens.model.training.losses import LossParts
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.train import train
from tests.model.training.runs import run, without_seconds


def test_it_learns_from_cipher_images_of_both_orientations(
    train_config: TrainConfig, data: PreparedImages, entry: KeyEntry, tmp_path: Path
) -> None:
    encryptor = KeyEncryptor(entry)
    config = replace(train_config, epochs=12)
    out = tmp_path / "model.safetensors"
    result = train(config, data, encryptor, encryptor.profile, out)
    assert result.history[-1].loss < 0.8 * result.history[0].loss
    evaluation = evaluate_checkpoint(out, data, encryptor)
    assert evaluation.queries == 9
    assert evaluation.mean_average_precision > 1.5 * evaluation.chance
    assert read_configuration(out).profile == encryptor.profile


def test_what_any_key_taught_serves_a_key_never_seen(
    train_config: TrainConfig, data: PreparedImages, entry: KeyEntry, tmp_path: Path
) -> None:
    """A fresh key and a fresh nonce for every picture, queries included."""
    key = replace(
        entry,
        root=bytes(range(7, 39)),
        parameters=replace(entry.parameters, scope=Scope.IMAGE),
    )
    network = replace(train_config.network, positions="none")
    config = replace(train_config, network=network, epochs=12)
    encryptor = AnyKeyEncryptor(key.parameters)
    out = tmp_path / "model.safetensors"
    result = train(config, data, encryptor, encryptor.profile, out)
    assert result.history[-1].loss < 0.8 * result.history[0].loss
    profile = read_configuration(out).profile
    assert profile == encryptor.profile
    profile.require(KeyEncryptor(key).profile, "the key")
    evaluation = evaluate_checkpoint(out, data, KeyEncryptor(key))
    assert evaluation.mean_average_precision > 1.5 * evaluation.chance


def test_images_that_are_held_out_are_tested_and_not_trained_on(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    held_out = np.arange(len(data)) % 5 == 0  # two of each class
    tests = {image.tobytes() for image in data.take(np.flatnonzero(held_out)).images}
    seen: set[bytes] = set()

    def watching(images: np.ndarray, _generator: np.random.Generator) -> np.ndarray:
        seen.update(image.tobytes() for image in images)
        return images

    config = replace(train_config, epochs=1, augmentation=AugmentationConfig())
    marked = replace(data, held_out=held_out)
    train(config, marked, watching, None, tmp_path / "m")
    assert len(seen) == 24  # the training and the validation part
    assert not seen & tests
    seen.clear()
    assert evaluate_checkpoint(tmp_path / "m", marked, watching).queries == 6
    assert seen == tests


def test_a_loss_that_is_no_number_ends_the_training(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = torch.tensor([np.nan, 0.0, 0.0], dtype=torch.float64)
    monkeypatch.setattr(LossParts, "values", lambda _parts: nothing)
    with pytest.raises(TrainingDiverged, match="the loss is nan in epoch 1: lower learning_rate"):
        run(train_config, data, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_seed_decides_and_the_global_generators_do_not(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    network = replace(train_config.network, drop_path=0.5)
    config = replace(train_config, epochs=1, warmup_epochs=0, network=network)
    before = torch.random.get_rng_state()
    one = run(config, data, tmp_path / "one")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    again = run(config, data, tmp_path / "again")
    assert without_seconds(one) == without_seconds(again)
    other = run(replace(config, seed=12), data, tmp_path / "other")
    assert one.history[0].loss != other.history[0].loss


def test_blocks_are_dropped_in_training_only(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config = replace(train_config, epochs=1, warmup_epochs=0, learning_rate=1e-9)
    dropping = replace(config, network=replace(config.network, drop_path=0.5))
    losses, scores = [], []
    for name, each in (("whole", config), ("dropping", dropping)):
        (report,) = run(each, data, tmp_path / name).history
        losses.append(report.loss)
        scores.append(report.validation_map)
    assert losses[0] != losses[1]
    assert scores[0] == scores[1]


def test_what_is_left_beside_a_finished_checkpoint(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    result = run(train_config, data, tmp_path / "model")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model", "model.log.jsonl"]
    log = [json.loads(line) for line in (tmp_path / "model.log.jsonl").read_text().splitlines()]
    assert [EpochReport(**each) for each in log] == list(result.history)
    training = read_configuration(result.checkpoint).training
    assert TrainConfig.from_dict(training["config"]) == train_config
    assert training["class_names"] == ["blue", "green", "red"]
    assert training["data"] == {"digest": data.digest(), "images": 30}
    assert training["best_epoch"] == result.best_epoch


def test_the_best_epoch_is_chosen_on_validation(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    result = run(train_config, data, tmp_path / "model")
    scores = [report.validation_map for report in result.history]
    assert result.validation_map == max(score for score in scores if score is not None)
    assert scores[result.best_epoch - 1] == result.validation_map
    evaluation = evaluate_checkpoint(
        tmp_path / "model", data, plain, part="validation", precision="fp32"
    )
    assert evaluation.mean_average_precision == pytest.approx(result.validation_map)


def test_the_checkpoint_holds_the_weights_of_the_best_epoch(
    train_config: TrainConfig,
    data: PreparedImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = iter((0.1, 0.9, 0.3, 0.2, 0.1, 0.9))

    def scripted(*_arguments: object, **_settings: object) -> Evaluation:
        score = next(scores)
        return Evaluation(
            queries=1,
            mean_average_precision=score,
            chance=0.1,
            precision_at={},
            precision_at_recall=(),
        )

    monkeypatch.setattr(steps, "evaluate", scripted)
    whole = run(train_config, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(train_config, data, tmp_path / "two", stop_after=2)
    assert (whole.best_epoch, whole.validation_map) == (2, 0.9)
    assert read_configuration(tmp_path / "whole").training["best_epoch"] == 2
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "two").read_bytes()


def test_without_validation_the_last_epoch_is_kept(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config = replace(train_config, split=SplitConfig(validation=0, test=0.3))
    result = run(config, data, tmp_path / "model")
    assert (result.best_epoch, result.validation_map) == (4, None)


def test_time_can_run_out(train_config: TrainConfig, data: PreparedImages, tmp_path: Path) -> None:
    result = run(replace(train_config, max_minutes=1e-6), data, tmp_path / "model")
    assert len(result.history) == 1


def test_the_network_must_fit_the_key(
    train_config: TrainConfig, data: PreparedImages, entry: KeyEntry, tmp_path: Path
) -> None:
    config = replace(train_config, network=replace(train_config.network, patch_size=4))
    encryptor = KeyEncryptor(entry)
    with pytest.raises(ValueError, match="patch_size 4 is not the cipher-images' block_size 8"):
        train(config, data, encryptor, encryptor.profile, tmp_path / "model")


def test_a_checkpoint_is_evaluated_on_its_own_split_only(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    out = run(replace(train_config, epochs=1), data, tmp_path / "model").checkpoint
    with pytest.raises(DataError, match="not the data of the training"):
        evaluate_checkpoint(out, data.take(np.arange(20)), plain)
    with pytest.raises(ValueError, match="part must be one of train, validation, test"):
        evaluate_checkpoint(out, data, plain, part="every")


def test_bfloat16_trains_too(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    result = run(replace(train_config, precision="bf16", epochs=2), data, tmp_path / "model")
    assert read_configuration(result.checkpoint).numeric_mode == "bf16"
    assert np.isfinite(result.history[-1].loss)


def test_workers_change_nothing(
    train_config: TrainConfig, data: PreparedImages, entry: KeyEntry, tmp_path: Path
) -> None:
    encryptor = AnyKeyEncryptor(replace(entry.parameters, scope=Scope.IMAGE))
    histories = []
    for workers in (0, 1):
        out = tmp_path / f"{workers}"
        result = train(
            replace(train_config, epochs=2),
            data,
            encryptor,
            encryptor.profile,
            out,
            workers=workers,
        )
        histories.append(without_seconds(result))
    assert histories[0] == histories[1]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the compiler of the machine takes minutes of it where others run too
def test_a_compiled_network_trains_as_another(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config = replace(train_config, epochs=1, warmup_epochs=0)
    plain_one = run(config, data, tmp_path / "one")
    compiled = run(replace(config, compiled=True), data, tmp_path / "other")
    for one, other in zip(plain_one.history, compiled.history, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-3)
    names = [load_network(tmp_path / each).state_dict().keys() for each in ("one", "other")]
    assert names[0] == names[1]
