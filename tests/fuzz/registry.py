"""All targets by name; each is opened, with what it needs, only when it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.target import Target

TARGETS = {
    "cipher-image": "cipher_images:cipher_image",
    "sealed-file": "cipher_images:sealed_original_file",
    "sealed-original": "seals:sealed_original",
    "sealed-head": "seals:sealed_head_of_a_stranger",
    "sealed-network": "seals:sealed_network",
    "sealed-name": "seals:sealed_name",
    "grant": "signed:grant",
    "manifest": "signed:manifest",
    "recipient": "signed:recipient",
    "name": "names:name",
    "grant-log": "names:grant_log",
    "keyring": "documents:keyring",
    "keyring-protected": "documents:protected_keyring",
    "tokens": "documents:tokens",
    "snapshot-manifest": "documents:snapshot_manifest",
    "vectors": "rows:vectors",
    "codes": "rows:codes",
    "sealed-tags": "tags:sealed_tags",
    "tag": "tags:tag",
    "database-address": "addresses:database_address",
    "listen-address": "addresses:listen_address",
    "server-settings": "settings:server_file",
    "environment": "settings:environment",
    "training-settings": "settings:training_file",
    "checkpoint": "checkpoints:checkpoint",
    "picture": "pictures:picture",
    "index-file": "index_files:index_file",
    "retrieval": "retrieval:retrieval",
    "encryption": "encryption:encryption",
    "gallery": "gallery:gallery",
    "metadata": "metadata:metadata",
    "answers": "answers:server_answers",
    "failures": "answers:server_failures",
}
"""The function in `tests.fuzz.doors` that opens each."""


@contextmanager
def opened(name: str) -> Iterator[Target]:
    """Give a target of a name, which works in a folder of its own in memory where there is room."""
    module, _, function = TARGETS[name].partition(":")
    with TemporaryDirectory(prefix="fuzz-", dir=_memory()) as folder:
        target = getattr(import_module(f"tests.fuzz.doors.{module}"), function)(Path(folder))
        assert target.name == name
        try:
            yield target
        finally:
            target.close()


def _memory() -> str | None:
    """Return a folder in memory: nothing here has to last, and a disk would be slower."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None
