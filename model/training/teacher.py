"""What a teacher makes of plain pictures, in the space that a network is to learn."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from cipherlens.model.config import DistillConfig, LoopConfig
from cipherlens.model.data.augmentation import augment
from cipherlens.model.data.images import Pixels, PreparedImages, by_shape
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.network_config import NetworkConfig
from cipherlens.model.networks.pretrained import origin, start_backbone
from cipherlens.model.networks.timm_backbone import timm_backbone
from cipherlens.model.training.kept import computed_once

BATCH = 8  # on a CPU larger maps leave the cache
COPIES = 4  # seeds the changes of copies, beside the purposes in `steps`

Progress = Callable[[int, int], None]


class Teacher:
    """A network of plain pictures with weights of its own, which only looks."""

    def __init__(self, config: DistillConfig, device: torch.device) -> None:
        """Load the teacher that the settings name.

        Raises:
            PretrainedError: if its weights cannot be had or do not fit.
            ValueError: if timm has no such architecture, or its vectors are shorter than those that
                are to be learnt.
            OSError: if a file cannot be read.
        """
        backbone = timm_backbone(config.teacher, "")
        start_backbone(backbone, _architecture(config), config.pretrained)
        self._backbone = backbone.to(device).eval()
        self._device = device
        self.dimension = cast("int", backbone.num_features)
        if self.dimension < config.network.semantic_dim:
            raise ValueError(
                f"teacher {config.teacher} makes {self.dimension} numbers, "
                f"feature_dim less identity_dim is {config.network.semantic_dim}"
            )

    @torch.inference_mode()
    def vectors(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return (n, dimension) float32 unit vectors of plain (n, h, w, 3) pictures."""
        parts = [
            normalize(self._backbone(to_input(pixels[start : start + BATCH], self._device)).float())
            for start in range(0, len(pixels), BATCH)
        ]
        found: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return found


def teacher_origin(config: DistillConfig) -> dict[str, str]:
    """Return what a checkpoint keeps of the teacher.

    Raises:
        PretrainedError: if there are no such weights.
        OSError: if a file cannot be read.
    """
    return {"architecture": config.teacher, **origin(_architecture(config), config.pretrained)}


def changed_copies(
    pixels: Pixels, positions: NDArray[np.intp], copies: NDArray[np.intp], config: LoopConfig
) -> Pixels:
    """Return the copy of each picture that has the given number, the same at every call.

    Args:
        pixels: (n, h, w, 3) uint8 plain pictures of one orientation.
        positions: (n,) their places in the training part.
        copies: (n,) from 0; copy 0 is the picture itself.
        config: the settings, with the seed.
    """
    changed = pixels.copy()
    for row, (position, copy) in enumerate(zip(positions, copies, strict=True)):
        if copy:
            draw = np.random.default_rng([config.seed, COPIES, int(copy), int(position)])
            changed[row] = augment(pixels[row : row + 1], config.augmentation, draw)[0]
    return changed


def taught(
    teacher: Teacher,
    images: PreparedImages,
    config: DistillConfig,
    path: Path,
    progress: Progress,
) -> Tensor:
    """Return what is to be learnt, (copies, n, semantic_dim) float32 on the CPU.

    These are the teacher's vectors less their mean, in the directions in which they differ most.
    They are kept at `path`, and taken from there if it has those of the same pictures and settings.
    `progress` is called with the number of copies done and of all.
    """

    def found() -> dict[str, Tensor]:
        vectors = _vectors(teacher, images, config, progress)
        targets = torch.from_numpy(principal(vectors, config.network.semantic_dim))
        return {"targets": targets.contiguous()}

    return computed_once(path, _identity(images, config), found)["targets"]


def principal(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """Return vectors less their mean, (..., dim) float32, in the directions of most variance."""
    flat = vectors.reshape(-1, vectors.shape[-1]).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    kept: NDArray[np.float64] = centred @ directions[:, ::-1][:, :dim]
    return kept.astype(np.float32).reshape(*vectors.shape[:-1], dim)


def _vectors(
    teacher: Teacher, images: PreparedImages, config: DistillConfig, progress: Progress
) -> NDArray[np.float32]:
    """Return the teacher's vectors of all copies, (copies, n, dimension) float32."""
    found = np.empty((config.copies, len(images), teacher.dimension), dtype=np.float32)
    done = 0
    for copy in range(config.copies):
        for positions, pixels in by_shape(images.images, BATCH):
            numbers = np.full(len(positions), copy, dtype=np.intp)
            changed = changed_copies(pixels, positions, numbers, config)
            found[copy, positions] = teacher.vectors(changed)
            done += len(positions)
            progress(done, config.copies * len(images))
    return found


def _architecture(config: DistillConfig) -> NetworkConfig:
    return NetworkConfig(backbone=config.teacher)


def _identity(images: PreparedImages, config: DistillConfig) -> str:
    """Return 64 hex digits that change with whatever the targets depend on."""
    settings = config.to_dict()
    parts = [settings[name] for name in ("augmentation", "seed", "copies")]
    facts = [*parts, teacher_origin(config), config.network.semantic_dim, images.digest()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
