"""Where vectors and codes are, if not in this process: an engine's address."""

from typing import Annotated, ClassVar
from urllib.parse import SplitResult

from pydantic import PlainValidator

from cipherlens.server.config.database import DatabaseUrl

_OWN = "postgresql"
_MILVUS = ("milvus", "milvuss")


class VectorsUrl(DatabaseUrl):
    """`milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `milvuss://` by TLS; or PostgreSQL's.

    As text it is shown without its password.
    """

    schemes: ClassVar[tuple[str, ...]] = (*_MILVUS, *DatabaseUrl.schemes)
    words: ClassVar[str] = "milvus://HOST[:PORT][/DATABASE], postgresql or postgresql://..."

    @property
    def is_milvus(self) -> bool:
        """Whether it is Milvus, and else pgvector."""
        return self._parts.scheme in _MILVUS

    def http(self) -> str:
        """Return the address as Milvus's client takes it, without a password."""
        scheme = "https" if self._parts.scheme == "milvuss" else "http"
        return f"{scheme}://{self._parts.netloc.rpartition('@')[2]}"

    def token(self) -> str:
        """Return user and password as Milvus's client takes them: for it and nobody else."""
        return f"{self._parts.username}:{self.password}" if self._parts.username else ""

    def database(self) -> str:
        """Return the name of Milvus's database, empty for the default one."""
        return self._parts.path.strip("/")

    def _is_whole(self, parts: SplitResult) -> bool:
        if parts.scheme in _MILVUS:
            return bool(parts.hostname)
        return super()._is_whole(parts)


class OwnDatabase:
    """The database of the rows, which has the vectors, too."""

    def __str__(self) -> str:
        return _OWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnDatabase)

    def __hash__(self) -> int:
        return hash(_OWN)


def _checked(value: object) -> VectorsUrl | OwnDatabase:
    if isinstance(value, VectorsUrl | OwnDatabase):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return OwnDatabase() if value.strip() == _OWN else VectorsUrl(value)


VectorsSetting = Annotated[VectorsUrl | OwnDatabase, PlainValidator(_checked)]
"""Such an address among settings."""
