"""Axes and the elements of a picture in SVG: from values to coordinates. Pure; texts are escaped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Axis", "Frame", "count_axis", "log_axis", "path_of", "svg", "tag", "text_of", "unit_axis"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """A range of values, and which of them are written beside it.

    Attributes
    ----------
    label
        What is measured.
    low, high
        Ends of the range.
    ticks
        (value, text).
    log
        Whether equal ratios are equally far apart.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies: 0 at the low end, 1 at the high end.

        Examples
        --------
        >>> unit_axis("IoU").share(0.25), log_axis("voxels", 10, 1000).share(100)
        (0.25, 0.5)
        """
        scale = math.log10 if self.log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))


def unit_axis(label: str, low: float = 0.0) -> Axis:
    """Return an axis for ratios, up to 1.

    Examples
    --------
    >>> [text for _, text in unit_axis("score", low=0.5).ticks]
    ['0.5', '0.6', '0.7', '0.8', '0.9', '1']
    """
    hundredths = range(round(low * 100), 101, 10 if low >= 0.5 else 20)
    return Axis(label, low, 1.0, tuple((k / 100, f"{k / 100:g}") for k in hundredths))


def count_axis(label: str, most: int) -> Axis:
    """Return an axis for counts, from 0 to a round number that is at least ``most``.

    Examples
    --------
    >>> axis = count_axis("instances", 37)
    >>> axis.high, [text for _, text in axis.ticks]
    (40.0, ['0', '10', '20', '30', '40'])
    """
    step = _round_step(max(most, 1) / 4)
    count = max(1, math.ceil(max(most, 1) / step))
    ticks = tuple((float(k * step), short_count(k * step)) for k in range(count + 1))
    return Axis(label, 0.0, float(count * step), ticks)


def log_axis(label: str, low: float, high: float) -> Axis:
    """Return a logarithmic axis with a tick at each power of ten, and at 2 and 5 times it where there are few.

    Examples
    --------
    >>> [text for _, text in log_axis("voxels", 300, 200_000).ticks]
    ['1k', '10k', '100k']
    >>> [text for _, text in log_axis("voxels", 300, 4000).ticks]
    ['500', '1k', '2k']
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        values = [factor * 10**power for power in powers for factor in factors if low <= factor * 10**power <= high]
        if len(values) >= 3:
            break
    return Axis(label, low, high, tuple((float(value), short_count(value)) for value in values), log=True)


def short_count(value: float) -> str:
    """Return a number with few digits.

    Examples
    --------
    >>> short_count(500), short_count(2000), short_count(1_500_000), short_count(0)
    ('500', '2k', '1.5M', '0')
    """
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{unit}"
    return f"{value:g}"


@dataclass(frozen=True)
class Frame:
    """The plane of a chart: a rectangle with two axes, y upwards, and room for texts around it.

    Attributes
    ----------
    x, y
        The axes.
    width, height
        Of the whole picture, in pixels.
    left, right, top, bottom
        Room around the plane.
    """

    x: Axis
    y: Axis
    width: float = 360
    height: float = 240
    left: float = 44
    right: float = 14
    top: float = 16
    bottom: float = 40

    def at(self, x: float, y: float) -> Point:
        """Return the coordinates of a point.

        Examples
        --------
        >>> Frame(unit_axis("recall"), unit_axis("precision"), width=158, height=152).at(1, 0)
        (144.0, 112.0)
        """
        wide, high = self.width - self.left - self.right, self.height - self.top - self.bottom
        return self.left + self.x.share(x) * wide, self.top + (1 - self.y.share(y)) * high

    def draw(self) -> Iterable[Element]:
        """Yield the grid, the ticks and the labels of both axes."""
        yield tag("g", *self._horizontal(), class_="axis")
        yield tag("g", *self._vertical(), class_="axis")

    def _horizontal(self) -> Iterable[Element]:
        base = self.height - self.bottom
        for value, text in self.x.ticks:
            x, _ = self.at(value, self.y.low)
            yield tag("path", d=path_of([(x, self.top), (x, base)]), class_="grid")
            yield text_of(text, x, base + 14, anchor="middle")
        yield text_of(self.x.label, (self.left + self.width - self.right) / 2, self.height - 6, anchor="middle")

    def _vertical(self) -> Iterable[Element]:
        end = self.width - self.right
        for value, text in self.y.ticks:
            _, y = self.at(self.x.low, value)
            yield tag("path", d=path_of([(self.left, y), (end, y)]), class_="grid")
            yield text_of(text, self.left - 6, y + 4, anchor="end")
        middle = (self.top + self.height - self.bottom) / 2
        yield tag(
            "text", self.y.label, x=0, y=0, text_anchor="middle", transform=f"translate(11 {_short(middle)})rotate(-90)"
        )


def svg(title: str, parts: Iterable[Element], width: float, height: float) -> str:
    """Return a whole picture that a screen reader calls by its title."""
    root = tag(
        "svg", tag("title", title), *parts, viewBox=f"0 0 {_short(width)} {_short(height)}", role="img", class_="chart"
    )
    return tostring(root, encoding="unicode")


def tag(name: str, *children: Element | str, **attributes: str | float | None) -> Element:
    """Return an element; ``class_`` and ``text_anchor`` stand for ``class`` and ``text-anchor``, None for no attribute.

    Examples
    --------
    >>> tostring(tag("text", "a < b", x=1.26, text_anchor="end"), encoding="unicode")
    '<text x="1.3" text-anchor="end">a &lt; b</text>'
    """
    known = {_name(key): value for key, value in attributes.items() if value is not None}
    element = Element(name, {key: value if isinstance(value, str) else _short(value) for key, value in known.items()})
    for child in children:
        if isinstance(child, str):
            element.text = child
        else:
            element.append(child)
    return element


def text_of(text: str, x: float, y: float, *, anchor: str = "start", class_: str | None = None) -> Element:
    """Return a text at a point of its base line."""
    return tag("text", text, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=class_)


def path_of(points: Iterable[Point]) -> str:
    """Return path data of a line through points; points on a horizontal or vertical stretch are left out.

    Examples
    --------
    >>> path_of([(0, 1), (5, 1), (10.04, 1), (10.04, 7)])
    'M0 1L10 1L10 7'
    """
    kept: list[tuple[str, str]] = []
    for x, y in points:
        point = _short(x), _short(y)
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1 and any(kept[-2][axis] == kept[-1][axis] == point[axis] for axis in (0, 1)):
            kept.pop()
        kept.append(point)
    return "M" + "L".join(f"{x} {y}" for x, y in kept)


def _name(key: str) -> str:
    return key if key == "viewBox" else key.rstrip("_").replace("_", "-")


def _short(value: float) -> str:
    return f"{round(value, 1):g}"


def _round_step(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20 ... that is not below."""
    power = 10 ** max(0, math.floor(math.log10(max(least, 1))))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= least)
