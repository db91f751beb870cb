"""Multi-page TIFF: the ways in which programs lay out a stack, colours as ids, truncated files."""

import logging
import re
from contextlib import closing

import numpy as np
import pytest
import tifffile

from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.types import Box
from mitobench.volumes import open_image, open_labels

ARRAY = np.arange(1, 106, dtype=np.uint16).reshape(3, 5, 7)
COLOURS = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
IDS = COLOURS.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
GREY = {"photometric": "minisblack"}


def read_all(path, **options):
    with closing(open_labels(path, **options)) as volume:
        return volume.read(Box((0, 0, 0), volume.shape)).copy()


@pytest.mark.parametrize(
    "options",
    [
        GREY,
        {**GREY, "metadata": None},
        {**GREY, "metadata": None, "compression": "lzw"},
        {**GREY, "compression": "zlib"},
        {**GREY, "truncate": True},
        {**GREY, "byteorder": ">"},
        {"imagej": True},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"imagej": True, "compression": "zlib"},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "CYX"}, "compression": "zlib", **GREY},
        {**GREY, "volumetric": True},
    ],
    ids=str,
)
def test_layouts_of_a_stack(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, **options)
    np.testing.assert_array_equal(read_all(tmp_path / "a.tif"), ARRAY)


def test_pages_written_one_by_one(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for section in ARRAY:
            writer.write(section, contiguous=False, **GREY)
    np.testing.assert_array_equal(read_all(tmp_path / "a.tif"), ARRAY)


def test_one_page_is_one_section(tmp_path):
    tifffile.imwrite(tmp_path / "a.tiff", ARRAY[0], **GREY)
    np.testing.assert_array_equal(read_all(tmp_path / "a.tiff"), ARRAY[:1])


def test_a_plain_stack_is_read_by_rows_and_a_packed_one_by_sections(tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", ARRAY, **GREY)
    tifffile.imwrite(tmp_path / "packed.tif", ARRAY, compression="zlib", **GREY)
    plain, packed = open_labels(tmp_path / "plain.tif"), open_labels(tmp_path / "packed.tif")
    assert plain.chunks == packed.chunks == (1, 5, 7)
    assert (plain.raw is None, packed.raw is None) == (False, True)
    block = plain.read(Box((0, 0, 0), (3, 5, 7)))
    data = (tmp_path / "plain.tif").read_bytes()
    with (tmp_path / "plain.tif").open("r+b") as file:
        file.seek(data.index(ARRAY.tobytes()))
        file.write(np.uint16(77).tobytes())
    assert block[0, 0, 0] == 77
    packed.close()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_channels_of_each_section_stored_together(tmp_path, compression):
    image = np.stack([ARRAY, ARRAY * 2], axis=1)
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "ZCYX"}, compression=compression)
    channels = open_image(tmp_path / "a.tif")
    assert [channel.shape for channel in channels] == [(3, 5, 7), (3, 5, 7)]
    for factor, channel in enumerate(channels, start=1):
        np.testing.assert_array_equal(channel.read(Box((1, 0, 0), (3, 5, 7))), ARRAY[1:] * factor)
    channels[0].close()


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("layout", ["rgb", "rgba", "planar"])
def test_colours_are_ids_only_when_asked_for(tmp_path, layout, compression):
    path, image = tmp_path / "a.tif", COLOURS
    if layout == "rgba":
        image = np.concatenate([COLOURS, COLOURS[..., :1]], axis=3)
    if layout == "planar":
        image = np.moveaxis(COLOURS, 3, 1)
    planar = "separate" if layout == "planar" else "contig"
    tifffile.imwrite(path, image, photometric="rgb", planarconfig=planar, compression=compression)
    ids = read_all(path, rgb=True)
    assert ids.dtype == np.uint32
    np.testing.assert_array_equal(ids, IDS)
    message = (
        f"{path}: a colour image ({4 if layout == 'rgba' else 3} values per pixel); expected one grey value per pixel; "
        "keep one channel or, if the colours of a label volume encode ids as R*65536 + G*256 + B, pass rgb=True (--rgb "
        "on the command line)"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(path)


def test_grey_sections_are_read_as_they_are_with_rgb(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, **GREY)
    np.testing.assert_array_equal(read_all(tmp_path / "a.tif", rgb=True), ARRAY)


def test_colours_of_16_bits_encode_no_ids(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", COLOURS.astype(np.uint16), photometric="rgb")
    message = (
        f"{tmp_path}/a.tif: 3 values of type uint16 per pixel; expected RGB or RGBA of type uint8 to decode ids from; "
        "write the ids as one grey value per pixel"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / "a.tif", rgb=True)


def test_a_binary_mask_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY > 50, **GREY)
    with pytest.raises(InvalidInputError, match="this is a binary mask"):
        open_labels(tmp_path / "a.tif")


def test_pages_of_different_shapes_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for section in (ARRAY[0], ARRAY[1, :3]):
            writer.write(section, metadata=None, **GREY)
    message = (
        f"{tmp_path}/a.tif: 2 separate images ((5, 7) uint16, (3, 7) uint16); expected one stack of sections of the "
        "same shape and type; save the stack alone"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / "a.tif")


def test_several_stacks_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(2):
            writer.write(ARRAY, compression="zlib", **GREY)
    with pytest.raises(InvalidInputError, match="2 separate images"):
        open_labels(tmp_path / "a.tif")


def test_a_packed_volume_in_one_page_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, volumetric=True, tile=(16, 16, 16), compression="zlib", **GREY)
    message = (
        f"{tmp_path}/a.tif: an image of shape (3, 5, 7) and axes ZYX in 1 pages; expected one (y, x) section per page, "
        "all in this file; write the volume again as a plain multi-page TIFF"
    )
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        open_labels(tmp_path / "a.tif")


def test_a_single_column_described_as_one_page_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY[:, :, :1], **GREY)
    with pytest.raises(InvalidInputError, match=re.escape("an image of shape (3, 5, 1) and axes YXQ in 1 pages")):
        open_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"hello world", b"II*\0\xff\xff\0\0"])
def test_what_is_no_tiff_is_unreadable(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnusableFileError, match=re.escape(f"{tmp_path}/a.tif: ")):
        open_labels(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options",
    [
        GREY,
        {**GREY, "metadata": None},
        {**GREY, "compression": "lzw"},
        {**GREY, "compression": "lzw", "metadata": None},
    ],
    ids=str,
)
def test_a_truncated_file_is_never_read_as_a_smaller_or_darker_volume(tmp_path, options, caplog):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ARRAY, **options)
    data, failures = path.read_bytes(), 0
    caplog.set_level(logging.CRITICAL)
    for length in range(0, len(data), 3):
        path.write_bytes(data[:length])
        try:
            block = read_all(path)
        except UnusableFileError:
            failures += 1
        else:
            np.testing.assert_array_equal(block, ARRAY)
    assert failures > len(data) // 4


def test_a_lost_end_and_a_damaged_section_are_named(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ARRAY, compression="zlib", metadata=None, **GREY)
    data = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        starts, second_page = [page.dataoffsets[0] for page in tif.pages], tif.pages[1].offset
    path.write_bytes(data[: starts[1] + 2] + b"\xff\xff\xff" + data[starts[1] + 5 :])
    volume = open_labels(path)
    with pytest.raises(UnusableFileError, match=f"^{re.escape(str(path))}: cannot read section 1 \\("):
        volume.read(Box((0, 0, 0), volume.shape))
    assert (volume.read(Box((2, 0, 0), (3, 5, 7))) == ARRAY[2]).all()
    volume.close()
    path.write_bytes(data[:second_page])
    message = f"{path}: the TIFF file is truncated, its list of pages breaks off after 1; copy the file again"
    with pytest.raises(UnusableFileError, match=f"^{re.escape(message)}$"):
        open_labels(path)
