"""A few lines of TOML describe any image with its labels."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from mitoem_copy import IMAGE, V2, png, write_h5

from mitobench.dataset import check_dataset, open_dataset, open_toml
from mitobench.errors import InvalidInputError, MitobenchError, UnknownNameError, UnusableFileError
from mitobench.types import Box

SHARED = Path(__file__).resolve().parents[2] / "shared"
EPFL = Path(os.environ.get("MITOBENCH_DATA", SHARED / "data")) / "epfl"

GOOD = """
name = "ours"

[[volumes]]
name = "one"
image = "data/im.h5::main"
labels = "data/labels.h5"
voxel_size = [30, 8, 8.5]
split = { train = 0.4, val = 0.1, test = 0.5 }
"""


@pytest.fixture
def file(tmp_path):
    write_h5(tmp_path / "data" / "im.h5", IMAGE)
    write_h5(tmp_path / "data" / "labels.h5", V2)
    path = tmp_path / "ours.toml"
    path.write_text(GOOD)
    return path


def read(volume):
    try:
        return volume.read(Box((0, 0, 0), volume.shape))
    finally:
        volume.close()


def test_paths_are_relative_to_the_file(file):
    dataset = open_dataset(file)
    volume = dataset["one"]
    assert (dataset.name, dataset.problems, volume.voxel_size) == ("ours", (), (30.0, 8.0, 8.5))
    assert volume.splits == {"train": range(4), "val": range(4, 5), "test": range(5, 10)}
    np.testing.assert_array_equal(read(volume.labels("test")), V2[5:])
    np.testing.assert_array_equal(read(volume.image("train")), IMAGE[:4])
    np.testing.assert_array_equal(read(volume.labels()), V2)


def test_absolute_paths_and_paths_upwards_are_the_users_own(file, tmp_path):
    below = tmp_path / "below" / "ours.toml"
    below.parent.mkdir()
    below.write_text(
        GOOD.replace("data/im.h5", "../data/im.h5").replace("data/labels.h5", f"{tmp_path}/data/labels.h5")
    )
    np.testing.assert_array_equal(read(open_toml(below)["one"].labels()), V2)


@pytest.mark.parametrize(
    ("line", "splits"),
    [
        ('split = "full"', {"train": range(4), "val": range(4, 5), "test": range(5, 10)}),
        ("split = { a = 0.3, b = 0.3 }", {"a": range(3), "b": range(3, 6)}),
        ("split = { a = 0.1, b = 0.1, c = 0.1, d = 0.7 }", None),
        ('role = "test"', {"test": range(10)}),
        ("", {}),
    ],
)
def test_splits_and_roles(file, line, splits):
    file.write_text(re.sub("^split.*$", line, GOOD, flags=re.MULTILINE))
    volume = open_toml(file)["one"]
    if splits is None:
        assert sum(map(len, volume.splits.values())) == 10
    else:
        assert volume.splits == splits
    if not line:
        message = (
            "one: no split 'train'; the splits are none; give the volume a split or a role in the TOML file, such as "
            'split = "full"'
        )
        with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
            volume.image("train")


def test_a_split_of_the_whole_file_holds_for_volumes_without_their_own(file):
    table = GOOD.partition("[[volumes]]")[2].replace('"one"', '"two"').replace("split =", "#")
    file.write_text('split = "full"\n' + GOOD.replace("test = 0.5", "rest = 0.5") + "[[volumes]]" + table)
    dataset = open_toml(file)
    assert [list(volume.splits) for volume in dataset.volumes] == [["train", "val", "rest"], ["train", "val", "test"]]


def test_an_image_alone_or_labels_alone(file):
    for kind, gone in (("image", "labels"), ("labels", "image")):
        file.write_text(re.sub(f"^{gone}.*$", "", GOOD, flags=re.MULTILINE))
        volume = open_toml(file)["one"]
        assert getattr(volume, kind)("train").shape == (4, 32, 40)
        with pytest.raises(InvalidInputError, match=f"^one: no {gone} w(ere|as) found; the TOML file names none$"):
            getattr(volume, gone)("train")


def test_colours_are_ids_only_when_asked_for(file, tmp_path):
    import tifffile

    colours = np.stack([V2 >> 16, V2 >> 8, V2 & 255], axis=-1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "data" / "c.tif", colours, photometric="rgb")
    text = GOOD.replace("data/labels.h5", "data/c.tif")
    file.write_text(text)
    with pytest.raises(InvalidInputError, match="a colour image"):
        open_toml(file)
    file.write_text(text + "rgb = true\n")
    np.testing.assert_array_equal(read(open_toml(file)["one"].labels()), V2)


def test_shapes_that_differ_are_a_problem(file, tmp_path):
    write_h5(tmp_path / "data" / "labels.h5", V2[1:])
    assert [str(problem) for problem in open_toml(file).problems] == [
        "one: the shapes differ: image (10, 32, 40) and labels (9, 32, 40); cut both to the same region"
    ]


def test_gaps_in_a_folder_of_sections_are_a_problem_and_warn_of_nothing(file, tmp_path):
    for number in (1, 2, 4):
        (tmp_path / "sections").mkdir(exist_ok=True)
        (tmp_path / "sections" / f"s{number}.png").write_bytes(png(V2[number]))
    file.write_text(re.sub("^image.*$", "", GOOD, flags=re.MULTILINE).replace("data/labels.h5", "sections"))
    dataset = open_toml(file)
    assert [str(problem) for problem in dataset.problems] == [
        (
            f"one: {tmp_path}/sections: sections numbered 1 to 4 without 3; the 3 there are stacked without a gap; add "
            "the missing files if this is not meant"
        )
    ]
    np.testing.assert_array_equal(read(dataset["one"].labels()), V2[[1, 2, 4]])


BAD = {
    "name = 3": (r"^name.*$", "{file}: name is 3; expected a text of one line; correct the TOML file"),
    "": (r"^name = .ours.$", "{file}: name is missing; expected a text of one line; correct the TOML file"),
    'title = "x"\nname = "x"': (r"^name = .ours.$", "{file}: unknown key 'title'; the keys are name, volumes, split"),
    'lables = "x"': (
        r"^labels.*$",
        (
            "{file}: volumes[0]: unknown key 'lables', did you mean 'labels'?; the keys are name, image, labels, "
            "voxel_size, split, role, rgb"
        ),
    ),
    "voxel_size = [30, 8]": (
        r"^voxel.*$",
        (
            "{file}: volumes[0]: voxel_size is [30, 8]; expected three positive numbers, nm along z, y, x, such as [30,"
            " 8, 8]; correct the TOML file"
        ),
    ),
    "voxel_size = [30, nan, 8]": (
        r"^voxel.*$",
        (
            "{file}: volumes[0]: voxel_size is [30, nan, 8]; expected three positive numbers, nm along z, y, x, such "
            "as [30, 8, 8]; correct the TOML file"
        ),
    ),
    'split = "half"': (
        r"^split.*$",
        (
            "{file}: volumes[0]: split is 'half'; expected \"full\", or shares such as {{ train = 0.4, val = 0.1, test "
            "= 0.5 }}; correct the TOML file"
        ),
    ),
    "split = { train = 0.8, test = 0.3 }": (
        r"^split.*$",
        (
            "{file}: volumes[0]: the split is train 0.8, test 0.3; expected positive shares that add up to at most 1; "
            "correct split"
        ),
    ),
    'role = "tests"': (
        r"^split.*$",
        ("{file}: volumes[0]: role is 'tests'; expected train, val, test, did you mean 'test'?; correct the TOML file"),
    ),
    'split = "full"\nrole = "test"': (
        r"^split.*$",
        "{file}: volumes[0]: both split and role; expected one of them; leave the other out",
    ),
    'rgb = "yes"': (
        r"^voxel.*$",
        "{file}: volumes[0]: rgb is 'yes'; expected true or false; correct the TOML file",
    ),
    "volumes = []": (
        r"(?s)\[\[volumes.*",
        "{file}: volumes is []; expected at least one table [[volumes]]; correct the TOML file",
    ),
    '[[volumes]]\nname = "x"': (
        r"(?s)\[\[volumes.*",
        "{file}: volumes[0]: neither image nor labels; expected at least one; name the file",
    ),
}


@pytest.mark.parametrize("line", BAD)
def test_what_is_wrong_is_said_in_one_line(file, line):
    pattern, message = BAD[line]
    flags = 0 if pattern.startswith("(?s)") else re.MULTILINE
    file.write_text(re.sub(pattern, line, GOOD, count=1, flags=flags))
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message.format(file=file))}$"):
        open_toml(file)


@pytest.mark.parametrize("data", [b"name = ", b"\xff\xfe", b"a = " + b"[" * 5000])
def test_what_is_no_toml(file, data):
    file.write_bytes(data)
    with pytest.raises(InvalidInputError, match=f"^{re.escape(str(file))}: not TOML \\(") as caught:
        open_toml(file)
    assert "docs/dataset.md" in str(caught.value)


def test_files_that_are_not_there(file, tmp_path):
    with pytest.raises(UnusableFileError, match=r"none.toml: cannot be read \(No such file or directory\); check the"):
        open_toml(tmp_path / "none.toml")
    file.write_text(GOOD.replace("labels.h5", "none.h5"))
    with pytest.raises(UnusableFileError, match=r"data/none.h5: does not exist; expected HDF5"):
        open_toml(file)
    file.write_text(GOOD.replace("::main", "::mian"))
    with pytest.raises(UnknownNameError, match=r"no dataset 'mian' inside, did you mean 'main'"):
        open_toml(file)
    file.write_text(GOOD + "\n#" + "x" * 2**20)
    with pytest.raises(MitobenchError, match=r"larger than 1,048,576 bytes"):
        open_toml(file)


def test_two_volumes_of_one_name(file):
    file.write_text(GOOD + GOOD.partition('name = "ours"')[2])
    with pytest.raises(InvalidInputError, match=r"two volumes are called 'one'; give each its own name$"):
        open_toml(file)


def test_an_image_of_several_channels_is_refused(file, tmp_path):
    write_h5(tmp_path / "data" / "im.h5", np.stack([IMAGE, IMAGE]))
    with pytest.raises(
        InvalidInputError, match=r"im.h5::main: an image of 2 channels; expected one of shape \(z, y, x\)"
    ):
        open_toml(file)


def epfl(tmp_path, labels="label"):
    path = EPFL / "testing_aniso10x10x30nm.h5"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there: set MITOBENCH_DATA to the folder of shared files")
    file = tmp_path / "epfl.toml"
    labels = f"{path}::{labels}" if labels == "label" else labels
    file.write_text(
        f'name = "EPFL hippocampus"\n[[volumes]]\nname = "testing"\nimage = "{path}::image"\nlabels = "{labels}"\n'
        'voxel_size = [30, 10, 10]\nsplit = "full"\n'
    )
    return file, path


def test_real_data(tmp_path):
    file, _ = epfl(tmp_path)
    report = check_dataset(open_dataset(file), deep=True)
    assert report.problems == ()
    [count] = report.counts
    assert (count.instances, count.buckets) == (35, {"small": 13, "medium": 16, "large": 6})
    volume = open_dataset(file)["testing"]
    assert [volume.labels(split).shape[0] for split in volume.splits] == [11, 3, 14]


@pytest.mark.parametrize("shift", [(1, 0, 0), (0, 7, -12), (-2, 20, 0)])
def test_real_labels_that_were_shifted_are_noticed(tmp_path, shift):
    import h5py

    file, path = epfl(tmp_path, "shifted.npy")
    with h5py.File(path) as data:
        np.save(tmp_path / "shifted.npy", np.roll(data["label"][:], shift, (0, 1, 2)))
    [problem] = check_dataset(open_dataset(file)).problems
    z, y, x = (-n for n in shift)
    assert problem.what == (
        f"the borders of the labels fit the image best {z:+d} sections, {y:+d} rows and {x:+d} columns away"
    )
