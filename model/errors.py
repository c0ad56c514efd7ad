"""What can go wrong with a model, a checkpoint or the data it learns from."""

from cipherlens.base import DomainError


class ModelError(DomainError):
    """The root of every domain failure in this package."""


class CheckpointError(ModelError):
    """A checkpoint file is damaged, of another format, or does not fit its own configuration."""


class DataError(ModelError):
    """A data set cannot be used: too few classes or images, or not the one that was trained on."""


class ResumeError(ModelError):
    """A saved training state belongs to another training than the one that was asked for."""


class TrainingDiverged(ModelError):
    """A training's loss is no longer a finite number."""


class ProcessLost(ModelError):
    """One of the processes that train together has ended before the others."""


class PretrainedError(ModelError):
    """The weights that a training is to start from cannot be had or are not the backbone's."""
