"""A folder that is watched by the real program, until somebody interrupts it."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.client.cli.conftest import Run
from tests.client.conftest import noise


def test_what_comes_into_a_watched_folder_is_indexed(
    to: tuple[str, str], photos: str, folder: Path, keyring: Path
) -> None:
    program = Path(sys.executable).with_name("cipherlens")
    words = ["index", photos, folder, "--keyring", keyring, "--watch", "0.1", *to]
    with subprocess.Popen(
        [program, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("5 pictures found: 5 indexed")
        noise(7).save(folder / "new.png")
        assert watching.stdout.readline().startswith("6 pictures found: 1 indexed, 5 unchanged")
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=60)
    assert (watching.returncode, told) == (0, "no longer watched\n")


def test_a_watch_cannot_ask(
    run: Run, to: tuple[str, str], photos: str, folder: Path, keyring: Path
) -> None:
    words = ("index", photos, folder, "--keyring", keyring, *to, "--watch", 1, "--prune")
    failed = run(*words)
    assert (failed.code, "--prune needs --yes" in failed.err) == (2, True)
    assert run(*words[:-3], "--watch", 0).code == 2
