"""The tables. A FAISS index is a cache of them.

Every row has a checksum over its other columns, so that a damaged row is named and set aside while
all others are served. Sequences are taken from `collections.sequence` inside the writing
transaction, so their order is commit order.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = "4"
"""The newest step in `migrations`; tables that are made now are of it from the start."""


def text_of(characters: int | None = None) -> String:
    """Return the type of a text: ordered by its UTF-8 bytes, and as long as it is.

    SQLite does so by itself, and takes the number of characters for a remark.
    """
    return String(characters).with_variant(Text(collation="C"), "postgresql")


# SQLite numbers rows by itself only in a column of type INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


class Blob(LargeBinary):
    """Bytes that come out as they are stored.

    SQLAlchemy's own type fails on a damaged row that holds text here, and with it on all others.
    """

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Return no conversion."""


metadata = MetaData()

# Alembic's own, of one row.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), primary_key=True),
)

collections = Table(
    "collections",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("uuid", text_of(36), nullable=False, unique=True),
    Column("name", text_of(255), nullable=False, unique=True),
    Column("kind", text_of(16), nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("bits", Integer, nullable=False),
    # JSON of the cipher profile, or empty.
    Column("profile", text_of(), nullable=False),
    Column("index_choice", text_of(16), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    # From here on columns change; the statement that takes a sequence also locks the row.
    Column("sequence", BigInteger, nullable=False),
    Column("active_generation", BigInteger, nullable=True),
    Column("shadow_generation", BigInteger, nullable=True),
    # Tombstones up to this sequence may be gone: who is behind it must rebuild.
    Column("purge_horizon", BigInteger, nullable=False),
    Column("checksum", Blob(16), nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)

generations = Table(
    "generations",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("collection", ForeignKey("collections.id"), nullable=False, index=True),
    Column("model_digest", Blob(32), nullable=False),
    Column("numeric_mode", text_of(64), nullable=False),
    Column("key_fingerprint", Blob(16), nullable=False),
    # Name of the keyed mask over the representations; empty: none.
    Column("mask_id", text_of(64), nullable=False),
    # Numbers in a vector, or bits in a code.
    Column("dimension", Integer, key="length", nullable=False),
    Column("checksum", Blob(16), nullable=False),
    sqlite_autoincrement=True,
)

items = Table(
    "items",
    metadata,
    Column("collection", ForeignKey("collections.id"), primary_key=True),
    Column("item_id", text_of(), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    # A tombstone keeps the id, its last revision and the sequence of the deletion.
    Column("deleted", Boolean, nullable=False),
    Column("owner_tag", Blob, nullable=False),
    Column("sealed_size", BigInteger, nullable=False),
    # Over all that the owner sent: equal content at an equal revision is the same write again.
    Column("content_digest", Blob(16), nullable=False),
    # 16 bytes each, one behind the other; null where there are none, as in rows of before.
    Column("tokens", Blob, nullable=True),
    Column("sealed_tags", Blob, nullable=True),
    Column("checksum", Blob(16), nullable=False),
    UniqueConstraint("collection", "sequence"),
    Index(
        "tombstones",
        "collection",
        "sequence",
        sqlite_where=text("deleted"),
        postgresql_where=text("deleted"),
    ),
)

# What was deleted up to the sequence was deleted before that time.
purge_marks = Table(
    "purge_marks",
    metadata,
    Column("collection", ForeignKey("collections.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("noted_at_us", BigInteger, nullable=False),
)

ciphertexts = Table(
    "ciphertexts",
    metadata,
    Column("collection", ForeignKey("collections.id"), primary_key=True),
    Column("item_id", text_of(), primary_key=True),
    # Height and width 0: no cipher-image.
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("nonce", Blob(16), nullable=False),
    Column("pixels", Blob, nullable=False),
    Column("sealed", Blob, nullable=False),
    Column("checksum", Blob(16), nullable=False),
)

representations = Table(
    "representations",
    metadata,
    Column("generation", ForeignKey("generations.id"), primary_key=True),
    Column("item_id", text_of(), primary_key=True),
    # The item's sequence when this was computed: another one means that it is out of date.
    Column("sequence", BigInteger, nullable=False),
    # Little-endian float32 of a unit vector, or a packed code.
    Column("data", Blob, nullable=False),
    Column("checksum", Blob(16), nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("digest", Blob(32), primary_key=True),
    Column("name", text_of(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # JSON of the checkpoint's configuration.
    Column("configuration", text_of(), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("checksum", Blob(16), nullable=False),
)
