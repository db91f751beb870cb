"""Zip files are read without unpacking them, by several threads, and hostile ones are refused in one line."""

import re
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from mitoem_copy import IMAGE, image_members, png, write_zip

from mitobench.dataset import open_mitoem
from mitobench.dataset._zip import open_archive
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.types import Box


def box(z):
    return Box((z, 0, 0), (z + 1, 32, 40))


def test_threads_share_no_handle(tmp_path):
    write_zip(tmp_path / "EM30-H-im.zip", image_members())
    image = open_mitoem(tmp_path).volumes[0].image()
    with ThreadPoolExecutor(8) as pool:
        sections = list(pool.map(lambda z: image.read(box(z))[0], list(range(10)) * 5))
    np.testing.assert_array_equal(sections, np.concatenate([IMAGE] * 5))
    image.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["EM30-H-im.zip"]


def test_leavings_of_operating_systems_are_ignored(tmp_path):
    extra = {"__MACOSX/im/._im0000.png": b"?", "im/.DS_Store": b"?", "im/._im0000.png": b"?", "im/desktop.ini": b"?"}
    write_zip(tmp_path / "EM30-H-im.zip", extra | image_members())
    volume = open_mitoem(tmp_path).volumes[0]
    np.testing.assert_array_equal(volume.image().read(Box((0, 0, 0), (10, 32, 40))), IMAGE)


def written(path, change=lambda info: None, name="im/im0000.png"):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("im/im0001.png", png(IMAGE[1]))
        file.writestr(name, png(IMAGE[0]))
        for info in file.filelist[1:]:
            change(info)
    return path


@pytest.mark.parametrize("name", ["../im/im0000.png", "/im/im0000.png", "C:\\im\\im0000.png", "im\\..\\..\\im0000.png"])
def test_names_that_lead_out_of_the_folder(tmp_path, name):
    path = written(tmp_path / "a.zip", name=name)
    message = (
        f"{path}: refused, its member {name!r} has a name that leads out of the folder; download the zip file again "
        "from its publisher"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_archive(str(path))


def encrypted(info):
    info.flag_bits |= 1


def huge(info):
    info.file_size = 1 << 40
    info.extract_version = 45


def overlapping(info):
    info.header_offset = 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (encrypted, "its member 'im/im0000.png' is encrypted"),
        (huge, "its member 'im/im0000.png' would unpack to 1,099,511,627,776 bytes; expected at most 1,073,741,824"),
        (overlapping, "its members 'im/im0001.png' and 'im/im0000.png' overlap"),
    ],
)
def test_members_that_no_honest_tool_writes(tmp_path, change, found):
    path = written(tmp_path / "a.zip", change)
    with pytest.raises(InvalidInputError, match=f"^{re.escape(f'{path}: refused, {found}')}.*from its publisher$"):
        open_archive(str(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_listed_twice(tmp_path):
    path = written(tmp_path / "a.zip", name="im/im0001.png")
    with pytest.raises(InvalidInputError, match=r"refused, its member 'im/im0001.png' is listed 2 times; download"):
        open_archive(str(path))


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("mitobench.dataset._zip._MOST_MEMBERS", 1)
    path = written(tmp_path / "a.zip")
    with pytest.raises(InvalidInputError, match=r"refused, it lists 2 members; expected at most 1; download"):
        open_archive(str(path))


def test_a_refused_zip_is_a_problem_of_one_line_and_the_reason_of_the_error(tmp_path):
    written(tmp_path / "EM30-H-im.zip", encrypted)
    write_zip(tmp_path / "EM30-R-im.zip", image_members())
    dataset = open_mitoem(tmp_path)
    assert "refused, its member 'im/im0000.png' is encrypted; download" in str(dataset.problems[0])
    assert [volume.name for volume in dataset.volumes] == ["MitoEM-R"]
    (tmp_path / "EM30-R-im.zip").unlink()
    with pytest.raises(InvalidInputError, match=r"EM30-H-im.zip: refused, its member 'im/im0000.png' is encrypted"):
        open_mitoem(tmp_path)


def test_a_zip_without_known_folders_is_named(tmp_path):
    write_zip(tmp_path / "EM30-H-im.zip", {"x/im0000.png": b"?"})
    with pytest.raises(InvalidInputError, match=r"EM30-H-im.zip: holds no folder of sections; expected im/im0000.png"):
        open_mitoem(tmp_path)


def test_other_zips_on_the_same_tissue_are_not_opened(tmp_path):
    (tmp_path / "EM30-H-train-9vol-pad-20-512-512.zip").write_bytes(b"?")
    write_zip(tmp_path / "EM30-H-im.zip", image_members())
    assert {problem.kind for problem in open_mitoem(tmp_path).problems} == {"missing", "wrong-shape"}


def test_a_member_with_a_wrong_checksum_is_named_when_it_is_read(tmp_path):
    path = tmp_path / "EM30-H-im.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, data in image_members().items():
            file.writestr(name, data)
    with zipfile.ZipFile(path) as file:
        at = file.getinfo("im/im0003.png").header_offset + 200
    data = bytearray(path.read_bytes())
    data[at] ^= 255
    path.write_bytes(bytes(data))
    image = open_mitoem(tmp_path).volumes[0].image()
    np.testing.assert_array_equal(image.read(box(4))[0], IMAGE[4])
    with pytest.raises(UnusableFileError, match=r"EM30-H-im.zip::im/im0003.png: cannot read this section \(BadZipFile"):
        image.read(box(3))


def test_a_member_that_unpacks_to_more_than_it_lists_is_never_given(tmp_path):
    path = tmp_path / "EM30-H-im.zip"
    write_zip(path, image_members() | {"im/im0000.png": png(IMAGE[0]) + bytes(1 << 20)})
    data = path.read_bytes()
    sizes = [info.file_size for info in zipfile.ZipFile(path).infolist()]
    listed = sizes[0].to_bytes(4, "little")
    path.write_bytes(data.replace(listed, (2000).to_bytes(4, "little")))
    archive = open_archive(str(path))
    assert archive.members[0].file_size == 2000
    with archive.handle() as handle, handle.open(archive.members[0]) as opened, pytest.raises(zipfile.BadZipFile):
        opened.read()
    archive.close()
