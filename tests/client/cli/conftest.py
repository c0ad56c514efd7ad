"""Running the program in this process."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cipherlens.client.cli import main
from cipherlens.crypto import KeyEntry, Keyring


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and both outputs."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The one JSON document on standard error."""
        return json.loads(self.err)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A function that runs `cipherlens` with some words."""
    for name in list(os.environ):
        if name.startswith("CIPHERLENS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def keyring(tmp_path: Path, key: KeyEntry) -> Path:
    """A keyring file without a passphrase that holds `key`."""
    path = tmp_path / "my.keys"
    Keyring([key]).save(path, unprotected=True)
    return path


@pytest.fixture
def to(target: str) -> tuple[str, str]:
    return ("--server", target)
