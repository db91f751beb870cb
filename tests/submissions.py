"""Small submissions, right and wrong ones."""

import zipfile
from dataclasses import replace

import h5py
import numpy as np

from leaderboard.challenge import MITOEM

SHAPE = (10, 64, 64)
CHALLENGE = replace(MITOEM, shape=SHAPE, first_section=10)
HUMAN, RAT = (volume.file for volume in MITOEM.volumes)


def labels(dtype="u2"):
    """Boxes of 150 voxels, far from another, with ids 3, 6, 9, ..."""
    volume = np.zeros(SHAPE, dtype)
    corners = [(z, y, x) for z in (1, 6) for y in range(2, 60, 12) for x in range(2, 60, 12)]
    for number, (z, y, x) in enumerate(corners, 1):
        volume[z : z + 3, y : y + 5, x : x + 10] = 3 * number
    return volume


def hdf5(path, data=None, *, dataset="dataset_1", **storage):
    data = labels() if data is None else data
    usual = {"compression": "gzip", "chunks": (4, 16, 16) if data.shape == SHAPE else True}
    with h5py.File(path, "w") as file:
        file.create_dataset(dataset, data=data, **(storage or usual))
    return path.read_bytes()


def members(tmp_path, human=None, rat=None):
    """Return name -> bytes of a submission, whose files hold these voxels or are these bytes."""
    (tmp_path / "made").mkdir(exist_ok=True)
    found = {}
    for name, data in ((HUMAN, human), (RAT, rat)):
        found[name] = data if isinstance(data, bytes) else hdf5(tmp_path / "made" / name, data)
    return found


def zipped(path, contents, *, compression=zipfile.ZIP_STORED, change=lambda infos: None):
    """Write a zip file, whose list of members is changed before it is written."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
        change({info.filename: info for info in archive.filelist})
    return path
