"""Confidence of predictions: from a table of id and score, or as the mean of a heat map over each instance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mitobench._tables import TableKind, check_there, numbers_by_id, pairs_of_array, pairs_of_csv
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.overlap import DEFAULT_MEMORY, check_same_shape, stream
from mitobench.types import AnyArray, Box, Float64, LabelVolume, PathOrStr, Progress, Uint64, Volume

__all__ = ["Scores", "heat_map_scores", "read_scores"]

Scores: TypeAlias = Mapping[int, float] | AnyArray | PathOrStr
"""Id -> score, an (n, 2) array of id and score, or a CSV, NPY or HDF5 file of such a table."""

_KIND = TableKind(
    value="score",
    table="score table",
    columns=(("id", "score"),),
    expected="expected two columns, id and score",
)


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
        return numbers_by_id(scores.items(), "scores", _KIND)
    if isinstance(scores, np.ndarray):
        return numbers_by_id(pairs_of_array(scores, "scores", _KIND), "scores", _KIND)
    name = str(scores)
    path = name.rpartition("::")[0] or name
    check_there(path, _KIND)
    suffix = Path(path).suffix.lower()
    if suffix in {".csv", ".txt", ".tsv"}:
        return numbers_by_id(pairs_of_csv(path, _KIND), name, _KIND)
    table = _read_npy(path) if suffix == ".npy" else _read_hdf5(name)
    return numbers_by_id(pairs_of_array(table, name, _KIND), name, _KIND)


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


def _read_npy(path: str) -> AnyArray:
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UnusableFileError(f"{path}: not a NumPy file without objects ({error}); {_KIND.expected}") from error
    if not isinstance(table, np.ndarray):
        raise UnusableFileError(f"{path}: not a single NumPy array; {_KIND.expected}")
    return table


def _read_hdf5(name: str) -> AnyArray:
    from mitobench.volumes.hdf5 import open_hdf5

    path, _, dataset = name.rpartition("::")
    table = open_hdf5(path or name, dataset if path else None)
    try:
        return np.asarray(table.dataset[()])
    finally:
        table.close()
