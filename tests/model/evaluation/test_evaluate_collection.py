from dataclasses import replace

import numpy as np
import pytest

from cipherlens.crypto import CipherParameters, KeyEntry, Scope
from cipherlens.model.data.encryption import KeyEncryptor, plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.baselines import CIPHER, PLAIN
from cipherlens.model.evaluation.evaluate_collection import (
    encrypted,
    evaluate_collection,
    identical_first,
)


def mean_colour(pixels: np.ndarray) -> np.ndarray:
    """Return unit vectors that tell the three classes apart on plain pictures."""
    colours = pixels.mean(axis=(1, 2)).astype(np.float32)
    return colours / np.linalg.norm(colours, axis=1, keepdims=True)


def test_what_sees_plain_pictures_finds_all_and_itself(data: PreparedImages) -> None:
    found = evaluate_collection(mean_colour, data, plain, draws=2)
    assert [each.mean_average_precision for each in found.draws] == pytest.approx([1, 1])
    assert found.identical_first == (1.0,)
    assert set(found.baselines) == {*PLAIN, *CIPHER}
    assert found.baselines["colour histogram of the plain pictures"] > 0.95


def test_every_draw_is_another_encryption(data: PreparedImages, entry: KeyEntry) -> None:
    parameters = replace(entry.parameters, scope=Scope.IMAGE, substituted_blocks=6)
    encryptor = KeyEncryptor(replace(entry, parameters=parameters))
    one, again, other = (encrypted(data, encryptor, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(*pair) for pair in zip(one.images, again.images, strict=True))
    assert not any(np.array_equal(*pair) for pair in zip(one.images, other.images, strict=True))
    assert [each.shape for each in one.images] == [each.shape for each in data.images]
    found = evaluate_collection(mean_colour, data, encryptor, draws=3)
    assert len({each.mean_average_precision for each in found.draws}) == 3
    assert len(found.identical_first) == 2


def test_itself_must_be_nearer_than_all_others() -> None:
    stored = np.eye(4, dtype=np.float32)
    assert identical_first(stored[:3], stored) == 1
    assert identical_first(stored[[0, 2, 1]], stored) == pytest.approx(1 / 3)
    twins = np.ones((2, 1), dtype=np.float32)  # who is as near as another is not first
    assert identical_first(twins, twins) == 0


def test_without_pairs_there_is_nothing_to_rank(
    data: PreparedImages, parameters: CipherParameters
) -> None:
    assert parameters.height == data.height
    with pytest.raises(DataError):
        evaluate_collection(mean_colour, data.take(np.array([0, 12, 25])), plain)
