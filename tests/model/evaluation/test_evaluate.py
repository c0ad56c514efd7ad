from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cipherlens.crypto import KeyEntry
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.data.encryption import KeyEncryptor, plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.errors import CheckpointError, DataError
from cipherlens.model.evaluation.evaluate import evaluate, evaluate_checkpoint, features
from cipherlens.model.evaluation.metrics import chance_average_precision, mean_average_precision
from cipherlens.model.networks.end_to_end import EndToEndNetwork


def test_features_are_the_vectors_that_a_server_computes(
    network: EndToEndNetwork, data: PreparedImages, entry: KeyEntry, tmp_path: Path
) -> None:
    encryptor = KeyEncryptor(entry)
    path = tmp_path / "model.safetensors"
    save(path, network, CheckpointConfiguration(network=network.config, profile=encryptor.profile))
    embedder = Embedder(path, precision="fp32")
    found = features(network, data, encryptor, precision="fp32")
    for image, vector in zip(data.images, found, strict=True):
        encrypted = encryptor(image[None], np.random.default_rng(0))
        np.testing.assert_allclose(embedder.embed(encrypted)[0], vector, atol=1e-5)


def test_each_image_queries_the_others(network: EndToEndNetwork, data: PreparedImages) -> None:
    evaluation = evaluate(network, data, plain, precision="fp32", ranks=(1, 29, 30))
    vectors = features(network, data, plain, precision="fp32")
    expected = mean_average_precision(
        vectors @ vectors.T, data.labels, data.labels, exclude_self=True
    )
    assert evaluation.mean_average_precision == pytest.approx(expected)
    assert evaluation.queries == 30
    assert evaluation.chance == pytest.approx(chance_average_precision(9, 29))
    assert evaluation.precision_at.keys() == {1, 29}
    assert evaluation.precision_at[29] == pytest.approx(9 / 29)


def test_an_image_alone_in_its_class_does_not_query(
    network: EndToEndNetwork, data: PreparedImages
) -> None:
    assert evaluate(network, data.take(np.arange(0, 11)), plain).queries == 10
    with pytest.raises(DataError, match="no class has two images"):
        evaluate(network, data.take(np.array([0, 10, 20])), plain)


def test_a_checkpoint_without_a_split(
    network: EndToEndNetwork, data: PreparedImages, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    configuration = CheckpointConfiguration(network=network.config, profile=None)
    for training in ({}, {"config": 3}, {"config": {"split": {"seed": "x"}}, "data": {}}):
        save(path, network, replace(configuration, training=training))
        with pytest.raises(CheckpointError, match="how its data was split"):
            evaluate_checkpoint(path, data, plain)
