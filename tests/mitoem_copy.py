"""Write small copies of MitoEM, 10 x 32 x 40 voxels, in every published layout."""

import io
import json
import zipfile

import h5py
import imagecodecs
import numpy as np
import tifffile

SHAPE = (10, 32, 40)
SPLITS = {"train": range(4), "val": range(4, 5), "test": range(5, 10)}
IMAGE = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
V2 = np.zeros(SHAPE, np.uint16)
V2[:, 4:12, 5:25], V2[2:7, 20:28, 8:30] = 300, 7
V1 = V2.copy()
V1[0, 30, 30] = 9


def png(section):
    return imagecodecs.png_encode(np.ascontiguousarray(section))


def tif(section):
    file = io.BytesIO()
    tifffile.imwrite(file, section, compression="zlib", photometric="rgb" if section.ndim > 2 else "minisblack")
    return file.getvalue()


def image_members(image=IMAGE):
    return {f"im/im{z:04}.png": png(section) for z, section in enumerate(image)}


def label_members(annotation="v2", splits=("train", "val")):
    pattern, labels = ("mito-{}-v2", V2) if annotation == "v2" else ("mito_{}", V1)
    return {f"{pattern.format(s)}/seg{z:04}.tif": tif(labels[z]) for s in splits for z in SPLITS[s]}


def write_folder(folder, members):
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_zip(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)


def write_h5(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("main", data=array, **options)


def zips(root):
    for tissue in "HR":
        write_zip(root / f"EM30-{tissue}-im.zip", image_members())
        write_zip(root / f"EM30-{tissue}-mito-train-val-v2.zip", label_members())


def zips_v1(root):
    for tissue in "HR":
        write_zip(root / f"EM30-{tissue}-im.zip", image_members())
        write_zip(root / f"EM30-{tissue}-mito-train-val.zip", label_members("v1"))


def folders(root):
    for tissue in "HR":
        write_folder(root / f"MitoEM-{tissue}", image_members() | label_members())


def folders_v1(root):
    for tissue in "HR":
        write_folder(root / f"EM30-{tissue}", image_members() | label_members("v1"))


def nested_folders(root):
    for tissue in "HR":
        write_folder(root / "data" / f"EM30-{tissue}-im", image_members())
        write_folder(root / "data" / f"EM30-{tissue}-mito-train-val-v2", label_members())


def hdf5(root):
    for tissue in "HR":
        for split, sections in SPLITS.items():
            at = slice(sections.start, sections.stop)
            write_h5(root / f"EM30-{tissue}" / f"im_{split}.h5", IMAGE[at], chunks=(1, 16, 16), compression="gzip")
            if split != "test":
                write_h5(root / f"EM30-{tissue}" / f"mito_{split}-v2.h5", V2[at], chunks=(1, 16, 16))


def tiles(root):
    """Sections of 2 x 3 tiles of 16 voxels, described with paths of another laboratory."""
    for tissue in "HR":
        folder = root / f"EM30-{tissue}"
        write_folder(folder, _cut(IMAGE, "im", png) | _cut(V2[:5], "mito", tif))
        for split, sections in SPLITS.items():
            _describe(folder / f"im_{split}.json", "im", "png", sections)
            if split != "test":
                _describe(folder / f"mito_{split}-v2.json", "mito", "tif", sections)


def _cut(array, name, encode):
    return {
        f"{name}/{z:04}/{y // 16 + 1}_{x // 16 + 1:02}.{'png' if encode is png else 'tif'}": encode(
            section[y : y + 16, x : x + 16]
        )
        for z, section in enumerate(array)
        for y in range(0, 32, 16)
        for x in range(0, 40, 16)
    }


def _describe(path, name, suffix, sections):
    facts = {
        "image": [f"/lab/EM30/{name}/{z:04}/{{row}}_{{column:02d}}.{suffix}" for z in sections],
        "depth": len(sections),
        "height": 32,
        "width": 40,
        "dtype": "uint8",
        "ndim": 1,
        "tile_size": 16,
        "tile_st": [1, 1],
        "tile_ratio": 1,
    }
    path.write_text(json.dumps(facts))


LAYOUTS = {
    "zips": (zips, "v2"),
    "zips v1": (zips_v1, "v1"),
    "folders": (folders, "v2"),
    "folders v1": (folders_v1, "v1"),
    "nested folders": (nested_folders, "v2"),
    "HDF5": (hdf5, "v2"),
    "tiles": (tiles, "v2"),
}
