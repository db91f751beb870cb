"""What neuroglancer's list of segments knows of each instance, in the precomputed format that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitobench.report import Columns

__all__ = ["segment_properties"]

_TAGGED = ("verdict", "bucket")
_LARGEST = 2**32


def segment_properties(columns: Columns) -> dict[str, Any]:
    """Return the properties by which the list can be searched and sorted: ``#missed #small``, ``iou<0.5``, ``>size``.

    Parameters
    ----------
    columns
        One side of a report's instances.

    Returns
    -------
    dict
        JSON of type ``neuroglancer_segment_properties``: tags for verdict and bucket, numbers for size and IoU.

    Examples
    --------
    >>> columns = {"id": [4, 9], "verdict": ["missed", "matched"], "bucket": ["small"] * 2}
    >>> columns |= {"size": [3, 7], "iou": [0.0, 1.0]}
    >>> tags, size, iou = segment_properties(columns)["inline"]["properties"]
    >>> tags["tags"], tags["values"]
    (['matched', 'missed', 'small'], [[1, 2], [0, 2]])
    """
    tags = sorted({tag for name in _TAGGED for tag in columns[name]})
    number = {tag: position for position, tag in enumerate(tags)}
    size_type = "uint32" if max(columns["size"], default=0) < _LARGEST else "float32"
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {
            # Ids are text because numbers in JSON are floats to the browser.
            "ids": [str(own) for own in columns["id"]],
            "properties": [
                {
                    "id": "tags",
                    "type": "tags",
                    "tags": tags,
                    "values": [
                        sorted(number[tag] for tag in row)
                        for row in zip(*(columns[name] for name in _TAGGED), strict=True)
                    ],
                },
                _numbers("size", size_type, "voxels", columns),
                _numbers("iou", "float32", "with the best partner", columns),
            ],
        },
    }


def _numbers(name: str, data_type: str, description: str, columns: Columns) -> dict[str, Any]:
    return {
        "id": name,
        "type": "number",
        "data_type": data_type,
        "description": description,
        "values": list(columns[name]),
    }
