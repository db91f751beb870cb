"""Look through a data set for whatever would make scores wrong: every header, some sections, or every voxel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench.dataset._alignment import misalignment
from mitobench.dataset._values import GIVEN, Dataset, Part, Problem, listing
from mitobench.errors import MemoryLimitError, MitobenchError
from mitobench.strata import BUCKETS, size_bucket
from mitobench.types import Box
from mitobench.volumes import open_labels
from mitobench.volumes.blocks import boxes
from mitobench.volumes.section import DiskSection, SectionFile, SectionHeader, check_whole, read_header
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mitobench.dataset._values import DatasetVolume
    from mitobench.types import AnyArray, Progress, Volume

__all__ = ["CheckReport", "InstanceCount", "check_dataset"]

_SIZE_THRESHOLDS = (5000, 15000)
"""The largest small and the largest medium instance of the challenge, in voxels."""
_SAMPLES = 3
_BOX_BYTES = 1 << 24
"""About so much is read at a time."""
_LISTED = 10
"""So many damaged files of one folder are named, the others counted."""


@dataclass(frozen=True)
class InstanceCount:
    """The instances of some consecutive sections.

    Attributes
    ----------
    volume, annotation
        Whose labels they are.
    sections
        The first, and the last.
    instances
        How many there are; one that crosses into other sections counts there too.
    buckets
        How many are small, medium and large.
    smallest, largest
        Voxels of the extremes; None where there is no instance.
    """

    volume: str
    annotation: str
    sections: tuple[int, int]
    instances: int
    buckets: dict[str, int]
    smallest: int | None
    largest: int | None


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes
    ----------
    dataset
        What was checked.
    deep
        Whether every voxel was read.
    problems
        Those of the data set, and those found by reading.
    notes
        What else a reader should know.
    counts
        Instances of all labels; empty unless ``deep``.
    """

    dataset: Dataset
    deep: bool
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    counts: tuple[InstanceCount, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, ready for JSON."""
        return {
            "name": self.dataset.name,
            "root": self.dataset.root,
            "deep": self.deep,
            "volumes": [_described(volume) for volume in self.dataset.volumes],
            "instances": [asdict(count) for count in self.counts],
            "problems": [{**asdict(problem), "text": str(problem)} for problem in self.problems],
            "notes": list(self.notes),
        }


def check_dataset(
    dataset: Dataset,
    *,
    deep: bool = False,
    memory: int = 10**9,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Look for problems beyond those that names tell.

    Parameters
    ----------
    dataset
        What to check.
    deep
        Read every voxel and count instances. Otherwise the header of every section is read, and three sections of each
        part are decoded.
    memory
        Bytes that the buffers may take when counting instances.
    workers
        Threads; as many as processors by default.
    progress
        Called with (voxels read, voxels in all), when ``deep``.
    """
    check = _Check(dataset, deep=deep, memory=memory, workers=workers or default_workers(), progress=progress)
    for volume in dataset.volumes:
        check.add(volume)
    return CheckReport(dataset, deep, tuple(check.problems), tuple(check.notes), tuple(check.counts))


class _Check:
    """What a check has found so far."""

    def __init__(self, dataset: Dataset, *, deep: bool, memory: int, workers: int, progress: Progress | None) -> None:
        self.problems = list(dataset.problems)
        self.notes = list(dataset.notes)
        self.counts: list[InstanceCount] = []
        self._deep = deep
        self._memory = memory
        self._workers = workers
        self._progress = progress
        self._done = 0
        self._voxels = sum(_voxels(part) for volume in dataset.volumes for _, _, part in _parts(volume))

    def add(self, volume: DatasetVolume) -> None:
        """Check one volume."""
        before = len(self.problems)
        for kind, annotation, part in _parts(volume):
            where = f"{volume.name} {kind}{f' {annotation}' if annotation != GIVEN else ''}".rstrip()
            damaged = self._files(part, where)
            self.problems += damaged
            if kind == "labels" and part.source.coloured:
                self.notes.append(f"{part.source.name}: ids are stored as colours, read as R*65536 + G*256 + B")
            if not damaged:
                self.problems += self._voxels_of(volume, annotation, part, where)
        if len(self.problems) == before:
            self.problems += misalignment(volume)

    def _files(self, part: Part, where: str) -> list[Problem]:
        """Compare the header of every section with that of the first."""
        files = [file for file in part.source.files if file is not None]
        if not files:
            return []
        first = read_header(files[0])
        found = [problem for problem in self._parallel(partial(_file_problem, first, where), files) if problem]
        return _shortened(found, where)

    def _voxels_of(self, volume: DatasetVolume, annotation: str, part: Part, where: str) -> list[Problem]:
        try:
            opened = part.source.open()
        except MitobenchError as error:
            return [Problem.of_error(error, where)]
        try:
            sampled = _sampled(opened, part, where, is_labels=bool(annotation))
            if sampled or not self._deep:
                return sampled
            if annotation and None in part.source.files:
                self.notes.append(f"{part.source.name}: instances are not counted, since sections are missing")
                return []
            if annotation:
                self.counts.append(self._counted(opened, volume, annotation, part))
                return _no_instance(self.counts[-1], where)
            return self._read_all(opened, part, where)
        except MemoryLimitError:
            raise
        except MitobenchError as error:
            return [Problem.of_error(error, where)]
        finally:
            opened.close()
            self._done += _voxels(part)

    def _counted(self, labels: Volume, volume: DatasetVolume, annotation: str, part: Part) -> InstanceCount:
        from mitobench.overlap import overlap_pass

        nothing = open_labels(np.broadcast_to(np.zeros((), np.uint8), labels.shape))
        progress = self._report if self._progress else None
        table = overlap_pass(labels, nothing, memory=self._memory, workers=self._workers, progress=progress)
        sizes = table.gt.size
        buckets = np.bincount(size_bucket(sizes, _SIZE_THRESHOLDS), minlength=len(BUCKETS)).tolist()
        return InstanceCount(
            volume.name,
            annotation,
            (part.sections[0], part.sections[-1]),
            len(sizes),
            dict(zip(BUCKETS, buckets, strict=True)),
            int(sizes.min()) if len(sizes) else None,
            int(sizes.max()) if len(sizes) else None,
        )

    def _read_all(self, image: Volume, part: Part, where: str) -> list[Problem]:
        """Decode every chunk of the sections that are there, and keep nothing of it."""
        depth, rows, _ = image.chunks
        row_bytes = depth * rows * image.shape[2] * image.dtype.itemsize
        edge = (depth, rows * max(1, _BOX_BYTES // row_bytes), image.shape[2])
        files = part.source.files
        there = (box for box in boxes(Box((0, 0, 0), image.shape), edge) if not files or files[box.start[0]])
        found = []
        done = 0
        for box, problem in self._parallel(partial(_box_problem, image, where), there):
            found += [problem] if problem else []
            done += box.voxels
            self._report(done, 0)
        return _shortened(found, where)

    def _report(self, done: int, _total: int) -> None:
        if self._progress is not None:
            self._progress(self._done + done, self._voxels)

    def _parallel(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield what the work gives, in order; Ctrl-C drops what has not begun."""
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="mitobench")
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


def _parts(volume: DatasetVolume) -> Iterator[tuple[str, str, Part]]:
    """Yield kind, annotation (empty for an image) and part of all that a volume has."""
    for part in volume.image_parts:
        yield "image", "", part
    for annotation, parts in volume.label_parts.items():
        for part in parts:
            yield "labels", annotation, part


def _voxels(part: Part) -> int:
    z, y, x = part.source.shape
    return z * y * x


def _file_problem(first: SectionHeader, where: str, file: SectionFile) -> Problem | None:
    try:
        header = read_header(file)
        # Members of a zip file carry a checksum; looking at their end would mean to inflate them.
        if isinstance(file, DiskSection):
            check_whole(file)
    except MitobenchError as error:
        return Problem.of_error(error, where)
    if header == first:
        return None
    what = f"{file.name}: shape {header.shape} and type {header.dtype}; the first section has {first.shape}"
    return Problem("wrong-shape", where, f"{what} and {first.dtype}", "replace the one that is wrong")


def _box_problem(volume: Volume, where: str, box: Box) -> tuple[Box, Problem | None]:
    try:
        volume.read(box)
    except MitobenchError as error:
        return box, Problem.of_error(error, where)
    return box, None


def _shortened(problems: list[Problem], where: str) -> list[Problem]:
    if len(problems) <= _LISTED:
        return problems
    more = f"{len(problems) - _LISTED} more files are damaged or of another shape or type"
    return [*problems[:_LISTED], Problem("damaged", where, more, "download or unpack all of them again")]


def _sampled(volume: Volume, part: Part, where: str, *, is_labels: bool) -> list[Problem]:
    """Decode the first, the middle and the last section that are there."""
    files = part.source.files or (part.source,) * volume.shape[0]
    there = [number for number, file in enumerate(files[: volume.shape[0]]) if file is not None]
    chosen = sorted({there[round(step * (len(there) - 1) / (_SAMPLES - 1))] for step in range(_SAMPLES)})
    sections = [_section(volume, number) for number in chosen]
    numbers = listing([part.sections.start + number for number in chosen])
    return _wrong_ids(sections, numbers, where) if is_labels else _blank(sections, numbers, where)


def _section(volume: Volume, number: int) -> AnyArray:
    _, y, x = volume.shape
    section: AnyArray = volume.read(Box((number, 0, 0), (number + 1, y, x)))[0]
    return section


def _wrong_ids(sections: list[AnyArray], numbers: str, where: str) -> list[Problem]:
    lowest = min(int(section.min()) for section in sections)
    if lowest < 0:
        what = f"negative ids (such as {lowest}) in the sections looked at ({numbers}); expected 0 and positive ids"
        return [Problem("negative-ids", where, what, "set the negative voxels to 0")]
    if not any(section.any() for section in sections):
        what = f"no instance in the sections looked at ({numbers})"
        return [Problem("empty-labels", where, what, "check that these are the labels")]
    return []


def _no_instance(count: InstanceCount, where: str) -> list[Problem]:
    if count.instances:
        return []
    return [Problem("empty-labels", where, "no instance in any section", "check that these are the labels")]


def _blank(sections: list[AnyArray], numbers: str, where: str) -> list[Problem]:
    if any(section.min() != section.max() for section in sections):
        return []
    what = f"one grey value in each of the sections looked at ({numbers})"
    return [Problem("blank-image", where, what, "check that this is the image")]


def _described(volume: DatasetVolume) -> dict[str, Any]:
    return {
        "name": volume.name,
        "shape": list(volume.shape),
        "voxel_size": None if volume.voxel_size is None else list(volume.voxel_size),
        "splits": {name: [sections.start, sections.stop] for name, sections in volume.splits.items()},
        "private": sorted(volume.private),
        "parts": [
            {
                "kind": kind,
                "annotation": annotation or None,
                "sections": [part.sections.start, part.sections.stop],
                "source": part.source.name,
                "form": part.source.form,
                "shape": list(part.source.shape),
                "dtype": str(part.source.dtype),
            }
            for kind, annotation, part in _parts(volume)
        ],
    }
