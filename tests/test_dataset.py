"""MitoEM is found in every published layout, lazily, and what is missing or does not fit is said."""

import re

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitoem_copy import (
    IMAGE,
    LAYOUTS,
    SHAPE,
    SPLITS,
    V1,
    V2,
    folders,
    hdf5,
    image_members,
    label_members,
    png,
    tif,
    tiles,
    write_folder,
    write_h5,
    write_zip,
    zips,
)

from mitobench.dataset import SPLITS as NAMED_SPLITS
from mitobench.dataset import open_mitoem, split_sections
from mitobench.errors import InvalidInputError, MitobenchError, UnknownNameError, UnusableFileError
from mitobench.types import Box
from mitobench.volumes import section as section_module


def read(volume):
    try:
        return volume.read(Box((0, 0, 0), volume.shape))
    finally:
        volume.close()


def kinds(dataset):
    return [problem.kind for problem in dataset.problems]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_voxels(tmp_path, layout):
    write, annotation = LAYOUTS[layout]
    write(tmp_path)
    dataset = open_mitoem(tmp_path)
    labels = V2 if annotation == "v2" else V1
    assert [volume.name for volume in dataset.volumes] == ["MitoEM-H", "MitoEM-R"]
    assert kinds(dataset) == ["wrong-shape"] * 2
    for volume in dataset.volumes:
        assert volume.shape == SHAPE
        assert volume.splits == SPLITS
        assert volume.annotations == (annotation,)
        np.testing.assert_array_equal(read(volume.image()), IMAGE)
        np.testing.assert_array_equal(read(volume.labels()), labels[:5])
        for split, sections in SPLITS.items():
            np.testing.assert_array_equal(read(volume.image(split)), IMAGE[sections.start : sections.stop])
            if split != "test":
                np.testing.assert_array_equal(read(volume.labels(split)), labels[sections.start : sections.stop])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_inside_and_across_parts(tmp_path, layout):
    LAYOUTS[layout][0](tmp_path)
    image = open_mitoem(tmp_path)["MitoEM-H"].image()
    for box in (Box((3, 5, 7), (6, 20, 33)), Box((0, 15, 15), (1, 17, 17)), Box((4, 0, 39), (10, 32, 40))):
        np.testing.assert_array_equal(image.read(box), IMAGE[box.slices])
    image.close()


def test_labels_of_the_test_part_are_private(tmp_path):
    zips(tmp_path)
    volume = open_mitoem(tmp_path)["MitoEM-H"]
    message = "MitoEM-H: the labels of sections 5-9 are private; submit to the challenge, or use val"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        volume.labels("test")


def test_labels_of_the_test_part_that_the_organisers_have_are_used(tmp_path):
    hdf5(tmp_path)
    write_h5(tmp_path / "EM30-H" / "mito_test-v2.h5", V2[5:])
    dataset = open_mitoem(tmp_path)
    np.testing.assert_array_equal(read(dataset["MitoEM-H"].labels("test")), V2[5:])
    np.testing.assert_array_equal(read(dataset["MitoEM-H"].labels()), V2)
    assert dataset["MitoEM-R"].private == {"test"}


def test_unknown_names(tmp_path):
    folders(tmp_path)
    dataset = open_mitoem(tmp_path)
    with pytest.raises(
        UnknownNameError, match=r"no split 'vall', did you mean 'val'\?; the splits are train, val, test"
    ):
        dataset.volumes[0].image("vall")
    with pytest.raises(UnknownNameError, match=r"no annotation 'v1' was found; those found are v2$"):
        dataset.volumes[0].labels("train", annotation="v1")
    with pytest.raises(UnknownNameError, match="no volume 'MitoEM-J', did you mean 'MitoEM-"):
        _ = dataset["MitoEM-J"]
    with pytest.raises(UnknownNameError, match=r"no annotation 'v3'; allowed: v1, v2$"):
        open_mitoem(tmp_path, annotation="v3")


def test_two_annotations_side_by_side(tmp_path):
    write_folder(tmp_path / "EM30-H", image_members() | label_members() | label_members("v1"))
    volume = open_mitoem(tmp_path).volumes[0]
    assert volume.annotations == ("v2", "v1")
    np.testing.assert_array_equal(read(volume.labels("train")), V2[:4])
    np.testing.assert_array_equal(read(volume.labels("train", annotation="v1")), V1[:4])
    older = open_mitoem(tmp_path, annotation="v1").volumes[0]
    np.testing.assert_array_equal(read(older.labels("train")), V1[:4])
    assert older.annotations == ("v1",)


def test_an_annotation_that_is_not_there(tmp_path):
    zips(tmp_path)
    volume = open_mitoem(tmp_path, annotation="v1").volumes[0]
    message = "MitoEM-H: no labels were found; only annotation v1 was asked for, and v2 found"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$"):
        volume.labels("train")


@pytest.mark.parametrize("inside", [False, True])
def test_the_root_may_be_the_folder_of_one_tissue_or_one_zip(tmp_path, inside):
    zips(tmp_path)
    folders(tmp_path / "unpacked")
    root = tmp_path / "unpacked" / "MitoEM-R" if inside else tmp_path / "EM30-R-im.zip"
    dataset = open_mitoem(root)
    assert [volume.name for volume in dataset.volumes] == ["MitoEM-R"]
    np.testing.assert_array_equal(read(dataset.volumes[0].image("val")), IMAGE[4:5])
    assert dataset.notes == ("MitoEM-H: nothing found",)


def test_the_small_crop(tmp_path):
    write_h5(tmp_path / "mitoem_R_train_4um_im.h5", IMAGE)
    write_h5(tmp_path / "mitoem_R_train_4um_seg.h5", V2)
    dataset = open_mitoem(tmp_path)
    assert dataset.problems == ()
    crop = dataset["MitoEM-R-4um"]
    np.testing.assert_array_equal(read(crop.image("train")), IMAGE)
    np.testing.assert_array_equal(read(crop.labels()), V2)
    with pytest.raises(
        UnknownNameError, match=r"no split 'val'; .* train; the crop lies inside the training sections$"
    ):
        crop.image("val")


def test_half_of_the_crop(tmp_path):
    write_h5(tmp_path / "mitoem_R_train_4um_im.h5", IMAGE)
    assert [str(problem) for problem in open_mitoem(tmp_path).problems] == [
        "MitoEM-R-4um: no labels: found none; expected mitoem_R_train_4um_seg.h5; download it to the same folder"
    ]
    write_h5(tmp_path / "mitoem_R_train_4um_seg.h5", V2[:9])
    assert kinds(open_mitoem(tmp_path)) == ["misaligned"]


def test_a_thousand_sections_are_opened_without_reading_a_pixel(tmp_path, monkeypatch):
    data = png(IMAGE[0])
    write_folder(tmp_path / "EM30-H", {f"im/im{z:04}.png": data for z in range(1000)})
    write_zip(tmp_path / "EM30-R-im.zip", {f"im/im{z:04}.png": data for z in range(1000)})
    opened, decoded = [], []
    real = section_module.read_header
    monkeypatch.setattr(section_module, "read_header", lambda file: opened.append(file.name) or real(file))
    monkeypatch.setattr(section_module, "read_grey", lambda *_, **__: decoded.append(1))
    volumes = open_mitoem(tmp_path).volumes
    for volume in volumes:
        image = volume.image("test")
        assert image.shape == (500, 32, 40)
        image.close()
    assert decoded == []
    assert 0 < len(opened) <= 4


def test_missing_sections_are_said_and_cannot_shift_the_others(tmp_path):
    folders(tmp_path)
    for name in ("MitoEM-H/im/im0002.png", "MitoEM-H/im/im0006.png", "MitoEM-H/im/im0007.png"):
        (tmp_path / name).unlink()
    (tmp_path / "MitoEM-R/mito-train-v2/seg0003.tif").unlink()
    dataset = open_mitoem(tmp_path)
    assert [str(problem) for problem in dataset.problems if problem.kind == "missing-sections"] == [
        f"MitoEM-H: {tmp_path}/MitoEM-H/im: sections 2, 6-7 of 0-9 are missing; unpack or download them again",
        f"MitoEM-R: {tmp_path}/MitoEM-R/mito-train-v2: sections 3 of 0-3 are missing; unpack or download them again",
    ]
    image = dataset["MitoEM-H"].image()
    np.testing.assert_array_equal(image.read(Box((8, 0, 0), (10, 32, 40))), IMAGE[8:])
    with pytest.raises(UnusableFileError, match=r"/im: the file of section 6 is missing; add it$"):
        image.read(Box((5, 0, 0), (8, 32, 40)))


def test_labels_of_the_wrong_split(tmp_path):
    folders(tmp_path)
    (tmp_path / "MitoEM-H/mito-train-v2/seg0007.tif").write_bytes(tif(V2[7]))
    assert [str(problem) for problem in open_mitoem(tmp_path).problems if problem.kind == "wrong-split"] == [
        (
            f"MitoEM-H: {tmp_path}/MitoEM-H/mito-train-v2: sections 7 are not part of train, which is 0-3; move them "
            "where they belong"
        )
    ]


def test_all_labels_in_the_wrong_folder(tmp_path):
    folders(tmp_path)
    (tmp_path / "MitoEM-H/mito-train-v2").rename(tmp_path / "MitoEM-H/x")
    (tmp_path / "MitoEM-H/mito-val-v2").rename(tmp_path / "MitoEM-H/mito-train-v2")
    dataset = open_mitoem(tmp_path)
    assert kinds(dataset)[:3] == ["wrong-split", "missing", "missing"]
    with pytest.raises(InvalidInputError, match=r"no labels were found; add EM30-H-mito-train-val-v2.zip$"):
        dataset["MitoEM-H"].labels("train")


def test_sections_that_are_there_twice(tmp_path):
    folders(tmp_path)
    (tmp_path / "MitoEM-H/im/im2.png").write_bytes(png(IMAGE[2]))
    assert kinds(open_mitoem(tmp_path)) == ["duplicates", "wrong-shape", "wrong-shape"]


@pytest.mark.parametrize("named", [False, True])
def test_the_padded_variant_is_named_and_never_used(tmp_path, named):
    write_folder(tmp_path / "EM30-H", label_members())
    if named:
        write_zip(tmp_path / "EM30-H-im-pad.zip", image_members())
    else:
        data = png(IMAGE[0])
        write_folder(tmp_path / "EM30-H", {f"im/im{z:04}.png": data for z in range(1040)})
    dataset = open_mitoem(tmp_path)
    assert dataset.volumes[0].shape == (1000, 32, 40)
    [problem] = [problem for problem in dataset.problems if problem.kind == "padded"]
    assert f"{10 if named else 1040} sections of 32 x 40: the padded variant, whose sections do not line up" in str(
        problem
    )
    with pytest.raises(
        InvalidInputError, match=r"MitoEM-H: no image was found; .* the padded variant, .* 1000 sections$"
    ):
        dataset.volumes[0].image("train")


def test_full_sections_are_full_mitoem_even_when_most_are_missing(tmp_path):
    data = png(np.zeros((4096, 4096), np.uint8))
    write_folder(tmp_path / "EM30-R", {f"im/im{z:04}.png": data for z in range(4)})
    dataset = open_mitoem(tmp_path)
    volume = dataset["MitoEM-R"]
    assert volume.shape == (1000, 4096, 4096)
    assert volume.splits == {"train": range(400), "val": range(400, 500), "test": range(500, 1000)}
    assert kinds(dataset) == ["missing-sections", "missing"]
    assert "sections 4-999 of 0-999 are missing" in str(dataset.problems[0])
    with pytest.raises(InvalidInputError, match="labels of sections 500-999 are private") as caught:
        open_mitoem(_with_labels(tmp_path))["MitoEM-R"].labels("test")
    assert "\n" not in str(caught.value)


def _with_labels(root):
    data = tif(np.zeros((4096, 4096), np.uint16))
    write_folder(root / "EM30-R", {f"mito-val-v2/seg{z:04}.tif": data for z in range(400, 402)})
    return root


def test_image_and_labels_of_different_sections(tmp_path):
    write_folder(tmp_path / "EM30-H", image_members(IMAGE[:, :30]) | label_members())
    problems = [str(problem) for problem in open_mitoem(tmp_path).problems if problem.kind == "misaligned"]
    assert problems[0].endswith(
        "mito-train-v2: sections of 32 x 40 voxels; the image has 30 x 40; use image and labels of one publisher"
    )


def test_hdf5_of_another_depth(tmp_path):
    hdf5(tmp_path)
    write_h5(tmp_path / "EM30-H" / "mito_val-v2.h5", V2[3:6])
    write_h5(tmp_path / "EM30-H" / "mito_train-v2.h5", V2[:3])
    dataset = open_mitoem(tmp_path)
    found = [str(problem) for problem in dataset.problems if "mito_" in problem.where]
    assert [text.partition(".h5: ")[2] for text in found] == [
        "3 sections; expected 4 (0-3); download it again, or name the right file",
        "3 sections; expected 1 (4); download it again, or name the right file",
    ]
    assert dataset["MitoEM-H"].labels("val").shape == (1, 32, 40)
    with pytest.raises(InvalidInputError, match="MitoEM-H labels: sections 3 were not found; add their files"):
        dataset["MitoEM-H"].labels("train")


def test_missing_pieces_of_a_volume_are_named(tmp_path):
    hdf5(tmp_path)
    (tmp_path / "EM30-H" / "im_test.h5").unlink()
    (tmp_path / "EM30-R" / "mito_val-v2.h5").unlink()
    dataset = open_mitoem(tmp_path)
    assert [str(problem) for problem in dataset.problems if problem.kind == "missing"] == [
        "MitoEM-H: no image of test: found none; expected im_test.h5; copy it there",
        (
            "MitoEM-R: no v2 labels of val: found none; expected mito-val-v2/seg0004.tif ...; unpack them again, or "
            "keep the zip file whole"
        ),
    ]
    np.testing.assert_array_equal(read(dataset["MitoEM-H"].image("val")), IMAGE[4:5])
    with pytest.raises(InvalidInputError, match="MitoEM-H image: sections 5-9 were not found"):
        dataset["MitoEM-H"].image("test")


@pytest.mark.parametrize("only", [image_members, label_members])
def test_only_the_image_or_only_the_labels(tmp_path, only):
    write_zip(tmp_path / f"EM30-H-{'im' if only is image_members else 'mito-train-val-v2'}.zip", only())
    dataset = open_mitoem(tmp_path)
    volume = dataset.volumes[0]
    assert (volume.shape, volume.splits) == (SHAPE, SPLITS)
    assert kinds(dataset) == ["missing", "wrong-shape"]
    with pytest.raises(
        InvalidInputError, match=r"no image was found; add EM30-H-im|no labels were found; add EM30-H-mito"
    ):
        volume.labels("train") if only is image_members else volume.image("train")


def test_the_same_in_two_forms_is_used_once(tmp_path):
    zips(tmp_path)
    folders(tmp_path)
    dataset = open_mitoem(tmp_path)
    assert dataset["MitoEM-H"].image_parts[0].source.form == "sections"
    assert f"MitoEM-H: not used: {tmp_path}/EM30-H-im.zip::im" in dataset.notes
    assert sum("mito-train-v2 is used; not used: " in note for note in dataset.notes) == 2


def test_a_folder_that_names_no_tissue(tmp_path):
    write_folder(tmp_path, image_members() | label_members())
    dataset = open_mitoem(tmp_path)
    assert [volume.name for volume in dataset.volumes] == ["MitoEM"]
    assert "unknown-tissue" in kinds(dataset)


def test_a_damaged_file_does_not_hide_the_others(tmp_path):
    zips(tmp_path)
    hdf5(tmp_path)
    zip_path = tmp_path / "EM30-R-im.zip"
    zip_path.write_bytes(zip_path.read_bytes()[:500])
    (tmp_path / "EM30-H" / "im_val.h5").write_bytes(b"no")
    dataset = open_mitoem(tmp_path)
    assert kinds(dataset).count("damaged") == 2
    np.testing.assert_array_equal(read(dataset["MitoEM-R"].image()), IMAGE)
    np.testing.assert_array_equal(read(dataset["MitoEM-H"].image()), IMAGE)
    assert all("\n" not in str(problem) for problem in dataset.problems)


def test_nothing_to_be_found(tmp_path):
    with pytest.raises(UnusableFileError, match=r"/none: does not exist; expected the folder that holds MitoEM; check"):
        open_mitoem(tmp_path / "none")
    with pytest.raises(InvalidInputError, match="nothing of MitoEM found here or up to four folders below; expected"):
        open_mitoem(tmp_path)
    (tmp_path / "EM30-H-im.zip").write_bytes(b"PK")
    with pytest.raises(MitobenchError, match=r"EM30-H-im.zip: cannot be opened as a zip file"):
        open_mitoem(tmp_path)


def test_colours_of_labels_are_ids(tmp_path):
    colours = np.stack([V2 >> 16, V2 >> 8, V2 & 255], axis=-1).astype(np.uint8)
    write_folder(tmp_path / "EM30-H", image_members())
    write_folder(tmp_path / "EM30-H", {f"mito_train/seg{z:04}.png": png(colours[z]) for z in range(4)})
    volume = open_mitoem(tmp_path).volumes[0]
    np.testing.assert_array_equal(read(volume.labels("train")), V2[:4])
    assert volume.label_parts["v1"][0].source.coloured
    write_folder(tmp_path / "EM30-H", {f"im/im{z:04}.png": png(colours[z]) for z in range(10)})
    with pytest.raises(InvalidInputError, match="no image was found"):
        open_mitoem(tmp_path).volumes[0].image()


BAD_TILES = {
    "depth": ('{"depth": 0}', "depth is 0; expected a positive whole number"),
    "no object": ("[]", "not an object; expected the keys image, depth, height, width, tile_size"),
    "no JSON": ("{", "cannot be read as JSON (JSONDecodeError"),
    "tile_ratio": ('{"tile_ratio": 2}', "tile_ratio is 2; expected 1, tiles that are stored at full size"),
    "tile_st": ('{"tile_st": [1]}', "tile_st is [1]; expected two whole numbers, the first row and column"),
    "names": ('{"image": ["a.png"]}', "image names 1 sections, but depth is 4; correct one of them"),
    "field": (
        '{"image": ["{row.__class__}.png", "", "", ""]}',
        "image names '{row.__class__}.png'; expected a PNG or TIFF file, with no fields but {row} and {column}",
    ),
    "no names": ('{"image": null}', "image is null; expected a list of file names, one for each section"),
    "gone": (
        '{"image": ["a.png", "a.png", "a.png", "a.png"]}',
        "a.png: this tile of section 0 was found neither there",
    ),
}


@pytest.mark.parametrize("case", BAD_TILES)
def test_descriptions_of_tiles_that_cannot_be_used(tmp_path, case):
    import json

    tiles(tmp_path)
    path = tmp_path / "EM30-H" / "im_train.json"
    text, message = BAD_TILES[case]
    if text.endswith("}"):
        text = json.dumps(json.loads(path.read_text()) | json.loads(text))
    path.write_text(text)
    problems = [str(problem) for problem in open_mitoem(tmp_path).problems if problem.kind == "damaged"]
    assert len(problems) == 1
    assert message in problems[0]


def test_tiles_that_differ_are_named(tmp_path):
    tiles(tmp_path)
    (tmp_path / "EM30-H/im/0001/1_01.png").write_bytes(png(IMAGE[0, :8, :16]))
    (tmp_path / "EM30-H/im/0002/1_01.png").write_bytes(png(V2[0, :16, :16]))
    image = open_mitoem(tmp_path)["MitoEM-H"].image()
    with pytest.raises(InvalidInputError, match=r"1_01.png: a tile of 8 x 16; expected 16 x 16 as in the JSON file"):
        image.read(Box((1, 0, 0), (2, 4, 4)))
    with pytest.raises(InvalidInputError, match=r"1_01.png: a tile of type uint16; expected uint8"):
        image.read(Box((2, 0, 0), (3, 4, 4)))
    image.read(Box((1, 16, 16), (2, 32, 40)))


@given(st.integers(0, 3000), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_splits_have_no_gaps_and_no_overlaps(depth, weights):
    from fractions import Fraction

    fractions = {f"part {i}": Fraction(weight, sum(weights)) for i, weight in enumerate(weights)}
    parts = split_sections(fractions, depth)
    assert [section for part in parts.values() for section in part] == list(range(depth))
    for name, part in parts.items():
        assert abs(len(part) - fractions[name] * depth) <= 1


def test_the_split_of_mitoem_is_exact():
    assert split_sections(NAMED_SPLITS["full"], 1000) == {
        "train": range(400),
        "val": range(400, 500),
        "test": range(500, 1000),
    }


@pytest.mark.parametrize("shares", [{"a": 0.0}, {"a": -0.5, "b": 1}, {"a": 0.5, "b": 0.6}])
def test_impossible_splits(shares):
    from fractions import Fraction

    with pytest.raises(InvalidInputError, match="expected positive shares that add up to at most 1"):
        split_sections({name: Fraction(share) for name, share in shares.items()}, 10)


def test_views_of_hdf5_keep_their_chunks(tmp_path):
    hdf5(tmp_path)
    with h5py.File(tmp_path / "EM30-H" / "im_train.h5") as file:
        assert file["main"].chunks == (1, 16, 16)
    assert open_mitoem(tmp_path)["MitoEM-H"].image("train").raw is not None
