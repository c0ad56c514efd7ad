"""The learning rate over a training."""

import math

from cipherlens.model.config import LoopConfig


def learning_rate(config: LoopConfig, epoch: float) -> float:
    """Return the rate at a point of the training, in epochs from 0 to `config.epochs`.

    It rises linearly from 0 over the warm-up; then it stays, or falls to 0 along a half cosine.
    """
    if epoch < config.warmup_epochs:
        return config.learning_rate * epoch / config.warmup_epochs
    if config.schedule == "constant":
        return config.learning_rate
    done = (epoch - config.warmup_epochs) / max(config.epochs - config.warmup_epochs, 1)
    return config.learning_rate * (1 + math.cos(math.pi * done)) / 2
