"""The demo as a newcomer runs it, with the model that is there and with a training."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The demo's command line, its page below tmp_path."""
    return [sys.executable, str(DEMO / "run.py"), "--page", str(tmp_path / "index.html")]


@pytest.fixture
def training(tmp_path: Path) -> list[str]:
    """The options for a training of one epoch."""
    text = (DEMO / "any-key.toml").read_text()
    text = re.sub(r"(?m)^epochs = \d+", "epochs = 1", text)
    settings = tmp_path / "short.toml"
    settings.write_text(re.sub(r"(?m)^warmup_epochs = \d+", "warmup_epochs = 0", text))
    return ["--train", "--no-twin", "--training", str(settings)]


def _environment(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return {**os.environ, "TMPDIR": str(folder)}


@pytest.mark.slow
def test_finds_held_out_pictures_better_than_chance(command: list[str], tmp_path: Path) -> None:
    assert _times_chance(command, tmp_path) > 3
    page = (tmp_path / "index.html").read_text()
    assert page.count("<section>") == 16
    assert page.count('<figure class="hit') == 16 * 14
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_trains_a_model_if_asked_to(
    command: list[str], training: list[str], tmp_path: Path
) -> None:
    assert _times_chance([*command, *training], tmp_path) > 1.5


@pytest.mark.slow
def test_interruption_leaves_nothing_behind(command: list[str], tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    demo = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "listening on" in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "cleaned up" in errors
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "index.html").exists()
    # The server had a process group of its own: it must be gone with the demo.
    assert not _servers_on(tmp_path)


def _times_chance(command: list[str], tmp_path: Path) -> float:
    """Run the demo and return how many times better than chance it ranks."""
    environment = _environment(tmp_path)
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"mAP on cipher-images +([\d.]+) +\(([\d.]+) x chance\)", done.stdout)
    assert found is not None, done.stdout
    return float(found[2])


def _servers_on(folder: Path) -> list[str]:
    """Return the command lines of processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in text:
            found.append(text)
    return found
