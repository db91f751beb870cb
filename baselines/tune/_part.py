"""Probabilities of a part of the data, by the network of a run."""

from __future__ import annotations

import hashlib
import re
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mitobench.files import making_folder
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from baselines.train import RunFolder
    from mitobench.methods import TrainingVolume
    from mitobench.types import PathOrStr, Progress

__all__ = ["predict_part"]

_SLAB_BYTES = 64 * 2**20


def predict_part(
    run: RunFolder,
    volumes: Sequence[TrainingVolume],
    folder: PathOrStr,
    *,
    device: str = "auto",
    batch: int | None = None,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Predict volumes with the network of a run, and return the files.

    A file that an earlier call has left in the folder is taken as it is, and one that was begun is gone on with, where
    weights, windows, device and every voxel of the image are the same.

    Parameters
    ----------
    run
        With a network in it.
    volumes
        To predict.
    folder
        For the files; made if it is not there. Whoever calls deletes it.
    device, memory, workers
        As in `baselines.predict.predict`.
    batch
        Windows at a time.
    progress
        Called with (voxels done, voxels in all), for one volume after the other.

    Raises
    ------
    MitobenchError
        As `load_recipe`, `load_network` and `predict` do.
    """
    from baselines.checkpoint import load_network
    from baselines.predict import predict
    from baselines.recipe import load_recipe

    recipe = load_recipe(run.recipe)
    network = load_network(run.chosen, name=recipe.network, config=vars(recipe.config))
    job = f"{hashlib.sha256(run.chosen.read_bytes()).hexdigest()} {recipe.window} {device}"
    paths = []
    with making_folder(folder) as made:
        for volume in volumes:
            path = made / f"{re.sub(r'[^A-Za-z0-9-]', '_', volume.name)}-{_hash_of(job, volume)}.h5"
            if not path.is_file():
                predict(
                    network,
                    volume.image(),
                    path,
                    replace(recipe.window, batch=batch),
                    device=device,
                    memory=memory,
                    workers=workers,
                    progress=progress,
                )
            paths.append(path)
    return tuple(paths)


def _hash_of(job: str, volume: TrainingVolume) -> str:
    """Return some digits that another job, or another image, does not have."""
    with closing(volume.image()) as image:
        found = hashlib.sha256(f"{job} {image.shape} {image.dtype}".encode())
        depth, height, width = map(int, image.shape)
        sections = max(1, _SLAB_BYTES // (height * width * image.dtype.itemsize))
        for z in range(0, depth, sections):
            slab = image.read(Box((z, 0, 0), (min(z + sections, depth), height, width)))
            found.update(np.ascontiguousarray(slab).view(np.uint8).data)
    return found.hexdigest()[:16]
