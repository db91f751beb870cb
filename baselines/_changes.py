"""Single values of a recipe changed by hand, with the comments of all others left as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["changed_text"]

_COMMENT = "changed for this run"


def changed_text(text: str, changes: Sequence[str], where: str) -> str:
    """Return the TOML of a recipe with some values changed, and the name followed by ``, changed``.

    Parameters
    ----------
    text
        TOML.
    changes
        ``key=value`` or ``table.key=value``, with the value as in TOML; a text may go without quotation marks.
    where
        The recipe, for messages.

    Raises
    ------
    InvalidInputError
        A change is no pair of key and value, or the recipe has no such key.

    Examples
    --------
    >>> changed_text('batch = 4 # 7089000', ["batch=2"], "a.toml")
    'batch = 2 # changed for this run'
    >>> changed_text('batch = 4', ["bach=2"], "a.toml")
    Traceback (most recent call last):
    mitobench.errors.InvalidInputError: a.toml: no key 'bach' to change, did you mean 'batch'?; the keys are batch
    """
    if not changes:
        return text
    import tomlkit

    document = tomlkit.parse(text)
    # First, so that a change may give another name.
    if "name" in document:
        _set(document, "name", f"{document['name']}, changed")
    for change in changes:
        key, sign, value = (part.strip() for part in change.partition("="))
        if not (key and sign and value):
            raise InvalidInputError(f"{change!r} changes nothing in a recipe; expected key=value, such as batch=2")
        *tables, last = key.split(".")
        _set(_table(document, tables, where), last, _value(value), where)
    return tomlkit.dumps(document)


def _table(document: Any, names: Sequence[str], where: str) -> Any:  # noqa: ANN401
    for name in names:
        tables = [key for key, value in document.items() if isinstance(value, dict)]
        if name not in tables:
            hint = did_you_mean(name, tables)
            raise InvalidInputError(
                f"{where}: no table {name!r} to change{hint}; the tables are {', '.join(tables) or 'none'}"
            )
        document = document[name]
    return document


def _set(table: Any, key: str, value: Any, where: str = "") -> None:  # noqa: ANN401
    import tomlkit

    if key not in table:
        hint = did_you_mean(key, table)
        raise InvalidInputError(f"{where}: no key {key!r} to change{hint}; the keys are {', '.join(table)}")
    item = tomlkit.item(value)
    item.comment(_COMMENT)
    table[key] = item


def _value(text: str) -> Any:  # noqa: ANN401
    """Return what a value of TOML means; what is none is a text."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.value(text).unwrap()
    except TOMLKitError:
        return text
