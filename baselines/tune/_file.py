"""The settings of a decoding as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines._fields import read_one_of
from baselines.decode import METHODS
from baselines.tune._grid import name_of
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.json_files import plain, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from baselines.decode import Method
    from mitobench.types import PathOrStr

__all__ = ["read_decoding", "write_decoding"]

_MOST_BYTES = 1 << 20


def write_decoding(method: Method, path: PathOrStr, *, tuned: Mapping[str, Any] | None = None) -> None:
    """Write a method with all its settings as JSON: ``{"name": "mw", "seed_mask": 0.85, ...}``.

    Parameters
    ----------
    method
        What to write.
    path
        File; replaced if it exists.
    tuned
        Plain values that say how the settings were found, for people; kept in the file under ``tuned``.

    Raises
    ------
    UnusableFileError
        The file cannot be written.
    """
    origin = {} if tuned is None else {"tuned": plain(tuned)}
    write_json({"name": name_of(method), **plain(method), **origin}, path)


def read_decoding(path: PathOrStr) -> Method:
    """Return the method of a file of `write_decoding`. What it says of how it was tuned is not looked at.

    Raises
    ------
    UnusableFileError
        The file is missing, or is not JSON.
    InvalidInputError
        It is too large, a setting is unknown or missing or has a wrong value.
    """
    try:
        size = Path(path).stat().st_size
    except OSError as error:
        raise UnusableFileError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if size > _MOST_BYTES:
        raise InvalidInputError(f"{path}: larger than {_MOST_BYTES:,} bytes; expected the settings of a decoding")
    return read_json(path, _method, "the settings of a decoding, as `mitobench baseline tune` writes them")


def _method(values: Mapping[str, Any]) -> Method:
    if not isinstance(values, dict):
        raise InvalidInputError(f"holds {values!r:.60}; expected the settings of a decoding; tune again")
    settings = {key: value for key, value in values.items() if key != "tuned"}
    kinds = {name: type(method) for name, method in METHODS.items()}
    found: Method
    _, found = read_one_of(kinds, settings, "decoding")
    return found
