"""Data sets that a small TOML file describes: any image with its labels."""

from __future__ import annotations

import tomllib
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.dataset._mitoem import open_mitoem
from mitobench.dataset._sources import Kind, file_source
from mitobench.dataset._splits import SPLITS, split_sections
from mitobench.dataset._values import GIVEN, Dataset, DatasetVolume, Part, Problem
from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mitobench.dataset._splits import Fractions
    from mitobench.types import PathOrStr

__all__ = ["open_dataset", "open_toml"]

_MOST_BYTES = 1 << 20
_TOP_KEYS = ("name", "volumes", "split")
_VOLUME_KEYS = ("name", "image", "labels", "voxel_size", "split", "role", "rgb")
_ROLES = ("train", "val", "test")
_NO_SPLIT = 'give the volume a split or a role in the TOML file, such as split = "full"'


def open_dataset(source: PathOrStr) -> Dataset:
    """Open the data set that a TOML file describes, or else find MitoEM in a folder or file.

    Raises
    ------
    MitobenchError
        As `open_toml` and `open_mitoem` do.
    """
    return open_toml(source) if Path(source).suffix.lower() == ".toml" else open_mitoem(source)


def open_toml(path: PathOrStr) -> Dataset:
    """Open the data set that a TOML file describes. Headers of its files are read, and no voxel.

    Parameters
    ----------
    path
        Names of files in it are relative to its folder.

    Raises
    ------
    UnusableFileError
        The file, or one that it names, is missing or damaged.
    InvalidInputError
        A key is unknown or missing or has a wrong value; or a file holds no image, or no labels, of three axes.
    UnknownNameError
        A file has no dataset of the name given.
    """
    file = Path(path)
    facts = _parsed(file)
    _check_keys(str(file), facts, _TOP_KEYS)
    name = _text(str(file), facts, "name")
    tables = facts.get("volumes")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise _wrong(str(file), facts, "volumes", "at least one table [[volumes]]")
    problems: list[Problem] = []
    volumes = tuple(_volume(file, number, table, facts, problems) for number, table in enumerate(tables))
    twice = [volume for volume, count in Counter(volume.name for volume in volumes).items() if count > 1]
    if twice:
        raise InvalidInputError(f"{file}: two volumes are called {twice[0]!r}; give each its own name")
    return Dataset(name, str(file), volumes, tuple(problems))


def _parsed(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidInputError(f"{file}: larger than {_MOST_BYTES:,} bytes; expected a description of a few lines")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableFileError(f"{file}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{file}: not TOML ({error}); see docs/dataset.md for an example") from error


def _volume(
    file: Path, number: int, table: dict[str, Any], above: Mapping[str, Any], problems: list[Problem]
) -> DatasetVolume:
    where = f"{file}: volumes[{number}]"
    _check_keys(where, table, _VOLUME_KEYS)
    name = _text(where, table, "name")
    rgb = table.get("rgb", False)
    if not isinstance(rgb, bool):
        raise _wrong(where, table, "rgb", "true or false")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        parts = {kind: _part(where, file, table, kind, rgb=rgb) for kind in _kinds(where, table)}
    gaps = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
    problems += [Problem.of_error(gap, name, "missing-sections") for gap in gaps]
    first = next(iter(parts.values()))
    if len({part.source.shape for part in parts.values()}) > 1:
        shapes = " and ".join(f"{kind} {part.source.shape}" for kind, part in parts.items())
        problems.append(Problem("misaligned", name, f"the shapes differ: {shapes}", "cut both to the same region"))
    splits = _splits(where, table, above, len(first.sections))
    why_not: dict[str, str] = {kind: "the TOML file names none" for kind in ("image", "labels") if kind not in parts}
    return DatasetVolume(
        name,
        first.source.shape,
        _voxel_size(where, table),
        tuple(part for kind, part in parts.items() if kind == "image"),
        {GIVEN: (parts["labels"],)} if "labels" in parts else {},
        splits,
        why_not=why_not if splits else {**why_not, "splits": _NO_SPLIT},
    )


def _kinds(where: str, table: Mapping[str, Any]) -> list[Kind]:
    kinds: list[Kind] = ["image", "labels"]
    named = [kind for kind in kinds if kind in table]
    if not named:
        raise InvalidInputError(f"{where}: neither image nor labels; expected at least one; name the file")
    return named


def _part(where: str, file: Path, table: Mapping[str, Any], kind: Kind, *, rgb: bool) -> Part:
    named, separator, dataset = _text(where, table, kind).partition("::")
    source = file_source(f"{file.parent / named}{separator}{dataset}", kind, rgb=rgb)
    return Part(range(source.shape[0]), source)


def _voxel_size(where: str, table: Mapping[str, Any]) -> tuple[float, float, float] | None:
    size = table.get("voxel_size")
    if size is None:
        return None
    if not isinstance(size, list) or len(size) != 3 or not all(_is_number(edge) and 0 < edge < 1e9 for edge in size):
        raise _wrong(where, table, "voxel_size", "three positive numbers, nm along z, y, x, such as [30, 8, 8]")
    z, y, x = map(float, size)
    return z, y, x


def _splits(where: str, table: Mapping[str, Any], above: Mapping[str, Any], depth: int) -> dict[str, range]:
    """Return the sections of each split: the volume's own, or its role, or what the whole file says."""
    if "split" in table and "role" in table:
        raise InvalidInputError(f"{where}: both split and role; expected one of them; leave the other out")
    if "role" in table:
        role = _text(where, table, "role")
        if role not in _ROLES:
            raise _wrong(where, table, "role", ", ".join(_ROLES) + did_you_mean(role, _ROLES))
        return {role: range(depth)}
    facts = table if "split" in table else above
    if "split" not in facts:
        return {}
    fractions = _fractions(where, facts)
    try:
        return split_sections(fractions, depth)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}; correct split") from error


def _fractions(where: str, facts: Mapping[str, Any]) -> Fractions:
    split = facts["split"]
    if isinstance(split, str) and split in SPLITS:
        return SPLITS[split]
    if not isinstance(split, dict) or not split or not all(map(_is_number, split.values())):
        allowed = ", ".join(f'"{name}"' for name in SPLITS)
        raise _wrong(where, facts, "split", f"{allowed}, or shares such as {{ train = 0.4, val = 0.1, test = 0.5 }}")
    # The decimal that was written is meant, not the binary number nearest to it.
    return {name: Fraction(str(share)) for name, share in split.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


def _check_keys(where: str, facts: Mapping[str, Any], allowed: Iterable[str]) -> None:
    for key in facts:
        if key not in allowed:
            raise InvalidInputError(
                f"{where}: unknown key {key!r}{did_you_mean(key, allowed)}; the keys are {', '.join(allowed)}"
            )


def _text(where: str, facts: Mapping[str, Any], key: str) -> str:
    text = facts.get(key)
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise _wrong(where, facts, key, "a text of one line")
    return text


def _wrong(where: str, facts: Mapping[str, Any], key: str, expected: str) -> InvalidInputError:
    value = f"is {facts[key]!r:.60}" if key in facts else "is missing"
    return InvalidInputError(f"{where}: {key} {value}; expected {expected}; correct the TOML file")
