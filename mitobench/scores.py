"""Confidence of predictions: from a table of id and score, or as the mean of a heat map over each instance."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.overlap import DEFAULT_MEMORY, check_same_shape, stream
from mitobench.types import AnyArray, Box, Float64, LabelVolume, PathOrStr, Progress, Uint64, Volume

__all__ = ["Scores", "heat_map_scores", "read_scores"]

Scores: TypeAlias = Mapping[int, float] | AnyArray | PathOrStr
"""Id -> score, an (n, 2) array of id and score, or a CSV, NPY or HDF5 file of such a table."""

_EXPECTED = "expected two columns, id and score"


def read_scores(scores: Scores) -> dict[int, float]:
    """Return the score of each id.

    Parameters
    ----------
    scores
        A mapping, an (n, 2) array, or a file: CSV (with or without a header line ``id,score``), ``.npy``, or HDF5
        (``path::dataset``).

    Raises
    ------
    InvalidInputError
        The table does not have two columns, an id occurs twice or is not a positive integer, a score is no number.
    UnusableFileError
        The file is missing or damaged.
    """
    if isinstance(scores, Mapping):
        return _unique(scores.items(), "scores")
    if isinstance(scores, np.ndarray):
        return _unique(_pairs(scores, "scores"), "scores")
    name = str(scores)
    path = name.rpartition("::")[0] or name
    if not Path(path).is_file():
        raise UnusableFileError(f"{path}: the score table does not exist; check the path")
    suffix = Path(path).suffix.lower()
    if suffix in {".csv", ".txt", ".tsv"}:
        return _unique(_read_csv(path), name)
    return _unique(_pairs(_read_npy(path) if suffix == ".npy" else _read_hdf5(name), name), name)


def heat_map_scores(
    pred: LabelVolume,
    heat_map: tuple[Volume, ...],
    *,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[int, float]:
    """Return the mean of a heat map over the voxels of each instance, streamed block by block.

    As in the public MitoEM tool: the mean over the channels given, divided by 255 if any instance's mean exceeds 1.

    Parameters
    ----------
    pred
        Instances to score.
    heat_map
        One volume per channel, of the shape of ``pred``.
    memory, workers, progress
        As in `mitobench.overlap.overlap_pass`.

    Raises
    ------
    InvalidInputError
        The shapes differ, or the heat map holds NaN or infinity inside an instance.
    """
    for channel in heat_map:
        check_same_shape(pred, channel)
    parts: list[_Means] = []
    for channel in heat_map:
        parts += stream(pred, channel, _Means, memory=memory, workers=workers, progress=progress)
    ids, sums, voxels = _total(parts)
    if not np.isfinite(sums).all():
        raise InvalidInputError(
            f"{heat_map[0].name}: the heat map holds NaN or infinity inside instance {ids[~np.isfinite(sums)][0]}; "
            "expected finite numbers, replace them"
        )
    means = sums / voxels
    if len(means) and means.max() > 1:
        means /= 255
    return dict(zip(ids.tolist(), means.tolist(), strict=True))


class _Means:
    """Sums of a heat map over instances, kept per block.

    Added up in the order of the blocks, they do not depend on which thread saw which block.
    """

    def __init__(self) -> None:
        self.blocks: list[tuple[Box, Uint64, Float64, Float64]] = []

    def add(self, pred: AnyArray, heat: AnyArray, box: Box) -> None:
        """Take in the voxels of one box, one sum per run of voxels of one id."""
        labels = pred.reshape(-1)
        starts = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1])
        run_ids = labels[starts]
        inside = run_ids != 0
        if not inside.any():
            return
        run_sums = np.add.reduceat(heat.reshape(-1), starts, dtype=np.float64)[inside]
        run_voxels = np.diff(starts, append=labels.size)[inside]
        ids, index = np.unique(run_ids[inside], return_inverse=True)
        sums, voxels = _sum_by(index, run_sums), _sum_by(index, run_voxels)
        self.blocks.append((box, ids.astype(np.uint64), sums, voxels))


def _total(parts: list[_Means]) -> tuple[Uint64, Float64, Float64]:
    """Return ids, sums and voxel counts (once per channel) over all blocks."""
    blocks = sorted((block for part in parts for block in part.blocks), key=lambda block: block[0])
    if not blocks:
        return np.empty(0, np.uint64), np.empty(0), np.empty(0)
    _, all_ids, all_sums, all_voxels = zip(*blocks, strict=True)
    ids, index = np.unique(np.concatenate(all_ids), return_inverse=True)
    return ids, _sum_by(index, np.concatenate(all_sums)), _sum_by(index, np.concatenate(all_voxels))


def _sum_by(index: AnyArray, values: AnyArray) -> Float64:
    return np.bincount(index, values).astype(np.float64, copy=False)


def _read_csv(path: str) -> list[tuple[Any, Any]]:
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            sample = file.read(4096)
            file.seek(0)
            delimiter = next((mark for mark in ",;\t" if mark in sample), " ")
            rows = [row for row in csv.reader(file, delimiter=delimiter, skipinitialspace=True) if row]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UnusableFileError(f"{path}: cannot be read as CSV ({error}); {_EXPECTED}") from error
    if rows and not _is_number(rows[0][0]):
        header = [cell.strip().lower() for cell in rows[0]]
        if not {"id", "score"} <= set(header):
            raise InvalidInputError(f"{path}: the columns are {', '.join(header)}; {_EXPECTED}")
        columns = header.index("id"), header.index("score")
        rows = rows[1:]
    else:
        columns = 0, 1
    for number, row in enumerate(rows, 1):
        if len(row) <= max(columns):
            raise InvalidInputError(f"{path}: row {number} has {len(row)} column(s); {_EXPECTED}")
    return [(row[columns[0]], row[columns[1]]) for row in rows]


def _read_npy(path: str) -> AnyArray:
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UnusableFileError(f"{path}: not a NumPy file without objects ({error}); {_EXPECTED}") from error
    if not isinstance(table, np.ndarray):
        raise UnusableFileError(f"{path}: not a single NumPy array; {_EXPECTED}")
    return table


def _read_hdf5(name: str) -> AnyArray:
    from mitobench.volumes.hdf5 import open_hdf5

    path, _, dataset = name.rpartition("::")
    table = open_hdf5(path or name, dataset if path else None)
    try:
        return np.asarray(table.dataset[()])
    finally:
        table.close()


def _pairs(table: AnyArray, name: str) -> Iterable[tuple[Any, Any]]:
    if table.dtype.names and {"id", "score"} <= set(table.dtype.names):
        return zip(table["id"].tolist(), table["score"].tolist(), strict=True)
    if table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iuf":
        raise InvalidInputError(f"{name}: the score table has shape {table.shape} and type {table.dtype}; {_EXPECTED}")
    if table.dtype.kind == "f" and len(table) and np.abs(table[:, 0]).max() > 2**53:
        raise InvalidInputError(
            f"{name}: ids above 2^53 are not exact as {table.dtype}; store the ids as integers, in a CSV for example"
        )
    return zip(table[:, 0].tolist(), table[:, 1].tolist(), strict=True)


def _unique(pairs: Iterable[tuple[Any, Any]], name: str) -> dict[int, float]:
    scores: dict[int, float] = {}
    for raw_id, raw_score in pairs:
        instance = _whole(raw_id)
        if instance is None or instance < 1:
            raise InvalidInputError(f"{name}: {raw_id!r} is not an instance id; expected positive integers")
        if instance in scores:
            raise InvalidInputError(f"{name}: id {instance} occurs twice; give one score for each id")
        if not _is_number(raw_score) or not math.isfinite(float(raw_score)):
            raise InvalidInputError(f"{name}: the score of id {instance} is {raw_score!r}; expected a finite number")
        scores[instance] = float(raw_score)
    return scores


def _whole(value: Any) -> int | None:  # noqa: ANN401 - a cell of any table
    """Return the integer that a cell means, or None; a float table, or a CSV made of one, has 7.0 for 7."""
    try:
        if isinstance(value, int | np.integer):
            return int(value)
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)
        return int(float(value)) if float(value).is_integer() else None
    except (TypeError, ValueError, OverflowError):
        return None


def _is_number(value: Any) -> bool:  # noqa: ANN401
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
