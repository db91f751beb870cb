"""What the names on disk mean, in every published layout of MitoEM. Nothing here touches a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Form", "Role", "is_mitoem_zip", "role_of_file", "role_of_folder", "section_number", "tissue_of"]

Form = Literal["HDF5", "sections", "zip", "tiles"]

_TISSUE = re.compile(r"(?:EM30|MitoEM)[-_]?([HR])(?![A-Za-z])", re.IGNORECASE)
_ZIP = re.compile(r".*(?:EM30|MitoEM)[-_]?[HR][-_](?:im|mito)(?![A-Za-z]).*\.zip", re.IGNORECASE)
_CROP = re.compile(r"mitoem_([HR])_train_4um_(im|seg)", re.IGNORECASE)
_IMAGE = re.compile(r"im(?:[-_](?P<split>train|val|test))?(?P<padded>[-_]pad)?", re.IGNORECASE)
_LABELS = re.compile(r"mito[-_](?P<split>train|val|test)(?:[-_]v(?P<version>[12]))?", re.IGNORECASE)
_PADDED = re.compile(r"[-_]pad(?![A-Za-z])", re.IGNORECASE)
_SECTION = re.compile(r"\D*([0-9]{1,9})\.(?:png|tiff?)", re.IGNORECASE)
_FILE_FORMS: dict[str, Form] = {".h5": "HDF5", ".hdf5": "HDF5", ".json": "tiles"}


@dataclass(frozen=True)
class Role:
    """What one folder or file is for.

    Attributes
    ----------
    tissue
        ``H`` or ``R``; None where no name says so.
    kind
        Image or labels.
    split
        Which part of the volume it holds; None for the whole.
    annotation
        Version of the labels, ``v1`` or ``v2``; None for an image.
    form
        How the voxels are stored.
    crop
        Whether it is the small public crop of the training sections.
    padded
        Whether its name says that it is the padded variant.
    """

    tissue: str | None
    kind: Literal["image", "labels"]
    split: str | None
    annotation: str | None
    form: Form
    crop: bool = False
    padded: bool = False


def tissue_of(parts: Sequence[str]) -> str | None:
    """Return the tissue that the innermost of these names speaks of.

    Examples
    --------
    >>> tissue_of(["MitoEM-R", "im"]), tissue_of(["EM30-H-mito-train-val-v2.zip", "mito-val-v2"]), tissue_of(["im"])
    ('R', 'H', None)
    """
    for part in reversed(parts):
        if found := _TISSUE.search(part):
            return found[1].upper()
    return None


def is_mitoem_zip(name: str) -> bool:
    """Tell the zip files of MitoEM from those of other data sets on the same tissue.

    Examples
    --------
    >>> is_mitoem_zip("EM30-R-im.zip"), is_mitoem_zip("EM30-H-train-9vol-pad-20-512-512.zip")
    (True, False)
    """
    return bool(_ZIP.fullmatch(name))


def role_of_folder(parts: Sequence[str], *, form: Form = "sections") -> Role | None:
    """Return what a folder of sections is for, by its path inside the data set, zip files being folders.

    Examples
    --------
    >>> role_of_folder(["EM30-H", "mito-val-v2"])  # doctest: +NORMALIZE_WHITESPACE
    Role(tissue='H', kind='labels', split='val', annotation='v2', form='sections', crop=False, padded=False)
    >>> role_of_folder(["EM30-R", "mito_train"]).annotation, role_of_folder(["EM30-R", "notes"])
    ('v1', None)
    """
    if not parts:
        return None
    if (found := _IMAGE.fullmatch(parts[-1])) and not found["split"]:
        padded = any(map(_PADDED.search, parts))
        return Role(tissue_of(parts), "image", None, None, form, padded=padded)
    if found := _LABELS.fullmatch(parts[-1]):
        return _labels(parts, found, form)
    return None


def role_of_file(parts: Sequence[str]) -> Role | None:
    """Return what an HDF5 or JSON file is for, by its path inside the data set.

    Examples
    --------
    >>> role_of_file(["EM30-R", "im_test.h5"]).split, role_of_file(["EM30-R", "mito_train-v2.h5"]).annotation
    ('test', 'v2')
    >>> role_of_file(["mitoem_R_train_4um_seg.h5"]).crop, role_of_file(["EM30-R", "predictions.h5"])
    (True, None)
    """
    stem, dot, suffix = parts[-1].rpartition(".")
    form = _FILE_FORMS.get((dot + suffix).lower())
    if form is None:
        return None
    if found := _CROP.fullmatch(stem):
        tissue, image = found[1].upper(), found[2].lower() == "im"
        return Role(tissue, "image" if image else "labels", None, None if image else "v2", form, crop=True)
    if (found := _IMAGE.fullmatch(stem)) and found["split"]:
        return Role(tissue_of(parts), "image", found["split"].lower(), None, form)
    if found := _LABELS.fullmatch(stem):
        return _labels(parts, found, form)
    return None


def section_number(name: str) -> int | None:
    """Return the number of a section, or None for a file that is no section.

    Examples
    --------
    >>> section_number("im0007.png"), section_number("seg0400.tif"), section_number("._im0007.png.txt")
    (7, 400, None)
    """
    found = None if name.startswith(".") else _SECTION.fullmatch(name)
    return int(found[1]) if found else None


def _labels(parts: Sequence[str], found: re.Match[str], form: Form) -> Role:
    return Role(tissue_of(parts), "labels", found["split"].lower(), f"v{found['version'] or 1}", form)
