"""The command line, `cipherlens`. `main` is its entry point."""

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; None takes the program's own arguments."""
    # gRPC reads this when it is loaded, so it must be set before: its log is not for people.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from cipherlens.client.cli.app import main as run
    except ModuleNotFoundError as error:
        missing, _, _ = (error.name or "").partition(".")
        if missing not in {"typer", "rich"}:
            raise
        sys.stderr.write(
            f"cipherlens: this needs the package {missing}: pip install 'cipherlens[cli]'\n"
        )
        return 1
    return run(arguments)
