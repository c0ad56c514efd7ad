"""A server as it is, but that what it does now and then it does all the time: `serve.py FOLDER`.

Says `beginning` when all that it needs is imported and nothing was touched yet. With WORKERS in
the environment so many processes serve, each with a page of metrics.
"""

import faulthandler
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.pool import Pool

from cipherlens.server.config import DatabaseUrl, IvfSettings, ServerConfig
from cipherlens.server.engine import item_index, sweeping, takeover
from cipherlens.server.observing import set_up_logs
from cipherlens.server.retrieval import serve  # noqa: F401 - imported before it begins
from cipherlens.server.transport import native  # noqa: F401
from cipherlens.server.worker import VARIABLE
from cipherlens.server.workers import run


def main(folder: str, transport: str) -> int:
    """Serve until a signal comes; return the exit code."""
    takeover._ITEMS_PER_STEP = 8
    sweeping._PAUSE_S, sweeping._ROWS_PER_PIECE = 0.2, 16
    item_index._FEWEST_KEPT, item_index._UNKEPT_ROWS = 64, 64
    if os.environ.get("SYNCHRONOUS") == "OFF":  # which no setting of a server can do
        event.listen(Pool, "checkout", lambda c, *_: c.execute("PRAGMA synchronous=OFF"))
    address, workers = os.environ.get("DATABASE"), int(os.environ.get("WORKERS", "1"))
    faulthandler.register(signal.SIGUSR1)
    if VARIABLE not in os.environ:
        sys.stdout.write("beginning\n")
        sys.stdout.flush()
    made = ServerConfig(
        data_dir=Path(folder),
        database=DatabaseUrl(address) if address else None,
        listen="127.0.0.1:0",
        workers=workers,
        metrics_listen="0" if workers > 1 else None,
        transport=transport,
        device="cpu",
        keep_tombstones_s=0.0,
        ivf=IvfSettings(minimum_rows=100, growth=1.3, calibration_queries=32),
    )
    set_up_logs(made.log)
    return run(made)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
