from dataclasses import replace

import numpy as np
import pytest

from cipherlens.model.checkpoint import CheckpointConfiguration
from cipherlens.model.config import HashNetworkConfig, NetworkConfig, SplitConfig
from cipherlens.model.data.images import PreparedImages, split_images
from cipherlens.model.errors import CheckpointError, DataError
from cipherlens.model.evaluation.retrieval_task import retrieval_task

SPLIT = SplitConfig(validation=0.2, test=0.3, seed=3)


@pytest.fixture
def trained(network_config: NetworkConfig, data: PreparedImages) -> CheckpointConfiguration:
    training = {
        "config": {"split": {"validation": 0.2, "test": 0.3, "seed": 3}},
        "data": {"digest": data.digest()},
    }
    return CheckpointConfiguration(network=network_config, profile=None, training=training)


@pytest.fixture
def hash_trained(trained: CheckpointConfiguration) -> CheckpointConfiguration:
    network = HashNetworkConfig(backbone="test_resnet", bits=12, height=16, width=24, classes=3)
    return replace(trained, architecture="hash", network=network)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_each_image_of_the_part_queries_the_others(trained, data, part) -> None:
    task = retrieval_task(trained, data, part)
    expected = data.take(getattr(split_images(data, SPLIT), part))
    assert task.exclude_self
    assert task.queries is task.database
    assert task.queries.names == expected.names


def test_with_a_hash_network_the_test_images_query_all_that_are_not(hash_trained, data) -> None:
    task = retrieval_task(hash_trained, data, "test")
    assert not task.exclude_self
    assert task.queries.names == data.take(split_images(data, SPLIT).test).names
    assert sorted(task.queries.names + task.database.names) == sorted(data.names)
    assert retrieval_task(hash_trained, data, "validation").exclude_self


def test_what_cannot_be_judged(trained, data) -> None:
    with pytest.raises(ValueError, match="part must be one of"):
        retrieval_task(trained, data, "tests")
    with pytest.raises(CheckpointError, match="how its data was split"):
        retrieval_task(replace(trained, training={}), data, "test")
    with pytest.raises(DataError, match="not the data of the training"):
        retrieval_task(trained, data.take(np.arange(1, 30)), "test")


def test_a_part_in_which_each_image_is_alone(trained, data) -> None:
    split = {"validation": 0.1, "test": 0.3, "seed": 3}
    lonely = replace(trained, training={**trained.training, "config": {"split": split}})
    with pytest.raises(DataError, match="no class has two images"):
        retrieval_task(lonely, data, "validation")
