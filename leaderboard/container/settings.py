"""What the organisers of a challenge decide about its evaluation."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from leaderboard.challenge import MITOEM
from leaderboard.container.paths import SetupError
from mitobench.errors import InvalidInputError, MitobenchError, did_you_mean
from mitobench.rules import find_rule

if TYPE_CHECKING:
    from pathlib import Path

    from leaderboard.challenge import Challenge
    from mitobench.types import Shape

__all__ = ["Algorithm", "Settings", "read_settings"]


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """Where a phase that runs algorithms finds the predictions among their outputs.

    Attributes
    ----------
    output
        Slug of the output that holds the instances.
    inputs
        Key of each volume -> text that occurs in the inputs of the job that segments it, and in those of no other.
    """

    output: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to score.

    Attributes
    ----------
    rule
        Name of the rule.
    intervals
        Whether confidence intervals are made.
    memory_gb
        For the buffers of the scoring, in 10^9 bytes.
    shape
        Of the predictions, for trial runs; None for that of the challenge.
    algorithm
        For phases that run algorithms; None where predictions are submitted.

    Raises
    ------
    InvalidInputError, UnknownNameError
        A field has a value that is not allowed.
    """

    rule: str
    intervals: bool = True
    memory_gb: float = 4.0
    shape: Shape | None = None
    algorithm: Algorithm | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str):
            raise InvalidInputError(f"rule is {self.rule!r}; allowed: the name of a rule")
        find_rule(self.rule)
        if not isinstance(self.intervals, bool):
            raise InvalidInputError(f"intervals is {self.intervals!r}; allowed: true or false")
        if not _is_number(self.memory_gb) or not 0 < self.memory_gb < 10**6:
            raise InvalidInputError(f"memory_gb is {self.memory_gb!r}; allowed: a number above 0, such as 4")
        if self.shape is not None and not _is_shape(self.shape):
            raise InvalidInputError(f"shape is {self.shape!r}; allowed: three whole numbers above 0")

    @property
    def challenge(self) -> Challenge:
        """The challenge, of the shape of a trial run if this is one."""
        if self.shape is None:
            return MITOEM
        return replace(MITOEM, shape=self.shape, first_section=self.shape[0])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Return the settings of a parsed TOML file.

        Raises
        ------
        InvalidInputError, UnknownNameError
            A field is unknown or missing, or has a value that is not allowed.

        Examples
        --------
        >>> settings = Settings.from_dict({"rule": "mitoem-2020", "shape": [16, 64, 64]})
        >>> settings.challenge.shape, settings.challenge.first_section
        ((16, 64, 64), 16)
        """
        _check_keys("settings", values, [field.name for field in fields(cls)], required=["rule"])
        known = dict(values)
        if isinstance(shape := known.get("shape"), list):
            known["shape"] = tuple(shape)
        if "algorithm" in known:
            known["algorithm"] = _algorithm(known["algorithm"])
        return cls(**known)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(type(n) is int and n > 0 for n in value)


def _algorithm(values: object) -> Algorithm:
    keys = [volume.key for volume in MITOEM.volumes]
    if not isinstance(values, Mapping):
        raise InvalidInputError(f"algorithm is {values!r}; allowed: a table [algorithm]")
    _check_keys("[algorithm]", values, ["output", *keys], required=["output", *keys])
    for key, value in values.items():
        if not isinstance(value, str) or not value.strip():
            raise InvalidInputError(f"{key} of [algorithm] is {value!r}; allowed: text")
    return Algorithm(output=values["output"], inputs={key: values[key] for key in keys})


def _check_keys(what: str, values: Mapping[str, Any], allowed: list[str], *, required: list[str]) -> None:
    for key in values:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            raise InvalidInputError(f"{what} have no {key!r}{hint}; allowed: {', '.join(allowed)}")
    if missing := [key for key in required if key not in values]:
        raise InvalidInputError(f"{what} lack {', '.join(missing)}; add it")


def read_settings(*paths: Path) -> Settings:
    """Read the first of several TOML files that is there.

    Raises
    ------
    SetupError
        None is there, or it holds no settings.
    """
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise SetupError(f"no settings; expected {' or '.join(map(str, paths))}")
    try:
        return Settings.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except MitobenchError as error:
        raise SetupError(f"{path}: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SetupError(f"{path}: cannot be read as TOML ({' '.join(str(error).split())})") from error
