"""Put the files of one tissue together to a volume, and say which are missing or do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from mitobench.dataset._sources import file_source, section_source
from mitobench.dataset._splits import SPLITS, split_sections
from mitobench.dataset._tiles import tile_source
from mitobench.dataset._values import DatasetVolume, Part, Problem, Source, listing
from mitobench.errors import MitobenchError
from mitobench.volumes.section import read_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.dataset._find import Entry

__all__ = ["FULL_SHAPE", "VOXEL_SIZE", "assemble", "assemble_crop"]

FULL_SHAPE = (1000, 4096, 4096)
VOXEL_SIZE = (30.0, 8.0, 8.0)

_SPLIT = SPLITS["full"]
_PREFERRED = ("HDF5", "sections", "zip", "tiles")
_FORMS = {"sections": "sections", "zip": "sections in a zip"}
_ANNOTATIONS = ("v2", "v1")
_PRIVATE = frozenset({"test"})


@dataclass(frozen=True)
class _Found:
    """An entry whose header was read.

    Attributes
    ----------
    entry
        The file or folder.
    section
        Voxels of a section along y, x.
    source
        The voxels; None for numbered sections, which become a source once it is known which are expected.
    """

    entry: Entry
    section: tuple[int, int]
    source: Source | None = None


@dataclass(frozen=True)
class _Frame:
    """What the files are compared with."""

    name: str
    depth: int
    splits: Mapping[str, range]
    problems: list[Problem]
    notes: list[str]

    def report(self, kind: str, where: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(kind, f"{self.name}: {where}", what, remedy))


def assemble(name: str, entries: Sequence[Entry], problems: list[Problem], notes: list[str]) -> DatasetVolume | None:
    """Return the volume of one tissue, or None if no file of it can be read. Problems and notes are appended."""
    found = [_looked_at(entry, name, problems) for entry in entries]
    usable = sorted(filter(None, found), key=lambda one: _PREFERRED.index(one.entry.role.form))
    if not usable:
        return None
    all_images = [one for one in usable if one.entry.role.kind == "image"]
    images = _best_images(all_images)
    notes.extend(f"{name}: not used: {one.entry.name}" for one in all_images if one not in images)
    labels = [one for one in usable if one.entry.role.kind == "labels"]
    depth, padded = _extent(images, labels)
    frame = _Frame(name, depth, split_sections(_SPLIT, depth), problems, notes)
    image_parts = () if padded else _image_parts(images, frame)
    label_parts = _all_label_parts(labels, frame)
    why_not = _say_what_is_missing(image_parts, label_parts, frame, padded=padded and images[0])
    if not padded:
        _compare_sections(images, labels, frame)
    shape = (depth, *(labels or images if padded else images or labels)[0].section)
    public = {split for parts in label_parts.values() for part in parts for split in _splits_of(part, frame)}
    return DatasetVolume(name, shape, VOXEL_SIZE, image_parts, label_parts, frame.splits, _PRIVATE - public, why_not)


def assemble_crop(name: str, entries: Sequence[Entry], problems: list[Problem]) -> DatasetVolume | None:
    """Return the small public crop, which lies inside the training sections, or None if it cannot be read."""
    found = list(filter(None, (_looked_at(entry, name, problems) for entry in entries)))
    parts = {one.entry.role.kind: Part(range(one.source.shape[0]), one.source) for one in found if one.source}
    if not parts:
        return None
    for kind, ending in (("image", "im"), ("labels", "seg")):
        if kind not in parts:
            what = f"found none; expected mitoem_{name[7]}_train_4um_{ending}.h5"
            problems.append(Problem("missing", f"{name}: no {kind}", what, "download it to the same folder"))
    first = next(iter(parts.values())).source
    if len({part.source.shape for part in parts.values()}) > 1:
        shapes = " and ".join(f"{kind} {part.source.shape}" for kind, part in parts.items())
        problems.append(Problem("misaligned", name, f"the shapes differ: {shapes}", "download both files again"))
    image = (parts["image"],) if "image" in parts else ()
    labels = {"v2": (parts["labels"],)} if "labels" in parts else {}
    why_not = {"splits": "the crop lies inside the training sections"}
    return DatasetVolume(
        name, first.shape, VOXEL_SIZE, image, labels, {"train": range(first.shape[0])}, why_not=why_not
    )


def _looked_at(entry: Entry, name: str, problems: list[Problem]) -> _Found | None:
    """Read the header of an entry; a damaged one becomes a problem."""
    try:
        if entry.files:
            y, x, *_ = read_header(entry.files[min(entry.files)]).shape
            entry.release()
            return _Found(entry, (y, x))
        read = tile_source if entry.role.form == "tiles" else file_source
        source = read(entry.name, entry.role.kind)
    except MitobenchError as error:
        problems.append(Problem.of_error(error, name))
        return None
    return _Found(entry, source.shape[1:], source)


def _best_images(images: Sequence[_Found]) -> list[_Found]:
    """Keep the images of one form, the one that covers most of the volume."""
    by_form = {form: [one for one in images if one.entry.role.form == form] for form in _PREFERRED}
    coverage = {form: sum(_share(one.entry.role.split) for one in found) for form, found in by_form.items()}
    return by_form[max(_PREFERRED, key=lambda form: coverage[form])]


def _share(split: str | None) -> Fraction:
    return Fraction(1) if split is None else _SPLIT[split]


def _extent(images: Sequence[_Found], labels: Sequence[_Found]) -> tuple[int, bool]:
    """Return how deep the volume is, and whether the image is the padded variant.

    Sections of full size are taken for the full volume, whose depth is known; anything else is a smaller copy, whose
    depth follows from what is there.
    """
    depth, section = FULL_SHAPE[0], FULL_SHAPE[1:]
    for one in images:
        top = max(one.entry.files, default=-1) + 1
        if one.entry.role.padded or top > depth:
            return depth, True
    first = next(iter([*images, *labels]))
    if first.section == section:
        return depth, False
    return _depth_of_copy(images or labels), False


def _depth_of_copy(found: Sequence[_Found]) -> int:
    """Infer the depth of a smaller copy from the parts of it that are there."""
    lengths = {one.entry.role.split: one.source.shape[0] for one in found if one.source}
    if set(lengths) >= set(_SPLIT):
        return sum(lengths[split] for split in _SPLIT)
    known = [(_share(split), length) for split, length in lengths.items()]
    known += [(_end(one.entry.role.split), max(one.entry.files) + 1) for one in found if one.entry.files]
    share, sections = max(known)
    return max(1, round(sections / share))


def _end(split: str | None) -> Fraction:
    """Return the share of the volume at which a split ends."""
    names = list(_SPLIT)
    before = names if split is None else names[: names.index(split) + 1]
    return sum((_SPLIT[name] for name in before), Fraction(0))


def _image_parts(images: Sequence[_Found], frame: _Frame) -> tuple[Part, ...]:
    parts: dict[str | None, Part] = {}
    for one in images:
        split = one.entry.role.split
        if split in parts:
            frame.notes.append(f"{frame.name}: {parts[split].source.name} is used; not used: {one.entry.name}")
        elif part := _part(one, range(frame.depth) if split is None else frame.splits[split], frame):
            parts[split] = part
    if images and images[0].entry.role.split is not None:
        for split in [name for name in _SPLIT if name not in parts]:
            what = f"found none; expected im_{split}.h5"
            frame.report("missing", f"no image of {split}", what, "copy it there")
    return tuple(sorted(parts.values(), key=lambda part: part.sections.start))


def _all_label_parts(labels: Sequence[_Found], frame: _Frame) -> dict[str, tuple[Part, ...]]:
    """Return the parts of every annotation that is there, the newest first."""
    found = {name: [one for one in labels if one.entry.role.annotation == name] for name in _ANNOTATIONS}
    parts = {name: _label_parts(name, of_it, frame) for name, of_it in found.items() if of_it}
    return {name: of_it for name, of_it in parts.items() if of_it}


def _label_parts(annotation: str, labels: Sequence[_Found], frame: _Frame) -> tuple[Part, ...]:
    parts: dict[str, Part] = {}
    for one in labels:
        split = one.entry.role.split or ""
        if split in parts:
            frame.notes.append(f"{frame.name}: {parts[split].source.name} is used; not used: {one.entry.name}")
        elif part := _part(one, frame.splits[split], frame):
            parts[split] = part
    for split in [name for name in _SPLIT if name not in parts and name not in _PRIVATE]:
        folder = f"mito-{split}-v2" if annotation == "v2" else f"mito_{split}"
        frame.report(
            "missing",
            f"no {annotation} labels of {split}",
            f"found none; expected {folder}/seg{frame.splits[split].start:04}.tif ...",
            "unpack them again, or keep the zip file whole",
        )
    return tuple(sorted(parts.values(), key=lambda part: part.sections.start))


def _part(one: _Found, expected: range, frame: _Frame) -> Part | None:
    """Return which of the expected sections an entry holds."""
    if one.source is None:
        return _numbered_part(one.entry, expected, frame)
    found = one.source.shape[0]
    if found != len(expected):
        frame.report(
            "wrong-shape",
            one.entry.name,
            f"{found} sections; expected {len(expected)} ({listing(expected)})",
            "download it again, or name the right file",
        )
    return Part(range(expected.start, expected.start + min(found, len(expected))), one.source)


def _numbered_part(entry: Entry, expected: range, frame: _Frame) -> Part | None:
    missing = [number for number in expected if number not in entry.files]
    stray = sorted(number for number in entry.files if number not in expected)
    if stray:
        where = f"part of {entry.role.split}" if entry.role.split else "part of the volume"
        frame.report(
            "wrong-split",
            entry.name,
            f"sections {listing(stray)} are not {where}, which is {listing(expected)}",
            "move them where they belong",
        )
    if entry.twice:
        frame.report(
            "duplicates", entry.name, f"sections {listing(entry.twice)} are there twice", "move one of each away"
        )
    if len(missing) == len(expected):
        return None
    if missing:
        frame.report(
            "missing-sections",
            entry.name,
            f"sections {listing(missing)} of {listing(expected)} are missing",
            "unpack or download them again",
        )
    files = tuple(entry.files.get(number) for number in expected)
    form = _FORMS[entry.role.form]
    try:
        return Part(expected, section_source(files, entry.name, entry.role.kind, form, entry.release))
    except MitobenchError as error:
        frame.problems.append(Problem.of_error(error, frame.name))
        return None


def _splits_of(part: Part, frame: _Frame) -> list[str]:
    return [split for split, sections in frame.splits.items() if part.sections.start in sections]


def _say_what_is_missing(
    image: Sequence[Part], labels: Mapping[str, Sequence[Part]], frame: _Frame, *, padded: _Found | bool
) -> dict[str, str]:
    why_not = {}
    tissue = frame.name[7:8] or "H"
    if isinstance(padded, _Found):
        found = f"{len(padded.entry.files)} sections of {padded.section[0]} x {padded.section[1]}"
        what = f"{found}: the padded variant, whose sections do not line up with the labels, so it is not used"
        remedy = f"use EM30-{tissue}-im.zip of the challenge, whose image has {FULL_SHAPE[0]} sections"
        frame.report("padded", padded.entry.name, what, remedy)
        why_not["image"] = f"{padded.entry.name} is {what}; {remedy}"
    elif not image:
        why_not["image"] = f"add EM30-{tissue}-im.zip"
        frame.report("missing", "no image", "found none; expected im/im0000.png ...", why_not["image"])
    if not labels:
        why_not["labels"] = f"add EM30-{tissue}-mito-train-val-v2.zip"
        frame.report("missing", "no labels", "found none; expected mito-train-v2/seg0000.tif ...", why_not["labels"])
    return why_not


def _compare_sections(images: Sequence[_Found], labels: Sequence[_Found], frame: _Frame) -> None:
    """Report sections that are not of full size, and labels whose sections have another shape than the image."""
    first = (images or labels)[0]
    shape = (frame.depth, *first.section)
    if shape != FULL_SHAPE:
        frame.report(
            "wrong-shape",
            first.entry.name,
            f"{_times(shape)} voxels; expected {_times(FULL_SHAPE)}; taken as a smaller copy with splits by fraction",
            "download it again if this is not meant",
        )
    for one in labels if images else []:
        (y, x), expected = one.section, images[0].section
        if (y, x) != expected:
            frame.report(
                "misaligned",
                one.entry.name,
                f"sections of {y} x {x} voxels; the image has {expected[0]} x {expected[1]}",
                "use image and labels of one publisher",
            )


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
