"""The gradient of a batch that one or several processes run forward, whole or in pieces."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cipherlens.model.networks.network import ClassifyingNetwork, to_input
from cipherlens.model.precision import autocast
from cipherlens.model.training.batch_norm import running_statistics
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.loading import Batch
from cipherlens.model.training.losses import LossParts
from cipherlens.model.training.recipe import LabelRecipe


class Forward(nn.Module):
    """What a step runs forward: a network, and the logits that its recipe makes of the outputs."""

    def __init__(
        self, network: ClassifyingNetwork, recipe: LabelRecipe, device: torch.device, precision: str
    ) -> None:
        """Keep them; the network stays the caller's."""
        super().__init__()
        self.network = network
        self._recipe, self._device, self._precision = recipe, device, precision

    def forward(self, inputs: Sequence[Tensor], alone: Sequence[bool]) -> tuple[Tensor, Tensor]:
        """Return (n, dim) outputs and (n, classes) logits, float32, of a `Batch`'s inputs."""
        outputs = []
        for pixels, single in zip(inputs, alone, strict=True):
            with running_statistics(self.network, used=single), self._autocast():
                outputs.append(self.network(to_input(pixels.numpy(), self._device)))
        rows = torch.cat(outputs)
        with self._autocast():
            logits = self._recipe.logits(self.network, rows)
        return rows.float(), logits.float()

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self._device, self._precision)


class Gradients:
    """Puts the gradient of a whole batch into a network's parameters, in every process."""

    def __init__(
        self,
        forward: Forward,
        loss: Callable[[Tensor, Tensor, Tensor], LossParts],
        processes: Processes,
        device: torch.device,
    ) -> None:
        """Connect the network with its copies in the other processes, if there are any."""
        self._own, self._loss, self._processes, self._device = forward, loss, processes, device
        self._forward: nn.Module = forward
        if processes.count > 1:
            # Norms share their statistics already, and nothing else in a buffer changes.
            self._forward = DistributedDataParallel(forward, broadcast_buffers=False)

    def of_batch(self, batch: Batch, seed: int) -> LossParts:
        """Return the losses of a batch, the same in all processes, after the backward pass.

        `seed` is that of what is dropped.
        """
        torch.manual_seed(seed)
        rows, logits = self._forward(batch.inputs, batch.alone)
        parts = self._compared(rows, logits, batch)
        self._follow(parts)
        return parts

    def in_pieces(self, batch: Batch, seed: int) -> LossParts:
        """Return what `of_batch` does, with one forward pass in memory at a time.

        The outputs of all come first, without a graph; when the loss has told their gradients, each
        runs forward again, and its gradient goes on from there (Gao et al. 2021).
        """
        found = [self._outputs(batch, index, seed) for index in range(len(batch.inputs))]
        rows, logits = (torch.cat(each).requires_grad_() for each in zip(*found, strict=True))
        parts = self._compared(rows, logits, batch)
        self._follow(parts)
        lengths = [len(each) for each in batch.inputs]
        slopes = (torch.split(_gradient(each), lengths) for each in (rows, logits))
        for index, gradients in enumerate(zip(*slopes, strict=True)):
            torch.manual_seed(seed + index)
            with self._unconnected(unless=index == len(lengths) - 1):
                again = self._forward(*_part(batch, index))
                torch.autograd.backward(again, gradients)
        return parts

    @torch.no_grad()
    def _outputs(self, batch: Batch, index: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return outputs and logits of a forward pass, which norms count when it comes again."""
        kept = [each.clone() for each in self._own.buffers()]
        torch.manual_seed(seed + index)
        found: tuple[Tensor, Tensor] = self._own(*_part(batch, index))
        for buffer, before in zip(self._own.buffers(), kept, strict=True):
            buffer.copy_(before)
        return found

    def _compared(self, rows: Tensor, logits: Tensor, batch: Batch) -> LossParts:
        """Return the losses of the outputs of all processes."""
        gather = self._processes.gather
        labels = batch.labels.to(self._device)
        return self._loss(gather(rows, batch.lengths), gather(logits, batch.lengths), labels)

    def _follow(self, parts: LossParts) -> None:
        """Run backward; DistributedDataParallel will divide by the number of processes."""
        (parts.total * self._processes.count).backward()  # type: ignore[no-untyped-call]

    def _unconnected(self, *, unless: bool) -> AbstractContextManager[None]:
        """Return the context in which gradients add up here and go to no other process yet."""
        if unless or not isinstance(self._forward, DistributedDataParallel):
            return nullcontext()
        return self._forward.no_sync()


def _part(batch: Batch, index: int) -> tuple[Sequence[Tensor], Sequence[bool]]:
    return batch.inputs[index : index + 1], batch.alone[index : index + 1]


def _gradient(rows: Tensor) -> Tensor:
    """Return the gradient that a leaf has, zeros where the loss does not depend on it."""
    return torch.zeros_like(rows) if rows.grad is None else rows.grad
