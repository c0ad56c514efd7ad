"""A Milvus of the tests' own, from PyPI `milvus`, which can be killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

from tests.ports import free_port

_PATIENCE_S = 120.0
_TRIES = 3
# Starts it once, which unpacks the programs and writes the configuration.
_LAY_OUT = """
import sys
from milvus import MilvusServer
server = MilvusServer(wait_for_started=False)
server.set_base_dir(sys.argv[1])
server.start()
print(server.listen_port, server.webservice_port)
server.stop()
"""


def is_installed() -> bool:
    """Return whether Milvus's programs are here."""
    return find_spec("milvus") is not None


class MilvusServer:
    """A standalone server in a folder of its own, on the ports that were free when it was made."""

    def __init__(self, folder: Path) -> None:
        """Start it, on other ports where somebody else has taken one meanwhile."""
        self._folder = folder
        for _ in range(_TRIES):
            self._lay_out()
            if self._began():
                return
        raise AssertionError(f"Milvus has ended; see {folder / 'output.log'}")

    @property
    def url(self) -> str:
        """Where it listens, as a setting."""
        return f"milvus://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it with the data that it has, and wait until it is well."""
        assert self._began(), "Milvus has ended"

    def kill(self) -> None:
        """End it at this moment."""
        self._process.kill()
        self._process.wait(_PATIENCE_S)

    def freeze(self) -> None:
        """Let it do nothing, and answer nobody."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Lose all that it has; it must have ended."""
        shutil.rmtree(self._folder / "data")

    def _lay_out(self) -> None:
        """Unpack the programs and configure them, in a process whose sockets end with it."""
        laid_out = subprocess.run(
            [sys.executable, "-c", _LAY_OUT, self._folder],
            check=True,
            capture_output=True,
            text=True,
        )
        self.port, health_port = map(int, laid_out.stdout.split())
        self._health = f"http://127.0.0.1:{health_port}/healthz"
        self.wipe()  # of what was only begun
        self._environment = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "ETCD_CONFIG_PATH": str(self._own_etcd()),
            "METRICS_PORT": str(health_port),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "LD_LIBRARY_PATH": str(self._folder / "bin"),
        }

    def _own_etcd(self) -> Path:
        """Write where its etcd listens, which else has the same two ports everywhere."""
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        path = self._folder / "configs" / "etcd.yaml"
        path.write_text(
            f"listen-client-urls: {client}\nadvertise-client-urls: {client}\n"
            f"listen-peer-urls: {peer}\ninitial-advertise-peer-urls: {peer}\n"
            f"initial-cluster: default={peer}\n"
        )
        return path

    def _began(self) -> bool:
        """Start it and return whether it is well; if not, it has ended."""
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._folder / "bin" / "milvus", "run", "standalone"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        ends_at = time.monotonic() + _PATIENCE_S
        while not self._is_well():
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < ends_at, "Milvus is not well in time"
            time.sleep(0.1)
        return True

    def _is_well(self) -> bool:
        try:
            with urllib.request.urlopen(self._health, timeout=5) as answer:
                return b"OK" in answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
