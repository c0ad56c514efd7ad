"""A training between two of its steps, in a file from which it goes on exactly."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from cipherlens.base import replace_file
from cipherlens.model.errors import ResumeError
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.training.average import Average

METADATA_KEY = "cipherlens-training"


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """One epoch's mean losses, last learning rate, validation mAP (or None) and duration.

    `triplet` is None where the loss has no triplets. `images_per_second` is the rate of the steps,
    `seconds` include the validation; steps that an interruption made run twice count once.
    `cpu_seconds` is what the first process had of all processors in that time: on a shared machine
    it tells the cost better.
    """

    epoch: int
    loss: float
    triplet: float | None
    cross_entropy: float
    learning_rate: float
    validation_map: float | None
    seconds: float
    cpu_seconds: float
    images_per_second: float


@dataclass(kw_only=True, slots=True)
class PartialEpoch:
    """What is done of an epoch: its steps, their time and the sums of their `LossParts.values`."""

    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    losses: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))

    def add(self, values: Tensor, seconds: float, cpu_seconds: float) -> None:
        """Count one more step, with the `LossParts.values` of its batch."""
        self.steps += 1
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds
        self.losses = self.losses.to(values.device) + values

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "losses": self.losses.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PartialEpoch":
        """Return what `to_dict` described."""
        losses = torch.tensor(values["losses"], dtype=torch.float64)
        return cls(**{**values, "losses": losses})


@dataclass(kw_only=True, slots=True)
class TrainingState:
    """A network, its optimizer, the reports of the epochs so far and what is done of the next.

    `average`, if the settings want one, is what is validated and kept in the network's place.
    `identity` tells trainings apart: settings, data and key in one digest. There is no generator
    state to keep, because each epoch and each step seed their own generators.
    """

    identity: str
    network: RetrievalNetwork
    optimizer: torch.optim.Optimizer
    average: Average | None = None
    history: list[EpochReport] = field(default_factory=list)
    partial: PartialEpoch = field(default_factory=PartialEpoch)

    @property
    def judged(self) -> RetrievalNetwork:
        """The network that is validated and kept."""
        return self.network if self.average is None else self.average.network

    def save(self, path: Path) -> None:
        """Write the state so that a crash leaves the old file or the new, never a mix."""
        document = {
            "identity": self.identity,
            "history": [asdict(each) for each in self.history],
            "partial": self.partial.to_dict(),
        }
        tensors = {**self._network_tensors(), **self._optimizer_tensors()}
        contiguous = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
        replace_file(path, serialise(contiguous, metadata={METADATA_KEY: json.dumps(document)}))

    def restore(self, data: bytes, path: Path) -> None:
        """Take over the state in the bytes of a saved file; errors name its path.

        Raises:
            ResumeError: if it is damaged or belongs to another training.
        """
        document = _document(data, path)
        try:
            history = [EpochReport(**each) for each in document["history"]]
            partial = PartialEpoch.from_dict(document["partial"])
            tensors = deserialise(data)
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise _damaged(path) from error
        if document.get("identity") != self.identity:
            raise ResumeError(
                f"{path} belongs to a training with other settings, data or key: "
                "delete it to start over, or choose another output file"
            )
        self.history, self.partial = history, partial
        self._restore_tensors(tensors)

    def _networks(self) -> dict[str, RetrievalNetwork]:
        """Return the networks whose weights a state holds, by what their names begin with."""
        average = {} if self.average is None else {"average": self.average.network}
        return {"network": self.network, **average}

    def _network_tensors(self) -> dict[str, Tensor]:
        return {
            f"{part}.{name}": each
            for part, network in self._networks().items()
            for name, each in network.state_dict().items()
        }

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        names = [name for name, _ in self.network.named_parameters()]
        state = self.optimizer.state_dict()["state"]
        return {
            f"optimizer.{part}.{names[index]}": value
            for index, values in state.items()
            for part, value in values.items()
            if isinstance(value, Tensor)
        }

    def _restore_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        for part, network in self._networks().items():
            network.load_state_dict(
                {name: tensors[f"{part}.{name}"] for name in network.state_dict()}
            )
        indices = {name: index for index, (name, _) in enumerate(self.network.named_parameters())}
        kept: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for key in tensors:
            if key.startswith("optimizer."):
                _, part, name = key.split(".", 2)
                kept[indices[name]][part] = tensors[key]
        state: dict[str, Any] = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**state, "state": dict(kept)})


def epochs_in(data: bytes, path: Path) -> int:
    """Return how many whole epochs there are in the bytes of a saved state.

    Raises:
        ResumeError: if it is damaged.
    """
    return len(_document(data, path).get("history", ()))


def _document(data: bytes, path: Path) -> dict[str, Any]:
    """Return what a state says of itself, from its header: u64 little-endian length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    try:
        text = json.loads(data[8 : 8 + length])["__metadata__"][METADATA_KEY]
        document: dict[str, Any] = json.loads(text)
        return document
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> ResumeError:
    return ResumeError(f"{path} is no training state: delete it to start over")
