"""Folders of entries: one JSON file each, in a folder for each rule.

A file has its name only when it is whole, and none is replaced unless that is asked for, whoever else adds at the same
time.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboard.entry import Entry, slug
from mitobench.errors import InvalidInputError, MitobenchError, UnusableFileError
from mitobench.files import creating, making_folder, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mitobench.rules import Rule
    from mitobench.types import PathOrStr

__all__ = ["SHIPPED", "add_all", "add_entry", "entry_path", "is_writable", "load_entries"]

SHIPPED = Path(__file__).parent / "entries"
"""The entries that come with the package."""

_LINE = 110
_PLACE = "RULE/METHOD.json, as `mitobench leaderboard add` names it"


def entry_path(folder: PathOrStr, entry: Entry) -> Path:
    """Return where in a folder of entries one belongs."""
    return Path(folder) / slug(str(entry.rule["label"])) / f"{entry.key}.json"


def is_writable(folder: PathOrStr) -> bool:
    """Return whether entries may be added to a folder: not to the shipped ones of an installed package.

    An upgrade would take them away again. In a clone of the repository they can be committed.
    """
    return Path(folder).resolve() != SHIPPED.resolve() or (SHIPPED.parent.parent / "pyproject.toml").is_file()


def load_entries(*folders: PathOrStr) -> tuple[Entry, ...]:
    """Return the entries of some folders, by folder, rule and name; hidden files are passed over.

    Raises
    ------
    UnusableFileError
        A folder cannot be read, or holds something else than entries.
    InvalidInputError
        A file is no entry, lies in another place than its content says or in two folders, or two rules have one name.
    """
    places: dict[Path, Path] = {}
    rules: dict[str, tuple[Rule, Path]] = {}
    entries = []
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        for path in _files(folder):
            entry = _read(path, folder)
            place = entry_path("", entry)
            if place in places:
                raise InvalidInputError(f"{path}: this result is in {places[place]} too; remove one of the two files")
            rule, first = rules.setdefault(str(entry.rule["label"]), (_rule_of(entry), path))
            if rule != _rule_of(entry):
                raise InvalidInputError(
                    f"{path}: its rule is called {rule.name!r} as another one in {first}; give one of them another name"
                )
            places[place] = path
            entries.append(entry)
    return tuple(entries)


def add_entry(folder: PathOrStr, entry: Entry, *, replace: bool = False) -> Path:
    """Write an entry into a folder of entries and return the file.

    Parameters
    ----------
    folder
        Made if it is not there.
    entry
        What to add.
    replace
        Put it in the place of what is there of the same method, rule and task.

    Raises
    ------
    InvalidInputError
        The entry is not valid, or one of the same method, rule and task is there.
    UnusableFileError
        The file cannot be written.
    """
    return _write(entry_path(folder, entry), _checked(entry), replace=replace)


def add_all(folder: PathOrStr, entries: Sequence[Entry], *, replace: bool = False) -> tuple[Path, ...]:
    """Write several entries; all are checked before the first is written.

    Raises
    ------
    InvalidInputError
        As in `add_entry`, or two of the entries have the same method, rule and task.
    UnusableFileError
        As in `add_entry`.
    """
    values: dict[Path, dict[str, Any]] = {}
    for entry in entries:
        path = entry_path(folder, entry)
        if path in values:
            raise InvalidInputError(f"{_whose(entry)} is to be added twice; leave one of them out")
        if path.exists() and not replace:
            raise _taken(path)
        values[path] = _checked(entry)
    return tuple(_write(path, found, replace=replace) for path, found in values.items())


def _write(path: Path, values: dict[str, Any], *, replace: bool) -> Path:
    text = _pretty(values) + "\n"
    with making_folder(path.parent.parent), making_folder(path.parent):
        try:
            with (replacing if replace else creating)(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
        except UnusableFileError as error:
            if isinstance(error.__cause__, FileExistsError):
                raise _taken(path) from error
            raise
    return path


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of entries, those that are no such files among them only as an error."""
    for place in _visible(folder):
        if not place.is_dir():
            raise UnusableFileError(f"{place}: is no entry; in a folder of entries there are only {_PLACE}")
        for path in _visible(place):
            if path.suffix != ".json" or not path.is_file():
                raise UnusableFileError(f"{path}: is no entry; in a folder of entries there are only {_PLACE}")
            yield path


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UnusableFileError(
            f"{folder}: cannot be read ({error.strerror}); expected a folder that `mitobench leaderboard add` filled"
        ) from error


def _read(path: Path, folder: Path) -> Entry:
    """Return the entry of a file that lies where it belongs."""
    entry = Entry.from_json(path)
    try:
        _check_rule(entry)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error
    expected = entry_path(folder, entry)
    if path != expected:
        raise InvalidInputError(f"{path}: holds {_whose(entry)}, which belongs into {expected}; move it there")
    return entry


def _checked(entry: Entry) -> dict[str, Any]:
    """Return what is to be stored; refuse an entry that could not be read again."""
    values = entry.to_dict()
    Entry.from_dict(values)
    _check_rule(entry)
    return values


def _check_rule(entry: Entry) -> None:
    """Refuse a rule that does not score as its label says, since entries are ranked together by the label."""
    rule, label = _rule_of(entry), entry.rule["label"]
    if rule.label != label:
        raise InvalidInputError(
            f"the rule is labelled {label!r}, but its settings are those of {rule.label!r}; score it again with this "
            "version of mitobench"
        )


def _rule_of(entry: Entry) -> Rule:
    """Return the rule, without its source, which makes no difference to a score."""
    from mitobench.rules import RULES, Rule

    fields = {key: value for key, value in entry.rule.items() if key != "label"}
    if entry.report is None and fields["name"] in RULES:
        # A publication names a rule and need not spell it out.
        fields = RULES[fields["name"]].to_dict() | fields
    return dataclasses.replace(Rule.from_dict(fields), source="")


def _taken(path: Path) -> InvalidInputError:
    there = "a file that is no entry"
    with suppress(MitobenchError):
        there = _whose(Entry.from_json(path))
    return InvalidInputError(f"{path}: {there} is there already; --replace puts the new result in its place")


def _whose(entry: Entry) -> str:
    """Return method, team, task and time in a line."""
    team = f" of {entry.card.team}" if entry.card.team else ""
    when = f", {entry.created}" if entry.created else ""
    return f"{entry.card.method}{team} ({entry.task.label}{when})"


def _pretty(value: Any, indent: str = "") -> str:  # noqa: ANN401
    """Return JSON that a person can review: a line for each value, but lists of numbers in one."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    nested = any(isinstance(item, dict | list) for item in items)
    if not nested and (not isinstance(value, dict) or len(json.dumps(value)) + len(indent) <= _LINE):
        return json.dumps(value, allow_nan=False)
    inner = f"{indent} "
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key)}: {_pretty(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    lines = [f"{inner}{_pretty(item, inner)}" for item in value]
    return "[\n" + ",\n".join(lines) + f"\n{indent}]"
