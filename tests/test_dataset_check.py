"""What ``mitobench dataset check`` finds, prints and refuses."""

import json
import os
import re

import numpy as np
import pytest
from mitoem_copy import (
    IMAGE,
    SHAPE,
    V2,
    folders,
    image_members,
    label_members,
    png,
    tif,
    write_folder,
    write_h5,
    write_zip,
    zips,
)
from scipy import ndimage

from mitobench.cli import main
from mitobench.dataset import check_dataset, open_dataset, open_mitoem


def run(capsys, *arguments):
    try:
        code = main(["dataset", "check", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def new_problems(dataset, **options):
    """Return the problems that names alone do not show."""
    return [str(problem) for problem in check_dataset(dataset, **options).problems[len(dataset.problems) :]]


def described(tmp_path, image=IMAGE, labels=V2):
    """Write a data set of one volume and return its TOML file."""
    write_h5(tmp_path / "im.h5", image)
    write_h5(tmp_path / "labels.h5", labels)
    file = tmp_path / "ours.toml"
    file.write_text('name = "ours"\n[[volumes]]\nname = "one"\nimage = "im.h5"\nlabels = "labels.h5"\nsplit = "full"\n')
    return file


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("layout", [zips, folders])
def test_a_good_copy_has_no_other_problem(tmp_path, layout, deep):
    layout(tmp_path)
    report = check_dataset(open_mitoem(tmp_path), deep=deep, workers=2)
    assert [problem.kind for problem in report.problems] == ["wrong-shape"] * 2
    counts = [(count.volume, count.sections, count.instances, count.smallest) for count in report.counts]
    expected = [("MitoEM-H", (0, 3), 2, 352), ("MitoEM-H", (4, 4), 2, 160)]
    assert counts[: len(counts) // 2] == (expected if deep else [])


def test_truncated_and_differing_sections_are_found_in_their_headers(tmp_path):
    folders(tmp_path)
    folder = tmp_path / "MitoEM-H"
    for name in ("im/im0003.png", "mito-train-v2/seg0001.tif"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) * 2 // 3])
    (folder / "im/im0004.png").write_bytes(png(IMAGE[4, :30]))
    (folder / "im/im0005.png").write_bytes(b"")
    (folder / "mito-train-v2/seg0002.tif").write_bytes(tif(V2[2].astype(np.int32)))
    found = new_problems(open_mitoem(tmp_path))
    sizes = {name: (folder / name).stat().st_size for name in ("im/im0003.png", "mito-train-v2/seg0001.tif")}
    assert len(found) == 5
    assert found[0] == (
        f"MitoEM-H image: {folder}/im/im0003.png: the file is truncated ({sizes['im/im0003.png']} bytes are there); "
        "copy it again"
    )
    assert found[1] == (
        f"MitoEM-H image: {folder}/im/im0004.png: shape (30, 40) and type uint8; the first section has (32, 40) and "
        "uint8; replace the one that is wrong"
    )
    assert "im0005.png: not a PNG file; expected a section" in found[2]
    assert "seg0001.tif: " in found[3]
    assert "seg0002.tif: shape (32, 40) and type int32; the first section has (32, 40) and uint16" in found[4]


def test_a_section_that_claims_to_be_huge_is_refused_before_it_is_decoded(tmp_path):
    folders(tmp_path)
    path = tmp_path / "MitoEM-H/im/im0000.png"
    data = path.read_bytes()
    path.write_bytes(data[:16] + (200_000).to_bytes(4, "big") * 2 + data[24:])
    [problem] = [str(problem) for problem in open_mitoem(tmp_path).problems if problem.kind == "damaged"]
    assert problem == (
        f"MitoEM-H: {path}: a section of shape (200000, 200000), 40,000,000,000 bytes; expected at most 4,294,967,296; "
        "it is probably damaged, or else write the volume as chunked HDF5"
    )


def test_many_damaged_sections_are_counted(tmp_path):
    write_folder(tmp_path / "EM30-H", {f"im/im{z:04}.png": png(IMAGE[0]) for z in range(30)} | label_members())
    for z in range(1, 30):
        (tmp_path / f"EM30-H/im/im{z:04}.png").write_bytes(b"")
    found = new_problems(open_mitoem(tmp_path))
    assert len(found) == 11
    assert found[-1] == (
        "MitoEM-H image: 19 more files are damaged or of another shape or type; download or unpack all of them again"
    )


@pytest.mark.parametrize("layout", [zips, folders])
def test_damage_inside_of_a_section_is_found_only_by_reading_it(tmp_path, layout):
    layout(tmp_path)
    members = image_members()
    data = bytearray(members["im/im0003.png"])
    data[200:260] = bytes(60)
    members["im/im0003.png"] = bytes(data)
    if layout is zips:
        write_zip(tmp_path / "EM30-H-im.zip", members)
    else:
        write_folder(tmp_path / "MitoEM-H", members)
    dataset = open_mitoem(tmp_path)
    assert new_problems(dataset) == []
    [problem] = new_problems(dataset, deep=True)
    assert re.match(
        r"MitoEM-H image: .*im0003.png: cannot read this section \(.*; check that the file is whole", problem
    )


@pytest.mark.parametrize("deep", [False, True])
def test_labels_that_are_no_labels(tmp_path, deep):
    empty = open_dataset(described(tmp_path, labels=np.zeros_like(V2)))
    assert new_problems(empty, deep=deep) == [
        "one labels: no instance in the sections looked at (0, 4, 9); check that these are the labels"
    ]
    signed = V2.astype(np.int32)
    signed[4, 0, 0] = -5
    assert new_problems(open_dataset(described(tmp_path, labels=signed)), deep=deep) == [
        (
            "one labels: negative ids (such as -5) in the sections looked at (0, 4, 9); expected 0 and positive ids; "
            "set the negative voxels to 0"
        )
    ]


def test_negative_ids_anywhere_are_found_by_a_deep_check(tmp_path):
    signed = V2.astype(np.int32)
    signed[6, 0, 0] = -5
    dataset = open_dataset(described(tmp_path, labels=signed))
    assert new_problems(dataset) == []
    assert new_problems(dataset, deep=True) == [
        (
            f"one labels: {tmp_path}/labels.h5: holds negative ids (such as -5); ids must be 0 for background and "
            "positive for instances; set the negative voxels to 0"
        )
    ]


def test_an_image_of_one_grey_value(tmp_path):
    assert new_problems(open_dataset(described(tmp_path, image=np.full_like(IMAGE, 7)))) == [
        "one image: one grey value in each of the sections looked at (0, 4, 9); check that this is the image"
    ]


def cells(shift=(0, 0, 0)):
    """Return an image with dark membranes around blobs, and labels of the blobs that are shifted against it."""
    noise = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(12, 160, 160)), (1.5, 6, 6))
    labels, _ = ndimage.label(noise > 1.2 * noise.std())
    rim = (labels > 0) & (ndimage.minimum_filter(labels, (1, 3, 3)) == 0)
    image = 150 - 80 * rim + np.random.default_rng(3).normal(0, 15, labels.shape)
    return image.astype(np.uint8), np.roll(labels, shift, (0, 1, 2)).astype(np.uint16)


@pytest.mark.parametrize("shift", [(1, 0, 0), (0, 9, 0), (0, -5, 14)])
def test_labels_shifted_against_their_image(tmp_path, shift):
    image, labels = cells(shift)
    z, y, x = (-n for n in shift)
    assert new_problems(open_dataset(described(tmp_path, image, labels))) == [
        (
            f"one labels: the borders of the labels fit the image best {z:+d} sections, {y:+d} rows and {x:+d} columns "
            "away; check that image and labels are of one volume"
        )
    ]


def test_labels_in_their_place_and_labels_without_membranes_are_left_alone(tmp_path):
    image, labels = cells()
    assert new_problems(open_dataset(described(tmp_path, image, labels))) == []
    noise = np.random.default_rng(0).integers(0, 256, image.shape).astype(np.uint8)
    assert new_problems(open_dataset(described(tmp_path, noise, np.roll(labels, 9, 1)))) == []


def test_a_volume_with_missing_sections_is_still_read(tmp_path):
    folders(tmp_path)
    (tmp_path / "MitoEM-H/im/im0002.png").unlink()
    (tmp_path / "MitoEM-H/mito-train-v2/seg0002.tif").unlink()
    dataset = open_mitoem(tmp_path)
    report = check_dataset(dataset, deep=True)
    assert report.problems == dataset.problems
    assert [(count.volume, count.sections) for count in report.counts][:2] == [
        ("MitoEM-H", (4, 4)),
        ("MitoEM-R", (0, 3)),
    ]
    assert report.notes == (
        f"{tmp_path}/MitoEM-H/mito-train-v2: instances are not counted, since sections are missing",
    )


@pytest.mark.parametrize("image", [IMAGE[:, :30], IMAGE[1:], np.full(SHAPE, np.nan, np.float32)])
def test_images_that_no_labels_can_be_compared_with(tmp_path, image):
    image = np.repeat(np.repeat(image, 4, 1), 4, 2)
    dataset = open_dataset(described(tmp_path, image, np.repeat(np.repeat(V2, 4, 1), 4, 2)))
    assert new_problems(dataset) == []


def test_progress_of_a_deep_check_ends_at_all_voxels(tmp_path):
    seen = []
    check_dataset(open_dataset(described(tmp_path)), deep=True, progress=lambda *at: seen.append(at))
    assert seen[-1] == (2 * IMAGE.size, 2 * IMAGE.size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_good_data_set_is_printed_and_exits_0(tmp_path, capsys, monkeypatch):
    described(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "ours.toml")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "one: 10 x 32 x 40 voxels, unknown voxel size",
        "  image   0-9  uint8   HDF5  im.h5",
        "  labels  0-9  uint16  HDF5  labels.h5",
        "  splits: train 0-3, val 4-4, test 5-9",
        "",
        "no problems (headers and a few sections were read; --deep reads every voxel)",
    ]


def test_a_deep_check_prints_instances(tmp_path, capsys):
    code, out, _ = run(capsys, described(tmp_path), "--deep", "--workers", "1", "--memory", "50MB")
    assert code == 0
    assert out.splitlines()[5:7] == [
        "Labels  Sections  Instances  Small  Medium  Large  Voxels of the smallest, largest",
        "one     0-9       2          2      0       0      880, 1,600",
    ]


def test_problems_are_listed_and_exit_2_with_one_line(tmp_path, capsys):
    folders(tmp_path)
    (tmp_path / "MitoEM-R/im/im0002.png").unlink()
    code, out, err = run(capsys, tmp_path, "--json", tmp_path / "r.json")
    assert code == 2
    assert err == f"mitobench: error: {tmp_path}: 3 problems, each in a line above\n"
    assert sum(line.startswith("problem: MitoEM-") for line in out.splitlines()) == 3
    assert "  splits: train 0-3, val 4-4, test 5-9 (labels are private)" in out
    report = json.loads((tmp_path / "r.json").read_text())
    assert [problem["kind"] for problem in report["problems"]] == ["wrong-shape", "missing-sections", "wrong-shape"]
    assert report["volumes"][0]["shape"] == list(SHAPE)


def test_too_little_memory_is_no_problem_of_the_data(tmp_path, capsys):
    code, _, err = run(capsys, described(tmp_path), "--deep", "--memory", "100")
    assert code == 2
    assert err.startswith("mitobench: error: one chunk of each volume needs 2,560 bytes, more than the memory limit")


def test_json_can_be_printed_instead(tmp_path, capsys):
    code, out, err = run(capsys, described(tmp_path), "--deep", "--json", "-")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["deep"], report["instances"][0]["instances"], report["problems"]) == (True, 2, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "none: does not exist; expected the folder that holds MitoEM; check the path"),
        (["."], ".: nothing of MitoEM found here or up to four folders below; expected EM30-H-im.zip"),
        (["none.toml"], "none.toml: cannot be read (No such file or directory); check the path"),
        ([".", "--json", "none/r.json"], "cannot write none/r.json: the folder none does not exist; create it first"),
    ],
)
def test_a_root_that_cannot_be_used(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"mitobench: error: {message}")
    assert err.count("\n") == 1


def test_names_of_files_cannot_steer_the_terminal(tmp_path, capsys):
    write_folder(tmp_path / "EM30-H\x1b[2J", image_members() | label_members())
    code, out, err = run(capsys, tmp_path)
    assert code == 2
    assert "\x1b" not in out + err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read(tmp_path, capsys):
    folders(tmp_path)
    (tmp_path / "MitoEM-H" / "im").chmod(0)
    code, _, err = run(capsys, tmp_path)
    (tmp_path / "MitoEM-H" / "im").chmod(0o755)
    assert code == 2
    assert "im: cannot be listed (PermissionError" in err
