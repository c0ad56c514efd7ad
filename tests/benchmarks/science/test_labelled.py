import numpy as np
import pytest
from PIL import Image

from benchmarks.science.labelled import labelled_sets, pieces


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """Put three pictures where photographs are looked for: red grows to the right, green down."""
    for number in range(3):
        down, across = np.mgrid[:320, :480]
        pixels = np.stack([across / 480, down / 320, np.full_like(across, number) / 3], axis=-1)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
    monkeypatch.setenv("PHOTOGRAPHS", str(tmp_path))


def test_pieces_cover_a_photograph(photographs) -> None:
    found = pieces()
    assert len(found.data) == 48
    assert np.bincount(found.data.labels).tolist() == [16, 16, 16]
    means = np.array([each.mean(axis=(0, 1)) for each in found.data.images[:16]]).reshape(4, 4, 3)
    assert np.allclose(means[:, :, 0], [[31.5, 95, 159, 222]] * 4, atol=2)
    assert np.allclose(means[:, :, 1].T, [[31.5, 95, 159, 222]] * 4, atol=2)


def test_what_is_not_here_is_left_out(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("COREL10K", raising=False)
    monkeypatch.setenv("OPENCLIPART", str(tmp_path / "none"))
    sets = labelled_sets("full")
    assert sets["Corel10K, 128x192"]() is None
    assert sets["OpenClipart, 64x96"]() is None


def test_corel10k_is_taken_from_where_it_is_said_to_be(tmp_path, monkeypatch) -> None:
    for number in (0, 1, 100, 101):
        Image.new("RGB", (187, 126), (number, 0, 0)).save(tmp_path / f"{number}.jpg")
    monkeypatch.setenv("COREL10K", str(tmp_path))
    found = labelled_sets("full")["Corel10K, 128x192"]()
    assert found.data.labels.tolist() == [0, 0, 1, 1]
    assert found.split.test == 0.3


def test_sets_are_chosen_by_how_their_names_begin(monkeypatch) -> None:
    monkeypatch.setenv("PICTURES", "OpenClipart,pieces")
    assert list(labelled_sets("full")) == ["OpenClipart, 64x96", "pieces of photographs, 128x192"]
    monkeypatch.delenv("PICTURES")
    assert len(labelled_sets("full")) == 4
