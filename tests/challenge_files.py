"""A tiny challenge on disk: ground truth, submissions and the settings of its evaluation."""

import zipfile
from dataclasses import replace
from itertools import product

import h5py
import numpy as np

from leaderboard.challenge import MITOEM

SHAPE = (8, 96, 96)
CHALLENGE = replace(MITOEM, shape=SHAPE, first_section=SHAPE[0])
HUMAN, RAT = (volume.file for volume in MITOEM.volumes)


def labels(seed, shape=SHAPE):
    """Return a ground truth of many small boxes, and a prediction that misses, shifts and merges some."""
    rng = np.random.default_rng(seed)
    gt, pred = np.zeros((2, *shape), np.uint16)
    corners = product(range(0, shape[0], 4), range(0, shape[1], 8), range(0, shape[2], 8))
    for label, (z, y, x) in enumerate(corners, start=1):
        gt[z : z + 3, y : y + 6, x : x + 6] = label
        kind = rng.integers(10)
        shift = int(kind == 1) * 2
        if kind:
            pred[z : z + 3, y : y + 6, x + shift : x + 6] = label - int(kind == 2)
    return gt, pred


def write(path, array, *, name="main", **options):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=array, **options)


def make_ground_truth(folder, *, settings=None):
    """Write human.h5 and rat.h5, and settings of this shape."""
    folder.mkdir()
    write(folder / "human.h5", labels(0)[0], compression="gzip", chunks=(4, 32, 32))
    write(folder / "rat.h5", labels(1)[0])
    (folder / "settings.toml").write_text(settings or f'rule = "mitoem-2020"\nshape = {list(SHAPE)}\n')
    return folder


def make_submission(folder, **changes):
    """Write the two predictions; ``human`` and ``rat`` take their place."""
    folder.mkdir()
    for seed, (key, name) in enumerate((("human", HUMAN), ("rat", RAT))):
        array = changes.get(key, labels(seed)[1])
        write(folder / name, array, name="dataset_1", compression="gzip", chunks=(4, 32, 32))
    return folder


def zipped(folder, path, compression):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path
