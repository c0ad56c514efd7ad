"""All rows of one database brought over to another, each looked at here, and compared there again.

The target cannot be served before all of it is there: until then its version says that it is being
filled, and from what. Rows come in the order of their keys, a piece a transaction, so what a kill
has left is a beginning, and the next run goes on behind it. The source is only read.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    tuple_,
    update,
)

from cipherlens.base import make_folder, replace_file, sync_folder
from cipherlens.server.errors import MoveError
from cipherlens.server.storage import schema
from cipherlens.server.storage.checking import row_agrees
from cipherlens.server.storage.dialect import Dialect
from cipherlens.server.storage.files import copied
from cipherlens.server.storage.model_files import MODELS, file_name
from cipherlens.server.storage.model_pieces import ModelPieces
from cipherlens.server.storage.version import MOVING

# What others refer to stands before them.
_TABLES = (
    schema.collections,
    schema.generations,
    schema.models,
    schema.purge_marks,
    schema.items,
    schema.ciphertexts,
    schema.representations,
)
_NUMBERED = (schema.collections, schema.generations)
_SMALL = _TABLES[:4]
_VERSION = schema.alembic_version.c.version_num
_PIECE_BYTES = 4 * 2**20
_PIECE_ROWS = 1000
_ROWS_PER_FETCH = 16  # each may have a sealed original
_ROW_BYTES = 64  # what is small in one

_Key = tuple[Any, ...]


class Place(NamedTuple):
    """A data folder, and the database of its rows, both held by this process."""

    folder: Path
    dialect: Dialect


class Step(NamedTuple):
    """How far it is: what is being done, and how many rows of all have been looked at in it."""

    doing: str
    rows: int
    of: int


class Moved(NamedTuple):
    """What was brought over: rows of all tables, of which so many were there, and models."""

    rows: int
    were_there: int
    models: int


def move(source: Place, target: Place, watch: Callable[[Step], None] = lambda _: None) -> Moved:
    """Bring all rows and models over, or what is left of it, and let the target be served.

    `watch` is told how far it is; what it raises ends this, and another run goes on from there.

    Raises:
        MoveError: the source is of another version or has damaged rows; the target has data of its
            own, or other rows than the source afterwards. OSError where a disk does not take it.
    """
    with source.dialect.reader.connect() as reading, reading.begin():
        _check_version(reading)
        were_there = _begin(target.dialect, f"{MOVING}{_fingerprint(reading)}")
        total = sum(_count(reading, table) for table in _TABLES)
        done = were_there
        for table in _TABLES:
            for count in _copy(reading, target.dialect, table):
                done += count
                watch(Step("copying", done, total))
        models = _copy_models(reading, source, target.folder)
        compared = 0
        with target.dialect.reader.connect() as found, found.begin():
            for table in _TABLES:
                for count in _compare(reading, found, table):
                    compared += count
                    watch(Step("comparing", compared, total))
        numbers = {each.name: source.dialect.last_number(reading, each.name) for each in _NUMBERED}
        _end(target.dialect, numbers)
    return Moved(total, were_there, models)


def measured(source: Place) -> Moved:
    """Return what `move` would bring over into an empty target. Raises MoveError as that does."""
    with source.dialect.reader.connect() as reading, reading.begin():
        _check_version(reading)
        rows = sum(_count(reading, table) for table in _TABLES)
        return Moved(rows, 0, _count(reading, schema.models))


def _check_version(reading: Connection) -> None:
    names = inspect(reading).get_table_names()
    if schema.alembic_version.name not in names:
        raise MoveError("the source has no tables of this version: start its server once")
    found = reading.scalar(select(_VERSION))
    if found != schema.SCHEMA_VERSION:
        raise MoveError(
            f"the source has schema version {found}, this program moves {schema.SCHEMA_VERSION}: "
            "start its server once, or finish what fills it"
        )


def _fingerprint(reading: Connection) -> str:
    """Return what tells the source, in this state, from any other."""
    digest = hashlib.sha256()
    for table in _SMALL:
        for row in reading.execute(select(table).order_by(*table.primary_key.columns)):
            digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()[:24]


def _begin(target: Dialect, version: str) -> int:
    """Have the tables, empty or as a run from the same source has left them; return their rows."""
    with target.writer.begin() as connection:
        tables = set(schema.metadata.tables).intersection(inspect(connection).get_table_names())
        if not tables:
            schema.metadata.create_all(connection)
            connection.execute(insert(schema.alembic_version).values(version_num=version))
        found = connection.scalar(select(_VERSION))
        if not str(found).startswith(MOVING):
            raise MoveError(f"{target.place} has data of its own: name an empty one")
        if found != version:  # the source has changed since, or is another
            for table in reversed(_TABLES):
                connection.execute(delete(table))
            connection.execute(update(schema.alembic_version).values(version_num=version))
        return sum(_count(connection, table) for table in _TABLES)


def _copy(reading: Connection, target: Dialect, table: Table) -> Iterator[int]:
    """Write what the target lacks of a table; yield how many rows were written each time."""
    with target.reader.connect() as connection, connection.begin():
        last = connection.execute(_keys_backwards(table)).first()
    for piece in _pieces(_streamed(reading, _after(table, tuple(last) if last else None))):
        for row in piece:
            if not row_agrees(table, row):
                raise MoveError(
                    f"{_named(table, row)} does not agree with its checksum: write the item again, "
                    "or delete what it belongs to, with the server of the source"
                )
        with target.writer.begin() as connection:
            columns = table.c.keys()
            connection.execute(
                insert(table), [dict(zip(columns, row, strict=True)) for row in piece]
            )
        yield len(piece)


def _compare(reading: Connection, found: Connection, table: Table) -> Iterator[int]:
    """Raise MoveError unless all rows of a table are the same; yield how many were, by and by."""
    query, same = _after(table, None), 0
    for here, there in zip_longest(_streamed(reading, query), _streamed(found, query)):
        if here is None or there is None or tuple(here) != tuple(there):
            raise MoveError(f"{_named(table, here or there)} is another one in the target")
        same += 1
        if same == _PIECE_ROWS:
            yield same
            same = 0
    yield same


def _copy_models(reading: Connection, source: Place, target: Path) -> int:
    """Copy the files of all models, which are named by what is in them; return how many.

    A target whose database holds them takes them from there when it is first served.
    """
    digests = reading.scalars(select(schema.models.c.digest)).all()
    folder = target / MODELS
    make_folder(folder, 0o700)
    for digest in digests:
        name = file_name(digest)
        part = folder / f"{name}.part"
        part.unlink(missing_ok=True)
        sha256 = _copied_model(reading, source, digest, part)
        if sha256 != digest.hex():
            part.unlink()
            raise MoveError(f"model {digest.hex()} is damaged: push it again, or delete it")
        part.replace(folder / name)
    sync_folder(folder)
    return len(digests)


def _copied_model(reading: Connection, source: Place, digest: bytes, target: Path) -> str:
    """Copy a model from its file, or from the database; return the SHA-256 of what was there."""
    path = source.folder / MODELS / file_name(digest)
    pieces = ModelPieces(reading)
    if source.dialect.holds_models and not path.exists() and pieces.are_there():
        data = b"".join(pieces.of(digest))
        replace_file(target, data)
        return hashlib.sha256(data).hexdigest()
    return copied(path, target)[1]


def _end(target: Dialect, numbers: dict[str, int]) -> None:
    """Let the target be served."""
    with target.writer.begin() as connection:
        for name, number in numbers.items():
            target.number_after(connection, name, number)
        connection.execute(  # the commit point
            update(schema.alembic_version).values(version_num=schema.SCHEMA_VERSION)
        )


def _after(table: Table, last: _Key | None) -> Select[Any]:
    keys = table.primary_key.columns
    query = select(table).order_by(*keys)
    if last is None:
        return query
    values = (literal(value, each.type) for each, value in zip(keys, last, strict=True))
    return query.where(tuple_(*keys) > tuple_(*values))


def _keys_backwards(table: Table) -> Select[Any]:
    keys = table.primary_key.columns
    return select(*keys).order_by(*(each.desc() for each in keys)).limit(1)


def _streamed(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    options = {"yield_per": _ROWS_PER_FETCH}
    with connection.execute(query, execution_options=options) as rows:
        yield from rows


def _pieces(rows: Iterator[Row[Any]]) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows in pieces of bounded size."""
    piece: list[Row[Any]] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += _ROW_BYTES + sum(len(each) for each in row if isinstance(each, bytes | str))
        if size >= _PIECE_BYTES or len(piece) == _PIECE_ROWS:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _named(table: Table, row: Row[Any]) -> str:
    key = ", ".join(f"{each.name} {getattr(row, each.key)!r}" for each in table.primary_key.columns)
    return f"the row of {table.name} with {key}"
