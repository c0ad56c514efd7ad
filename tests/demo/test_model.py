"""The model that comes with the samples: what it says of itself, and that it reads any key."""

from pathlib import Path

from cipherlens.crypto import CipherParameters, KeyEntry, Scope
from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.config import TrainConfig
from cipherlens.model.data.encryption import KeyEncryptor
from cipherlens.model.data.images import list_folder, load_prepared
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint

DEMO = Path(__file__).resolve().parents[2] / "demo"
MODEL = DEMO / "model.safetensors"
PARAMETERS = CipherParameters(block_size=16, substituted_blocks=24, scope=Scope.IMAGE)


def test_it_is_small_and_made_by_the_settings_beside_it() -> None:
    configuration = read_configuration(MODEL)
    config = TrainConfig.from_toml(DEMO / "any-key.toml").to_dict()
    assert MODEL.stat().st_size <= 4_000_000
    assert configuration.training["config"] == config
    assert configuration.network.positions == "none"  # type: ignore[union-attr]
    assert configuration.profile is not None
    assert configuration.profile.key_fingerprint == b""


def test_it_finds_held_out_pictures_under_a_key_it_has_never_seen() -> None:
    data = load_prepared(list_folder(DEMO / "samples"), PARAMETERS)
    for name in ("one", "another"):
        key = KeyEntry.generate(name, PARAMETERS)
        found = evaluate_checkpoint(MODEL, data, KeyEncryptor(key))
        assert found.queries == 159
        assert found.mean_average_precision > 3 * found.chance
