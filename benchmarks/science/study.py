"""What the tables of trained networks have in common: pictures, methods judged on them, figures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from benchmarks.harness.pictures import described, pictures
from benchmarks.methods import corel10k
from benchmarks.methods.figures import STORE, Figures, Store, all_figures
from benchmarks.methods.method import Method
from cipherlens.crypto import PreparedSize
from cipherlens.model.config import HashTrainConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

QUICK_EVERY = 25

_Key = TypeVar("_Key")
_Config = TypeVar("_Config", TrainConfig, HashTrainConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """Methods are judged on one set of pictures; what was trained before is not trained again."""

    name: str
    data: PreparedImages
    store: Store = STORE

    def __str__(self) -> str:
        """Return how the tables call the pictures."""
        return f"{self.name}: {len(self.data)} pictures in {len(self.data.class_names)} classes"

    def figures(self, methods: Mapping[_Key, Method]) -> dict[_Key, Figures]:
        """Return the figures of each method."""
        return all_figures(methods, self.data, self.store)

    def facts(self) -> dict[str, Any]:
        """Return what the raw figures say of the pictures."""
        return {"data": str(self), "pictures": described(self.name, self.data)}


def study_of(profile: str, size: PreparedSize) -> Study:
    """Return the study of a profile's pictures, prepared to a size.

    Raises:
        NotHereError: if the profile is at the papers' scale and its pictures are not here.
    """
    if profile in corel10k.STORES:
        data = corel10k.pictures(size, profile)
        return Study(name=corel10k.NAME, data=data, store=corel10k.STORES[profile])
    name, data = pictures(profile, size)
    return Study(name=name, data=data)


def fewer(data: PreparedImages) -> PreparedImages:
    """Return one picture of so many, for a quick profile of a large set."""
    return data.take(np.arange(0, len(data), QUICK_EVERY))


def shortened(config: _Config, epochs: int, test: float = 0.3) -> _Config:
    """Return the settings with fewer epochs, and parts that few pictures can be split into."""
    return replace(config, epochs=epochs, split=SplitConfig(validation=0.15, test=test))
