"""What is packed is what was given, in the smallest type that every tool reads; nothing is left of what fails."""

import subprocess
import sys
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from submissions import CHALLENGE, HUMAN, RAT, SHAPE, labels

from leaderboard.submission import check_submission, open_submission, pack_submission
from leaderboard.submission._sections import Sections
from mitobench.cli import main
from mitobench.errors import InputWarning, InvalidInputError, UnknownNameError, UnusableFileError
from mitobench.evaluate import evaluate_pair
from mitobench.types import Box
from mitobench.volumes import open_labels

SIZE = "10,64,64"
ALL = Box((0, 0, 0), SHAPE)


def pair(human=None, rat=None):
    return {"human": labels() if human is None else human, "rat": labels("i8") if rat is None else rat}


def unpacked(path):
    with open_submission(path, CHALLENGE) as submission:
        return [volume.read(ALL) for volume in submission.volumes.values()]


def test_what_is_packed_is_right_and_the_same_voxels(tmp_path):
    rat = np.roll(labels(), 3, axis=2)
    report = pack_submission(tmp_path / "a.zip", pair(rat=rat), CHALLENGE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    human_voxels, rat_voxels = unpacked(tmp_path / "a.zip")
    np.testing.assert_array_equal(human_voxels, labels())
    np.testing.assert_array_equal(rat_voxels, rat)
    checked = check_submission(tmp_path / "a.zip", CHALLENGE)
    assert checked.problems == checked.warnings == ()
    assert checked.files == tuple(volume.file for volume in report.volumes)
    assert [(volume.name, volume.dtype, volume.instances) for volume in report.volumes] == [
        ("MitoEM-H", "uint8", 50),
        ("MitoEM-R", "uint8", 50),
    ]
    assert report.size == (tmp_path / "a.zip").stat().st_size


def test_how_it_is_stored(tmp_path):
    pack_submission(tmp_path / "a.zip", pair(), CHALLENGE)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert [info.filename for info in archive.infolist()] == [HUMAN, RAT]
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
        with archive.open(HUMAN) as member, h5py.File(member) as file:
            assert list(file) == ["dataset_1"]
            assert file["dataset_1"].compression == "gzip"
            assert file["dataset_1"].chunks == (2, 64, 64)
            assert h5py.h5g.get_objinfo(file["dataset_1"].id).mtime == 0


def test_the_same_input_makes_the_same_bytes(tmp_path):
    for name in ("a.zip", "b.zip"):
        pack_submission(tmp_path / name, pair(), CHALLENGE, workers=3)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(255, "uint8"), (256, "uint16"), (2**16, "uint32"), (2**31 - 1, "uint32"), (2**31, "int64"), (2**63 - 1, "int64")],
)
@pytest.mark.filterwarnings("ignore::mitobench.errors.InputWarning")
def test_the_type_holds_the_largest_id_and_every_tool_reads_it(tmp_path, largest, dtype):
    human = labels("u8")
    human[human == 150] = largest
    assert pack_submission(tmp_path / "a.zip", pair(human), CHALLENGE).volumes[0].dtype == dtype
    np.testing.assert_array_equal(unpacked(tmp_path / "a.zip")[0], human)


def test_larger_ids_are_numbered_anew_on_demand_and_scores_stay(tmp_path):
    rng = np.random.default_rng(3)
    human = labels("u8")
    human[3:5] = np.roll(human[3:5], 2, axis=1) * np.uint64(2**63 // 200)
    human[human > 0] += np.uint64(2**63)
    with pytest.raises(InvalidInputError) as raised:
        pack_submission(tmp_path / "a.zip", pair(human), CHALLENGE)
    assert str(raised.value) == (
        f"array: the largest id is {human.max():,}; expected at most 9,223,372,036,854,775,807; number the ids anew "
        f"with "
        "relabel=True, --relabel"
    )
    assert not list(tmp_path.iterdir())
    report = pack_submission(tmp_path / "a.zip", pair(human), CHALLENGE, relabel=True)
    assert report.volumes[0].dtype == "uint8"
    found = unpacked(tmp_path / "a.zip")[0]
    np.testing.assert_array_equal(found, np.unique(human, return_inverse=True)[1].reshape(SHAPE))
    gt = np.where(rng.random(SHAPE) < 0.3, 0, np.roll(labels(), 1, axis=2))
    assert evaluate_pair(found, gt).volumes[0].metrics == evaluate_pair(human, gt).volumes[0].metrics


@settings(max_examples=40)
@given(
    chunks=st.tuples(st.integers(1, 20), st.integers(1, 64), st.integers(1, 64)),
    steps=st.lists(st.integers(1, 5), min_size=10),
    memory=st.integers(1, 300_000),
    first=st.integers(0, 10),
)
def test_sections_are_the_same_with_any_memory(chunks, steps, memory, first):
    whole = np.random.default_rng(1).integers(0, 9, (20, 64, 64))

    class Chunked:
        name, shape, dtype, raw = "chunked", whole.shape, whole.dtype, None

        def __init__(self):
            self.chunks = chunks

        def read(self, box):
            return whole[box.slices]

    options = {"dtype": np.dtype("u1"), "ids": None, "memory": memory, "workers": 2}
    with Sections(Chunked(), first, 10, **options) as sections:
        start = 0
        for step in steps:
            stop = min(start + step, 10)
            np.testing.assert_array_equal(sections(start, stop), whole[first + start : first + stop])
            start = stop


def test_whole_volumes_are_cut_on_demand(tmp_path):
    whole = np.concatenate([np.full(SHAPE, 7, "u2"), labels()])
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.create_dataset("main", data=whole, chunks=(8, 16, 16), compression="gzip")
    given = pair(str(tmp_path / "whole.h5"))
    with pytest.raises(InvalidInputError) as raised:
        pack_submission(tmp_path / "a.zip", given, CHALLENGE)
    assert str(raised.value) == (
        f"{tmp_path}/whole.h5: the prediction of MitoEM-H has all 20 sections; expected sections 10 to 19; cut them "
        f"out "
        "of it with cut=True, --cut"
    )
    pack_submission(tmp_path / "a.zip", given, CHALLENGE, cut=True)
    np.testing.assert_array_equal(unpacked(tmp_path / "a.zip")[0], labels())


@pytest.mark.parametrize(
    ("human", "message"),
    [
        (
            labels()[:9],
            (
                "the prediction of MitoEM-H has the shape (9, 64, 64); expected (10, 64, 64) along z, y, x, or (20, "
                "64, "
                "64) to cut sections 10 to 19 out of it"
            ),
        ),
        (
            labels("f4"),
            (
                "voxels of type float32; expected instance ids of an integer type; if the values are whole numbers, "
                "convert them with array.astype('uint32')"
            ),
        ),
        (
            labels() > 0,
            (
                "this is a binary mask of type bool; expected instance ids of an integer type; label its connected "
                "components first"
            ),
        ),
    ],
)
def test_what_cannot_be_valid_is_refused_at_once(tmp_path, human, message):
    with pytest.raises(InvalidInputError) as raised:
        pack_submission(tmp_path / "a.zip", pair(human), CHALLENGE)
    assert str(raised.value) == f"array: {message}"
    assert not list(tmp_path.iterdir())


def test_both_volumes_are_needed(tmp_path):
    with pytest.raises(InvalidInputError, match=r"^a submission needs predictions of human and rat; got none of rat$"):
        pack_submission(tmp_path / "a.zip", {"human": labels()}, CHALLENGE)
    with pytest.raises(UnknownNameError, match=r"no volume 'humann', did you mean 'human'\?; allowed: human, rat$"):
        pack_submission(tmp_path / "a.zip", {"humann": labels(), "rat": labels()}, CHALLENGE)


def test_doubts_are_warnings(tmp_path):
    with pytest.warns(InputWarning) as warned:
        pack_submission(tmp_path / "a.zip", pair(np.zeros(SHAPE, "u1")), CHALLENGE)
    assert [str(warning.message) for warning in warned] == [
        "array, the prediction of MitoEM-H: holds no instance: every voxel is 0; check that this is the prediction"
    ]
    one = labels()
    with pytest.warns(InputWarning) as warned:
        pack_submission(tmp_path / "a.zip", pair(one, one), CHALLENGE)
    assert [str(warning.message) for warning in warned] == [
        "the predictions of MitoEM-H and MitoEM-R are the same; check the names of the files"
    ]


def test_nothing_is_left_when_it_is_interrupted_or_fails(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"older")
    for error in (KeyboardInterrupt, ValueError):

        def fail(done, total, error=error):
            if done > 0.8 * total:
                raise error

        with pytest.raises(error):
            pack_submission(tmp_path / "a.zip", pair(), CHALLENGE, progress=fail)
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert (tmp_path / "a.zip").read_bytes() == b"older"


FULL = """
import resource, signal, sys
from mitobench.cli import main

def pack(path):
    return main(f"leaderboard pack --human noise.npy --rat noise.npy -o {path} --shape 9,64,64".split())

assert pack("whole.zip") == 0  # compiled loops are written to files too
limit = int(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(pack("out/a.zip"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits to files there")
@pytest.mark.parametrize(("limit", "name"), [(500, f"/{HUMAN}"), (100_000, f"/{HUMAN}"), (200_000, "out/a.zip")])
def test_a_full_disk_is_one_line_and_nothing_is_left(tmp_path, limit, name):
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 2**31, (9, 64, 64), "u4"))
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", FULL, str(limit)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    # From Python 3.12 on a temporary folder is named by its whole path.
    assert last.replace(f"{tmp_path}/", "").startswith("mitobench: error: cannot write out/")
    assert last.endswith(f"{name}: File too large; free space or name another folder")
    assert done.returncode == 2
    assert not list((tmp_path / "out").iterdir())


def test_no_folder_to_write_to(tmp_path):
    with pytest.raises(UnusableFileError, match=r"a.zip: the folder .*/gone does not exist; create it first"):
        pack_submission(tmp_path / "gone" / "a.zip", pair(), CHALLENGE)


def test_progress_goes_from_nothing_to_all(tmp_path):
    seen = []
    pack_submission(tmp_path / "a.zip", pair(), CHALLENGE, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (4 * ALL.voxels, 4 * ALL.voxels)


def test_the_caller_keeps_an_open_volume(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["main"] = labels()
    volume = open_labels(tmp_path / "x.h5")
    pack_submission(tmp_path / "a.zip", pair(volume), CHALLENGE)
    assert volume.read(ALL).any()
    volume.close()


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("h.npy", labels())
    with h5py.File("r.h5", "w") as file:
        file["main"] = np.concatenate([labels(), labels()])
    command = ["leaderboard", "pack", "--human", "h.npy", "--rat", "r.h5", "-o", "a.zip", "--shape", SIZE]
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "mitobench: error: r.h5: the prediction of MitoEM-R has all 20 sections; expected sections 10 to 19; cut them "
        "out of it with cut=True, --cut\n"
    )
    assert main([*command, "--cut", "--relabel"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith("a.zip: ")
    assert lines[1].startswith(f"  MitoEM-H  {HUMAN}  uint8  50 instances  ")
    assert lines[-2:] == [
        "ids are numbered anew in their order, so that scores do not change",
        "next: mitobench leaderboard check a.zip",
    ]
    assert main(["leaderboard", "check", "a.zip", "--shape", SIZE]) == 0
    assert capsys.readouterr().out.endswith("can be scored (no warnings)\n")


def test_a_shape_that_is_none(capsys):
    assert main(["leaderboard", "check", "a.zip", "--shape", "10,0,64"]) == 2
    assert capsys.readouterr().err == (
        "mitobench: error: --shape is (10, 0, 64); expected at least 1 voxel along each axis\n"
    )


def test_zip64_where_members_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 3000)
    pack_submission(tmp_path / "a.zip", pair(), CHALLENGE)
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.infolist()[0].extract_version == zipfile.ZIP64_VERSION
    assert check_submission(tmp_path / "a.zip", CHALLENGE).problems == ()


def test_another_shape_needs_no_other_code(tmp_path):
    flat = replace(CHALLENGE, shape=(1, 5, 3), first_section=1)
    one = np.array([[[1, 1, 0]] * 5])
    pack_submission(tmp_path / "a.zip", {"human": one, "rat": one.copy()}, flat)
    assert check_submission(tmp_path / "a.zip", flat).problems == ()
