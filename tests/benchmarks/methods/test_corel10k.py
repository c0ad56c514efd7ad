"""Both papers' scale, on a folder of Corel10K's shape but of fewer classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.registry import PAPER, TRY
from benchmarks.methods import corel10k
from benchmarks.methods.cases import with_patches
from benchmarks.methods.corel10k import PRETRAINED, RANDOM, from_all_starts, starting
from cipherlens.model.config import TrainConfig

CLASSES = 12


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 12 classes of 22 pictures, called as Corel10K's are."""
    root = tmp_path_factory.mktemp("corel10k")
    draw = np.random.default_rng(0)
    for number in (100 * each + picture for each in range(CLASSES) for picture in range(22)):
        pixels = draw.integers(0, 200, (9, 14, 3), dtype=np.uint8)
        pixels[:, :, number // 100 % 3] += 40
        Image.fromarray(pixels).save(root / f"{number}.jpg")
    return root


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the folder be what COREL10K names."""
    monkeypatch.setenv("COREL10K", str(folder))
    monkeypatch.setattr(corel10k, "_DECODED", tmp_path / "decoded")
    corel10k._pictures.cache_clear()
    yield
    corel10k._pictures.cache_clear()


def test_all_pictures_and_those_of_a_try(here: None) -> None:
    assert len(corel10k.pictures(corel10k.SIZE, PAPER)) == CLASSES * 22
    few = corel10k.pictures(corel10k.SIZE, TRY)
    assert np.bincount(few.labels).tolist() == [20] * 7
    assert few.class_names == tuple(map(str, range(7)))
    assert (few.height, few.width) == (128, 192)


def test_without_a_folder_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COREL10K", raising=False)
    corel10k._pictures.cache_clear()
    with pytest.raises(
        NotHereError, match=r"COREL10K=PATH python -m benchmarks all --profile pape"
    ):
        corel10k.pictures(corel10k.SIZE, PAPER)


def test_a_try_cuts_the_epochs_and_says_so() -> None:
    for settings in (corel10k.e2e, corel10k.hashing):
        whole, cut = settings(PAPER), settings(TRY)
        assert replace(cut, epochs=whole.epochs, pieces=1) == whole
        assert cut.epochs == 1
    assert "1 epoch, 7 of 100 classes" in corel10k.facts(TRY)["cut"]
    assert corel10k.facts(PAPER) == {}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of files called as the architectures, to be found by PRETRAINED."""
    monkeypatch.setenv("PRETRAINED", str(tmp_path))
    for name in ("vit_base_patch8_224", "vit_base_patch16_224", "resnet50"):
        save_file({"one": torch.zeros(1)}, tmp_path / f"{name}.safetensors")
    return tmp_path


def test_each_network_starts_from_the_file_of_its_architecture(weights: Path) -> None:
    vit = starting(corel10k.e2e(PAPER), PRETRAINED)
    assert vit.pretrained == str(weights / "vit_base_patch8_224.safetensors")
    assert with_patches(vit, 16).pretrained == str(weights / "vit_base_patch16_224.safetensors")
    resnet = starting(corel10k.e2e(PAPER, "resnet50"), PRETRAINED)
    assert with_patches(resnet, 16).pretrained == str(weights / "resnet50.safetensors")
    assert with_patches(starting(vit, RANDOM), 16).pretrained == ""


def test_a_file_that_is_missing_or_damaged_is_named_before_anything_is_trained(
    weights: Path,
) -> None:
    with pytest.raises(NotHereError, match=r"densenet201\.safetensors is, WEIGHTS=random goes"):
        starting(corel10k.hashing(PAPER), PRETRAINED)
    (weights / "vit_base_patch16_224.safetensors").write_bytes(b"no weights")
    with pytest.raises(NotHereError, match=r"vit_base_patch16_224\.safetensors is no safetensors"):
        starting(corel10k.e2e(PAPER), PRETRAINED)


def test_a_hub_that_cannot_be_reached_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.delenv("PRETRAINED", raising=False)
    monkeypatch.setattr("timm.create_model", unreachable)
    with pytest.raises(NotHereError, match=r"no route.* PRETRAINED=FOLDER says where"):
        starting(corel10k.e2e(PAPER), PRETRAINED)


def document(score: float) -> dict:
    return {
        "seed": 0,
        "pictures": {"classes": 100},
        "results": {"row": {"mAP": score}},
        "tables": {"chosen": {"row": {"mAP": score}}},
        "trainings": {"row": {"map": score}},
        "plots": {"scores": {"title": "Scores", "panels": []}},
    }


def test_what_is_not_the_papers_own_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEIGHTS", raising=False)
    scores = {RANDOM: 0.1, PRETRAINED: 0.2}
    found = from_all_starts(RANDOM, lambda start: lambda: document(scores[start]))
    assert found["results"] == {"row": {"mAP": 0.1}, "row, pretrained weights": {"mAP": 0.2}}
    assert list(found["tables"]) == ["chosen", "chosen, pretrained weights"]
    assert list(found["trainings"]) == ["row", "row, pretrained weights"]
    assert found["plots"]["scores-pretrained"]["title"] == "Scores, pretrained weights"
    assert (found["pictures"], found["seed"]) == ({"classes": 100}, 0)
    assert found["weights"] == [RANDOM, PRETRAINED]
    monkeypatch.setenv("WEIGHTS", "pretrained")
    alone = from_all_starts(PRETRAINED, lambda start: lambda: document(scores[start]))
    assert alone["results"] == {"row": {"mAP": 0.2}}


def test_what_is_missing_shows_before_the_first_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WEIGHTS", raising=False)
    measured = []

    def prepared(start: str) -> object:
        if start == PRETRAINED:
            raise NotHereError("no weights")
        return lambda: measured.append(start)

    with pytest.raises(NotHereError, match="no weights"):
        from_all_starts(RANDOM, prepared)
    assert measured == []


def test_weights_of_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHTS", "random,imagenet")
    with pytest.raises(
        NotHereError, match="WEIGHTS must be random, pretrained or both, got 'image"
    ):
        corel10k.start()


def test_the_papers_own_numbers() -> None:
    config = corel10k.e2e(PAPER)
    assert isinstance(config, TrainConfig)
    assert (config.epochs, config.learning_rate, config.split.test) == (60, 5e-5, 0.3)
    hashing = corel10k.hashing(PAPER)
    assert (hashing.epochs, hashing.learning_rate, hashing.batch_size) == (200, 0.01, 64)
    assert (hashing.split.test, hashing.network.height) == (0.2, 384)
