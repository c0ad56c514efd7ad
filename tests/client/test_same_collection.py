"""Getting a collection or making it, and whether items are there, with both clients."""

import asyncio
from typing import Any

import numpy as np
import pytest

from cipherlens.client import AlreadyExists, AsyncClient, Client
from cipherlens.crypto import CipherParameters, KeyEntry


@pytest.fixture(params=["Client", "AsyncClient"])
def called(request: pytest.FixtureRequest, target: str, key: KeyEntry) -> Any:
    """A function that calls a method of each client in turn, under some key or none."""

    def with_client(method: str, *words: Any, under: KeyEntry | None = key, **named: Any) -> Any:
        with Client(target, key=under) as client:
            return getattr(client, method)(*words, **named)

    async def with_async_client(
        method: str, *words: Any, under: KeyEntry | None = key, **named: Any
    ) -> Any:
        async with AsyncClient(target, key=under) as client:
            return await getattr(client, method)(*words, **named)

    if request.param == "Client":
        return with_client
    return lambda *words, **named: asyncio.run(with_async_client(*words, **named))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"c{abs(hash(request.node.nodeid))}"


@pytest.mark.parametrize(
    ("method", "words", "named"),
    [
        ("create_cipher_collection", (), {}),
        ("create_vector_collection", (8,), {}),
        ("create_vector_collection", (8,), {"masked": False, "index": "flat"}),
        ("create_code_collection", (48,), {"encoder_digest": bytes(32)}),
    ],
)
def test_it_is_made_once(called: Any, name: str, method: str, words: Any, named: Any) -> None:
    made = called(method, name, *words, **named, if_absent=True)
    again = called(method, name, *words, **named, if_absent=True)
    assert made.uuid == again.uuid
    with pytest.raises(AlreadyExists):
        called(method, name, *words, **named)


@pytest.mark.parametrize(
    ("method", "words", "named", "differing"),
    [
        ("create_vector_collection", (9,), {}, "dimension"),
        ("create_vector_collection", (8,), {"index": "hnsw"}, "index"),
        ("create_vector_collection", (8,), {"masked": False}, "masks"),
        ("create_vector_collection", (8,), {"encoder_digest": b"d" * 32}, "network"),
        ("create_code_collection", (48,), {}, "kind"),
        ("create_cipher_collection", (), {}, "key"),
    ],
)
def test_another_one_is_not_taken_for_it(
    called: Any, name: str, method: str, words: Any, named: Any, differing: str
) -> None:
    called("create_vector_collection", name, 8)
    with pytest.raises(AlreadyExists, match=rf"is there and is another, by its .*{differing}"):
        called(method, name, *words, **named, if_absent=True)


def test_one_of_another_key_is_another(called: Any, name: str) -> None:
    other = KeyEntry.generate("other", CipherParameters())
    called("create_cipher_collection", name)
    with pytest.raises(AlreadyExists, match=r"by its key$"):
        called("create_cipher_collection", name, under=other, if_absent=True)
    called("create_vector_collection", f"{name}-v", 8)
    with pytest.raises(AlreadyExists, match=r"by its masks$"):
        called("create_vector_collection", f"{name}-v", 8, under=other, if_absent=True)


def test_whether_items_are_there(called: Any, name: str) -> None:
    called("create_vector_collection", name, 4)
    called("index_vectors", name, ["a", "b"], np.eye(2, 4, dtype=np.float32))
    assert called("exists", name, ["b", "none", "a"]) == {"b": True, "none": False, "a": True}
