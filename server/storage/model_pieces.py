"""Models within the database, where servers of several machines share it: their bytes in pieces."""

from collections.abc import Iterable, Iterator

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
)

from cipherlens.server.storage.schema import Blob

PIECE_BYTES = 4 * 2**20

metadata = MetaData()

# Beside the tables of all databases, as a folder has files in its place. What a model's bytes are
# held to is its digest.
model_pieces = Table(
    "model_pieces",
    metadata,
    Column("digest", Blob(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", Blob, nullable=False),
)

_OF_DIGEST = model_pieces.c.digest == bindparam("wanted")
_DATA = select(model_pieces.c.data).where(_OF_DIGEST).order_by(model_pieces.c.number)
_REMOVE = delete(model_pieces).where(_OF_DIGEST)
_SIZES = select(model_pieces.c.digest, func.sum(func.length(model_pieces.c.data))).group_by(
    model_pieces.c.digest
)


class ModelPieces:
    """The pieces of models within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def make(self) -> None:
        """Make the table, if there is none."""
        metadata.create_all(self._connection)

    def are_there(self) -> bool:
        """Return whether there is a table."""
        return inspect(self._connection).has_table(model_pieces.name)

    def put(self, digest: bytes, number: int, data: bytes) -> None:
        """Write the piece of that number, from 0; the first one takes the place of all before."""
        if number == 0:
            self.remove(digest)
        self._connection.execute(insert(model_pieces).values((digest, number, data)))

    def of(self, digest: bytes) -> Iterator[bytes]:
        """Yield the pieces of a model in their order; none if it is not there."""
        yield from self._connection.scalars(_DATA, {"wanted": digest})

    def remove(self, digest: bytes) -> None:
        """Remove a model's pieces, if there are any."""
        self._connection.execute(_REMOVE, {"wanted": digest})

    def sizes(self) -> dict[bytes, int]:
        """Return how many bytes there are of each model."""
        return {digest: int(size) for digest, size in self._connection.execute(_SIZES)}

    def remove_all_but(self, kept: Iterable[bytes]) -> None:
        """Remove what no row of a model speaks of."""
        for digest in self.sizes().keys() - set(kept):
            self.remove(digest)
