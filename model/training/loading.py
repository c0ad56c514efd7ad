"""What the network sees of a batch, made beside the training: changed, encrypted, parted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cipherlens.model.config import LabelConfig, LoopConfig
from cipherlens.model.data.augmentation import augment
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.training.distributed import Processes

Moment: TypeAlias = tuple[int, int]
"""An epoch, from 1, and a step in it: they seed the draws."""

# Each epoch or step seeds one generator per purpose: a resumed training draws what an unbroken one
# would, and the plain twin sees the batches and changes that its encrypted sibling sees.
BATCHES, AUGMENTATION, ENCRYPTION, DROPOUT = range(4)

TOGETHER = 32
"""Pictures with one generator: one of several processes makes hardly more than its own part."""

AHEAD = 4
"""Batches that each worker has ready at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A batch as this process sees it.

    `inputs` has one (n, h, w, 3) uint8 tensor for each forward pass: orientations and pieces go
    apart. `alone` says of each whether its picture has no other beside it. `labels`, int64, are
    those of the whole batch, in the order in which the outputs of all processes are gathered;
    `lengths` says how many each process has.
    """

    inputs: tuple[Tensor, ...]
    alone: tuple[bool, ...]
    labels: Tensor
    lengths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchMaker:
    """Makes batches of plain pictures; what is random depends on the moment alone.

    So workers and processes make what one process would. Each makes only what it runs forward.
    """

    config: LabelConfig
    images: PreparedImages
    encryptor: Encryptor
    processes: Processes

    def batch(self, positions: NDArray[np.intp], moment: Moment) -> Batch:
        """Return the batch of the pictures at some positions."""
        images = self.images.take(positions)
        inputs, alone, orders = [], [], []
        for group, (places, pixels) in enumerate(by_shape(images.images)):
            own = self.processes.parts(np.arange(len(pixels)))[self.processes.rank]
            seen = self._seen(pixels, own, (*moment, group))
            # As many in every process: norms over all of them wait for each other.
            for piece in np.array_split(seen, min(self.config.pieces, len(pixels))):
                inputs.append(torch.from_numpy(piece))
                alone.append(len(pixels) == 1)
            orders.append(self.processes.parts(places))
        shares = [np.concatenate(each) for each in zip(*orders, strict=True)]
        return Batch(
            inputs=tuple(inputs),
            alone=tuple(alone),
            labels=torch.from_numpy(images.labels[np.concatenate(shares)]),
            lengths=tuple(map(len, shares)),
        )

    def _seen(
        self, pixels: NDArray[np.uint8], own: NDArray[np.intp], moment: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        """Return the pictures at `own` of one orientation as the network sees them."""
        made = [pixels[:0]]
        for start in range(0, len(pixels), TOGETHER):
            wanted = own[(own >= start) & (own < start + TOGETHER)]
            if len(wanted):
                changed = augment(
                    pixels[start : start + TOGETHER],
                    self.config.augmentation,
                    draw(self.config, *moment, start, AUGMENTATION),
                )
                secret = draw(self.config, *moment, start, ENCRYPTION)
                made.append(self.encryptor(changed, secret)[wanted - start])
        return np.ascontiguousarray(np.concatenate(made))


def loaded(
    maker: BatchMaker, asked: Sequence[tuple[NDArray[np.intp], Moment]], workers: int
) -> Iterator[Batch]:
    """Yield the batches of pictures at positions, in order; workers make them ahead of time.

    With none they are made when they are asked for. Workers are forks of this process: a key that
    the encryptor holds goes through no pipe.
    """
    if not workers:
        yield from (maker.batch(*each) for each in asked)
        return
    yield from DataLoader(
        _Asked(maker),
        batch_size=None,
        sampler=asked,
        num_workers=workers,
        collate_fn=_as_made,
        multiprocessing_context="fork",
        prefetch_factor=AHEAD,
    )


def draw(config: LoopConfig, *moment: int) -> np.random.Generator:
    """Return the generator of a moment and a purpose."""
    return np.random.default_rng([config.seed, *moment])


class _Asked(Dataset[Batch]):
    """Batches by what is asked for, as PyTorch's loader wants them."""

    def __init__(self, maker: BatchMaker) -> None:
        self._maker = maker

    def __getitem__(self, asked: tuple[NDArray[np.intp], Moment]) -> Batch:
        return self._maker.batch(*asked)


def _as_made(batch: Any) -> Any:
    return batch
