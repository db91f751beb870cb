"""What neuroglancer shows, as the JSON of its state: layers, layout and where it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitobench.view._mistakes import SIDES, VERDICT_COLOURS, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mitobench.types import Shape
    from mitobench.view._scene import VoxelSize

__all__ = ["ERRORS", "ImageLayer", "first_state", "view_of"]

ERRORS = "errors"
"""Name of the layer of points that is the list of errors."""

_LIST, _TABS = "segments", ("rendering", "source")
_OTHER_COLOUR = "#ffffff"
_PANEL_PIXELS = 400
_ROOM = 3
"""The view is so many times as wide as the error in its middle."""


@dataclass(frozen=True)
class ImageLayer:
    """Where one channel comes from, and the grey values drawn as black and as white."""

    name: str
    source: str
    contrast: tuple[float, float]


def first_state(
    *,
    shape: Shape,
    voxel_size: VoxelSize,
    images: Sequence[ImageLayer],
    labels: Mapping[str, Sequence[str]],
    errors: Sequence[Mistake],
    first: Mistake | None,
) -> dict[str, Any]:
    """Return the state that the viewer starts with.

    Parameters
    ----------
    shape, voxel_size
        Along (z, y, x), in voxels and nm.
    images
        Of the channels the first is visible.
    labels
        ``gt`` and ``pred`` -> URLs of the volume and of its segment properties.
    errors
        What the list holds, in its order.
    first
        Where it begins.
    """
    dimensions = {name: [size / 1e9, "m"] for name, size in zip("xyz", voxel_size[::-1], strict=True)}
    whole: dict[str, Any] = {
        "position": [n / 2 for n in shape[::-1]],
        "crossSectionScale": max(1.0, max(shape[1:]) / _PANEL_PIXELS),
        "projectionScale": float(max(shape)),
        "segments": {name: [] for name in SIDES.values()},
    }
    view = view_of(first, voxel_size) if first else whole
    segments = view.pop("segments")
    layers = [_image_layer(image, visible=image is images[0]) for image in images]
    layers += [_label_layer(side, labels[side], segments[name]) for side, name in SIDES.items()]
    return {
        "title": "mitobench",
        "dimensions": dimensions,
        **view,
        "showSlices": False,
        "layers": [*layers, _error_layer(errors, dimensions)],
        "layout": _layout([image.name for image in images]),
        "selectedLayer": {"layer": ERRORS, "visible": True, "size": 340},
    }


def view_of(mistake: Mistake, voxel_size: VoxelSize) -> dict[str, Any]:
    """Return the parts of the state that bring a mistake into the middle, and the segments to pick out by layer."""
    extent = [n * size / min(voxel_size) for n, size in zip(mistake.box.shape, voxel_size, strict=True)]
    return {
        "position": _point(mistake),
        "crossSectionScale": min(max(_ROOM * max(extent[1:]) / _PANEL_PIXELS, 0.25), 8.0),
        "projectionScale": _ROOM * max(extent),
        "segments": {name: [str(own) for own in getattr(mistake, side)] for side, name in SIDES.items()},
    }


def _image_layer(image: ImageLayer, *, visible: bool) -> dict[str, Any]:
    return {
        "type": "image",
        "name": image.name,
        "source": image.source,
        "opacity": 1,
        "shaderControls": {"normalized": {"range": list(image.contrast)}},
        "visible": visible,
    }


def _label_layer(side: str, sources: Sequence[str], segments: Sequence[str]) -> dict[str, Any]:
    row = list(SIDES).index(side)
    return {
        "type": "segmentation",
        "name": SIDES[side],
        "source": list(sources),
        "segments": list(segments),
        "segmentQuery": ">size",
        "selectedAlpha": 0.4,
        "notSelectedAlpha": 0.15,
        "ignoreNullVisibleSet": False,
        "panels": [{"side": "left", "row": row, "size": 260, "visible": True, "tab": _LIST, "tabs": [_LIST, *_TABS]}],
    }


def _error_layer(errors: Sequence[Mistake], dimensions: Mapping[str, Any]) -> dict[str, Any]:
    verdicts = sorted({mistake.verdict for mistake in errors})
    buckets = sorted({mistake.bucket for mistake in errors})
    return {
        "type": "annotation",
        "name": ERRORS,
        "source": {"url": "local://annotations", "transform": {"outputDimensions": dict(dimensions)}},
        "tab": "annotations",
        "annotationProperties": [
            _enumeration("verdict", verdicts),
            _enumeration("bucket", buckets),
            {"id": "size", "type": "uint32", "description": "voxels"},
            {"id": "iou", "type": "float32", "description": "with the best partner"},
        ],
        "annotationRelationships": list(SIDES.values()),
        "linkedSegmentationLayer": {name: name for name in SIDES.values()},
        "shader": _shader(verdicts),
        "annotations": [_annotation(mistake, verdicts, buckets) for mistake in errors],
    }


def _enumeration(name: str, labels: Sequence[str]) -> dict[str, Any]:
    return {"id": name, "type": "uint8", "enum_values": list(range(len(labels))), "enum_labels": list(labels)}


def _annotation(mistake: Mistake, verdicts: Sequence[str], buckets: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "point",
        "id": mistake.name,
        "point": _point(mistake),
        "description": mistake.text,
        "segments": [[str(own) for own in mistake.gt], [str(own) for own in mistake.pred]],
        "props": [
            verdicts.index(mistake.verdict),
            buckets.index(mistake.bucket),
            min(mistake.size, 2**32 - 1),
            mistake.iou,
        ],
    }


def _point(mistake: Mistake) -> list[float]:
    """Return (x, y, z) as neuroglancer counts: the middle of the first voxel is 0.5."""
    return [coordinate + 0.5 for coordinate in mistake.centre[::-1]]


def _shader(verdicts: Sequence[str]) -> str:
    """Return a program that draws each point in the colour of its verdict."""
    colours = [VERDICT_COLOURS.get(verdict, _OTHER_COLOUR) for verdict in verdicts] or [_OTHER_COLOUR]
    vectors = ", ".join(
        "vec3({:.3f}, {:.3f}, {:.3f})".format(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5))) for c in colours
    )
    return (
        "void main() {\n"
        f"  vec3 colours[{len(colours)}] = vec3[{len(colours)}]({vectors});\n"
        "  setColor(colours[int(prop_verdict())]);\n"
        "  setPointMarkerSize(7.0);\n"
        "}\n"
    )


def _layout(images: Sequence[str]) -> dict[str, Any]:
    """Return one column for each side: a section above, surfaces below."""

    def panel(side: str, kind: str) -> dict[str, Any]:
        return {"type": "viewer", "layers": [*images, SIDES[side], ERRORS], "layout": kind}

    rows = [{"type": "row", "children": [panel(side, kind) for side in SIDES]} for kind in ("xy", "3d")]
    return {"type": "column", "children": rows}
