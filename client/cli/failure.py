"""What a person is told when a command fails, and what a script sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from cipherlens.base import DomainError
from cipherlens.client.cli.console import json_text, visible
from cipherlens.client.errors import (
    CipherLensError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)

SUCCESS = 0
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
NO_SERVER = 4
NOT_GENUINE = 5
INTERRUPTED = 130

_EXTRAS = {
    "starlette": "gallery",
    "uvicorn": "gallery",
    "faiss": "cpu",
    "sqlalchemy": "server",
    "grpc_health": "server",
    "grpc_reflection": "server",
    "prometheus_client": "server",
    "pydantic": "server",
    "torch": "model",
    "timm": "model",
    "safetensors": "model",
    "pytorch_metric_learning": "model",
}


_NO_SERVER_HINT = (
    "is the server running? 'cipherlens serve --data-dir DIR' starts one, "
    "--server HOST:PORT says where it is"
)

ADVICE: dict[type[Exception], tuple[int, str]] = {
    NotFound: (NOT_FOUND, "'cipherlens collection list' shows what is there"),
    Unavailable: (NO_SERVER, _NO_SERVER_HINT),
    DeadlineExceeded: (NO_SERVER, _NO_SERVER_HINT),
    Unauthenticated: (
        FAILURE,
        "the server asks for a token: --token-file FILE or CIPHERLENS_TOKEN; whoever runs it makes "
        "one with 'cipherlens token new'",
    ),
    InvalidArgument: (USAGE, ""),
    Unimplemented: (
        FAILURE,
        "is it a server of another role? 'serve --role owner' only encrypts, "
        "collections are at one of role cloud or all",
    ),
    DomainError: (FAILURE, ""),
    ValueError: (USAGE, ""),
    TypeError: (USAGE, ""),
}
"""Exit code and hint of a failure, which its class or the nearest ancestor here decides.

What opens keyrings adds the failures of keys: a cloud server's process never loads their code.
"""

_ADVICE_OF_REASON = {
    "NO_MODEL": "'cipherlens model push CHECKPOINT --collection NAME' gives a collection its model"
}


class CommandError(Exception):
    """A command that cannot do what it was told.

    Attributes:
        message: what is wrong.
        hint: what to do about it; may be empty.
        exit_code: what the program returns.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = FAILURE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the file in a failure of what is done with its content."""
    try:
        yield
    except DomainError as error:
        raise CommandError(f"{path}: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A failure as it is reported; `details` goes into the JSON form."""

    message: str
    exit_code: int
    hint: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def describe(error: Exception) -> Failure:
    """Return what to tell of an error."""
    if isinstance(error, CommandError):
        return Failure(message=error.message, hint=error.hint, exit_code=error.exit_code)
    if isinstance(error, ModuleNotFoundError):
        return _of_module(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return Failure(message=f"{place}{error.strerror or error}", exit_code=FAILURE)
    advice = next((ADVICE[kind] for kind in type(error).__mro__ if kind in ADVICE), None)
    if advice is None:
        return Failure(
            message=f"unexpected {type(error).__name__}: {error}",
            hint="CIPHERLENS_TRACEBACK=1 shows where",
            exit_code=FAILURE,
        )
    exit_code, hint = advice
    if not isinstance(error, CipherLensError):
        return Failure(message=str(error), hint=hint, exit_code=exit_code)
    return Failure(
        message=error.message,
        hint=_ADVICE_OF_REASON.get(error.reason, hint),
        exit_code=exit_code,
        details={"code": error.code.name, "reason": error.reason, "metadata": error.metadata},
    )


def wrong_use(message: str) -> Failure:
    """Return what to tell of words that the option parser refuses."""
    return Failure(
        message=message.replace("Value error, ", ""),
        hint="see 'cipherlens --help', or --help after a command",
        exit_code=USAGE,
    )


def report(failure: Failure, *, as_json: bool) -> int:
    """Print a failure on standard error and return its exit code."""
    if as_json:
        document = {
            "error": failure.message,
            "hint": failure.hint,
            "exit_code": failure.exit_code,
            **failure.details,
        }
        typer.echo(json_text(document), err=True)
    else:
        typer.echo(visible(f"cipherlens: {failure.message}"), err=True)
        if failure.hint:
            typer.echo(visible(f"  {failure.hint}"), err=True)
    return failure.exit_code


def _of_module(error: ModuleNotFoundError) -> Failure:
    """Return what to install for a command that needs more than the client."""
    name = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(name)
    hint = f"pip install 'cipherlens[{extra}]'" if extra else ""
    return Failure(message=f"this needs the package {name}", hint=hint, exit_code=FAILURE)
