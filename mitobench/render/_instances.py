"""The table of instances as compact data for the page's script."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mitobench.render.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mitobench.pictures import Picture
    from mitobench.report import Report

__all__ = ["instance_data"]

_EXACT = 2**53
"""Integers above this are no numbers to a browser."""
_IDS = {"id", "partner"}
_HIDDEN = {"z0", "z1", "y0", "y1", "x0", "x1", "association_group"}
"""Only in the file that the page saves."""
_DIGITS = {"iou": 3, "z": 1, "y": 1, "x": 1, "cable_length": 0}
_LABELS = {
    "id": "ID",
    "size": "Voxels",
    "bucket": "Size",
    "iou": "IoU",
    "partner": "Partner",
    "partners": "Partners",
    "verdict": "Verdict",
    "association": "Association",
    "cable_length": "Cable (nm)",
}
_FIRST = ("id", "verdict", "size", "bucket", "iou", "partner", "partners")


def instance_data(report: Report, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return the columns, and the values of each volume and side by column.

    A text column is its distinct texts and their positions, a column of numbers its rounded numbers; integers that a
    browser cannot hold are texts. Rows with a picture are named by (table, row, number of the picture).
    """
    tables = [
        (volume.name, side, columns)
        for volume in report.volumes
        for side, columns in volume.instances.items()
        if columns.get("id")
    ]
    names = _names(columns for *_, columns in tables)
    return {
        "columns": [_column(name, [columns.get(name, ()) for *_, columns in tables]) for name in names],
        "tables": [
            {"volume": visible(volume), "side": side, "data": [_values(name, columns) for name in names]}
            for volume, side, columns in tables
        ],
        "pictures": _pictures(tables, pictures),
    }


def _names(tables: Iterable[Mapping[str, Any]]) -> list[str]:
    known = dict.fromkeys(name for columns in tables for name in columns)
    return [*(name for name in _FIRST if name in known), *(name for name in known if name not in _FIRST)]


def _column(name: str, parts: Sequence[Sequence[Any]]) -> dict[str, Any]:
    kind = "id" if name in _IDS else "number" if all(map(_is_numeric, parts)) else "text"
    column = {"name": visible(name), "label": _LABELS.get(name, visible(name)), "kind": kind}
    return column | {"digits": _DIGITS.get(name), "hidden": name in _HIDDEN}


def _is_numeric(values: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, int | float) for value in values)


def _values(name: str, columns: Mapping[str, Sequence[Any]]) -> Any:  # noqa: ANN401
    values = columns.get(name)
    if values is None:
        return None
    if _is_numeric(values):
        digits = _DIGITS.get(name, 3)
        return [_plain(value, digits) for value in values]
    written = ["" if value is None else visible(str(value)) for value in values]
    position = {text: k for k, text in enumerate(sorted(set(written)))}
    return {"texts": list(position), "index": [position[text] for text in written]}


def _plain(value: Any, digits: int) -> float | str | None:  # noqa: ANN401 - mypy takes float for int too
    if isinstance(value, float):
        return (round(value, digits) if digits else round(value)) if math.isfinite(value) else None
    plain: int | str | None = str(value) if value is not None and abs(value) >= _EXACT else value
    return plain


def _pictures(tables: Sequence[tuple[str, str, Mapping[str, Any]]], pictures: Sequence[Picture]) -> list[list[int]]:
    place = {(picture.volume, picture.side, picture.id): number for number, picture in enumerate(pictures)}
    return [
        [table, row, place[volume, side, label]]
        for table, (volume, side, columns) in enumerate(tables)
        for row, label in enumerate(columns["id"])
        if (volume, side, label) in place
    ]
