"""What a checkpoint is judged on: the images that query, and those that they search."""

from dataclasses import dataclass

import numpy as np

from cipherlens.base.fields import check_choice
from cipherlens.model.checkpoint import CheckpointConfiguration
from cipherlens.model.config import SplitConfig, record
from cipherlens.model.data.images import PARTS, PreparedImages, Split, split_images
from cipherlens.model.errors import CheckpointError, DataError

ALL = "all"
"""The part that is every image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievalTask:
    """Images that query a database of images; `exclude_self` says that the two are the same."""

    queries: PreparedImages
    database: PreparedImages
    exclude_self: bool


def retrieval_task(
    configuration: CheckpointConfiguration, data: PreparedImages, part: str
) -> RetrievalTask:
    """Return what a part of the split of a checkpoint's training has to find.

    Each image of the part queries the others. The part "all" is every image of any data, that of
    the training or another. With a hash network the test images query all images that are not in
    the test part, as in DLHEIR.

    Raises:
        CheckpointError: if the checkpoint does not say how its data was split.
        DataError: if the data is not that of its training, or there is nothing to find.
        ValueError: if the part is unknown.
    """
    check_choice("part", part, (*PARTS, ALL))
    if part == ALL:
        return part_task(data)
    positions = split_images(data, _split(configuration, data))
    if configuration.architecture == "hash" and part == "test":
        return rest_task(data, positions)
    return part_task(data.take(getattr(positions, part)))


def part_task(images: PreparedImages) -> RetrievalTask:
    """Return the task in which each image queries the others; raise DataError if none has any."""
    check_pairs(images)
    return RetrievalTask(queries=images, database=images, exclude_self=True)


def rest_task(data: PreparedImages, positions: Split) -> RetrievalTask:
    """Return the task in which the test images query all images that are not in the test part."""
    rest = np.concatenate([positions.train, positions.validation])
    return RetrievalTask(
        queries=data.take(positions.test), database=data.take(rest), exclude_self=False
    )


def check_pairs(images: PreparedImages) -> None:
    """Raise DataError unless an image has another of its class to find."""
    if len(np.unique(images.labels)) == len(images):
        raise DataError("no class has two images: there is nothing to retrieve")


def _split(configuration: CheckpointConfiguration, data: PreparedImages) -> SplitConfig:
    """Return how a checkpoint's training split its data.

    Raises:
        CheckpointError: if the checkpoint does not say how its data was split.
        DataError: if the data is another.
    """
    training = configuration.training
    try:
        config = record(SplitConfig, "split", training["config"]["split"])
        digest = training["data"]["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            "checkpoint does not say how its data was split: only the part all has a meaning"
        ) from error
    if digest != data.digest():
        raise DataError(
            f"this is not the data of the training: digest {data.digest()} is not {digest}; "
            "the part all takes any"
        )
    return config
