"""Everything that a score would stumble over is said beforehand, all of it at once, and damage never is a traceback."""

import hashlib
import json
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from submissions import CHALLENGE, HUMAN, RAT, SHAPE, hdf5, labels, members, zipped

from leaderboard.submission import check_submission, open_submission
from mitobench.cli import main
from mitobench.errors import InvalidInputError, MemoryLimitError, MitobenchError
from mitobench.evaluate import evaluate_pair
from mitobench.types import Box

ALL = Box((0, 0, 0), SHAPE)
SIZE = "10,64,64"


@pytest.fixture
def check(tmp_path):
    """Check a submission whose human part holds these voxels or is these bytes; return problems and warnings."""

    def checked(human, **options):
        path = zipped(tmp_path / "submission.zip", members(tmp_path, human))
        report = check_submission(path, CHALLENGE, **options)
        texts = [[str(problem) for problem in found] for found in (report.problems, report.warnings)]
        prefix = f"{path}::{HUMAN}: "
        assert all(text.startswith(prefix) for found in texts for text in found)
        return tuple([text.removeprefix(prefix) for text in found] for found in texts)

    return checked


@pytest.fixture
def written(tmp_path):
    """Return the bytes of an HDF5 file that a function fills."""

    def write(fill):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            fill(file)
        return (tmp_path / "x.h5").read_bytes()

    return write


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_right_submission_has_no_problem_and_the_fast_reader_reads_it_in_place(tmp_path, compression):
    path = zipped(tmp_path / "submission.zip", members(tmp_path), compression=compression)
    report = check_submission(path, CHALLENGE)
    assert report.problems == report.warnings == ()
    assert [(volume.name, volume.dataset, volume.instances) for volume in report.volumes] == [
        ("MitoEM-H", "dataset_1", 50),
        ("MitoEM-R", "dataset_1", 50),
    ]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with open_submission(path, CHALLENGE, scratch=scratch) as submission:
        assert submission.files == report.files
        volumes = submission.volumes
        assert list(volumes) == ["MitoEM-H", "MitoEM-R"]
        for volume in volumes.values():
            np.testing.assert_array_equal(volume.read(ALL), labels())
            assert (volume.raw.path == str(path)) == (compression == zipfile.ZIP_STORED)
            assert evaluate_pair(volume, labels()).score == 1
    assert not list(scratch.iterdir())


def test_a_dataset_of_one_piece_is_read_in_place(tmp_path):
    path = zipped(tmp_path / "a.zip", members(tmp_path, hdf5(tmp_path / "x.h5", chunks=None)))
    with open_submission(path, CHALLENGE) as submission:
        human = submission.volumes["MitoEM-H"]
        assert human.raw.path == str(path)
        assert evaluate_pair(human, labels()).score == 1


def test_files_are_hashed_as_their_bytes(tmp_path):
    contents = members(tmp_path)
    path = zipped(tmp_path / "a.zip", contents, compression=zipfile.ZIP_DEFLATED)
    found = {file.name: (file.size, file.sha256) for file in check_submission(path, CHALLENGE).files}
    assert found == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()}


WHOLE_RESOLUTION = "write sections 10 to 19 of the whole volume, at full resolution"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((10, 64, 32), f"; {WHOLE_RESOLUTION}"),
        ((64, 64), f"; {WHOLE_RESOLUTION}"),
        ((64, 64, 10), "; its axes are in another order; transpose them to (z, y, x)"),
        (
            (20, 64, 64),
            (
                "; these are all sections, of which 10 to 19 are scored; cut them out with `mitobench leaderboard "
                "pack` "
                "--cut"
            ),
        ),
        ((1, 10, 64, 64), "; drop the axis of length 1"),
        ((3, 10, 64, 64), "; keep the instance ids alone, without other channels"),
    ],
)
def test_wrong_shapes(check, shape, text):
    expected = f"has the shape {shape}; expected (10, 64, 64) along z, y, x{text}"
    assert check(np.ones(shape, "u2")) == ([expected], [])


def test_wrong_types(check):
    expected = "expected instance ids of an integer type"
    assert check(labels() > 0)[0] == [
        f"has voxels of type bool, a binary mask; {expected}; label its connected components first"
    ]
    assert check(labels("c8"))[0] == [f"has voxels of type complex64, complex numbers; {expected}; write whole numbers"]
    assert check(np.zeros(SHAPE, [("a", "i4"), ("b", "f4")]))[0] == [
        f"has voxels of type [('a', '<i4'), ('b', '<f4')], no numbers; {expected}; write whole numbers"
    ]
    real = f"has voxels of type float32, real numbers; {expected}; write whole numbers"
    assert check(labels("f4"))[0] == [real]
    broken = labels("f4")
    broken[5, 3] = np.nan
    assert check(broken)[0] == [
        real,
        (
            "holds NaN, 64 of them from voxel (4, 0, 0) to (8, 16, 64); find out where they come from, and write 0 for "
            "background"
        ),
    ]


def test_negative_ids(check):
    broken = labels("i4")
    broken[5, 3, 3] = -7
    (text,), _ = check(broken)
    assert "negative" in text
    assert "-7" in text


def test_all_problems_are_said_at_once(tmp_path):
    path = zipped(tmp_path / "a.zip", members(tmp_path, labels("f4")[:5], labels() > 0) | {"x.txt": b"?"})
    report = check_submission(path, CHALLENGE)
    assert [problem.where.rpartition("::")[2] for problem in report.problems] == [HUMAN, HUMAN, RAT]
    assert len(report.warnings) == 1
    assert report.to_dict()["problems"][0].keys() == {"where", "what", "remedy"}
    with pytest.raises(InvalidInputError, match=r"; and 2 more: run `mitobench leaderboard check`$"):
        open_submission(path, CHALLENGE).__enter__()


def test_the_right_volume_is_still_read_where_the_other_is_wrong(tmp_path):
    path = zipped(tmp_path / "a.zip", members(tmp_path, b"?"))
    report = check_submission(path, CHALLENGE)
    assert len(report.problems) == 1
    assert [volume.instances for volume in report.volumes] == [50]


def test_no_dataset_or_several(check, written):
    (text,), _ = check(written(lambda file: None))
    assert text == (
        "holds no dataset of 3 axes (z, y, x); write the instance ids as 'dataset_1', as `mitobench leaderboard pack` "
        "does"
    )

    def two(file):
        file["main"] = labels()
        file["group/other"] = labels()

    (text,), _ = check(written(two))
    assert text == (
        "holds 2 datasets of 3 axes: 'main', 'group/other'; expected one, as evaluators read the first or none; "
        "write a "
        "file with the prediction alone"
    )

    def flat(file):
        file["scores"] = np.zeros(5)
        file["more"] = np.zeros((5, 5))

    (text,), _ = check(written(flat))
    assert "but 'more' of shape (5, 5), 'scores' of shape (5,)" in text


def test_other_datasets_are_a_warning(check, written):
    def fill(file):
        file["volumes/labels"] = labels()
        file["scores"] = np.zeros(5)

    assert check(written(fill)) == (
        [],
        ["holds other datasets besides 'volumes/labels', which nobody scores: 'scores'; leave them out"],
    )


def test_a_file_that_leads_to_other_files_is_refused_and_they_are_not_opened(tmp_path, check, written):
    secret = tmp_path / "secret.h5"
    hdf5(secret)

    def external_link(file):
        file["dataset_1"] = h5py.ExternalLink(str(secret), "dataset_1")

    def soft_link_to_it(file):
        file["dataset_1"] = h5py.SoftLink("/out/dataset_1")
        file["out"] = h5py.ExternalLink(str(secret), "/")

    def virtual(file):
        layout = h5py.VirtualLayout(SHAPE, "u2")
        layout[:] = h5py.VirtualSource(str(secret), "dataset_1", SHAPE)
        file.create_virtual_dataset("dataset_1", layout)

    def external_storage(file):
        file.create_dataset("dataset_1", SHAPE, "u2", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])

    remedy = "write one dataset with its voxels into the file"
    for fill, text in {
        external_link: "'dataset_1' links to other files; expected none",
        soft_link_to_it: "'out' links to other files; expected none",
        virtual: "'dataset_1' is virtual: its voxels lie in other files",
        external_storage: "the voxels of 'dataset_1' lie in other files",
    }.items():
        data = written(fill)
        with_secret = check(data)
        secret.rename(tmp_path / "gone.h5")
        assert with_secret == check(data) == ([f"{text}; {remedy}"], [])
        (tmp_path / "gone.h5").rename(secret)


def test_groups_in_a_circle_and_without_end(check, written, monkeypatch):
    def circle(file):
        file["a/b/labels"] = labels()
        file["a/b/c"] = file["a"]

    assert check(written(circle)) == ([], [])
    monkeypatch.setattr("leaderboard.submission._contents._MOST_OBJECTS", 2)
    assert check(written(circle))[0] == [
        "holds more than 2 objects; expected one dataset; write one dataset with its voxels into the file"
    ]


def test_filters_that_are_not_there(tmp_path, check, monkeypatch):
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code == 1)
    assert check(hdf5(tmp_path / "x.h5", compression="lzf"))[0] == [
        (
            "'dataset_1' needs the HDF5 filter 32000 (unknown), which is not there; expected gzip or lzf; write it "
            "with "
            "gzip, as `mitobench leaderboard pack` does"
        )
    ]


def test_chunks_that_nobody_can_hold(tmp_path, check, monkeypatch):
    monkeypatch.setattr("leaderboard.submission._prediction._MOST_CHUNK_BYTES", 10_000)
    monkeypatch.setattr("leaderboard.submission._prediction._MOST_CHUNKS", 300)
    remedy = "store it as `mitobench leaderboard pack` does"
    assert check(hdf5(tmp_path / "x.h5", chunks=(5, 32, 32)))[0] == [
        f"is stored in chunks of (5, 32, 32) voxels, 10,240 bytes; expected at most 10,000; {remedy}"
    ]
    assert check(hdf5(tmp_path / "x.h5", chunks=(2, 8, 8)))[0] == [
        f"is stored in chunks of (2, 8, 8) voxels, 320 of them; expected at most 300; {remedy}"
    ]


def test_a_memory_limit_that_is_too_low_is_no_fault_of_the_submission(check):
    with pytest.raises(MemoryLimitError):
        check(labels(), memory=1000)


def test_a_damaged_chunk(tmp_path, check):
    data = bytearray(hdf5(tmp_path / "x.h5"))
    with h5py.File(tmp_path / "x.h5") as file:
        place = file["dataset_1"].id.get_chunk_info(5).byte_offset
    data[place : place + 8] = b"\xff" * 8
    (text,), _ = check(bytes(data))
    assert "the chunk at voxel" in text
    assert "is damaged" in text


def test_doubts_about_what_the_ids_mean(check):
    mask = (labels() > 0).astype("u1")
    assert check(mask) == (
        [],
        [
            (
                "holds one id in 50 pieces: a binary mask, which is scored as one instance; give each instance an id "
                "of its "
                "own, as its connected components"
            )
        ],
    )
    classes = np.where(labels() > 60, 2, 1).astype("u1") * mask
    assert check(classes)[1] == [
        (
            "holds 2 ids in 50 pieces: classes of voxels, each of which is scored as one instance; give each "
            "instance an id "
            "of its own, as its connected components"
        )
    ]
    assert check(np.zeros(SHAPE, "u1"))[1] == ["holds no instance: every voxel is 0; check that this is the prediction"]


def test_ids_in_several_pieces(check):
    merged = labels()
    merged[np.isin(merged, (6, 9))] = 3
    merged[merged == 15] = 12
    assert check(merged)[1] == [
        (
            "2 ids in pieces, of which the largest is less than 75% of it: 3 (3 pieces, the largest 33%), 12 (2 "
            "pieces, the "
            "largest 50%); give each piece an id of its own if it is an instance"
        )
    ]


def test_crumbs(check):
    crumbs = np.zeros(SHAPE, "u2")
    crumbs[::2, ::4, ::4] = np.arange(1, 5 * 16 * 16 + 1).reshape(5, 16, 16)
    assert check(crumbs)[1] == [
        (
            "1,280 of 1,280 instances have fewer than 100 voxels, too few for a mitochondrion; each of them counts "
            "as a "
            "false one; remove them"
        )
    ]


def test_ids_and_types_at_which_other_tools_stumble(check):
    large = labels("u8") * np.uint64(2**31)
    problems, warnings = check(large)
    assert problems == []
    assert warnings == [
        (
            "has voxels of type uint64, at which the public evaluator of the challenge crashes; `mitobench "
            "leaderboard pack` "
            "writes a smaller type"
        ),
        (
            "the largest id is 322,122,547,200; some tools cannot hold ids above 2,147,483,647; number them anew with "
            "`mitobench leaderboard pack --relabel`"
        ),
    ]


def test_progress_goes_from_nothing_to_all(tmp_path):
    seen = []
    path = zipped(tmp_path / "a.zip", members(tmp_path))
    check_submission(path, CHALLENGE, progress=lambda done, total: seen.append((done, total)))
    total = 2 * np.prod(SHAPE)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def damaged(data, rng):
    data = bytearray(data)
    for _ in range(rng.integers(0, 4)):
        # Headers are at the ends, voxels in between.
        place = rng.choice([rng.integers(len(data)), -rng.integers(1, 300), rng.integers(300)])
        data[place] = rng.integers(256)
    return bytes(data[: rng.choice([len(data), rng.integers(len(data))])])


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_file_is_a_report_or_an_error_of_ours(tmp_path, compression):
    rng = np.random.default_rng(compression)
    path = tmp_path / "a.zip"
    whole = zipped(path, members(tmp_path), compression=compression).read_bytes()
    for _ in range(150):
        path.write_bytes(damaged(whole, rng))
        survives(path)


def test_a_damaged_hdf5_file_with_a_right_checksum_is_a_report_or_an_error_of_ours(tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "a.zip"
    contents = members(tmp_path)
    for _ in range(150):
        zipped(path, contents | {HUMAN: damaged(contents[HUMAN], rng)})
        survives(path)


def survives(path):
    try:
        report = check_submission(path, CHALLENGE)
    except MitobenchError:
        return
    assert all("\n" not in str(problem) for problem in report.problems)


def test_the_command_prints_everything_and_fails(tmp_path, capsys):
    path = zipped(tmp_path / "a.zip", members(tmp_path, labels("f4")) | {"x\x1b.txt": b"?"})
    assert main(["leaderboard", "check", str(path), "--shape", SIZE]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "MitoEM-H: dataset_1, 10 x 64 x 64 float32",
        "MitoEM-R: dataset_1, 10 x 64 x 64 uint16, 50 instances",
        (
            f"problem: {path}::{HUMAN}: has voxels of type float32, real numbers; expected instance ids of an "
            f"integer type; "
            "write whole numbers"
        ),
        f"warning: {path}: holds other files, which nobody scores: 'x\\x1b.txt'; leave them out",
    ]
    assert err == f"mitobench: error: {path}: 1 problem; mend what is listed\n"


def test_the_command_accepts_warnings_and_writes_json(tmp_path, capsys):
    path = zipped(tmp_path / "a.zip", members(tmp_path, np.zeros(SHAPE, "u1")), compression=zipfile.ZIP_DEFLATED)
    options = ["--shape", SIZE, "--scratch", str(tmp_path)]
    assert main(["leaderboard", "check", str(path), *options, "--json", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().out.endswith("can be scored (1 warning)\n")
    assert main(["leaderboard", "check", str(path), *options, "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "a.json").read_text())
    assert printed["problems"] == []
    assert [volume["instances"] for volume in printed["volumes"]] == [0, 50]


def test_the_checksum_of_a_zip_file_is_read(tmp_path):
    contents = members(tmp_path, labels("u1"))
    path = zipped(tmp_path / "a.zip", contents)
    data = path.read_bytes()
    crc = struct.pack("<I", zlib.crc32(contents[HUMAN]))
    path.write_bytes(data.replace(crc, b"\0\0\0\0"))
    (problem,) = check_submission(path, CHALLENGE).problems
    assert problem.what == f"cannot be read (BadZipFile: Bad CRC-32 for file '{HUMAN}')"
