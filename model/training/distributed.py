"""The processes that train one network together, each on its own device, started by torchrun.

A batch is parted over them, and every process sees the outputs of the whole batch: the losses and
the gradients are those of one process that trains alone.
"""

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

from cipherlens.model.errors import ProcessLost
from cipherlens.model.precision import resolve_device

PATIENCE = timedelta(hours=6)
"""How long one waits for the others. The first validates alone; that one has died shows at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """This process's place among those that train: by default it is the only one.

    `rank` counts over all machines from 0 to `count` - 1, `local_rank` over those of this machine.
    The first one, of rank 0, writes the files and tells of the progress.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return the device called `name`; with "auto" each of several takes a GPU of its own.

        Raises:
            ValueError: if the name is unknown, not here, or one GPU for several processes.
        """
        if self.count > 1 and name == "auto" and torch.cuda.is_available():
            return resolve_device(f"cuda:{self.local_rank}")
        device = resolve_device(name)
        if self.count > 1 and name != "auto" and device.type == "cuda":
            raise ValueError(f"device must be auto or cpu for {self.count} processes, got {name}")
        return device

    def parts(self, positions: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return each process's part of the positions; lengths differ by at most one."""
        return np.array_split(positions, self.count)

    def gather(self, rows: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return all processes' rows, (n, dim), one process after the other.

        `lengths` says how many each has. A gradient flows into this process's rows only: as all
        compute the same loss, the gradients of the weights add up to that of the whole batch.
        """
        if self.count == 1:
            return rows
        padded = rows.new_zeros(max(lengths), *rows.shape[1:])  # collectives want equal shapes
        padded[: len(rows)] = rows.detach()
        found = [torch.empty_like(padded) for _ in lengths]
        distributed.all_gather(found, padded)
        others = [each[:length] for each, length in zip(found, lengths, strict=True)]
        return torch.cat([*others[: self.rank], rows, *others[self.rank + 1 :]])

    def of_first(self, data: bytes) -> bytes:
        """Return the first process's data; that of the others counts for nothing."""
        if self.count == 1:
            return data
        device = _message_device()
        length = torch.tensor(len(data), device=device)
        distributed.broadcast(length, src=0)
        content = torch.empty(int(length), dtype=torch.uint8, device=device)
        if self.first and data:
            content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        distributed.broadcast(content, src=0)
        return content.cpu().numpy().tobytes()


ALONE = Processes()


def launched() -> Processes:
    """Return this process's place among those that torchrun started, or that it is alone."""
    if not distributed.is_torchelastic_launched():
        return ALONE
    rank, count, local = (int(os.environ[each]) for each in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return Processes(rank=rank, count=count, local_rank=local)


@contextmanager
def joined(processes: Processes, device: torch.device) -> Iterator[None]:
    """Connect the processes, over NCCL where they train on GPUs and over Gloo where not.

    Raises:
        ProcessLost: if another process ends while this one waits for it.
    """
    if processes.count == 1:
        yield
        return
    if not distributed.is_initialized():
        _connect(processes, device)
    try:
        yield
    except RuntimeError as error:
        if not _is_lost_connection(error):
            raise
        raise ProcessLost(
            "another process of this training has ended or does not answer: its own error says why"
        ) from error


def _connect(processes: Processes, device: torch.device) -> None:
    """Make the group; it stays, as torchrun lets a process connect to the others only once."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(
        backend, rank=processes.rank, world_size=processes.count, timeout=PATIENCE
    )
    atexit.register(_disconnect)


def _disconnect() -> None:
    """Close the group: Gloo's threads abort a process that ends with it open."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _message_device() -> torch.device:
    """Return where messages must lie: NCCL carries them from GPU to GPU."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


def _is_lost_connection(error: RuntimeError) -> bool:
    """Return whether an error of a collective says that another process is gone."""
    # Gloo raises plain RuntimeErrors, which name the file of its sources that speaks.
    return isinstance(error, distributed.DistError) or "gloo/transport" in str(error)
