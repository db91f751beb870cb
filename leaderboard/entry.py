"""One result on the leaderboard: whose, of what, under which rule, with which numbers."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leaderboard.card import MethodCard
from mitobench.errors import InvalidInputError
from mitobench.json_files import plain, read_json, write_json
from mitobench.report import Interval, Report, Value, schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.types import PathOrStr

__all__ = ["ENTRY_VERSION", "Entry", "File", "Published", "Task", "entry_key", "slug"]

ENTRY_VERSION = 1
_LONGEST_SLUG = 150
_EXPECTED = "an entry of `mitobench leaderboard score`"
_SCORES = schema.table(schema.optional(schema.number))
_PUBLISHED = schema.record(
    {"rule": schema.RULE, "scores": schema.table(schema.table(_SCORES)), "overall": _SCORES, "source": schema.text}
)
_FILE = schema.record({"name": schema.text, "size": schema.whole, "sha256": schema.text})
_ENTRY = schema.record(
    {
        "entry_version": schema.whole,
        "card": schema.table(schema.text),
        "task": schema.table(schema.text),
        "created": schema.text,
        "files": schema.each(_FILE),
        "remark": schema.text,
    }
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What was to be segmented. Results of different tasks say nothing about each other and are ranked apart.

    Attributes
    ----------
    dataset
        Such as ``MitoEM``.
    part
        ``test``, ``val``, or whatever the data set calls it.
    annotation
        Version of the ground truth, such as ``v2``.
    protocol
        Which labels the method was allowed to see: ``full`` or the name of a low-data protocol.
    """

    dataset: str = "MitoEM"
    part: str = "test"
    annotation: str = "v2"
    protocol: str = "full"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,59}", value):
                raise InvalidInputError(
                    f"{field.name} of a task is {value!r}; allowed: up to 60 letters, digits, spaces and . _ + -"
                )

    @property
    def label(self) -> str:
        """Data set, part and annotation, and the protocol unless it is the full one.

        Examples
        --------
        >>> Task().label, Task(protocol="budget-5").label
        ('MitoEM test, annotation v2', 'MitoEM test, annotation v2, budget-5')
        """
        label = f"{self.dataset} {self.part}, annotation {self.annotation}"
        return label if self.protocol == "full" else f"{label}, {self.protocol}"


@dataclass(frozen=True)
class File:
    """A file that was scored.

    Attributes
    ----------
    name
        Without its folder.
    size
        Bytes.
    sha256
        Of the bytes.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """Numbers taken from a publication, which nobody recomputed.

    Attributes
    ----------
    rule
        ``name``, ``label`` and ``rank_by`` of the rule that the publication names or describes.
    scores
        Volume -> metric -> bucket -> value.
    overall
        Metric -> value as printed.
    source
        Where it stands.
    """

    rule: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Mapping[str, Value]]]
    overall: Mapping[str, Value]
    source: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One result of one method in one task, under one rule.

    Attributes
    ----------
    card
        What its makers say of the method.
    task
        What was segmented.
    result
        A report that mitobench made, or the numbers of a publication.
    created
        When it was scored, as a time of ISO 8601, or published, as a date; empty where that is not known.
    files
        What was scored; empty where it is not known.
    remark
        What a reader has to know, such as the implementation that a publication speaks of.
    """

    card: MethodCard
    task: Task
    result: Report | Published
    created: str
    files: tuple[File, ...] = ()
    remark: str = ""

    def __post_init__(self) -> None:
        if self.report is not None and len(self.volumes) < len(self.report.volumes):
            raise InvalidInputError("two volumes of an entry have the same name; each needs its own")
        if self.created:
            try:
                datetime.fromisoformat(self.created)
            except ValueError as error:
                raise InvalidInputError(
                    f"created of an entry is {self.created!r}; allowed: a date or time of ISO 8601, such as 2026-11-23"
                ) from error

    @property
    def kind(self) -> str:
        """``measured`` by mitobench, or ``published`` numbers."""
        return "measured" if isinstance(self.result, Report) else "published"

    @property
    def report(self) -> Report | None:
        """The report; None for published numbers."""
        return self.result if isinstance(self.result, Report) else None

    @property
    def rule(self) -> Mapping[str, Any]:
        """The fields of the rule, its ``label`` among them."""
        return self.result.rule

    @property
    def volumes(self) -> tuple[str, ...]:
        """Names of the volumes, in the order of the tables."""
        return tuple(self._scores)

    @property
    def _scores(self) -> Mapping[str, Mapping[str, Mapping[str, Value]]]:
        if isinstance(self.result, Published):
            return self.result.scores
        return {volume.name: volume.metrics for volume in self.result.volumes}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics."""
        return tuple(dict.fromkeys(metric for metrics in self._scores.values() for metric in metrics))

    def value(self, volume: str, metric: str, bucket: str = "all") -> Value:
        """Return a score of one volume; None where it is undefined or not known."""
        return self._scores.get(volume, {}).get(metric, {}).get(bucket)

    def overall(self, metric: str) -> Value:
        """Return the mean over the volumes; None where it is undefined or not known."""
        return self.result.overall.get(metric)

    def overall_interval(self, metric: str) -> Interval:
        """Return the confidence interval of `overall`; None where there is none."""
        return None if self.report is None else self.report.overall_intervals.get(metric)

    @property
    def score(self) -> Value:
        """What the rule ranks by."""
        return self.overall(self.rule["rank_by"])

    @property
    def key(self) -> str:
        """What the file of the entry is called, see `entry_key`."""
        return entry_key(self.card, self.task)

    def without_instances(self) -> Entry:
        """Return the entry without its tables of instances, which tell where private ground truth lies."""
        if self.report is None:
            return self
        volumes = tuple(replace(volume, instances={}) for volume in self.report.volumes)
        return replace(self, result=replace(self.report, volumes=volumes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, numbers and None; `from_dict` is the inverse."""
        if isinstance(self.result, Report):
            result: dict[str, Any] = {"report": self.result.to_dict()}
        else:
            result = {"published": plain(vars(self.result))}
        return {
            "entry_version": ENTRY_VERSION,
            "card": asdict(self.card),
            "task": asdict(self.task),
            "created": self.created,
            "files": [asdict(file) for file in self.files],
            "remark": self.remark,
            **result,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Entry:
        """Return the entry of a dictionary made by `to_dict`.

        Raises
        ------
        InvalidInputError
            A key is missing or of another type, or the entry was written by a newer version.
        """
        try:
            return _read(values)
        except TypeError as error:
            raise InvalidInputError(f"not a leaderboard entry ({error}); expected {_EXPECTED}") from error

    def to_json(self, path: PathOrStr | None = None) -> str:
        """Return the entry as JSON, and write it to a file if one is named.

        Raises
        ------
        UnusableFileError
            The file cannot be written.
        """
        return write_json(self.to_dict(), path)

    @classmethod
    def from_json(cls, path: PathOrStr) -> Entry:
        """Read an entry that `to_json` wrote.

        Raises
        ------
        UnusableFileError
            The file is missing or is not JSON.
        InvalidInputError
            The JSON is not an entry, or one of a newer version.
        """
        return read_json(path, cls.from_dict, _EXPECTED)


def _read(values: Mapping[str, Any]) -> Entry:
    _ENTRY(values, "entry")
    if values["entry_version"] > ENTRY_VERSION:
        raise InvalidInputError(
            f"the entry has version {values['entry_version']}, this mitobench reads up to {ENTRY_VERSION}; upgrade "
            "mitobench"
        )
    if ("report" in values) == ("published" in values):
        raise TypeError("either a report or published numbers belong in it")
    return Entry(
        card=MethodCard.from_dict(values["card"]),
        task=_task(values["task"]),
        result=Report.from_dict(values["report"]) if "report" in values else _published(values["published"]),
        created=values["created"],
        files=tuple(File(file["name"], file["size"], file["sha256"]) for file in values["files"]),
        remark=values["remark"],
    )


def _task(values: Mapping[str, str]) -> Task:
    allowed = {field.name for field in fields(Task)}
    if unknown := set(values) - allowed:
        raise TypeError(f"a task has no {min(unknown)}")
    return Task(**values)


def _published(values: Mapping[str, Any]) -> Published:
    _PUBLISHED(values, "published")
    return Published(rule=values["rule"], scores=values["scores"], overall=values["overall"], source=values["source"])


def entry_key(card: MethodCard, task: Task) -> str:
    """Return what a file of an entry is called, without its suffix: the method, and the task as far as it is not usual.

    Examples
    --------
    >>> card = MethodCard(method="U2D-B+CC")
    >>> entry_key(card, Task(annotation="v1")), entry_key(card, Task(part="val", protocol="budget-5"))
    ('u2d-b-cc-v1', 'u2d-b-cc-v2-val-budget-5')
    """
    usual = Task()
    others = ("dataset", "part", "protocol")
    unusual = [getattr(task, name) for name in others if getattr(task, name) != getattr(usual, name)]
    return slug("-".join(map(slug, (card.method, task.annotation, *unusual))))


def slug(text: str) -> str:
    """Return a text as part of a file name: lower-case letters, digits and dashes.

    Where letters get lost, or what is beyond the 150th character, a few digits of a hash keep two names apart.

    Examples
    --------
    >>> slug("U2D-B+CC"), slug("mitoem-2020 with size_thresholds=(150, 500)")
    ('u2d-b-cc', 'mitoem-2020-with-size-thresholds-150-500')
    >>> slug("線粒體 1")
    '1-590dd39f'
    """
    plain_text = unicodedata.normalize("NFKD", text)
    whole = re.sub(r"[^a-z0-9]+", "-", plain_text.lower()).strip("-")
    kept = whole[:_LONGEST_SLUG].rstrip("-")
    lost = kept != whole or any(character.isalpha() and not character.isascii() for character in plain_text)
    if not lost and kept:
        return kept
    return "-".join(filter(None, (kept, hashlib.sha256(text.encode()).hexdigest()[:8])))
