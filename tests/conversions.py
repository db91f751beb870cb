"""Volumes to convert, and what the tests of conversion share."""

import h5py
import imagecodecs
import numpy as np
import pytest
import zarr

from mitobench.errors import InvalidInputError
from mitobench.volumes import open_image

TARGETS = [
    ("im.h5", None),
    ("im.h5", "gzip"),
    ("im.h5", "lzf"),
    ("im.zarr", "zstd"),
    ("im.zarr", "gzip"),
    ("im.zarr", None),
]
DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]


def voxels(shape, dtype="u1", seed=0):
    """Return noise in one half and background in the other."""
    values = np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)
    values[:, : shape[1] // 2] = 0
    return values


def image(array):
    return open_image(array)[0]


def stored(path):
    """Return the voxels as the format's own library reads them."""
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["main"][:]
    return zarr.open(path, mode="r")["0"][:]


def make_sections(folder, array, *, name="im{:04d}.png"):
    folder.mkdir()
    for z, section in enumerate(array):
        (folder / name.format(z)).write_bytes(imagecodecs.png_encode(section))
    return folder


def message(call, *arguments, kind=InvalidInputError, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    return str(caught.value)


class StopError(Exception):
    pass


class Breaking:
    """A volume whose reading fails at a section."""

    def __init__(self, volume, section, error=StopError):
        self.volume, self.section, self.error, self.reads = volume, section, error, []

    def __getattr__(self, name):
        return getattr(self.volume, name)

    def read(self, box):
        if box.start[0] <= self.section < box.stop[0]:
            raise self.error
        self.reads.append(box)
        return self.volume.read(box)
