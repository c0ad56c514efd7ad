"""Kept indexes: one that was damaged is made anew, and no search tells another thing."""

import json
import logging
import struct

import numpy as np
from xxhash import xxh3_128

from cipherlens.server.config import IvfSettings, ServerConfig
from cipherlens.server.index import SearchParameters
from cipherlens.v1 import collection_pb2, representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.fuzz.doors.served import started
from tests.fuzz.mutation import mutated_bytes, mutated_json
from tests.fuzz.target import Target

_PREFIX = struct.Struct("<8sII32x16s")
_BEGINNING = 48
_ROWS = 150
_NAMES = ("codes", "vectors")


def index_file(folder):
    """A byte that says which collection's, and an index file: restored as it was, or not at all."""
    config = ServerConfig(
        data_dir=folder / "indexed",
        device="cpu",
        transport="grpcio",
        ivf=IvfSettings(minimum_rows=100, minimum_codes=100),
    )
    server, methods = started(config)
    engine = server._engine
    kept = [_Kept(engine, methods, name) for name in _NAMES]

    log = logging.getLogger("cipherlens.server.engine.keeping")
    level = log.level
    log.setLevel("CRITICAL")  # it tells of each file

    def close():
        log.setLevel(level)
        server.stop(0)

    def attempt(data):
        return kept[data[0] % len(kept)].restored(data[1:]) if data else False

    return Target(
        name="index-file",
        seeds=[bytes([number]) + each.genuine for number, each in enumerate(kept)],
        attempt=attempt,
        mutate=_mutated,
        close=close,
        most_bytes=200_000,
    )


class _Kept:
    """A collection whose index is kept, and what it must find when it comes from the file."""

    def __init__(self, engine, methods, name):
        rows = np.random.default_rng(2).normal(size=(_ROWS, 4)).astype("<f4")
        if name == "codes":
            kind, fields = collection_pb2.COLLECTION_KIND_CODE, {"bits": 32}
            data = (rows > 0).astype(np.uint8).tobytes()
            content = {"codes": representation_pb2.Codes(bits=32, data=data)}
        else:
            kind, fields = collection_pb2.COLLECTION_KIND_VECTOR, {"dimension": 4}
            data = rows.tobytes()
            content = {"vectors": representation_pb2.Vectors(dimension=4, data=data)}
        index = collection_pb2.INDEX_CHOICE_IVF
        create = pb.CreateCollectionRequest(name=name, kind=kind, index=index, **fields)
        methods.call("CreateCollection", create.SerializeToString())
        items = [pb.IndexItem(item_id=f"i{n}", revision=n + 1) for n in range(_ROWS)]
        request = pb.IndexRequest(collection=name, items=items, **content)
        assert methods.call("Index", request.SerializeToString()).refusal is None
        self._keeper, self._live = engine._keeper, engine._registry.find(name)
        self._live.serving.vectors.train(0)
        self._keeper.keep(self._live)
        self._path = engine._keeper._files._path(self._live.collection.uuid)
        self.genuine = self._path.read_bytes()
        with engine._database.read() as transaction:
            self._state = transaction.collections.named(name)
        self._queries = self._live.serving.vectors.state().arrays["rows"][:3].copy()
        self._found = self.found(self._live.serving)

    def found(self, serving):
        answer, _ = serving.search(self._queries, 5, SearchParameters(exact=True))
        return answer.item_ids()

    def restored(self, data):
        """Restore the index from such a file; return whether it was taken."""
        self._path.write_bytes(data)
        found = self._keeper.restored(self._live, self._state, self._live.serving.generation)
        if found is None:
            assert not self._path.exists()
            return False
        assert len(found.names) == _ROWS
        assert len(self.found(found)) == len(self._queries)
        if data == self.genuine:
            assert self.found(found) == self._found
        return True


def _mutated(data, rng):
    """Return a file that was changed, mostly in its head and with the checksum that then fits."""
    number, file = data[:1], data[1:]
    if rng.random() < 0.2 or len(file) < _PREFIX.size:
        return number + mutated_bytes(file, rng)
    magic, version, size, _ = _PREFIX.unpack_from(file)
    head, body = file[_PREFIX.size :][:size], file[_PREFIX.size + size :]
    try:
        head = json.dumps(mutated_json(json.loads(head), rng)).encode()
    except (ValueError, RecursionError):
        head = mutated_bytes(head, rng)
    head = head.ljust(-(-len(head) // 64) * 64)
    beginning = _PREFIX.pack(magic, version, len(head), bytes(16))[:_BEGINNING]
    checksum = xxh3_128(beginning + head + body).digest()
    return number + beginning + checksum + head + body
