"""Zip files of strangers are refused for what they are, in the words of a problem; nothing is unpacked to find out."""

import io
import re
import struct
import zipfile
from pathlib import Path

import pytest
from submissions import CHALLENGE, HUMAN, RAT, members, zipped

from leaderboard.archive import _MOST_MEMBERS
from leaderboard.submission import check_submission, open_submission
from mitobench.errors import InvalidInputError, UnusableFileError

PACK = "make it with `mitobench leaderboard pack`"


def problems(path, **options):
    return [str(problem) for problem in check_submission(path, CHALLENGE, **options).problems]


@pytest.fixture
def right(tmp_path):
    return members(tmp_path)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "submission.zip"


def test_names_that_lead_out_of_the_folder(tmp_path, target, right):
    for name in (f"../{HUMAN}", f"/{HUMAN}", f"C:\\{HUMAN}", f"a\\..\\..\\{HUMAN}"):
        zipped(target, {name: right[HUMAN], RAT: right[RAT]})
        assert f"{target}: refused, its member {name!r} has a name that leads out of the folder; {PACK}" in problems(
            target
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "submission.zip"]


def encrypted(infos):
    infos[HUMAN].flag_bits |= 1


def linked(infos):
    infos[HUMAN].external_attr = 0o120777 << 16


def overlapping(infos):
    infos[RAT].header_offset = 40


def huge(infos):
    infos[HUMAN].file_size = 1 << 40
    infos[HUMAN].extract_version = 45


def of_windows(infos):
    infos[HUMAN].compress_type = 9


def exotic(infos):
    infos[HUMAN].compress_type = 77


def two_sizes(infos):
    infos[HUMAN].file_size += 1


def behind_the_end(infos):
    infos[RAT].header_offset += 10**6


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (encrypted, f": refused, its member '{HUMAN}' is encrypted"),
        (linked, f": refused, its member '{HUMAN}' is a link to another file"),
        (overlapping, f": refused, its members '{HUMAN}' and '{RAT}' overlap"),
        (
            huge,
            (
                f": refused, its member '{HUMAN}' would unpack to 1,099,511,627,776 bytes; expected at most "
                f"67,600,384 for "
                "a prediction"
            ),
        ),
        (
            of_windows,
            (
                f"::{HUMAN}: is compressed by Deflate64, as Windows does with large files; expected no compression or "
                "deflate"
            ),
        ),
        (exotic, f"::{HUMAN}: is compressed by method 77; expected no compression or deflate"),
    ],
)
def test_members_that_are_not_read(target, right, change, found):
    zipped(target, right, change=change)
    report = check_submission(target, CHALLENGE)
    assert f"{target}{found}; {PACK}" in [str(problem) for problem in report.problems]
    assert HUMAN not in [file.name for file in report.files]


def test_lists_that_cannot_be_true(target, right):
    zipped(target, right, change=two_sizes)
    size = len(right[HUMAN])
    expected = f"{target}::{HUMAN}: is not compressed, yet lists {size:,} and {size + 1:,} bytes; {PACK}"
    assert problems(target) == [expected]
    zipped(target, right, change=behind_the_end)
    assert "would end behind the last byte of the members" in problems(target)[0]


def test_a_bomb_of_zeros_is_no_prediction_and_needs_no_memory(target, right):
    zipped(target, {HUMAN: bytes(10**7), RAT: right[RAT]}, compression=zipfile.ZIP_DEFLATED)
    assert problems(target) == [f"{target}::{HUMAN}: not an HDF5 file; expected one; write it again"]


def test_a_bomb_larger_than_any_prediction_is_not_touched(target, right):
    zipped(target, {HUMAN: bytes(68_000_000), RAT: right[RAT]}, compression=zipfile.ZIP_DEFLATED)
    assert problems(target)[0] == (
        f"{target}: refused, its member '{HUMAN}' would unpack to 68,000,000 bytes; expected at most 67,600,384 for a "
        f"prediction; {PACK}"
    )


def test_many_bombs_that_nobody_needs_are_refused_together(target, right):
    extra = {f"extra{number}": bytes(60_000_000) for number in range(3)}
    zipped(target, right | extra, compression=zipfile.ZIP_DEFLATED)
    assert "refused, all members would unpack to 180,0" in problems(target)[0]
    assert len(problems(target)) == 1


@pytest.mark.parametrize("listed", [2000, 10**7])
def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path, target, right, listed):
    zipped(target, {HUMAN: bytes(5 * 10**6), RAT: right[RAT]}, compression=zipfile.ZIP_DEFLATED)
    data = target.read_bytes()
    target.write_bytes(data.replace(struct.pack("<I", 5 * 10**6), struct.pack("<I", listed)))
    (tmp_path / "scratch").mkdir()
    found = problems(target, scratch=tmp_path / "scratch")
    assert len(found) == 1
    if listed == 2000:
        assert f"::{HUMAN}: cannot be read (BadZipFile: Bad CRC-32 for file" in found[0]
    else:
        # Deflate does not make that many bytes of the few that there are.
        assert f"::{HUMAN}: lists 10,000,000 bytes, to which its 4,8" in found[0]
    assert not list((tmp_path / "scratch").iterdir())


def test_a_member_shorter_than_it_lists(target, right):
    zipped(target, right, compression=zipfile.ZIP_DEFLATED)
    size = len(right[HUMAN])
    target.write_bytes(target.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", size + 5)))
    found = problems(target)
    assert f"{target}::{HUMAN}: ends after {size:,} of {size + 5:,} bytes; copy it again" in found


def test_a_zip_file_inside_a_zip_file(target, right):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, data in right.items():
            archive.writestr(name, data)
    zipped(target, {"predictions.zip": inner.getvalue()})
    text = "but 'predictions.zip'; expected no archive inside; unpack that one and pack anew"
    assert problems(target) == [f"{target}: holds no {HUMAN}, {text}", f"{target}: holds no {RAT}, {text}"]
    zipped(target, {HUMAN: inner.getvalue(), RAT: right[RAT]})
    assert problems(target) == [f"{target}::{HUMAN}: not an HDF5 file; expected one; write it again"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_listed_twice(target, right):
    zipped(target, right)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(HUMAN, right[RAT])
    assert problems(target) == [f"{target}: refused, its member '{HUMAN}' is listed 2 times; {PACK}"]


@pytest.mark.parametrize("twin", [HUMAN.upper(), f"sub/{HUMAN}", f"sub\\{HUMAN}"])
def test_names_that_could_be_one(target, right, twin):
    zipped(target, {**right, twin: right[HUMAN]})
    assert problems(target) == [
        f"{target}: several files could be {HUMAN}: {HUMAN!r}, {twin!r}; expected one; delete those that are not meant"
    ]


def test_too_many_members(target, right):
    zipped(target, right | {f"{number}": b"" for number in range(_MOST_MEMBERS)})
    found = f"refused, it lists {_MOST_MEMBERS + 2:,} members; expected at most {_MOST_MEMBERS:,}"
    assert problems(target) == [f"{target}: {found}; leave out what is no prediction"]


def test_a_list_of_members_that_would_fill_the_memory(target, right):
    zipped(target, right | {f"{number:>060}": b"" for number in range(11_000)})
    assert "cannot be opened as a zip file (BadZipFile: its list of members has 1,1" in problems(target)[0]


def test_a_folder_common_to_all_members_does_not_count_nor_do_leavings(target, right):
    leavings = {"__MACOSX/a/._x": b"?", "a/b/.DS_Store": b"?", "desktop.ini": b"?"}
    zipped(target, {f"a/b/{name}": data for name, data in right.items()} | leavings)
    report = check_submission(target, CHALLENGE)
    assert report.problems == report.warnings == ()
    assert report.volumes[0].where == f"{target}::a/b/{HUMAN}"


def test_other_files_are_a_warning(target, right):
    zipped(target, right | {"readme.txt": b"hello"})
    report = check_submission(target, CHALLENGE)
    assert report.problems == ()
    assert [str(warning) for warning in report.warnings] == [
        f"{target}: holds other files, which nobody scores: 'readme.txt'; leave them out"
    ]


@pytest.mark.parametrize(
    "wrong", ["1_human_instance_seg_pred.h5", "human.h5", "0_Human_instance_seg_pred.H5", "0_hmn_instance_seg_pred.h5"]
)
def test_a_wrong_name_is_found(target, right, wrong):
    zipped(target, {wrong: right[HUMAN], RAT: right[RAT]})
    assert problems(target) == [f"{target}: holds no {HUMAN}, did you mean {wrong!r}?; rename it to {HUMAN}"]


def test_swapped_names_are_found(target, right):
    zipped(target, {"0_rat_instance_seg_pred.h5": right[RAT], "1_human_instance_seg_pred.h5": right[HUMAN]})
    assert problems(target) == [
        f"{target}: holds no {HUMAN}, did you mean '1_human_instance_seg_pred.h5'?; rename it to {HUMAN}",
        f"{target}: holds no {RAT}, did you mean '0_rat_instance_seg_pred.h5'?; rename it to {RAT}",
    ]


def test_a_file_in_a_folder_of_its_own(target, right):
    zipped(target, {f"human/{HUMAN}": right[HUMAN], RAT: right[RAT]})
    where = f"at the top, did you mean 'human/{HUMAN}'?"
    assert problems(target) == [f"{target}: holds no {HUMAN} {where}; rename it to {HUMAN}"]


def test_nothing_at_all(target):
    zipped(target, {})
    assert problems(target) == [
        f"{target}: holds no {HUMAN}, the prediction of MitoEM-H; add it",
        f"{target}: holds no {RAT}, the prediction of MitoEM-R; add it",
    ]


def test_names_that_steer_a_terminal_are_shown_harmless(target, right):
    zipped(target, {"\x1b[2Jhuman.h5": right[HUMAN], RAT: right[RAT]})
    assert all(text.isprintable() for text in problems(target))


def test_what_is_no_zip_file(tmp_path, right):
    path = tmp_path / "x.zip"
    path.write_bytes(right[HUMAN])
    assert problems(path) == [f"{path}: is one HDF5 file; expected a zip file that holds one for each volume; {PACK}"]
    path.write_bytes(b"nothing")
    assert problems(path) == [
        (
            f"{path}: cannot be opened as a zip file (BadZipFile: File is not a zip file); check that the file is "
            f"whole and "
            "readable, or write it again"
        )
    ]
    with pytest.raises(
        UnusableFileError, match=r"no.zip: cannot be read \(No such file or directory\); check the path"
    ):
        check_submission(tmp_path / "no.zip", CHALLENGE)


def test_a_folder_with_links_could_hold_the_ground_truth(tmp_path, right):
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / RAT).write_bytes(right[RAT])
    (folder / HUMAN).symlink_to(tmp_path / "made" / HUMAN)
    assert problems(folder) == [f"{folder / HUMAN}: is a link or no file; expected a file; put the file itself there"]
    (folder / HUMAN).unlink()
    (folder / "sub").symlink_to(tmp_path / "made")
    assert f"{folder / 'sub'}: is a link or no file; expected a file; put the file itself there" in problems(folder)


def test_what_a_zip_file_was_unpacked_to_is_read_as_well(tmp_path, target, right):
    zipped(target, {f"a/{name}": data for name, data in right.items()})
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path / "input")
    of_zip, of_folder = check_submission(target, CHALLENGE), check_submission(tmp_path / "input", CHALLENGE)
    assert of_folder.problems == ()
    assert of_folder.files == of_zip.files


def test_a_folder_of_too_many_files(tmp_path):
    for number in range(_MOST_MEMBERS + 1):
        (tmp_path / f"{number}").touch()
    assert problems(tmp_path) == [
        f"{tmp_path}: holds more than 1,000 files; expected one for each volume; name the folder of the submission"
    ]


def test_no_space_to_unpack(tmp_path, target, right, monkeypatch):
    zipped(target, right, compression=zipfile.ZIP_DEFLATED)
    needed = sum(map(len, right.values()))
    with monkeypatch.context() as patched:
        patched.setattr("leaderboard.submission._open.shutil.disk_usage", lambda path: type("Usage", (), {"free": 7}))
        with pytest.raises(UnusableFileError) as raised:
            check_submission(target, CHALLENGE, scratch=tmp_path)
    assert str(raised.value) == (
        f"{tmp_path}: 7 bytes are free, {needed:,} are needed to unpack the submission; name another folder (scratch=, "
        "--scratch)"
    )
    with pytest.raises(UnusableFileError, match=r"gone: nothing can be unpacked there \(No such file or directory\)"):
        check_submission(target, CHALLENGE, scratch=tmp_path / "gone")


def test_a_disk_that_fills_up_while_unpacking(tmp_path, target, right, monkeypatch):
    class FullFile(io.FileIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    zipped(target, right, compression=zipfile.ZIP_DEFLATED)
    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda self, mode="r", *rest, **options: (
            FullFile(self, "w") if mode == "wb" else opened(self, mode, *rest, **options)
        ),
    )
    (tmp_path / "scratch").mkdir()
    with pytest.raises(UnusableFileError) as raised:
        check_submission(target, CHALLENGE, scratch=tmp_path / "scratch")
    assert re.fullmatch(
        rf"{re.escape(f'{target}::{HUMAN}')}: cannot be unpacked to {tmp_path}/scratch/mitobench-\w+ \(No space left "
        rf"on "
        r"device\); name a folder with more space \(scratch=, --scratch\)",
        str(raised.value),
    )
    assert not list((tmp_path / "scratch").iterdir())


def test_opening_names_the_first_problem_and_counts_the_others(target, right):
    zipped(target, {HUMAN: b"?", "x": b"?"})
    with pytest.raises(InvalidInputError) as raised, open_submission(target, CHALLENGE):
        pass
    assert str(raised.value) == (
        f"{target}: holds no {RAT}, the prediction of MitoEM-R; it holds 'x'; add it; and 1 more: run `mitobench "
        "leaderboard check`"
    )
