"""Addresses that an operator gives: of databases and engines, and to listen on."""

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from cipherlens.server.access.exposure import check_exposure
from cipherlens.server.config import DatabaseUrl, ServerConfig, VectorsUrl
from cipherlens.server.errors import StartupError
from cipherlens.server.worker import Worker
from cipherlens.server.workers import _check as check_workers
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.target import Target

_WORKERS = 3
_WORD = 4
_PARTS = (
    b"postgresql://", b"postgres://", b"milvus://", b"milvuss://", b"user", b":", b"@", b"/", b"?",
    b"&", b"=", b"%00", b"%zz", b"%C3%A9", b"%40", b"%2F", b"\xc3\xa9", b" ", b"host", b"[::1]",
    b"5432", b"name", b"sslmode=verify-full", b"host=/run", b"password=hush", b"#", b",", b"***",
)  # fmt: skip
_LISTENS = (b"127.0.0.1:", b"[::1]:", b"unix:", b"0.0.0.0:", b"localhost", b":0", b":65535", b"@")


def database_address(_folder):
    """An address of PostgreSQL or Milvus: a ValueError, or one that shows no password."""

    def attempt(data):
        text = data.decode(errors="surrogateescape")
        taken = [_address(kind, text) for kind in (DatabaseUrl, VectorsUrl)]
        return any(taken)

    seeds = (
        b"postgresql://user:hush@host:5432/name?sslmode=verify-full&connect_timeout=3",
        b"postgresql://user:h%40sh@/name?host=/run/postgresql",
        b"milvus://user:hush%2F@host:19530/name",
        b"milvuss://host",
    )
    return Target(name="database-address", seeds=seeds, attempt=attempt, mutate=_of(_PARTS))


def _address(kind, text):
    try:
        url = kind(text)
    except ValueError as error:
        assert str(error).startswith("must ")
        return False
    assert kind(url.revealed()) == url
    if url.has_password:
        assert str(url) == str(url.with_password("another"))
    other = url.with_password("p@ss:/?#%ü ")
    assert other.password == "p@ss:/?#%ü "
    if getattr(url, "is_milvus", False):
        assert "@" not in url.http()
        assert url.token() in ("", f"{url._parts.username}:{url.password}")
    else:
        _check_drivers(url)
    return True


def _check_drivers(url):
    """Assert that drivers find the password where we do, and quote none in what they refuse."""
    assert (make_url(url.revealed()).password or "") == url.password
    try:
        found = conninfo_to_dict(url.revealed())
    except psycopg.ProgrammingError as error:
        own = url._parts.password or ""
        shown = str(url).replace("***", "")
        is_a_word = len(own) < _WORD or own in shown  # of libpq's own text, or of another part
        assert is_a_word or own not in str(error)
    else:
        assert str(found.get("password", "")) == url.password


def listen_address(_folder):
    """An address to listen on: refused by its name, or one that each worker has its part of."""

    def attempt(data):
        text = data.decode(errors="surrogateescape")
        names = ("listen", "follow_listen", "metrics_listen")
        taken = [_listened(name, text) for name in names]
        return any(taken)

    seeds = (b"127.0.0.1:50051", b"[::1]:0", b"unix:/run/socket", b"one.example.com:443", b"9464")
    return Target(name="listen-address", seeds=seeds, attempt=attempt, mutate=_of(_LISTENS))


def _listened(name, text):
    try:
        config = ServerConfig(data_dir=Path("data"), workers=_WORKERS, **{name: text})
    except ValueError:
        return False
    try:
        check_exposure(config, asks_for_tokens=False)
        check_workers(config)
    except StartupError as error:
        assert name in str(error) or text in str(error)
        return False
    for number in range(_WORKERS):
        Worker(number, config.listen, "", 1, 2).config(config)
    return True


def _of(parts):
    """Return what puts one of the parts somewhere, or changes bytes."""

    def mutate(data, rng):
        if rng.random() < 0.3:
            return mutated_bytes(data, rng)
        start = rng.randrange(len(data) + 1)
        end = start + rng.choice((0, 0, 1, 3, 8))
        return data[:start] + rng.choice(parts) + data[end:]

    return mutate
