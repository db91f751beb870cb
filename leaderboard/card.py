"""What the makers of a result say about their method."""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError, UnusableFileError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.types import PathOrStr

__all__ = ["MethodCard"]

_LONGEST = {"description": 5000, "command": 2000, "code": 500, "paper": 500}
_LONGEST_NAME = 100
_LINKS = ("code", "paper")
_LINES = {"description", "command"}
"""Fields that may hold several lines."""


@dataclass(frozen=True, kw_only=True)
class MethodCard:
    """Name and origin of a method, as its makers give them.

    Any letters of any script are welcome; control characters and marks that turn the direction of text are not, since
    a leaderboard shows the names of rivals in one line.

    Attributes
    ----------
    method
        Its name, up to 100 characters.
    team
        Who submits; the platform ranks the best or the latest result of each.
    authors
        As in a publication.
    description
        What the method does and what it was trained on, up to 5,000 characters.
    code, paper
        Addresses, ``https://...``.
    command
        What made the prediction.

    Raises
    ------
    InvalidInputError
        The method has no name, a text is too long or holds control characters, or an address is none.
    """

    method: str
    team: str = ""
    authors: str = ""
    description: str = ""
    code: str = ""
    paper: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_text(field.name, getattr(self, field.name))
        if not self.method.strip():
            raise InvalidInputError("a method card needs the name of the method; got none")
        for link in _LINKS:
            _check_link(link, getattr(self, link))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MethodCard:
        """Return the card of a dictionary; absent fields are empty.

        Raises
        ------
        InvalidInputError
            A field is unknown, the name is missing, or a value is not allowed.
        """
        allowed = [field.name for field in fields(cls)]
        for key in values:
            if key not in allowed:
                hint = did_you_mean(key, allowed)
                raise InvalidInputError(f"a method card has no field {key!r}{hint}; allowed: {', '.join(allowed)}")
        if "method" not in values:
            raise InvalidInputError("a method card needs the name of the method; got none")
        return cls(**values)

    @classmethod
    def from_toml(cls, path: PathOrStr) -> MethodCard:
        """Read a card from a TOML file of ``key = "text"`` lines.

        Raises
        ------
        UnusableFileError
            The file is missing or not TOML.
        InvalidInputError
            It is no method card.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise UnusableFileError(f"{path}: cannot be read ({error.strerror}); check the path") from error
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise UnusableFileError(f'{path}: not TOML ({reason}); expected lines such as method = "..."') from error
        try:
            return cls.from_dict(values)
        except InvalidInputError as error:
            raise InvalidInputError(f"{path}: {error}") from error


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} of a method card is {value!r}; allowed: text")
    longest = _LONGEST.get(name, _LONGEST_NAME)
    if len(value) > longest:
        raise InvalidInputError(f"{name} of a method card has {len(value):,} characters; allowed: up to {longest:,}")
    harmless = "\n\t" if name in _LINES else ""
    for character in value:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in harmless:
            raise InvalidInputError(
                f"{name} of a method card holds the invisible character U+{ord(character):04X}; remove it"
            )


def _check_link(name: str, value: str) -> None:
    if value and not value.startswith(("https://", "http://")):
        raise InvalidInputError(f"{name} of a method card is {value!r}; allowed: an address that starts with https://")
