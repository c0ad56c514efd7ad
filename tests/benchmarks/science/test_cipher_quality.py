from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.methods.keys import measured_key
from benchmarks.science import cipher_quality
from benchmarks.science.cipher_quality import (
    FITS,
    FITTED,
    PAPER,
    expected_squared_errors,
    fitted,
    mean_squared_errors,
)
from benchmarks.science.photographs import photographs
from cipherlens.crypto import CipherParameters, ImageCipher, Scope
from cipherlens.model.data.images import PreparedImages

SIZE = CipherParameters(
    height=16, width=24, block_size=8, substituted_blocks=0, scope=Scope.COLLECTION
)


def pictures() -> PreparedImages:
    """Three pictures unlike each other: a ramp, a portrait of noise, and one that is half dark."""
    ramp = np.linspace(0, 255, 16 * 24 * 3).reshape(16, 24, 3).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    dark = np.zeros((16, 24, 3), dtype=np.uint8)
    dark[:, 12:] = 200
    return PreparedImages(
        images=(ramp, noise, dark),
        labels=np.zeros(3, dtype=np.int64),
        names=("ramp", "noise", "dark"),
        class_names=("all",),
        height=16,
        width=24,
    )


def test_errors_are_those_of_the_cipher_images() -> None:
    images = pictures()
    cipher = ImageCipher(measured_key(SIZE, 1))
    errors = mean_squared_errors(images, cipher)
    for image, error in zip(images.images, errors, strict=True):
        encrypted, _ = cipher.encrypt(image[None])
        assert error == pytest.approx(np.square(encrypted[0] - image.astype(float)).mean())


@pytest.mark.parametrize("substituted", [0, 2, 6])
def test_the_law_is_the_mean_over_keys(substituted: int) -> None:
    """Six blocks and 600 keys: within four standard errors of every picture's mean."""
    images = pictures()
    parameters = CipherParameters(height=16, width=24, block_size=8, substituted_blocks=substituted)
    errors = np.stack(
        [
            mean_squared_errors(images, ImageCipher(measured_key(parameters, seed)))
            for seed in range(600)
        ]
    )
    spread = errors.std(axis=0) / np.sqrt(len(errors))
    expected = expected_squared_errors(images, parameters)
    assert (np.abs(errors.mean(axis=0) - expected) < 4 * spread + 1e-9).all()


def test_the_fit_finds_the_law_that_a_table_follows() -> None:
    """Errors of 6,000 and 6,500 for orders of blocks, 9,000 for substituted colours."""
    orders = {8: 6000, 16: 6500}
    errors = {
        (size, substituted): (1 - share) * orders[size] + share * 9000
        for size, substituted in PAPER
        for share in [size**2 * substituted / (128 * 192)]
    }
    found = fitted({case: 10 * np.log10(255**2 / error) for case, error in errors.items()})
    expected = [10 * np.log10(255**2 / each) for each in (6000, 6500, 9000)]
    values = [found[name] for name in FITTED]
    assert values[:3] == pytest.approx(expected, abs=1e-3)
    assert values[3] == pytest.approx(np.sqrt(9000 - 5461.25), abs=1e-3)
    assert values[4] == 0


def test_the_papers_table_lies_on_the_law_and_one_with_a_wrong_figure_does_not() -> None:
    assert fitted(PAPER)["farthest off (dB)"] < 0.03
    assert fitted({**PAPER, (8, 192): 9.9})["farthest off (dB)"] > 0.2


def test_a_measured_key_can_be_made_again() -> None:
    assert measured_key(SIZE, 3).fingerprint == measured_key(SIZE, 3).fingerprint
    assert measured_key(SIZE, 3).fingerprint != measured_key(SIZE, 4).fingerprint


def test_photographs_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (30, 20), "red").save(tmp_path / "deep" / "a.jpg")
    Image.new("RGB", (20, 30), "blue").save(tmp_path / "b.png")
    (tmp_path / "words.txt").write_text("no picture")
    monkeypatch.setenv("PHOTOGRAPHS", str(tmp_path))
    found = photographs(SIZE)
    assert found is not None
    origin, images = found
    assert origin == str(tmp_path)
    assert images.names == ("b.png", "deep/a.jpg")
    assert [each.shape for each in images.images] == [(24, 16, 3), (16, 24, 3)]


def test_no_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOGRAPHS", str(tmp_path))
    assert photographs(SIZE) is None


def test_every_setting_of_every_set_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    large = PreparedImages(
        images=(np.random.default_rng(1).integers(0, 256, (128, 192, 3), dtype=np.uint8),),
        labels=np.zeros(1, dtype=np.int64),
        names=("noise",),
        class_names=("all",),
        height=128,
        width=192,
    )
    monkeypatch.setattr(
        cipher_quality,
        "picture_sets",
        lambda _size: {"noise": ("a generator", large), "photographs": None},
    )
    document = cipher_quality.run("quick")
    assert len(document["results"]) == 12
    assert document["data"] == "noise: 1 pictures, a generator"
    assert document["results"]["photographs, P=8, M=96"] == {"mean PSNR": "not here"}
    assert list(document["tables"][FITS]) == ["Corel10K (E2E, Table I)", "noise"]
    row = document["results"]["noise, P=16, M=72"]
    # Noise stays noise: twice the variance of a byte, whatever the cipher does.
    assert row["law"] == pytest.approx(10 * np.log10(255**2 / (2 * 5461.25)), abs=0.05)
    assert row["lowest key"] <= row["mean PSNR"] <= row["highest key"]
    assert row["mean PSNR"] == pytest.approx(row["law"], abs=0.05)


def test_openclipart_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLIPART", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PHOTOGRAPHS", str(tmp_path))
    sets = cipher_quality.picture_sets(SIZE)
    assert sets["OpenClipart"] is None
    assert sets["photographs"] is None
    assert sets["demo"] is not None
