"""One call of `convert`: what is left of the work, the whole file, and the comparison with what was written."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitobench import __version__
from mitobench.dataset.conversion._check import Level, first_damage, is_whole
from mitobench.dataset.conversion._engine import Engine, Packer, threads
from mitobench.dataset.conversion._hdf5 import Hdf5Chunks, make_room, set_attributes, write_hdf5_file
from mitobench.dataset.conversion._ome import array_json, group_json, level_factors
from mitobench.dataset.conversion._source import Shrunk
from mitobench.dataset.conversion._store import Spool, Store, ZarrFolder, write_json
from mitobench.dataset.conversion._work import Limits, Made, Work, combined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.dataset.conversion._codec import Codec
    from mitobench.dataset.conversion._journal import UnitNote
    from mitobench.dataset.conversion._settings import Settings
    from mitobench.types import Progress, Shape, Volume

__all__ = ["Job"]


class Job:
    """The work of one call of `convert`.

    Parameters
    ----------
    volume
        What to convert.
    target
        What to make.
    folder
        Where to work.
    settings
        How.
    limits
        Memory and threads.
    progress
        Called with (voxels done, voxels in all).
    """

    def __init__(
        self, volume: Volume, target: Path, folder: Path, settings: Settings, limits: Limits, progress: Progress | None
    ) -> None:
        self._volume = volume
        self._target = target
        self._folder = folder
        self._settings = settings
        self._limits = limits
        self._progress = progress
        self._factors = level_factors(settings.voxel_size, settings.levels)
        self._result = folder / f"result{'.h5' if settings.format == 'hdf5' else '.zarr'}"
        self._done = 0
        self._total = 0

    def run(self, *, verify: bool) -> Made:
        """Do what is left of the work.

        Raises
        ------
        InvalidInputError
            The folder holds a conversion with other settings or of other data.
        UnusableFileError
            Reading, writing or comparing failed.
        """
        work = Work(self._volume, self._settings, self._folder, self._limits)
        made = work.complete()
        if made is not None and self._target.exists() and not self._result.exists():
            return made
        with ExitStack() as files:
            levels = self._levels(work, files, passes=1 + verify)
            made = Made(work.dtype, _checksum(levels[0]), sum(map(_size, levels)))
            levels = self._assembled(levels, made, files)
            if verify:
                self._compare(levels)
        work.end(made)
        self._install()
        return made

    def _levels(self, work: Work, files: ExitStack, *, passes: int) -> list[Level]:
        """Convert full resolution, then each coarser level from the one above."""
        shapes = [self._volume.shape]
        for factors in self._factors:
            z, y, x = (-(-n // factor) for n, factor in zip(shapes[-1], factors, strict=True))
            shapes.append((z, y, x))
        self._total = passes * sum(map(math.prod, shapes))
        levels = [self._level(0, self._volume, work, files)]
        for number, factors in enumerate(self._factors, 1):
            source = Shrunk(levels[-1], factors, self._settings.labels)
            levels.append(self._level(number, source, work, files))
        return levels

    def _level(self, number: int, source: Volume, work: Work, files: ExitStack) -> Level:
        codec = self._settings.codec(source.shape, work.dtype)
        plan = self._limits.plan(source, codec.chunks, codec.dtype.itemsize)
        store = self._store(number, source.shape, codec, files)
        notes: dict[int, UnitNote] = {}
        name = str(self._target) if self._settings.levels == 1 else f"{self._target}::{number}"
        level = Level(name, source.shape, codec, store, plan.depth, notes)
        with threads(plan.workers) as pool:
            known = work.known(number, plan.units())
            for note, whole in zip(known, pool.map(lambda note: is_whole(level, note), known), strict=True):
                if whole:
                    notes[note.start] = note
                    self._advance(note, source.shape)
            todo = [unit for unit in plan.units() if unit.start[0] not in notes]
            for done in Engine(source, codec.dtype, plan, Packer(codec, store), pool).run(todo):
                note = notes[done.box.start[0]] = work.note(number, done)
                self._advance(note, source.shape)
        if number == 0:
            work.check_unchanged()
        return level

    def _store(self, number: int, shape: Shape, codec: Codec, files: ExitStack) -> Store:
        if self._settings.format == "zarr":
            return ZarrFolder(self._result / str(number))
        if not codec.in_place:
            return files.enter_context(Spool(self._folder))
        chunks = make_room(self._result, self._settings.dataset, shape, codec)
        files.callback(chunks.close)
        return chunks

    def _advance(self, note: UnitNote, shape: Shape) -> None:
        self._done += len(note.sections) * math.prod(shape[1:])
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _assembled(self, levels: list[Level], made: Made, files: ExitStack) -> list[Level]:
        """Make the result whole, and return its levels as they are read from it."""
        if self._settings.format == "zarr":
            self._describe_zarr(levels, made)
            return levels
        top, dataset = levels[0], self._settings.dataset
        attributes = self._attributes(made) | {"metadata": self._settings.metadata}
        if isinstance(top.store, Spool):
            notes = [top.notes[start] for start in sorted(top.notes)]
            write_hdf5_file(self._result, dataset, top.shape, top.codec, top.store, notes, attributes=attributes)
        else:
            set_attributes(self._result, dataset, attributes)
        chunks = Hdf5Chunks(self._result, dataset)
        files.callback(chunks.close)
        return [replace(top, store=chunks)]

    def _describe_zarr(self, levels: Sequence[Level], made: Made) -> None:
        for number, level in enumerate(levels):
            write_json(self._result / str(number) / "zarr.json", array_json(level.shape, level.codec))
        attributes = self._attributes(made) | {"metadata": json.loads(self._settings.metadata)}
        settings = self._settings
        group = group_json(
            self._target.stem, settings.voxel_size, self._factors, labels=settings.labels, attributes=attributes
        )
        write_json(self._result / "zarr.json", group)

    def _attributes(self, made: Made) -> dict[str, Any]:
        return {
            "voxel_size_nm": list(self._settings.voxel_size),
            "checksum": made.checksum,
            "source": Path(self._volume.name).name,
            "kind": "labels" if self._settings.labels else "image",
            "created_by": f"mitobench {__version__}",
        }

    def _compare(self, levels: Sequence[Level]) -> None:
        for level in levels:

            def seen(note: UnitNote, shape: Shape = level.shape) -> None:
                self._advance(note, shape)

            with threads(self._limits.workers) as pool:
                damage = first_damage(level, pool, seen)
            if damage is not None:
                raise damage

    def _install(self) -> None:
        """Give the result its name."""
        if self._target.is_dir():
            self._target.rename(self._folder / "replaced")
        self._result.replace(self._target)


def _checksum(level: Level) -> str:
    sections = [digest for start in sorted(level.notes) for digest in level.notes[start].sections]
    return combined(level.dtype, level.shape, sections)


def _size(level: Level) -> int:
    return sum(int(note.chunks["size"].sum(dtype=np.int64)) for note in level.notes.values())
