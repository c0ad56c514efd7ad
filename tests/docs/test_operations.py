"""The commands of docs/operations.md, run in their order; its unit, verified."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text()
UNIT = ROOT / "packaging" / "cipherlens.service"
PROGRAM = [sys.executable, "-m", "cipherlens.client.cli"]


def commands() -> list[str]:
    """Return the lines of the guide that call the program, and those that it needs beside."""
    return re.findall(r"^    ((?:cipherlens|cp|mkdir) .+)$", GUIDE, re.MULTILINE)


class Site:
    """A folder as an operator has it, with addresses of its own in place of the guide's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = f"127.0.0.1:{free_port()}"
        self._own = {"127.0.0.1:50051": f"127.0.0.1:{free_port()}", "127.0.0.1:9464": self.metrics}
        self._server: subprocess.Popen[str] | None = None
        (settings,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
        (folder / "cipherlens.toml").write_text(self._here(settings))

    @property
    def address(self) -> str:
        return self._own["127.0.0.1:50051"]

    def run(self, line: str) -> str:
        """Run a line of the guide and return what it printed; "&" leaves a server running."""
        program, *words = shlex.split(self._here(line))
        if words[0] == "collection" or words[:2] == ["keys", "rotate"]:
            words += ["--server", self.address]  # in place of the one that commands know
        if words[-1] == "&":
            return self._serve(words[:-1])
        command = PROGRAM if program == "cipherlens" else [program]
        done = subprocess.run(
            [*command, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "CIPHERLENS_PASSPHRASE": "of the guide"},
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.communicate(timeout=60)
            assert self._server.returncode == 0
            self._server = None

    def _serve(self, words: list[str]) -> str:
        self.stop()
        self._server = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        return self._server.stdout.readline()

    def _here(self, text: str) -> str:
        for theirs, own in self._own.items():
            text = text.replace(theirs, own)
        return text


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.stop()


def test_every_command_of_the_guide_does_what_it_is_there_for(site: Site) -> None:
    printed = {}
    for line in commands():
        printed[line] = site.run(line)
        if line == "cipherlens serve --config cipherlens.toml &":
            with urllib.request.urlopen(f"http://{site.metrics}/readyz", timeout=10) as answer:
                assert answer.status == 200
    in_force = next(text for line, text in printed.items() if "--print-config" in line)
    assert "access_share = 0.01  # file cipherlens.toml" in in_force
    assert all("PROBLEM" not in text for text in printed.values())
    assert (site.folder / "data-again" / "cipherlens.sqlite3").is_file()
    with urllib.request.urlopen(f"http://{site.metrics}/metrics", timeout=10) as answer:
        assert "cipherlens_ready 1.0" in answer.read().decode()


def test_metrics_of_the_guide_are_there(site: Site) -> None:
    site.run("cipherlens serve --config cipherlens.toml &")
    site.run("cipherlens collection create v --kind vector --dimension 4")
    with urllib.request.urlopen(f"http://{site.metrics}/metrics", timeout=10) as answer:
        found = answer.read().decode()
    named = set(re.findall(r"`(cipherlens_[a-z_]+)", GUIDE))
    assert len(named) >= 7
    assert [name for name in sorted(named) if f"# TYPE {name} " not in found] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/cipherlens/bin/cipherlens", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_starts_a_command_that_there_is() -> None:
    (start,) = re.findall(
        r"^ExecStart=/opt/cipherlens/bin/cipherlens (.+)$", UNIT.read_text(), re.MULTILINE
    )
    words = start.split()
    assert words[0] == "serve"
    done = subprocess.run([*PROGRAM, "serve", "--help"], capture_output=True, text=True, check=True)
    assert all(word in done.stdout for word in words if word.startswith("--"))
