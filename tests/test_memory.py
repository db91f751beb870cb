"""A volume several times larger than the memory limit is scored within it."""

import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

LIMIT = 40_000_000
# What allocators and thread stacks may add to the buffers that are planned.
SLACK = 25_000_000


def write(path, chunks, *, shift):
    """Write 64x1024x1024 instances of 16x64x64 voxels as uint32, 268 MB, section by section."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "main", (64, 1024, 1024), "u4", chunks=chunks, compression="gzip", compression_opts=1
        )
        y, x = np.mgrid[:1024, :1024]
        for z in range(0, 64, 8):
            ids = (z // 16) * 256 + (y // 64) * 16 + (x + shift) // 64 + 1
            data[z : z + 8] = np.where((y % 64 < 40) & ((x + shift) % 64 < 40), ids, 0)


def peak(folder, *names):
    """Return the peak memory of scoring, and the report."""
    command = [sys.executable, "-m", "mitobench", "evaluate", *names, "--json", "-", "--memory", f"{LIMIT}"]
    process = subprocess.Popen([*command, "--workers", "2"], cwd=folder, stdout=subprocess.PIPE)
    with process.stdout:
        out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), json.loads(out)


@pytest.mark.parametrize(
    "chunks", [((4, 64, 64), (4, 64, 64)), ((1, 1024, 1024), (4, 64, 64)), (None, (5, 100, 100))], ids=str
)
def test_the_limit_holds(tmp_path, chunks):
    for name, chunk, shift in zip(("gt.h5", "pred.h5"), chunks, (0, 2), strict=True):
        write(tmp_path / name, chunk, shift=shift) if chunk else write_contiguous(tmp_path / name, shift=shift)
    with h5py.File(tmp_path / "small.h5", "w") as file:
        file["main"] = np.ones((2, 2, 2), "u4")
    base, _ = peak(tmp_path, "small.h5", "small.h5")
    used, report = peak(tmp_path, "pred.h5", "gt.h5")
    assert report["volumes"][0]["gt"]["instances"] == 1024
    assert 5 * LIMIT < 2 * 4 * 64 * 1024 * 1024
    assert used - base < LIMIT + SLACK


def write_contiguous(path, *, shift):
    write(path.with_suffix(".chunked"), (8, 64, 64), shift=shift)
    with h5py.File(path.with_suffix(".chunked")) as source, h5py.File(path, "w") as file:
        data = file.create_dataset("main", source["main"].shape, source["main"].dtype)
        for z in range(0, 64, 8):
            data[z : z + 8] = source["main"][z : z + 8]
    path.with_suffix(".chunked").unlink()
