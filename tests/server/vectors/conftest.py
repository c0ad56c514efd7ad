"""Both engines, real ones, and what is compared with them."""

import numpy as np
import pytest

from cipherlens.base import IndexChoice
from cipherlens.server.config import IvfSettings, VectorsUrl
from cipherlens.server.index import Device, new_index
from cipherlens.server.vectors.milvus import MilvusStore
from cipherlens.server.vectors.pgvector import PgvectorStore
from cipherlens.server.vectors.tables import VectorTables

IVF = IvfSettings(minimum_rows=400, calibration_queries=32)
FOLDER = "00000000-0000-4000-8000-00000000000"


class Pgvector:
    """A database with pgvector in the PostgreSQL of the tests."""

    kind = "pgvector"

    def __init__(self, postgres):
        self._postgres = postgres
        self.url = postgres.vector_database()

    @property
    def setting(self):
        return VectorsUrl(self.url.revealed())

    def store(self):
        return PgvectorStore(self.url, IVF)

    def kill(self):
        self._postgres.kill()

    def start(self):
        self._postgres.start()

    def lose_all(self):
        """Forget every table, as if its disk had been lost."""
        with self._postgres.connect(self.url) as connection:
            connection.execute("DROP SCHEMA cipherlens_vectors CASCADE")


class Milvus:
    """The Milvus of the tests."""

    kind = "milvus"

    def __init__(self, server):
        self._server = server
        self.setting = VectorsUrl(server.url)

    def store(self):
        return MilvusStore(self.setting, IVF)

    def kill(self):
        self._server.kill()

    def start(self):
        self._server.start()

    def lose_all(self):
        self._server.kill()
        self._server.wipe()
        self._server.start()


# Milvus takes six seconds for a collection that comes to rest.
@pytest.fixture(params=["pgvector", pytest.param("milvus", marks=pytest.mark.slow)])
def engine(request):
    """Each of the engines that a user may choose, in turn."""
    if request.param == "milvus":
        yield Milvus(request.getfixturevalue("milvus"))
        return
    postgres = request.getfixturevalue("postgres")
    made = Pgvector(postgres)
    yield made
    postgres.drop(made.url)


@pytest.fixture
def tables(engine, tmp_path):
    """The tables of a folder in an engine, all removed at the end."""
    tables = VectorTables(engine.store(), tmp_path)
    yield tables
    tables.drop_all_but([])
    tables.close()


@pytest.fixture
def pair(tables):
    """Return a function that makes an index in the engine and one of FAISS, with the same rows."""

    def make(kind, rows, length, choice=IndexChoice.AUTO):
        remote = tables.index(f"{FOLDER}{len(kind)}", 1, kind, length, choice)
        faiss = new_index(kind, length, Device("cpu"), IVF, IndexChoice.FLAT)
        for index in (remote, faiss):
            index.append(rows, np.arange(1, len(rows) + 1))
        return remote, faiss

    return make


def unit(count, dimension=16, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_codes(count, bits=48, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, bits // 8), np.uint8)


@pytest.fixture(name="unit", scope="session")
def unit_rows():
    return unit


@pytest.fixture(name="random_codes", scope="session")
def random_code_rows():
    return random_codes


@pytest.fixture(name="settled")
def settled_in_patience(settled):
    """Wait as others do, and longer: Milvus takes its time on a busy machine."""
    return lambda condition: settled(condition, 200.0)
