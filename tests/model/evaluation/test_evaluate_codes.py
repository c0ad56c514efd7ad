from pathlib import Path

import numpy as np
import pytest

from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.evaluate_codes import encode_images, evaluate_codes
from cipherlens.model.evaluation.metrics import chance_average_precision
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.networks.hash_network import HashNetwork


def test_a_worked_example() -> None:
    database = np.array([[0b00], [0b00], [0b01], [0b11]], dtype=np.uint8)
    queries = np.array([[0b00], [0b11], [0b00]], dtype=np.uint8)
    found = evaluate_codes(
        queries,
        database,
        np.array([0, 1, 7]),  # nothing is of class 7
        np.array([0, 1, 1, 0]),
        bits=2,
        ranks=(1, 2, 4, 5),
    )
    # The first query: images 0 and 1 in either order, then 2, then 3 of its own class.
    first = ((1 + 2 / 4) / 2 + (1 / 2 + 2 / 4) / 2) / 2
    # The second query: image 3 of the other class, then 2 of its own, then 0 and 1 in any order.
    second = ((1 / 2 + 2 / 3) / 2 + (1 / 2 + 2 / 4) / 2) / 2
    assert found.queries == 2
    assert found.mean_average_precision == pytest.approx((first + second) / 2)
    assert found.chance == pytest.approx(chance_average_precision(2, 4))
    assert found.precision_at == pytest.approx({1: 0.25, 2: 0.5, 4: 0.5})


def test_chance_is_the_mean_over_queries_of_classes_of_unequal_size() -> None:
    codes = np.zeros((5, 1), dtype=np.uint8)
    labels = np.array([0, 0, 1, 1, 1])
    found = evaluate_codes(codes, codes, labels, labels, bits=3, exclude_self=True)
    chances = [chance_average_precision(1, 4)] * 2 + [chance_average_precision(2, 4)] * 3
    assert found.chance == pytest.approx(np.mean(chances))
    assert found.mean_average_precision == pytest.approx(found.chance)
    assert found.precision_at == {}


def test_nothing_to_retrieve() -> None:
    codes = np.zeros((1, 1), dtype=np.uint8)
    with pytest.raises(DataError, match="no query has a relevant image"):
        evaluate_codes(codes, codes, np.array([0]), np.array([1]), bits=8)


def test_images_of_both_orientations_get_their_own_codes(
    tmp_path: Path, hash_network: HashNetwork
) -> None:
    generator = np.random.default_rng(2)
    shapes = [(32, 48, 3), (48, 32, 3), (32, 48, 3), (48, 32, 3)]
    pictures = [
        generator.integers(0, generator.integers(1, 256, 3), shape).astype(np.uint8)
        for shape in shapes
    ]
    images = PreparedImages(
        images=tuple(pictures),
        labels=np.array([0, 1, 0, 1]),
        names=("a", "b", "c", "d"),
        class_names=("x", "y"),
        height=32,
        width=48,
    )
    configuration = CheckpointConfiguration(
        architecture="hash", network=hash_network.config, profile=None
    )
    save(tmp_path / "hash", hash_network, configuration)
    encoder = HashEncoder(tmp_path / "hash")
    codes = encode_images(encoder, images)
    assert codes.shape == (4, 2)
    for code, picture in zip(codes, pictures, strict=True):
        assert np.array_equal(code, encoder.encode(picture[None])[0])
