from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """
[network]
patch_size = 8
dim = 16
depth = 1
heads = 2
feature_dim = 8
[training]
epochs = 2
batch_classes = 2
batch_images = 2
learning_rate = 1e-3
precision = "fp32"
"""


@pytest.fixture
def data(tmp_path: Path, noise) -> Path:
    root = tmp_path / "data"
    for label in ("cats", "dogs"):
        (root / label).mkdir(parents=True)
        for number in range(10):
            noise(number + 100 * (label == "cats")).save(root / label / f"{number}.png")
    return root


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("extra", [(), ("--plain",)])
def test_train_then_evaluate(run, keyring, data, config, tmp_path, extra) -> None:
    out = tmp_path / "m.safetensors"
    words = ("--data", f"folder:{data}", "--keyring", keyring, "--device", "cpu", "--json")
    trained = run("train", config, "--out", out, *extra, *words)
    assert trained.code == 0
    assert out.exists()
    *epochs, result = list(trained.out.splitlines())
    assert len(epochs) == 2
    assert str(out) in result
    outcome = run("evaluate", out, *words)
    assert outcome.code == 0
    assert outcome.document["queries"] == 6
    assert 0 < outcome.document["map"] <= 1
    assert set(outcome.document["precision_at"]) == {"1", "5"}


def test_a_checkpoint_of_another_key(run, keyring, data, config, tmp_path, image_key) -> None:
    from cipherlens.crypto import Keyring

    out = tmp_path / "m.safetensors"
    words = ("--data", data, "--device", "cpu")
    run("train", config, "--out", out, "--keyring", keyring, *words)
    other = tmp_path / "other.keys"
    Keyring([image_key]).save(other, unprotected=True)
    outcome = run("evaluate", out, "--keyring", other, *words)
    assert outcome.code == 1
    assert "does not fit" in outcome.err


def test_what_cannot_be_trained(run, keyring, data, config, tmp_path) -> None:
    out = tmp_path / "m.safetensors"
    absent = run("train", config, "--data", "nowhere", "--keyring", keyring, "--out", out)
    assert absent.code == 2
    assert "nowhere is not a folder" in absent.err
    config.write_text("[training]\nepoch = 3\n")
    unknown = run("train", config, "--data", data, "--keyring", keyring, "--out", out)
    assert unknown.code == 2
    assert "epoch" in unknown.err


def test_a_network_of_an_image_scope_key_serves_any_other(
    run, image_key, data, config, tmp_path
) -> None:
    from cipherlens.crypto import KeyEntry, Keyring

    knowing = tmp_path / "knowing.toml"
    knowing.write_text(CONFIG)
    config.write_text(CONFIG.replace("depth = 1", 'depth = 1\npositions = "none"'))
    out = tmp_path / "m.safetensors"
    mine, others = tmp_path / "mine.keys", tmp_path / "others.keys"
    Keyring([image_key]).save(mine, unprotected=True)
    another = KeyEntry.generate("another", image_key.parameters)
    Keyring([another]).save(others, unprotected=True)
    words = ("--data", data, "--device", "cpu")
    warned = run("train", knowing, "--out", tmp_path / "k.st", "--keyring", mine, *words)
    assert warned.code == 0
    assert 'positions = "none" in the settings will serve better' in warned.err
    quiet = run("train", config, "--out", out, "--keyring", mine, *words)
    assert quiet.code == 0
    assert "positions" not in quiet.err
    outcome = run("evaluate", out, "--keyring", others, *words, "--json")
    assert outcome.code == 0
    assert outcome.document["queries"] == 6


HASH = """
[hash]
backbone = "test_resnet"
bits = 12
height = 32
width = 32
[training]
epochs = 1
batch_size = 4
precision = "fp32"
"""


def test_a_hash_network_is_trained_without_a_key(run, data, config, tmp_path) -> None:
    from cipherlens.model.checkpoint import read_configuration

    config.write_text(HASH)
    out = tmp_path / "hash.safetensors"
    trained = run("train", config, "--data", data, "--out", out, "--device", "cpu")
    assert trained.code == 0, trained.err
    assert f"{out} holds epoch 1 of 1" in trained.out
    found = read_configuration(out)
    assert (found.architecture, found.profile) == ("hash", None)
    assert (found.network.bits, found.network.height, found.network.width) == (12, 32, 32)


def test_a_network_of_encrypted_pictures_needs_a_key(run, data, config, tmp_path) -> None:
    out = tmp_path / "m.safetensors"
    outcome = run("train", config, "--data", data, "--out", out)
    assert outcome.code == 2
    assert "needs --keyring" in outcome.err
    assert not out.exists()


def test_a_data_set_of_an_unknown_kind(run, keyring, config, tmp_path) -> None:
    words = ("--keyring", keyring, "--out", tmp_path / "m.safetensors")
    outcome = run("train", config, "--data", "imagenet:somewhere", *words)
    assert outcome.code == 2
    assert "fashion-mnist:PATH" in outcome.err


DISTIL = """
[blocks]
block_size = 8
feature_dim = 16
identity_dim = 8
[training]
epochs = 3
batch_size = 8
copies = 2
precision = "fp32"
learning_rate = 1e-3
teacher = "test_efficientnet"
pretrained = "{weights}"
stages = "{stages}"
"""


@pytest.fixture
def distil(tmp_path: Path) -> Path:
    """Settings whose teacher and stages have weights in files."""
    import timm
    from safetensors.torch import save_file

    weights = tmp_path / "teacher.safetensors"
    save_file(timm.create_model("test_efficientnet", num_classes=0).state_dict(), weights)
    stages = tmp_path / "stages.safetensors"
    save_file(timm.create_model("tf_efficientnet_lite0", num_classes=0).state_dict(), stages)
    path = tmp_path / "distil.toml"
    path.write_text(DISTIL.format(weights=weights, stages=stages))
    return path


@pytest.fixture
def threads() -> Iterator[None]:
    """Give PyTorch back its number of threads."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_a_distillation_needs_no_labels(run, image_key, data, distil, tmp_path) -> None:
    import torch

    from cipherlens.crypto import Keyring
    from cipherlens.model.checkpoint import read_configuration

    mine, out = tmp_path / "mine.keys", tmp_path / "m.safetensors"
    Keyring([image_key]).save(mine, unprotected=True)
    words = ("--data", data / "cats", "--keyring", mine, "--device", "cpu", "--threads", 1)
    outcome = run("train", distil, "--distil", "--out", out, *words)
    assert outcome.code == 0, outcome.err
    assert torch.get_num_threads() == 1
    assert read_configuration(out).architecture == "blocks"


@pytest.mark.parametrize(("last", "told"), [(1.99, True), (1.5, False)])
def test_a_training_that_does_not_learn_is_told_early(capsys, last, told) -> None:
    from cipherlens.client.cli.console import progress_bar
    from cipherlens.client.cli.training import Shown
    from cipherlens.model.training.state import EpochReport

    with progress_bar() as bar:
        shown = Shown(bar, 20, as_json=False)
        for number, loss in enumerate((2.0, 2.0, last), start=1):
            shown.epoch(
                EpochReport(
                    epoch=number,
                    loss=loss,
                    triplet=None,
                    cross_entropy=loss,
                    learning_rate=1e-3,
                    validation_map=None,
                    seconds=1.0,
                    cpu_seconds=1.0,
                    images_per_second=1.0,
                )
            )
    assert ("it is not learning: after 3 epochs" in capsys.readouterr().err) is told


@pytest.mark.parametrize(("kind", "words"), [("distil", ()), ("config", ("--distil",))])
def test_distil_stands_with_its_settings(
    run, keyring, data, request, tmp_path, kind, words
) -> None:
    settings = request.getfixturevalue(kind)
    out = tmp_path / "m.safetensors"
    outcome = run("train", settings, *words, "--data", data, "--keyring", keyring, "--out", out)
    assert outcome.code == 2
    assert "--distil goes with settings that have a table [blocks]" in outcome.err


def test_a_training_that_goes_on_says_from_where(
    run, keyring, data, config, tmp_path, monkeypatch
) -> None:
    from cipherlens.model.training.state import TrainingState

    saved = TrainingState.save

    def interrupted(self: TrainingState, path: Path) -> None:
        saved(self, path)
        raise KeyboardInterrupt

    words = ("--data", data, "--keyring", keyring, "--out", tmp_path / "m.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "save", interrupted)
        assert run("train", config, *words).code == 130
    outcome = run("train", config, *words)
    assert outcome.code == 0
    assert "resuming in epoch 2 of 2" in outcome.err
