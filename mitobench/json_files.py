"""Values that are stored as JSON: plain, written whole, and read with a clear line for what is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.files import replacing

if TYPE_CHECKING:
    from mitobench.types import PathOrStr

__all__ = ["plain", "read_json", "write_json"]

T = TypeVar("T")

_SCALARS = {bool, int, float, str, type(None)}


def plain(value: Any) -> Any:  # noqa: ANN401
    """Turn tuples into lists and dataclasses into dictionaries, all the way down, as JSON does.

    Examples
    --------
    >>> plain({"shape": (1, (2, 3))})
    {'shape': [1, [2, 3]]}
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        # Lists of scalars are long, and there is nothing to look for in them.
        return list(value) if set(map(type, value)) <= _SCALARS else [plain(item) for item in value]
    if is_dataclass(value):
        return plain(vars(value))
    return value


def write_json(values: Mapping[str, Any], path: PathOrStr | None) -> str:
    """Return values as JSON, and write it to a file if one is named.

    Raises
    ------
    UnusableFileError
        The file cannot be written.
    """
    text = json.dumps(values, allow_nan=False)
    if path is not None:
        with replacing(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    return text


def read_json(path: PathOrStr, build: Callable[[Mapping[str, Any]], T], expected: str) -> T:
    """Return what is made of the JSON in a file, with the file's name in front of every error.

    Parameters
    ----------
    path
        The file.
    build
        Makes the value, or raises InvalidInputError.
    expected
        What the file should be, for the message.

    Raises
    ------
    UnusableFileError
        The file is missing or is not JSON.
    InvalidInputError
        The JSON is something else.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableFileError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise UnusableFileError(f"{path}: not JSON; expected {expected}") from error
    try:
        return build(values)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error
