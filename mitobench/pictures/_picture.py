"""The picture of one instance as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SIDES", "Outline", "Picture", "Section"]

SIDES = {"gt": "ground truth", "pred": "prediction"}
"""How each side is called."""


@dataclass(frozen=True)
class Outline:
    """The outline of one instance in one section.

    Attributes
    ----------
    side
        ``gt`` or ``pred``.
    id
        On its side.
    role
        ``focus`` for the instance that the picture is of, ``partner`` for those of the other side that share a voxel of
        these sections with it, ``other`` for all others.
    path
        SVG path data along the edges of the pixels, one closed loop for each border, to be filled by even-odd.
    """

    side: str
    id: int
    role: str
    path: str


@dataclass(frozen=True)
class Section:
    """One section of a picture.

    Attributes
    ----------
    z
        Its number in the volume.
    png
        The image in grey, one pixel of the file for each pixel of the picture; None without an image.
    outlines
        Everything labelled, the focus last.
    """

    z: int
    png: bytes | None
    outlines: tuple[Outline, ...]


@dataclass(frozen=True)
class Picture:
    """Three sections around one instance.

    Attributes
    ----------
    volume
        Name of the volume in the report.
    side, id
        The instance.
    verdict, size, bucket, partner, iou, partners
        Of it, as the report has them.
    corner
        Voxel (y, x) of the upper left corner.
    height, width
        Pixels.
    stride
        Voxels along the edge of a pixel: more than 1 where the instance is large.
    pixel_size
        Edge lengths (y, x) of a pixel in nm.
    whole
        Whether the picture holds all that its sections have of the instance.
    sections
        By ascending z.
    """

    volume: str
    side: str
    id: int
    verdict: str
    size: int
    bucket: str
    partner: int | None
    iou: float
    partners: int
    corner: tuple[int, int]
    height: int
    width: int
    stride: int
    pixel_size: tuple[float, float]
    whole: bool
    sections: tuple[Section, ...]

    @property
    def name(self) -> str:
        """Which instance this is, such as ``ground truth 17``."""
        return f"{SIDES[self.side]} {self.id}"

    @property
    def shown_partners(self) -> tuple[int, ...]:
        """Ids of the other side that share a voxel of the sections with the instance, ascending."""
        outlines = (outline for section in self.sections for outline in section.outlines)
        return tuple(sorted({outline.id for outline in outlines if outline.role == "partner"}))

    def alt(self, section: Section) -> str:
        """Say in words what a section shows."""
        focus = any(outline.role == "focus" for outline in section.outlines)
        partners = [outline.id for outline in section.outlines if outline.role == "partner"]
        other = SIDES["pred" if self.side == "gt" else "gt"]
        overlap = f"overlapping {other} {', '.join(map(str, partners))}" if partners else f"no overlapping {other}"
        return f"Section {section.z}: {self.name}{'' if focus else ' not in it'}, {self.verdict}; {overlap}"
