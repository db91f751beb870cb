"""What a data set is: volumes, each with an image, labels and named parts along z, all opened when asked for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean
from mitobench.volumes import SectionRange, Stacked, open_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from mitobench.types import LabelVolume, Shape, Volume
    from mitobench.volumes.section import SectionFile

__all__ = ["GIVEN", "Dataset", "DatasetVolume", "Part", "Problem", "Source", "listing"]


GIVEN = "given"
"""Name of the annotation where a data set has only one, without a version."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a data set, in one line.

    Attributes
    ----------
    kind
        A word for programs, such as ``missing-sections``.
    where
        The volume, and the file or folder.
    what
        What is there and what was expected.
    remedy
        What to do.
    """

    kind: str
    where: str
    what: str
    remedy: str

    @classmethod
    def of_error(cls, error: Exception | str, where: str, kind: str = "damaged") -> Problem:
        """Return an error as a problem; what follows its last semicolon is the remedy."""
        what, _, remedy = str(error).rpartition("; ")
        return cls(kind, where, what.removeprefix(f"{where}: "), remedy)

    def __str__(self) -> str:
        return " ".join(f"{self.where}: {self.what}; {self.remedy}".split())


@dataclass(frozen=True, eq=False)
class Source:
    """Voxels on disk that are not open yet.

    Attributes
    ----------
    name
        The file or folder.
    form
        How the voxels are stored, in words.
    shape
        Voxels along z, y, x.
    dtype
        Type of the voxels.
    open
        Opens them. Whoever calls it closes the volume.
    files
        Where the voxels are files of one section each, those files; None where one is missing.
    coloured
        Whether ids are stored as colours.
    """

    name: str
    form: str
    shape: Shape
    dtype: np.dtype[Any]
    open: Callable[[], Volume]
    files: tuple[SectionFile | None, ...] = field(default=(), repr=False)
    coloured: bool = False


@dataclass(frozen=True)
class Part:
    """A source, and which sections of the volume it holds.

    Attributes
    ----------
    sections
        The first of them is the first section of the source.
    source
        Where the voxels are.
    """

    sections: range
    source: Source


@dataclass(frozen=True)
class DatasetVolume:
    """One volume of a data set.

    Attributes
    ----------
    name
        Such as ``MitoEM-H``.
    shape
        Voxels along z, y, x.
    voxel_size
        In nm along z, y, x; None where it is not known.
    image_parts
        Where the image is, by ascending sections.
    label_parts
        Version of the annotation -> where its labels are; the first version is the one used by default.
    splits
        Name of a part of the volume -> its sections.
    private
        Names of parts whose labels are not published.
    why_not
        Why there is no ``image``, no ``labels`` or no ``splits``, for messages.
    """

    name: str
    shape: Shape
    voxel_size: tuple[float, float, float] | None
    image_parts: tuple[Part, ...]
    label_parts: Mapping[str, tuple[Part, ...]]
    splits: Mapping[str, range]
    private: frozenset[str] = frozenset()
    why_not: Mapping[str, str] = field(default_factory=dict)

    @property
    def annotations(self) -> tuple[str, ...]:
        """Versions of the labels that are there, the one used by default first."""
        return tuple(self.label_parts)

    def sections(self, split: str | None = None) -> range:
        """Return which sections a part of the volume has.

        Raises
        ------
        UnknownNameError
            There is no part of this name.
        """
        if split is None:
            return range(self.shape[0])
        if split not in self.splits:
            names = ", ".join(self.splits) or "none"
            raise UnknownNameError(
                f"{self.name}: no split {split!r}{did_you_mean(split, self.splits)}; the splits are {names}"
                f"{self._why('splits')}"
            )
        return self.splits[split]

    def image(self, split: str | None = None) -> Volume:
        """Open the image, or the sections of one split of it. No voxel is read; close it after use.

        Raises
        ------
        UnknownNameError
            There is no split of this name.
        InvalidInputError
            The image, or some of these sections, are not there.
        UnusableFileError
            A file is damaged.
        """
        sections = self.sections(split)
        if not self.image_parts:
            raise InvalidInputError(f"{self.name}: no image was found{self._why('image')}")
        return _cut(self.image_parts, sections, f"{self.name} image")

    def labels(self, split: str | None = None, *, annotation: str | None = None) -> LabelVolume:
        """Open the labels of one split, or all that there are. No voxel is read; close them after use.

        Parameters
        ----------
        split
            Name of a part of the volume.
        annotation
            Version of the labels; by default the first of ``annotations``.

        Raises
        ------
        UnknownNameError
            There is no split, or no annotation, of this name.
        InvalidInputError
            The labels of these sections are private, or not there; or they are no instance ids.
        UnusableFileError
            A file is damaged.
        """
        sections = self.label_sections(annotation=annotation) if split is None else self.sections(split)
        if split in self.private:
            raise InvalidInputError(
                f"{self.name}: the labels of sections {sections.start}-{sections.stop - 1} are private; submit to the "
                "challenge, or use val"
            )
        parts = self._parts(annotation)
        volume = _cut(parts, sections, f"{self.name} labels")
        with ExitStack() as on_error:
            on_error.callback(volume.close)
            labels = open_labels(volume)
            on_error.pop_all()
        return labels

    def label_sections(self, *, annotation: str | None = None) -> range:
        """Return from which to which section there are labels.

        Raises
        ------
        UnknownNameError
            There is no annotation of this name.
        InvalidInputError
            There are no labels.
        """
        parts = self._parts(annotation)
        return range(parts[0].sections.start, parts[-1].sections.stop)

    def _parts(self, annotation: str | None) -> tuple[Part, ...]:
        if not self.label_parts:
            raise InvalidInputError(f"{self.name}: no labels were found{self._why('labels')}")
        if annotation is None:
            annotation = self.annotations[0]
        if annotation not in self.label_parts:
            raise UnknownNameError(
                f"{self.name}: no annotation {annotation!r} was found; those found are {', '.join(self.annotations)}"
            )
        return self.label_parts[annotation]

    def _why(self, what: str) -> str:
        return f"; {self.why_not[what]}" if what in self.why_not else ""


@dataclass(frozen=True)
class Dataset:
    """Volumes that belong together.

    Attributes
    ----------
    name
        Such as ``MitoEM``.
    root
        The folder or file that it was found in.
    volumes
        At least one.
    problems
        What is wrong with it, as far as names and headers tell.
    notes
        What else a reader should know.
    """

    name: str
    root: str
    volumes: tuple[DatasetVolume, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> DatasetVolume:
        """Return the volume of this name.

        Raises
        ------
        UnknownNameError
            There is none.
        """
        names = [volume.name for volume in self.volumes]
        if name not in names:
            raise UnknownNameError(
                f"{self.name}: no volume {name!r}{did_you_mean(name, names)}; the volumes are {', '.join(names)}"
            )
        return self.volumes[names.index(name)]


def listing(numbers: Sequence[int]) -> str:
    """Write ascending section numbers in as few words as possible.

    Examples
    --------
    >>> listing([3, 5, 6, 7, 9])
    '3, 5-7, 9'
    """
    runs = [list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


def _cut(parts: Sequence[Part], sections: range, name: str) -> Volume:
    """Open those parts that hold the sections, and nothing but these sections of them."""
    if not sections:
        raise InvalidInputError(f"{name}: this part of the volume has no section; use another split")
    pieces = [(part, range(*_overlap(part.sections, sections))) for part in parts]
    pieces = [(part, inside) for part, inside in pieces if inside]
    absent = sorted(set(sections).difference(*(inside for _, inside in pieces)))
    if absent:
        raise InvalidInputError(
            f"{name}: sections {listing(absent)} were not found; add their files (mitobench dataset check says which)"
        )
    with ExitStack() as on_error:
        opened = tuple(_open(part, inside, on_error) for part, inside in pieces)
        volume = opened[0] if len(opened) == 1 else Stacked(opened, name)
        on_error.pop_all()
    return volume


def _open(part: Part, inside: range, on_error: ExitStack) -> Volume:
    volume = part.source.open()
    on_error.callback(volume.close)
    first = part.sections.start
    if len(inside) == volume.shape[0]:
        return volume
    return SectionRange(volume, inside.start - first, inside.stop - first)


def _overlap(first: range, second: range) -> tuple[int, int]:
    return max(first.start, second.start), min(first.stop, second.stop)
