import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.harness.environments import NotInstalled, python_with


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    """A wheel of a module that knows one number."""
    path = tmp_path / "beads-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("beads.py", "COUNT = 7\n")
        facts = "beads-1.dist-info"
        file.writestr(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: beads\nVersion: 1\n")
        file.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{facts}/RECORD", "")
    return str(path)


@pytest.mark.slow
def test_packages_are_installed_once_and_apart_from_ours(wheel: str, tmp_path: Path) -> None:
    python = python_with("peer", [wheel], tmp_path)
    told = subprocess.check_output([python, "-c", "import beads; print(beads.COUNT)"], text=True)
    assert told == "7\n"
    assert subprocess.run([python, "-c", "import cipherlens"], stderr=-3, check=False).returncode
    (tmp_path / "peer" / "mark").touch()
    assert python_with("peer", [wheel], tmp_path) == python
    assert (tmp_path / "peer" / "mark").exists()


@pytest.mark.slow
def test_what_cannot_be_installed_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing-1-py3-none-any.whl")
    for _ in range(2):  # a failure is not taken for an environment
        with pytest.raises(NotInstalled, match=r"missing-1-py3-none-any\.whl: "):
            python_with("peer", [missing], tmp_path)
