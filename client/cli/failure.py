"""What a person is told when a command fails, and what a script sees."""

from dataclasses import dataclass, field
from typing import Any

import typer

from cipherlens.client.cli.console import json_text
from cipherlens.client.errors import (
    CipherLensError,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Unavailable,
    Unimplemented,
)

SUCCESS = 0
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
NO_SERVER = 4
INTERRUPTED = 130

_EXTRAS = {
    "faiss": "cpu",
    "sqlalchemy": "server",
    "grpc_health": "server",
    "grpc_reflection": "server",
    "torch": "model",
    "timm": "model",
    "safetensors": "model",
    "pytorch_metric_learning": "model",
}


class CommandError(Exception):
    """A command that cannot do what it was told.

    Attributes:
        message: what is wrong.
        hint: what to do about it; may be empty.
        exit_code: what the program returns.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = FAILURE) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


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
    if isinstance(error, CipherLensError):
        return _of_server(error)
    if type(error).__module__ == "cipherlens.crypto.errors":
        return _of_crypto(error)
    if isinstance(error, ModuleNotFoundError):
        return _of_module(error)
    return _of_others(error)


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
        typer.echo(f"cipherlens: {failure.message}", err=True)
        if failure.hint:
            typer.echo(f"  {failure.hint}", err=True)
    return failure.exit_code


def _of_server(error: CipherLensError) -> Failure:
    """Return what to tell of a server's refusal or silence."""
    exit_code, hint = FAILURE, ""
    if isinstance(error, NotFound):
        exit_code = NOT_FOUND
        hint = "'cipherlens collection list' shows what is there"
    elif isinstance(error, Unavailable | DeadlineExceeded):
        exit_code = NO_SERVER
        hint = "is the server running? 'cipherlens serve --data-dir DIR' starts one, "
        hint += "--server HOST:PORT says where it is"
    elif isinstance(error, InvalidArgument):
        exit_code = USAGE
    elif isinstance(error, Unimplemented):
        hint = "is it a server of another role? 'serve --role owner' only encrypts, "
        hint += "collections are at one of role cloud or all"
    elif error.reason == "MODEL_MISMATCH" and "has no model" in error.message:
        hint = "'cipherlens model push CHECKPOINT --collection NAME' gives a collection its model"
    details = {"code": error.code.name, "reason": error.reason, "metadata": error.metadata}
    return Failure(message=error.message, hint=hint, exit_code=exit_code, details=details)


def _of_crypto(error: Exception) -> Failure:
    """Return what to tell of keys, cipher-images and seals."""
    # Loaded by whoever raised it: a cloud server's process never comes here.
    from cipherlens.crypto import KeyringPassphraseError, KeyringPermissionError, UnknownKey

    exit_code, hint = FAILURE, ""
    if isinstance(error, UnknownKey):
        exit_code = NOT_FOUND
        hint = "'cipherlens keys show KEYRING' lists the keys, --key NAME takes one"
    elif isinstance(error, KeyringPassphraseError) and "was given" in str(error):
        hint = "leave --passphrase-file out"
    elif isinstance(error, KeyringPassphraseError):
        hint = "give it at the prompt, with --passphrase-file or in CIPHERLENS_PASSPHRASE"
    elif isinstance(error, KeyringPermissionError):
        hint = "only its owner may read a keyring: chmod 600 KEYRING"
    return Failure(message=str(error), hint=hint, exit_code=exit_code)


def _of_module(error: ModuleNotFoundError) -> Failure:
    """Return what to install for a command that needs more than the client."""
    name = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(name)
    hint = f"pip install 'cipherlens[{extra}]'" if extra else ""
    return Failure(message=f"this needs the package {name}", hint=hint, exit_code=FAILURE)


def _of_others(error: Exception) -> Failure:
    """Return what to tell of files, values, the option parser, and our own bugs."""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return Failure(message=f"{place}{error.strerror or error}", exit_code=FAILURE)
    if isinstance(error, ValueError | TypeError):
        return Failure(message=str(error), exit_code=USAGE)
    if _is_domain_failure(error):
        return Failure(message=str(error), exit_code=FAILURE)
    parser_message = getattr(error, "format_message", None)
    if parser_message is not None:
        hint = "see 'cipherlens --help', or --help after a command"
        return Failure(
            message=parser_message().replace("Value error, ", ""), hint=hint, exit_code=USAGE
        )
    return Failure(
        message=f"unexpected {type(error).__name__}: {error}",
        hint="CIPHERLENS_TRACEBACK=1 shows where",
        exit_code=FAILURE,
    )


def _is_domain_failure(error: Exception) -> bool:
    """Return whether an error is one that models or the server raise on purpose."""
    from cipherlens.model.errors import ModelError
    from cipherlens.server.errors import StartupError

    return isinstance(error, ModelError | StartupError)
