"""What commands take where neither an option nor a variable says it: a file of the user's.

Its keys are the variables of the options, in small letters and without CIPHERLENS_: a line
`server = "..."` stands for CIPHERLENS_SERVER. It holds no secrets, but may name the files that do.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cipherlens.client.cli.failure import USAGE, CommandError

PREFIX = "CIPHERLENS_"
VARIABLE = f"{PREFIX}CLIENT_CONFIG"

PATHS = ("keyring", "passphrase_file", "tls_ca", "tls_certificate", "tls_key", "token_file")
"""Keys whose values are files; "~" is the home folder."""

KEYS: Mapping[str, type] = {
    "server": str,
    "key": str,
    "timeout": float,
    **dict.fromkeys(PATHS, str),
}
"""What the file may say, and of which type."""


def variable(key: str) -> str:
    """Return the name of the variable that says the same as a key of the file."""
    return PREFIX + key.upper()


def place() -> Path:
    """Return where the file is, if there is one."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "cipherlens" / "client.toml"


def defaults() -> dict[str, Any]:
    """Return what the file says by its keys, nothing where there is none.

    Raises:
        CommandError: it is no TOML, or says what is not known; a file that was named is not there.
    """
    path = place()
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if VARIABLE not in os.environ:
            return {}
        raise
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}", exit_code=USAGE) from error
    checked = {key: _checked(path, key, value) for key, value in said.items()}
    secrets = {"token_file": "CIPHERLENS_TOKEN", "passphrase_file": "CIPHERLENS_PASSPHRASE"}
    # A secret in the environment was put there for now, the name of its file for always.
    return {key: value for key, value in checked.items() if secrets.get(key, "") not in os.environ}


def _checked(path: Path, key: str, value: object) -> object:
    if key not in KEYS:
        known = ", ".join(KEYS)
        raise CommandError(f"{path}: {key!r} is none of {known}", exit_code=USAGE)
    wanted = KEYS[key]
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        named = "a number" if wanted is float else "a text"
        raise CommandError(f"{path}: {key} must be {named}, got {value!r}", exit_code=USAGE)
    return str(Path(str(value)).expanduser()) if key in PATHS else value


def by_parameter(command: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command's options, and those of the commands in it, take by default.

    command: as the parser has it. An option takes what stands under the key of its variable.
    """
    found = {
        parameter.name: said[key]
        for parameter in getattr(command, "params", ())
        for key in said
        if variable(key) in _variables(parameter)
    }
    for name, each in getattr(command, "commands", {}).items():
        found[name] = by_parameter(each, said)
    return found


def _variables(parameter: Any) -> list[str]:
    named = getattr(parameter, "envvar", None) or []
    return [named] if isinstance(named, str) else list(named)
