"""The guides: what they tell people to type is run, a guide after the other, as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
STANDARD = "127.0.0.1:50051"
SNIPPET = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script(guides: list[str], address: str) -> str:
    """Return what a reader types, snippets of a language one after the other."""
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p); wait' EXIT"]
    for guide in guides:
        text = (ROOT / "docs" / f"{guide}.md").read_text()
        shell = "".join(code for kind, code in SNIPPET.findall(text) if kind == "bash")
        python = "".join(code for kind, code in SNIPPET.findall(text) if kind == "python")
        lines += [f": {guide}", shell, f"python - <<'END'\n{python}\nEND\n" if python else ""]
    host, _, port = address.partition(":")
    listens = f"until (: > /dev/tcp/{host}/{port}) 2>/dev/null; do sleep 0.1; done"
    typed = "\n".join(lines).replace(STANDARD, address)
    # A reader has seen the server's line before he types on.
    return re.sub(r"( serve .*&\n)", rf"\1{listens}\n", typed)


def follow(guides: list[str], folder: Path) -> str:
    """Run guides in a folder with what a checkout has; return what they print."""
    address = f"127.0.0.1:{free_port()}"
    for name in ("demo", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CIPHERLENS_SERVE_LISTEN": address,
        "CIPHERLENS_SERVER": address,
        "CIPHERLENS_PASSPHRASE": "of the reader",
    }
    reader = subprocess.run(
        ["bash", "-c", script(guides, address)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert reader.returncode == 0, reader.stdout
    return reader.stdout


@pytest.mark.timeout(600)
def test_a_reader_who_follows_the_guides_gets_what_they_say(tmp_path: Path) -> None:
    printed = follow(["quickstart", "sharing", "python", "other-languages"], tmp_path)
    assert (tmp_path / "hits.html").is_file()
    assert (tmp_path / "back" / "an-apple-01.png").is_file()
    assert re.search(r'"itemIds": \[\s*"a"\s*\]', printed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_reader_can_train_a_hash_network(tmp_path: Path) -> None:
    follow(["codes"], tmp_path)
