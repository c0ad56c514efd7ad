"""A training at the border of an epoch, in a file from which it goes on exactly."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from cipherlens.model.errors import ResumeError
from cipherlens.model.files import replace_file
from cipherlens.model.networks import RetrievalNetwork

METADATA_KEY = "cipherlens-training"


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """One epoch's mean losses, last learning rate, validation mAP (or None) and duration.

    `triplet` is None where the loss has no triplets.
    """

    epoch: int
    loss: float
    triplet: float | None
    cross_entropy: float
    learning_rate: float
    validation_map: float | None
    seconds: float


@dataclass(kw_only=True, slots=True)
class TrainingState:
    """A network, its optimizer and the reports of the epochs so far.

    `identity` tells trainings apart: settings, data and key in one digest. There is no generator
    state to keep, because each epoch seeds its own generators.
    """

    identity: str
    network: RetrievalNetwork
    optimizer: torch.optim.Optimizer
    history: list[EpochReport] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the state so that a crash leaves the old file or the new, never a mix."""
        document = {"identity": self.identity, "history": [asdict(each) for each in self.history]}
        tensors = {**_network_tensors(self.network), **self._optimizer_tensors()}
        contiguous = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
        replace_file(path, serialise(contiguous, metadata={METADATA_KEY: json.dumps(document)}))

    def restore(self, path: Path) -> None:
        """Take over a saved state.

        Raises:
            ResumeError: if it is damaged or belongs to another training.
            OSError: if the file cannot be read.
        """
        try:
            metadata, tensors = _read(path)
            document = json.loads(metadata[METADATA_KEY])
            history = [EpochReport(**each) for each in document["history"]]
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise ResumeError(f"{path} is no training state: delete it to start over") from error
        if document["identity"] != self.identity:
            raise ResumeError(
                f"{path} belongs to a training with other settings, data or key: "
                "delete it to start over, or choose another output file"
            )
        self.history = history
        self._restore_tensors(tensors)

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
        self.network.load_state_dict(
            {name: tensors[f"network.{name}"] for name in self.network.state_dict()}
        )
        indices = {name: index for index, (name, _) in enumerate(self.network.named_parameters())}
        kept: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for key in tensors:
            if key.startswith("optimizer."):
                _, part, name = key.split(".", 2)
                kept[indices[name]][part] = tensors[key]
        state: dict[str, Any] = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**state, "state": dict(kept)})


def _network_tensors(network: RetrievalNetwork) -> dict[str, Tensor]:
    return {f"network.{name}": each for name, each in network.state_dict().items()}


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
