"""A conversion goes on after a kill at any moment, and nothing damaged gets the name of the target."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conversions import TARGETS, Breaking, StopError, image, make_sections, message, stored, voxels

from mitobench.dataset.conversion import convert, sections_of
from mitobench.dataset.conversion._hdf5 import Hdf5Chunks
from mitobench.dataset.conversion._store import Spool, ZarrFolder
from mitobench.errors import UnusableFileError

# Whatever kills it.

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from mitobench.dataset.conversion import convert
from mitobench.volumes import open_image

source, target, compression, levels = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
options = dict(chunks=(3, 32, 32), compression=compression, levels=levels, workers=2)

def start():
    child = os.fork()
    if child == 0:
        convert(open_image(source)[0], target, **options)
        os._exit(0)
    return child

def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

before = time.perf_counter()
assert wait(start()) == 0
whole = time.perf_counter() - before
target.rename(target.with_name("undisturbed" + target.suffix))
kills = 0
random.seed(int(sys.argv[5]))
for _ in range(25):
    child = start()
    time.sleep(random.random() * whole / 2)
    os.kill(child, signal.SIGKILL)
    if wait(child) == 0 or target.exists():
        break
    kills += 1
if not target.exists() or target.with_name(target.name + ".partial").exists():
    assert wait(start()) == 0
print(kills)
"""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "compression", "levels"), [("im.h5", "none", 1), ("im.h5", "gzip", 1), ("im.zarr", "zstd", 3)]
)
def test_a_kill_at_any_moment_changes_no_byte(tmp_path, name, compression, levels, seed):
    array = voxels((40, 200, 150))
    source = make_sections(tmp_path / "im", array)
    options = [str(source), str(tmp_path / name), compression, str(levels), str(seed)]
    done = subprocess.run([sys.executable, "-c", KILLER, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    suffix = Path(name).suffix
    assert np.array_equal(stored(tmp_path / name), array)
    assert contents(tmp_path / name) == contents(tmp_path / f"undisturbed{suffix}")
    assert {entry.name for entry in tmp_path.iterdir()} == {"im", name, f"undisturbed{suffix}"}


def contents(path):
    """Return the bytes of a file, or of all files of a folder except the name of the image in the metadata."""
    if path.is_file():
        return path.read_bytes()
    files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    group = json.loads(files["zarr.json"])
    del group["attributes"]["ome"]["multiscales"][0]["name"]
    return files | {"zarr.json": group}


def begun(tmp_path, name, array=None, **options):
    """Convert until section 7 of 12, and return the source and the target."""
    array = voxels((12, 40, 30)) if array is None else array
    source = tmp_path / "im"
    if not source.exists():
        make_sections(source, array)
    with pytest.raises(StopError):
        convert(Breaking(image(str(source)), 7), tmp_path / name, chunks=(2, 16, 16), **options)
    assert not (tmp_path / name).exists()
    return source, tmp_path / name


@pytest.mark.parametrize("name", ["im.h5", "im.zarr"])
def test_finished_work_is_not_done_again(tmp_path, name):
    source, target = begun(tmp_path, name)
    volume = Breaking(image(str(source)), -1)
    convert(volume, target, chunks=(2, 16, 16), memory=10**7, workers=1)
    assert min(box.start[0] for box in volume.reads) >= 2
    assert np.array_equal(stored(target), voxels((12, 40, 30)))


def test_other_settings_and_other_data_are_refused(tmp_path):
    source, target = begun(tmp_path, "im.zarr")
    partial = f"{target}.partial holds an unfinished conversion with another"
    remedy = "; finish it as it was begun, or begin anew (resume=False, --restart)"
    assert message(convert, image(str(source)), target, chunks=(4, 16, 16)) == (
        f"{partial} setting: chunks was [2, 16, 16], not [4, 16, 16]{remedy}"
    )
    whole = image(str(source))
    assert message(convert, sections_of(whole, 2, None), target, chunks=(2, 16, 16)) == (
        f"{partial} source: shape was [12, 40, 30], not [10, 40, 30]{remedy}"
    )
    os.utime(source / "im0001.png", ns=(5, 5))
    assert message(convert, whole, target, chunks=(2, 16, 16)) == (
        f"{source}: something in sections 0 to 1 has changed since they were converted into {target}.partial; begin "
        "anew (resume=False, --restart)"
    )
    convert(whole, target, chunks=(4, 16, 16), resume=False)
    assert np.array_equal(stored(target), voxels((12, 40, 30)))


def test_a_section_that_was_mended_is_no_other_source(tmp_path):
    array = voxels((12, 40, 30))
    source = make_sections(tmp_path / "im", array)
    whole = (source / "im0007.png").read_bytes()
    (source / "im0007.png").write_bytes(whole[:60])
    target = tmp_path / "im.h5"
    told = message(convert, image(str(source)), target, chunks=(2, 16, 16), kind=UnusableFileError)
    assert told.startswith(f"{source}/im0007.png: cannot read this section (")
    assert told.endswith(f"what is done is kept in {target}.partial, and the same command goes on with it")
    (source / "im0007.png").write_bytes(whole)
    convert(image(str(source)), target, chunks=(2, 16, 16))
    assert np.array_equal(stored(target), array)


@pytest.mark.parametrize("name", ["im.h5", "im.zarr"])
def test_a_damaged_journal_costs_time_or_is_refused_but_never_voxels(tmp_path, name):
    source, target = begun(tmp_path, name)
    journal = tmp_path / f"{name}.partial" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    for damaged in ([*lines[:-1], lines[-1][:40]], [lines[0], lines[1].replace(b"1", b"2"), *lines[2:]]):
        journal.write_bytes(b"".join(damaged))
        begun(tmp_path, name)
    journal.write_bytes(b"".join([lines[0][:-9], *lines[1:]]))
    assert message(convert, image(str(source)), target) == (
        f"{journal}: damaged, so it is not known what was done; begin anew (resume=False, --restart)"
    )
    convert(image(str(source)), target, resume=False)
    assert np.array_equal(stored(target), voxels((12, 40, 30)))


@pytest.mark.parametrize(("name", "compression"), TARGETS)
def test_damaged_work_is_done_again(tmp_path, name, compression):
    source, target = begun(tmp_path, name, compression=compression)
    for path in (tmp_path / f"{name}.partial").rglob("*"):
        if path.is_file() and path.name != "journal.jsonl" and path.stat().st_size > 200:
            with path.open("r+b") as file:
                file.seek(-100, os.SEEK_END)
                file.write(b"damage")
    convert(image(str(source)), target, chunks=(2, 16, 16), compression=compression)
    assert np.array_equal(stored(target), voxels((12, 40, 30)))


def test_a_lost_piece_of_work_is_done_again(tmp_path):
    for name, part in (("im.zarr", "result.zarr"), ("im.h5", "result.h5")):
        source, target = begun(tmp_path, name)
        path = tmp_path / f"{name}.partial" / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        convert(image(str(source)), target, chunks=(2, 16, 16))
        assert np.array_equal(stored(target), voxels((12, 40, 30)))


@pytest.mark.parametrize(("name", "compression"), TARGETS)
def test_a_full_disk_is_told_and_the_work_kept(tmp_path, monkeypatch, name, compression):
    source = make_sections(tmp_path / "im", voxels((12, 40, 30)))
    target = tmp_path / name
    options = {"chunks": (2, 16, 16), "compression": compression}
    with monkeypatch.context() as patch:
        for store in (Spool, ZarrFolder, Hdf5Chunks):
            patch.setattr(store, "put", full_after(20, store.put))
        assert message(convert, image(str(source)), target, kind=UnusableFileError, **options) == (
            f"cannot write {target}: No space left on device; make room on the disk; what is done is kept in "
            f"{target}.partial, and the same command goes on with it"
        )
    assert not target.exists()
    convert(image(str(source)), target, **options)
    assert np.array_equal(stored(target), voxels((12, 40, 30)))


def full_after(count, put):
    puts = iter(range(count))

    def limited(*arguments):
        if next(puts, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return put(*arguments)

    return limited


# The result is compared with what was read.


@pytest.mark.parametrize(("name", "compression"), TARGETS)
def test_a_damaged_chunk_is_named(tmp_path, monkeypatch, name, compression):
    array = voxels((6, 40, 30))
    array[2:4, 32:, 16:] = 7
    if name == "im.zarr":
        monkeypatch.setattr(ZarrFolder, "get", flipped(ZarrFolder.get))
    else:
        monkeypatch.setattr(Hdf5Chunks, "get", flipped(Hdf5Chunks.get))
    target, options = tmp_path / name, {"chunks": (2, 16, 16), "compression": compression}
    told = message(convert, image(array), target, kind=UnusableFileError, **options)
    assert told.startswith(f"{target}: the chunk at voxel (2, 32, 16) does not hold what was written (")
    assert not target.exists()
    monkeypatch.undo()
    assert convert(image(array), target, **options).verified
    assert np.array_equal(stored(target), array)


def flipped(get):
    def damaged(self, unit, index, offset, size):
        data = get(self, unit, index, offset, size)
        return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:] if index == (1, 2, 1) and data else data

    return damaged


def test_without_verification_nothing_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(ZarrFolder, "get", None)
    assert not convert(image(voxels((2, 8, 8))), tmp_path / "im.zarr", verify=False).verified


# Targets that are in the way.


def test_a_target_is_replaced_only_when_asked(tmp_path):
    for name in ("a.h5", "a.zarr"):
        convert(image(voxels((2, 8, 8))), tmp_path / name)
        assert message(convert, image(voxels((2, 8, 8))), tmp_path / name, kind=UnusableFileError) == (
            f"cannot write {tmp_path / name}: it exists already; name another target, or replace it (resume=False, "
            "--restart)"
        )
        convert(image(voxels((3, 8, 8))), tmp_path / name, resume=False)
        assert stored(tmp_path / name).shape == (3, 8, 8)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.h5", "a.zarr"]


def test_a_strange_folder_is_left_alone(tmp_path):
    (tmp_path / "a.h5.partial").mkdir()
    (tmp_path / "a.h5.partial" / "thesis.txt").write_text("mine")
    assert message(convert, image(voxels((2, 8, 8))), tmp_path / "a.h5", resume=False, kind=UnusableFileError) == (
        f"cannot write {tmp_path}/a.h5: {tmp_path}/a.h5.partial is in the way, and no conversion made it; move it away"
    )
    assert (tmp_path / "a.h5.partial" / "thesis.txt").read_text() == "mine"


def test_two_conversions_to_one_target_do_not_mix(tmp_path):
    outer = image(voxels((2, 8, 8)))

    class Second(Breaking):
        def read(self, box):
            convert(outer, tmp_path / "a.h5")

    assert message(convert, Second(outer, -1), tmp_path / "a.h5", kind=UnusableFileError) == (
        f"cannot work in {tmp_path}/a.h5.partial: another process is converting to it now; wait for its end or name "
        f"another target; what is done is kept in {tmp_path}/a.h5.partial, and the same command goes on with it"
    )
