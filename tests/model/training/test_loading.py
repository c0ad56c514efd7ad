"""Batches are the same whoever makes them, and each process makes its own part."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor, Encryptor
from cipherlens.model.data.images import Pixels, PreparedImages
from cipherlens.model.training.distributed import ALONE, Processes
from cipherlens.model.training.loading import TOGETHER, Batch, BatchMaker, loaded


@pytest.fixture
def encryptor(parameters: CipherParameters) -> Encryptor:
    return AnyKeyEncryptor(replace(parameters, scope=Scope.IMAGE))


@pytest.fixture
def maker(train_config: TrainConfig, data: PreparedImages, encryptor: Encryptor) -> BatchMaker:
    return BatchMaker(config=train_config, images=data, encryptor=encryptor, processes=ALONE)


ASKED = [(np.array(positions), (2, index)) for index, positions in enumerate(([0, 1, 12], [4, 3]))]


def same(found: Iterator[Batch], expected: list[Batch]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.alone, one.lengths) == (other.alone, other.lengths)
        assert torch.equal(one.labels, other.labels)
        for inputs, wanted in zip(one.inputs, other.inputs, strict=True):
            assert torch.equal(inputs, wanted)


def test_workers_make_what_this_process_would(maker: BatchMaker) -> None:
    expected = [maker.batch(*each) for each in ASKED]
    same(loaded(maker, ASKED, 0), expected)
    same(loaded(maker, ASKED, 1), expected)


def test_a_resumed_epoch_has_the_same_batches(maker: BatchMaker) -> None:
    same(loaded(maker, ASKED[1:], 0), [maker.batch(*ASKED[1])])


def test_every_moment_draws_anew(maker: BatchMaker) -> None:
    positions, _ = ASKED[0]
    one, other, epoch = (maker.batch(positions, each) for each in ((1, 0), (1, 1), (2, 0)))
    assert not torch.equal(one.inputs[0], other.inputs[0])
    assert not torch.equal(one.inputs[0], epoch.inputs[0])


@pytest.mark.parametrize("count", [2, 3])
def test_the_parts_of_all_processes_are_the_batch_of_one(maker: BatchMaker, count: int) -> None:
    positions = np.arange(30)[np.random.default_rng(0).permutation(30)]
    whole = maker.batch(positions, (1, 0))
    parts = [
        replace(maker, processes=Processes(rank=rank, count=count)).batch(positions, (1, 0))
        for rank in range(count)
    ]
    for shape, inputs in enumerate(whole.inputs):
        assert torch.equal(torch.cat([each.inputs[shape] for each in parts]), inputs)
    for each in parts:
        assert each.lengths == parts[0].lengths
        assert torch.equal(each.labels, parts[0].labels)
    own = [sum(map(len, each.inputs)) for each in parts]
    assert tuple(own) == parts[0].lengths


def test_a_process_encrypts_little_more_than_its_part(
    maker: BatchMaker, data: PreparedImages
) -> None:
    seen: list[int] = []

    def counting(images: Pixels, _draw: np.random.Generator) -> Pixels:
        seen.append(len(images))
        return images

    many = np.tile(np.flatnonzero([each.shape[0] == 16 for each in data.images]), 20)
    last = replace(maker, encryptor=counting, processes=Processes(rank=3, count=4))
    batch = last.batch(many, (1, 0))
    assert len(many) // 4 <= sum(map(len, batch.inputs)) <= sum(seen)
    assert sum(seen) < len(many) // 4 + 2 * TOGETHER


def test_labels_follow_the_pictures(maker: BatchMaker, data: PreparedImages) -> None:
    def as_it_is(images: Pixels, _draw: np.random.Generator) -> Pixels:
        return images

    config = replace(maker.config, augmentation=type(maker.config.augmentation)())
    positions = np.array([9, 20, 0, 5, 14])
    batch = replace(maker, config=config, encryptor=as_it_is).batch(positions, (1, 0))
    known = {data.images[each].tobytes(): int(data.labels[each]) for each in positions}
    found = [known[image.numpy().tobytes()] for inputs in batch.inputs for image in inputs]
    assert found == batch.labels.tolist()


def test_pieces_are_forward_passes_of_their_own(maker: BatchMaker) -> None:
    positions = np.arange(30)
    whole = maker.batch(positions, (1, 0))
    config = replace(maker.config, pieces=4)
    pieces = replace(maker, config=config).batch(positions, (1, 0))
    assert len(pieces.inputs) == 4 * len(whole.inputs)
    for shape, inputs in enumerate(whole.inputs):
        assert torch.equal(torch.cat(pieces.inputs[4 * shape : 4 * shape + 4]), inputs)
    assert torch.equal(pieces.labels, whole.labels)


def test_a_picture_alone_in_its_orientation_is_marked(maker: BatchMaker) -> None:
    batch = maker.batch(np.array([0, 1, 2]), (1, 0))
    assert sorted(zip(map(len, batch.inputs), batch.alone, strict=True)) == [(1, True), (2, False)]
