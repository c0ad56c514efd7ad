"""The peer at work; its packages are downloaded, so only where they can be had."""

import numpy as np
import pytest

from benchmarks.harness.environments import NotInstalled
from benchmarks.harness.pgvector import peer_python, pgvector


@pytest.fixture(scope="module", autouse=True)
def _peer() -> None:
    try:
        peer_python()
    except NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.mark.slow
def test_tables_of_codes_and_vectors_are_searched_by_their_index() -> None:
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 256, (2000, 6), dtype=np.uint8)
    vectors = draw.standard_normal((2000, 256)).astype(np.float32)
    ids = [f"i{number}" for number in range(2000)]
    with pgvector() as server:
        server.store_codes("codes", ids, codes)
        server.store_vectors("vectors", ids, vectors)
        code = "".join(map(str, np.unpackbits(codes[7])))
        nearest = f"SELECT id FROM codes ORDER BY code <~> B'{code}' LIMIT 1"
        assert server.run(nearest).split() == ["i7"]
        assert "codes_code_idx" in server.run(f"EXPLAIN {nearest}")
        similar = f"SELECT id FROM vectors ORDER BY vector <=> '{vectors[9].tolist()}' LIMIT 1"
        assert server.run(similar).split() == ["i9"]
        assert "vectors_vector_idx" in server.run(f"EXPLAIN {similar}")
        with pytest.raises(RuntimeError, match="syntax error"):
            server.run("SELEC 1")
        assert server.versions().keys() == {"PostgreSQL", "pgvector"}
        assert (server.programs / "pgbench").exists()
