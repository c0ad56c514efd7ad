"""The client where there is no POSIX: what only POSIX has is hidden from a process of its own.

That is as near to Windows as a test on Linux comes; drive letters, sharing of open files and the
names that Windows forbids are not tried.
"""

import subprocess
import sys
from pathlib import Path

HIDDEN = """
import importlib.abc, os, sys

class Hide(importlib.abc.MetaPathFinder):
    names = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)

for name in Hide.names:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hide())
import subprocess, tempfile  # they look at os while they are imported
for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "geteuid", "getuid", "fchmod"):
    delattr(os, name)
"""

LIBRARY = """
from pathlib import Path
from cipherlens.client import Client
import cipherlens.client.gallery
from cipherlens.crypto import CipherParameters, KeyEntry, Keyring

folder = Path(sys.argv[1])
path = folder / "my.keys"
entry = KeyEntry.generate("mine", CipherParameters())
Keyring([entry]).save(path, "a passphrase")
second = KeyEntry.generate("second", CipherParameters())
Keyring.update(path, "a passphrase", lambda ring: ring.add(second))
ring = Keyring.load(path, "a passphrase")
assert ring.get("second").fingerprint == second.fingerprint
assert ring.get("mine").fingerprint == entry.fingerprint
with Client("127.0.0.1:1", key=entry) as client:
    pass
"""

COMMANDS = """
from cipherlens.client.cli import main
folder = sys.argv[1]
assert main(["--help"]) == 0
os.environ["CIPHERLENS_PASSPHRASE"] = "a passphrase"
assert main(["keys", "new", f"{folder}/my.keys"]) == 0
assert main(["keys", "show", f"{folder}/my.keys"]) == 0
assert main(["tls", "dev-certs", f"{folder}/certs"]) == 0
picture = f"{folder}/a.png"
from PIL import Image
Image.new("RGB", (300, 200), "red").save(picture)
keyring = ["--keyring", f"{folder}/my.keys"]
assert main(["encrypt", picture, *keyring, "--seal", "--out", f"{folder}/out"]) == 0
assert main(["decrypt", f"{folder}/out/a.png.sealed", *keyring, "--out", f"{folder}/back"]) == 0
assert len(os.listdir(f"{folder}/back")) == 1
"""


def run_hidden(program: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", HIDDEN + program, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_what_is_hidden_is_hidden() -> None:
    outcome = run_hidden("import fcntl")
    assert outcome.returncode != 0
    assert "no module named 'fcntl'" in outcome.stderr


def test_the_library_keeps_keys_without_posix(tmp_path: Path) -> None:
    outcome = run_hidden(LIBRARY, tmp_path)
    assert outcome.returncode == 0, outcome.stderr


def test_the_command_line_encrypts_and_decrypts_without_posix(tmp_path: Path) -> None:
    outcome = run_hidden(COMMANDS, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
