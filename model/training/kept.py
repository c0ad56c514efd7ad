"""What takes long and is the same at every call, kept beside a checkpoint until a training ends."""

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from cipherlens.base import replace_file


def computed_once(
    path: Path, identity: str, compute: Callable[[], Mapping[str, Tensor]]
) -> Mapping[str, Tensor]:
    """Return what was kept at `path` for this identity; else compute it, and keep it there.

    Args:
        path: the file; one that is damaged, or of something else, is replaced.
        identity: changes with whatever the tensors depend on.
        compute: returns contiguous tensors on the CPU.
    """
    if (kept := _kept(path, identity)) is not None:
        return kept
    found = compute()
    replace_file(path, serialise(dict(found), metadata={"identity": identity}))
    return found


def _kept(path: Path, identity: str) -> Mapping[str, Tensor] | None:
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("identity") == identity:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    return None
