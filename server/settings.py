"""The configuration from its sources: a file, then the environment, then flags.

Every field of `ServerConfig` but the passphrase is a setting, and has three names: `max_k` in the
table `limits` of a TOML file, CIPHERLENS_SERVE_LIMITS_MAX_K, and `--limits-max-k`.
"""

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from cipherlens.server.config import DatabaseUrl, Doc, ServerConfig
from cipherlens.server.config.database import DatabaseSetting
from cipherlens.server.config.vectors import VectorsSetting

PREFIX = "CIPHERLENS_SERVE_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
_NO_SETTINGS = {"passphrase"}


class SettingError(ValueError):
    """A value that cannot be; the message names setting, value and source."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of the configuration.

    Attributes:
        name: such as "limits.max_k".
        hint: its type, and what its value may be.
        default: its value where no source has one; `dataclasses.MISSING` if it must have one.
        doc: what it is for.
        metavar: what its value is called.
    """

    name: str
    hint: Any
    default: object
    doc: str
    metavar: str

    @property
    def kind(self) -> Any:
        """Its bare type."""
        return get_args(self.hint)[0]

    @property
    def is_secret(self) -> bool:
        """Whether its value may carry a password, so that nobody is shown it as it was given."""
        return not {DatabaseSetting, VectorsSetting}.isdisjoint(get_args(self.kind))

    @property
    def flag(self) -> str:
        """Its option on the command line."""
        return "--" + self.name.replace(".", "-").replace("_", "-")

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return PREFIX + self.name.replace(".", "_").upper()


@dataclass(frozen=True, slots=True)
class Given:
    """A value as a source has it, text or what TOML makes of it, and the source for people."""

    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The configuration, and which source each setting has its value from."""

    config: ServerConfig
    sources: Mapping[str, str]

    def toml(self) -> str:
        """Return the values in force as a file that `--config` takes, each with its source."""
        tables: dict[str, list[str]] = {"": []}
        for each in SETTINGS:
            table, _, key = each.name.rpartition(".")
            value = _value(self.config, each.name)
            line = f"# {key}: not set" if value is None else f"{key} = {_toml(value)}"
            tables.setdefault(table, []).append(f"{line}  # {self.sources[each.name]}")
        texts = [f"[{table}]\n" * bool(table) + "\n".join(lines) for table, lines in tables.items()]
        return "\n\n".join(texts)


def resolve(
    file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> Resolved:
    """Return the configuration that a file, the environment and flags (by setting) make together.

    Raises:
        SettingError: a source names no setting, or a value cannot be.
    """
    if file is None and environment.get(CONFIG_VARIABLE):
        file = Path(environment[CONFIG_VARIABLE])
    given = {
        **(_of_file(file) if file is not None else {}),
        **_of_environment(environment),
        **{name: Given(value, f"flag {_BY_NAME[name].flag}") for name, value in flags.items()},
    }
    values = {name: _converted(_BY_NAME[name], each) for name, each in given.items()}
    for name in flags:
        _check_hidden(_BY_NAME[name], values[name])
    sources = {
        each.name: given[each.name].source if each.name in given else "default" for each in SETTINGS
    }
    try:
        return Resolved(_built(ServerConfig, "", values), sources)
    except ValueError as error:
        told = _reason(error)
        named = [f"{name} from {each.source}" for name, each in given.items() if name in told]
        raise SettingError(f"{told} ({'; '.join(named)})" if named else told) from error


def _of_file(path: Path) -> dict[str, Given]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is no TOML: {error}") from error
    found = dict(_leaves(document, ""))
    for name in found:
        if name not in _BY_NAME:
            raise SettingError(f"{path}: there is no setting {name}{_like(name, _BY_NAME)}")
    return {name: Given(value, f"file {path}") for name, value in found.items()}


def _leaves(table: Mapping[str, object], above: str) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key, value


def _of_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    by_variable = {each.variable: each.name for each in SETTINGS}
    found = {
        variable: text
        for variable, text in environment.items()
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE
    }
    for variable in found:
        if variable not in by_variable:
            raise SettingError(
                f"the environment has {variable}, which is no setting{_like(variable, by_variable)}"
            )
    return {
        by_variable[variable]: Given(text, f"environment {variable}")
        for variable, text in found.items()
    }


def _like(name: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"; is it {close[0]}?" if close else ""


def _converted(setting: Setting, given: Given) -> object:
    """Return a value of the setting's type. Raises SettingError."""
    adapter = _adapter(setting.name)
    try:
        if isinstance(given.value, str):
            return adapter.validate_strings(given.value)
        return adapter.validate_json(json.dumps(given.value, default=str), strict=True)
    except ValidationError as error:
        # An address is not quoted: it may carry a password, and neither is what it was made of.
        got = "" if setting.is_secret else f", got {given.value!r}"
        told = f"{setting.name} {_reason(error)}{got} ({setting.name} from {given.source})"
        raise SettingError(told) from (None if setting.is_secret else error)


@cache
def _adapter(name: str) -> "TypeAdapter[Any]":
    """Return what checks values of a setting, which takes longer to make than to use."""
    # TOML knows nan, which is said to be no finite number before it is said to be out of bounds.
    return TypeAdapter(_BY_NAME[name].hint, config=ConfigDict(allow_inf_nan=False))


def _check_hidden(setting: Setting, value: object) -> None:
    """Raise SettingError for an option with a password: other users of the machine can read it."""
    if isinstance(value, DatabaseUrl) and value.has_password:
        others = ", or --database-password-file" if setting.name == "database" else ""
        raise SettingError(
            f"{setting.flag}: a password on the command line can be read by others; put it into "
            f"{setting.variable}, or the file of --config{others}"
        )


def _reason(error: ValueError) -> str:
    """Return what is wrong, to stand behind the name of what is."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]["msg"]
    return first.removeprefix("Value error, ").replace("Input should", "must")


def _built(kind: type[Any], above: str, values: Mapping[str, object]) -> Any:
    """Return a dataclass of the values whose names begin with `above`. Raises ValueError."""
    arguments = {}
    for name, inner, field in _fields(kind):
        if _is_table(inner):
            asked = any(each.startswith(f"{above}{name}.") for each in values)
            if asked or field.default is not None:
                arguments[name] = _built(inner, f"{above}{name}.", values)
        elif above + name in values:
            arguments[name] = values[above + name]
        elif above + name in _BY_NAME and _BY_NAME[above + name].default is dataclasses.MISSING:
            missing = _BY_NAME[above + name]
            raise ValueError(
                f"{missing.name} must be set: {missing.flag} {missing.metavar}, or "
                f"{missing.variable} in the environment, or in the file of --config"
            )
    return kind(**arguments)


def _fields(kind: type[Any]) -> Iterator[tuple[str, Any, "dataclasses.Field[Any]"]]:
    """Yield name, type (of an optional dataclass the class) and field of a dataclass's settings."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if field.name not in _NO_SETTINGS:
            hint = hints[field.name]
            classes = [each for each in get_args(hint) if dataclasses.is_dataclass(each)]
            is_optional = get_origin(hint) is UnionType and classes
            yield field.name, classes[0] if is_optional else hint, field


def _is_table(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind)


def _settings(kind: type[Any], above: str) -> Iterator[Setting]:
    for name, inner, field in _fields(kind):
        if _is_table(inner):
            yield from _settings(inner, f"{above}{name}.")
        else:
            (doc,) = (each for each in get_args(inner) if isinstance(each, Doc))
            yield Setting(above + name, inner, field.default, doc.text, doc.metavar)


def _value(config: object, name: str) -> object:
    for part in name.split("."):
        config = getattr(config, part, None)
    return config


def _toml(value: object) -> str:
    """Return a value as TOML writes it, which for ours is as JSON does."""
    return json.dumps(
        value if isinstance(value, bool | int | float) else str(value), ensure_ascii=False
    )


SETTINGS = tuple(_settings(ServerConfig, ""))
"""All there are, in the order of the configuration's fields."""

_BY_NAME = {each.name: each for each in SETTINGS}
