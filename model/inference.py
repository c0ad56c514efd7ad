"""A checkpoint's network at work: on its device, in its arithmetic, a bounded batch at a time."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cipherlens.model.checkpoint import Checkpoint, CheckpointConfiguration
from cipherlens.model.networks.network import RetrievalNetwork, check_pixels, to_input
from cipherlens.model.precision import (
    autocast,
    for_inference,
    resolve_device,
    resolve_precision,
)

MAX_BATCH = 32
CPU_PIXELS = 4 * 224**2
"""In one batch on the CPU, where larger maps take longer than several smaller ones."""

GPU_PIXELS = 128 * 128 * 192
"""In one batch on a GPU: an H100 embedded 9,300 cipher-images a second so, 3,900 of them by 32."""

GPU_STEP = 4
"""By which factor the sizes of a GPU's passes differ: cuDNN plans each anew, for up to seconds."""

MAX_PASSES = 4
"""Forward passes at a time on a CPU; each holds the interpreter's lock for a part of its time."""

Network = TypeVar("Network", bound=RetrievalNetwork)


def batches(
    pixels: NDArray[np.uint8], device: torch.device, most: int | None = None
) -> Iterator[slice]:
    """Yield which of (n, h, w, 3) images run forward at once, as `at_once` says."""
    height, width = pixels.shape[1:3]
    size = at_once(height, width, device, most)
    for start in range(0, len(pixels), size):
        yield slice(start, start + size)


def at_once(height: int, width: int, device: torch.device, most: int | None = None) -> int:
    """Return how many images of a size run forward at once on the device, at most `most`."""
    if device.type != "cpu":
        return most or max(MAX_BATCH, GPU_PIXELS // (height * width))
    return max(1, min(most or MAX_BATCH, CPU_PIXELS // (height * width)))


def pass_sizes(most: int) -> list[int]:
    """Return how many images passes on a GPU take, rising: powers of `GPU_STEP`, and `most`."""
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(GPU_STEP * sizes[-1], most))
    return sizes


def filled(pixels: NDArray[np.uint8], sizes: list[int]) -> NDArray[np.uint8]:
    """Return (n, h, w, 3) images with black ones behind them, up to the next of the sizes."""
    size = next(each for each in sizes if each >= len(pixels))
    if size == len(pixels):
        return pixels
    return np.concatenate([pixels, np.zeros((size - len(pixels), *pixels.shape[1:]), np.uint8)])


class NetworkRunner(Generic[Network]):
    """A loaded checkpoint; what its outputs are is its subclasses' matter.

    On a GPU one thread runs all passes, of few sizes: PyTorch keeps cuDNN's plans by thread and by
    size, and some take cuDNN more than a second to make.
    """

    def __init__(
        self, source: Path | bytes, load: Callable[[bytes], Network], device: str, precision: str
    ) -> None:
        """Load a checkpoint, given as a file or as its bytes, onto "cpu", "cuda:N" or "auto".

        Raises:
            CheckpointError: if the checkpoint is damaged or `load` takes no such network.
            ValueError: if the device or the precision is unknown or not here.
            OSError: if the file cannot be read.
        """
        data = source if isinstance(source, bytes) else source.read_bytes()
        self._device = resolve_device(device)
        self._precision = resolve_precision(precision, self._device)
        self._checkpoint = Checkpoint.read(data)
        self._network = for_inference(load(data), self._device, self._precision)
        self._gpu_thread: ThreadPoolExecutor | None = None
        if self._device.type != "cpu":
            self._gpu_thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")
            self._gpu_thread.submit(self._warm_up).result()

    @property
    def configuration(self) -> CheckpointConfiguration:
        """What the checkpoint says about its network."""
        return self._checkpoint.configuration

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the checkpoint's bytes, 64 hex digits."""
        return self._checkpoint.digest

    @property
    def network(self) -> Network:
        """The network itself; whoever calls it brings `autocast` along."""
        return self._network

    @property
    def device(self) -> str:
        """Where the network runs, "cpu" or "cuda:N"."""
        return str(self._device)

    @property
    def at_once(self) -> int:
        """How many images run forward at once: more in one call take as long as several calls."""
        network = self.configuration.network
        return at_once(network.height, network.width, self._device)

    @property
    def passes(self) -> int:
        """How many forward passes to run at a time where there is work for them.

        On a CPU some passes with a core each get more done than one with all cores, whose threads
        wait for each other at every layer.
        """
        return min(MAX_PASSES, _cores()) if self._device.type == "cpu" else 1

    def share_cores(self, passes: int) -> None:
        """Give the calling thread, for its forward passes, the cores that are one of so many's."""
        if self._device.type == "cpu":
            torch.set_num_threads(max(1, _cores() // passes))

    @property
    def numeric_mode(self) -> str:
        """The arithmetic of the outputs, such as "cpu-bf16": others agree only approximately."""
        return f"{self._device.type}-{self._precision}"

    def _run(
        self,
        pixels: NDArray[np.uint8],
        width: int,
        finish: Callable[[Tensor], Tensor] = lambda outputs: outputs,
    ) -> NDArray[np.float32]:
        """Return (n, width) float32 outputs of (n, h, w, 3) uint8 images, each batch finished.

        Raises TypeError or ValueError if the pixels are not of the network's size.
        """
        network = self.configuration.network
        check_pixels(pixels, network.height, network.width)
        if self._gpu_thread is None:
            return self._rows(pixels, width, finish)
        return self._gpu_thread.submit(self._rows, pixels, width, finish).result()

    def _rows(
        self, pixels: NDArray[np.uint8], width: int, finish: Callable[[Tensor], Tensor]
    ) -> NDArray[np.float32]:
        found = np.empty((len(pixels), width), dtype=np.float32)
        for batch in batches(pixels, self._device):
            images = pixels[batch]
            run = images if self._gpu_thread is None else filled(images, pass_sizes(self.at_once))
            found[batch] = finish(self._forward(run))[: len(images)].cpu().numpy()
        return found

    def _warm_up(self) -> None:
        """Run forward as many images as any pass will take, so that no call waits for the plans."""
        network = self.configuration.network
        for size in pass_sizes(self.at_once):
            self._forward(np.zeros((size, network.height, network.width, 3), dtype=np.uint8))

    @torch.inference_mode()
    def _forward(self, pixels: NDArray[np.uint8]) -> Tensor:
        with autocast(self._device, self._precision):
            outputs: Tensor = self._network(to_input(pixels, self._device))
        return outputs.float()


def use_one_core() -> None:
    """Let the calling thread compute alone.

    PyTorch's OpenMP keeps a team of threads for every thread that ever had one, and as soon as it
    has more of them than cores, those of all teams sleep between layers: passes take twice as long.
    """
    torch.set_num_threads(1)


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
