"""Checks of single configuration fields, each error naming field, limit and value."""

from collections.abc import Collection, Mapping
from typing import Any


def check_integer(field: str, value: object, low: int, high: int) -> None:
    """Pass if value is an integer from low to high.

    Raises:
        TypeError: if it is no integer (a bool is none).
        ValueError: if it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field} must be an integer, got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{field} must be from {low} to {high}, got {value}")


def check_number(field: str, value: object, low: float, high: float) -> None:
    """Pass if value is a number from low to high; NaN is out of every range.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{field} must be a number, got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{field} must be from {low} to {high}, got {value}")


def check_flag(field: str, value: object) -> None:
    """Pass if value is true or false.

    Raises:
        TypeError: if it is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{field} must be true or false, got {value!r}")


def check_choice(field: str, value: object, choices: Collection[str]) -> None:
    """Pass if value is one of choices.

    Raises:
        ValueError: if it is not.
    """
    if value not in choices:
        raise ValueError(f"{field} must be one of {', '.join(choices)}, got {value!r}")


def check_table(field: str, value: object) -> Mapping[str, Any]:
    """Return value if it is a table of named values.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{field} must be a table, got {value!r}")
    return value


def check_names(table: str, values: Mapping[str, Any], known: Collection[str]) -> None:
    """Pass if every name in values is known.

    Raises:
        ValueError: naming the unknown ones and those there are.
    """
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"{table} does not know {', '.join(unknown)}; it knows {', '.join(sorted(known))}"
        )
