"""Frozen values from tables of TOML: every key is there, is known, and has the type that its field has."""

from __future__ import annotations

import sys
from dataclasses import fields
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mitobench.errors import InvalidInputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["check_keys", "convert", "read_one_of", "read_table"]

T = TypeVar("T")
_REMEDY = "correct it"
_PLAIN: Mapping[Any, tuple[str, str]] = {
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text of one line", "texts of one line"),
}
"""Type -> what is expected of one value, and of several."""


def read_table(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Return the dataclass that a table gives all the fields of.

    Parameters
    ----------
    kind
        A dataclass with fields of bool, int, float, str, Literal, and tuples of these.
    table
        Parsed TOML.
    where
        File and table, for messages.

    Raises
    ------
    InvalidInputError
        A key is unknown or missing, has a value of another type, or one that the dataclass refuses.
    """
    check_keys(where, table, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values = {key: convert(where, key, hints[key], value) for key, value in table.items()}
    try:
        return kind(**values)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}; {_REMEDY}") from error


def read_one_of(kinds: Mapping[str, type[Any]], table: Mapping[str, Any], where: str) -> tuple[str, Any]:
    """Return which of several dataclasses the key ``name`` of a table says, and that dataclass from the other keys.

    Raises
    ------
    InvalidInputError
        As `read_table`; or there is none of this name.
    """
    if "name" not in table:
        raise InvalidInputError(f"{where}: name is missing; expected one of {', '.join(kinds)}; {_REMEDY}")
    name = convert(where, "name", str, table["name"])
    if name not in kinds:
        hint = did_you_mean(name, kinds)
        raise InvalidInputError(f"{where}: name is {name!r}{hint}; expected one of {', '.join(kinds)}; {_REMEDY}")
    return name, read_table(kinds[name], {key: value for key, value in table.items() if key != "name"}, where)


def check_keys(where: str, table: object, allowed: Iterable[str]) -> None:
    """Refuse what is no table, and tables with an unknown key or without one of those allowed.

    Raises
    ------
    InvalidInputError
        As said.
    """
    allowed = list(allowed)
    if not isinstance(table, dict):
        raise InvalidInputError(f"{where} is {table!r:.60}; expected a table of {', '.join(allowed)}; {_REMEDY}")
    for key in table:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            raise InvalidInputError(f"{where}: unknown key {key!r}{hint}; the keys are {', '.join(allowed)}; {_REMEDY}")
    for key in allowed:
        if key not in table:
            raise InvalidInputError(f"{where}: {key} is missing; the keys are {', '.join(allowed)}; {_REMEDY}")


def convert(where: str, key: str, hint: Any, value: Any) -> Any:  # noqa: ANN401
    """Return a value of TOML as the type of a field has it: lists become tuples, whole numbers floats.

    Raises
    ------
    InvalidInputError
        It is of another type.

    Examples
    --------
    >>> convert("a.toml", "patch", tuple[int, int, int], [32, 256, 256])
    (32, 256, 256)
    >>> convert("a.toml: optimizer", "lr", float, "0.1")
    Traceback (most recent call last):
    mitobench.errors.InvalidInputError: a.toml: optimizer: lr is '0.1'; expected a number; correct it
    """
    if not _is(hint, value):
        near = did_you_mean(value, _choices(hint)) if isinstance(value, str) and _choices(hint) else ""
        raise InvalidInputError(f"{where}: {key} is {value!r:.60}{near}; expected {_expected(hint)}; {_REMEDY}")
    if get_origin(hint) is tuple:
        return tuple(_number(get_args(hint)[0], item) for item in value)
    return _number(hint, value)


def _number(hint: Any, value: Any) -> Any:  # noqa: ANN401
    return float(value) if hint is float else value


def _is(hint: Any, value: object) -> bool:  # noqa: ANN401
    if _choices(hint):
        return any(type(value) is type(choice) and value == choice for choice in _choices(hint))
    if get_origin(hint) is tuple:
        item, *others = get_args(hint)
        many = others == [...] or (isinstance(value, list) and len(value) == 1 + len(others))
        return isinstance(value, list) and many and all(_is(item, one) for one in value)
    if hint is str:
        return isinstance(value, str) and bool(value.strip()) and value.isprintable()
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        # Which neither nan nor inf is, nor a whole number that no float comes near.
        return isinstance(value, int | float) and abs(value) <= sys.float_info.max
    return isinstance(value, hint)


def _expected(hint: Any) -> str:  # noqa: ANN401
    if _choices(hint):
        return f"one of {', '.join(map(str, _choices(hint)))}"
    if get_origin(hint) is tuple:
        item, *others = get_args(hint)
        what = f"each one of {', '.join(_choices(item))}" if _choices(item) else _PLAIN[item][1]
        return f"a list of {what}" if others == [...] else f"a list of {1 + len(others)} {what}"
    return _PLAIN[hint][0]


def _choices(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Return the values of a Literal, or of a union of them; none of any other type."""
    if get_origin(hint) in {Union, UnionType}:
        return tuple(choice for part in get_args(hint) for choice in _choices(part))
    return get_args(hint) if get_origin(hint) is Literal else ()
