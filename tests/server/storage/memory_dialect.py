"""A `Dialect` that keeps everything in memory: what another database has to bring."""

from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from cipherlens.server.errors import StorageUnavailable
from cipherlens.server.locks import CallLock


class MemoryDialect:
    """One connection to SQLite in memory, for one transaction at a time."""

    place = "the database in memory"
    leads = owns_folder = True
    is_lost = holds_models = False

    def __init__(self):
        self.writing = CallLock("the database in memory")
        self.reader = self.writer = create_engine(
            "sqlite://",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "isolation_level": None},
        )
        event.listen(self.reader, "begin", lambda opened: opened.exec_driver_sql("BEGIN"))

    def failure(self, error):
        return StorageUnavailable(str(error)) if isinstance(error, TimeoutError) else None

    def make_room(self):
        return False

    def tidy(self):
        return False

    def sizes(self):
        return {}

    def last_number(self, connection, table):
        raise NotImplementedError

    number_after = last_number

    def close(self):
        self.reader.dispose()
