"""Folders of sections: order, gaps, sections that differ, colours as ids, damaged files."""

import re
import warnings

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels

ARRAY = np.arange(1, 106, dtype=np.uint16).reshape(3, 5, 7)
COLOURS = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
IDS = COLOURS.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)


def save(path, section):
    if path.suffix.lower() == ".png":
        path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(section)))
    else:
        photometric = "minisblack" if section.ndim == 2 else "rgb"
        tifffile.imwrite(path, section, photometric=photometric, compression="zlib")


def read_all(folder, **options):
    volume = open_labels(folder, **options)
    return volume.read(Box((0, 0, 0), volume.shape))


def order_of(folder, names):
    for value, name in enumerate(names):
        save(folder / name, np.full((2, 2), value, np.uint8))
    return read_all(folder)[:, 0, 0].tolist()


@pytest.mark.parametrize(
    "names",
    [
        ["seg2.png", "seg3.png", "seg4.png"],
        ["seg9.tif", "seg10.tif", "seg11.tif"],
        ["s-8.tiff", "s-09.tiff", "s-10.tiff"],
        ["a2b1.png", "a10a1.png"],
        ["1a.png", "2a.png", "b.png"],
        ["z0_c10.PNG", "z1_c9.PNG"],
    ],
)
def test_natural_order(tmp_path, names):
    assert order_of(tmp_path, names) == list(range(len(names)))


@pytest.mark.parametrize(
    "names",
    [
        ["seg0.png", "seg10.png", "seg20.png"],
        ["x1y1.png", "x1y3.png", "x2y1.png"],
        ["day1.png", "night4.png", "night5.png", "z9.png"],
        ["only.png"],
    ],
)
def test_names_without_gaps_warn_of_nothing(tmp_path, names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order_of(tmp_path, names)


def test_missing_numbers_are_named(tmp_path):
    for number in (1, 2, 5, 7, 30):
        save(tmp_path / f"v2_seg{number:03}.png", ARRAY[0])
    message = (
        f"{tmp_path}: sections numbered 1 to 30 without 3, 4, 6, 8, 9, 10, 11, 12, 13, 14 and 15 more; the 5 there are "
        "stacked without a gap; add the missing files if this is not meant"
    )
    with pytest.warns(InputWarning, match=f"^{re.escape(message)}$") as caught:
        open_labels(tmp_path)
    assert caught[0].filename == __file__


def test_other_files_are_ignored(tmp_path):
    save(tmp_path / "seg0.png", ARRAY[0])
    (tmp_path / "seg1.png").mkdir()
    (tmp_path / "._seg0.png").write_bytes(b"?")
    (tmp_path / "notes.txt").write_text("?")
    np.testing.assert_array_equal(read_all(tmp_path), ARRAY[:1])


def test_a_folder_without_sections(tmp_path):
    (tmp_path / "notes.txt").write_text("?")
    message = (
        f"{tmp_path}: no volume in this folder of 1 entries; expected sections named *.png, *.tif or *.tiff, or a Zarr "
        "array; name the folder that holds them"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path)


def test_sections_of_several_formats(tmp_path):
    for name in ("seg0.png", "seg1.tif"):
        save(tmp_path / name, ARRAY[0])
    message = (
        f"{tmp_path}: sections of several formats (.png, .tif) in one folder; expected one format; move the others away"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(
    ("other", "found"),
    [
        (ARRAY[0, :, :6], "shape (5, 6) and type uint16"),
        (ARRAY[0].astype(np.uint8), "shape (5, 7) and type uint8"),
        (COLOURS[0], "shape (5, 7, 3) and type uint8"),
    ],
)
def test_the_first_section_that_differs_is_named(tmp_path, suffix, other, found):
    for number, section in enumerate([ARRAY[0], ARRAY[1], other, other]):
        save(tmp_path / f"seg{number}{suffix}", section)
    volume = open_labels(tmp_path)
    np.testing.assert_array_equal(volume.read(Box((0, 1, 2), (2, 5, 7))), ARRAY[:2, 1:, 2:])
    message = (
        f"{tmp_path}/seg2{suffix}: a section of {found}; expected (5, 7) and uint16 as in seg0{suffix}; write all "
        "sections alike"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        volume.read(Box((0, 0, 0), volume.shape))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_colours_are_ids_only_when_asked_for(tmp_path, suffix, alpha):
    sections = np.concatenate([COLOURS, COLOURS[..., :1]], axis=3) if alpha else COLOURS
    for number, section in enumerate(sections):
        save(tmp_path / f"seg{number}{suffix}", section)
    ids = read_all(tmp_path, rgb=True)
    assert ids.dtype == np.uint32
    np.testing.assert_array_equal(ids, IDS)
    for opener in (open_labels, open_image):
        with pytest.raises(InvalidInputError, match=re.escape(f"seg0{suffix}: a colour image ({3 + alpha} values")):
            opener(tmp_path)


def test_grey_sections_are_read_as_they_are_with_rgb(tmp_path):
    save(tmp_path / "seg0.png", ARRAY[0])
    np.testing.assert_array_equal(read_all(tmp_path, rgb=True), ARRAY[:1])


@pytest.mark.parametrize(("bits", "colour", "kind"), [(8, 3, "a colour palette"), (4, 0, "4 bits per pixel")])
def test_png_whose_numbers_are_lost_is_refused(tmp_path, bits, colour, kind):
    path = tmp_path / "seg0.png"
    save(path, ARRAY[0].astype(np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[:24] + bytes([bits, colour]) + data[26:])
    message = (
        f"{path}: a PNG with {kind}, whose numbers cannot be read back; expected grey or RGB of 8 or 16 bits; save it "
        "again as plain grey"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path)


def test_a_later_palette_is_refused_when_it_is_read(tmp_path):
    save(tmp_path / "seg0.png", ARRAY[0].astype(np.uint8))
    Image.fromarray(ARRAY[0].astype(np.uint8)).convert("P").save(tmp_path / "seg1.png")
    with pytest.raises(InvalidInputError, match=re.escape(f"{tmp_path}/seg1.png: a PNG with a colour palette")):
        read_all(tmp_path)


def test_a_section_that_shrank_to_one_bit_is_not_stretched(tmp_path):
    save(tmp_path / "seg0.png", np.ones((5, 7), np.uint8))
    Image.fromarray(np.eye(5, 7) > 0).save(tmp_path / "seg1.png")
    with pytest.raises(InvalidInputError, match=re.escape("seg1.png: a section of shape (5, 7) and type bool")):
        read_all(tmp_path)
    (tmp_path / "seg0.png").unlink()
    with pytest.raises(InvalidInputError, match="this is a binary mask"):
        open_labels(tmp_path)


def test_a_stack_among_the_sections_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "seg0.tif", ARRAY, photometric="minisblack")
    message = (
        f"{tmp_path}/seg0.tif: 3 pages in one file of a folder of sections; expected one section per file; name this "
        "file itself if it holds the whole volume"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_damaged_section_is_named(tmp_path, suffix):
    for number, section in enumerate(ARRAY):
        save(tmp_path / f"seg{number}{suffix}", section)
    damaged = tmp_path / f"seg1{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:60])
    volume = open_labels(tmp_path)
    np.testing.assert_array_equal(volume.read(Box((2, 0, 0), (3, 5, 7)))[0], ARRAY[2])
    with pytest.raises(UnusableFileError, match=f"^{re.escape(str(damaged))}: ") as caught:
        volume.read(Box((0, 0, 0), (2, 5, 7)))
    assert "\n" not in str(caught.value)


def test_a_section_that_lost_its_other_pages_is_unreadable(tmp_path):
    path = tmp_path / "seg0.tif"
    tifffile.imwrite(path, ARRAY, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as tif:
        second_page = tif.pages[1].offset
    path.write_bytes(path.read_bytes()[:second_page])
    message = f"{path}: the TIFF file is truncated, its list of pages breaks off after 1; copy the file again"
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_first_section_of_another_format_is_named(tmp_path, suffix):
    (tmp_path / f"seg0{suffix}").write_bytes(b"GIF89a" + bytes(100))
    with pytest.raises(UnusableFileError, match=re.escape(f"{tmp_path}/seg0{suffix}: ")):
        open_labels(tmp_path)
