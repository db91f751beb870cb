"""Charts as inline SVG: values to coordinates, nothing else. Colours are classes that the page's style sheet knows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mitobench.render.svg import Frame, path_of, svg, tag, text_of, unit_axis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from xml.etree.ElementTree import Element

    from mitobench.render.svg import Axis, Point

__all__ = [
    "Bar",
    "Bins",
    "Change",
    "Dot",
    "Level",
    "Line",
    "change_rows",
    "dot_rows",
    "histogram",
    "line_chart",
    "stacked_bars",
]

_WIDTH = 360.0
_ROW = 24.0


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes
    ----------
    label
        What it is of.
    style
        Class of its colour and dashes.
    points
        (x, y), by ascending x.
    marked
        What to say of each point, in a circle there; empty for a line without circles.
    """

    label: str
    style: str
    points: Sequence[Point]
    marked: Sequence[str] = ()


@dataclass(frozen=True)
class Level:
    """A dashed line across the plane, with a text at it: upright at a value of x, or level at a value of y."""

    value: float
    text: str
    upright: bool = False


def line_chart(title: str, lines: Sequence[Line], x: Axis, y: Axis, *, levels: Sequence[Level] = ()) -> str:
    """Return lines over two axes."""
    frame = Frame(x, y)
    parts = [*frame.draw(), *_levels(frame, levels), *(part for line in lines for part in _line(frame, line))]
    return svg(title, parts, frame.width, frame.height)


def _line(frame: Frame, line: Line) -> Iterator[Element]:
    points = [frame.at(*point) for point in line.points]
    yield tag("path", tag("title", line.label), d=path_of(points), class_=f"line {line.style}")
    for (x, y), text in zip(points, line.marked, strict=False):
        yield tag("circle", tag("title", text), cx=x, cy=y, r=3, class_=f"dot {line.style}")


def _levels(frame: Frame, levels: Iterable[Level]) -> Iterator[Element]:
    for level in levels:
        if level.upright:
            (x, base), (_, top) = frame.at(level.value, frame.y.low), frame.at(level.value, frame.y.high)
            yield tag("path", d=path_of([(x, base), (x, top)]), class_="level")
            yield text_of(level.text, x, top - 4, anchor="middle", class_="level-text")
        else:
            (left, y), (right, _) = frame.at(frame.x.low, level.value), frame.at(frame.x.high, level.value)
            yield tag("path", d=path_of([(left, y), (right, y)]), class_="level")
            yield text_of(level.text, right - 2, y + 12, anchor="end", class_="level-text")


@dataclass(frozen=True)
class Bins:
    """Values of the bins of a histogram.

    Attributes
    ----------
    label
        What they are of.
    style
        Class of the colour.
    values
        One for each bin; None leaves it out.
    texts
        What to say of each bin.
    filled
        Whether to draw bars, or only the outline of them.
    """

    label: str
    style: str
    values: Sequence[float | None]
    texts: Sequence[str]
    filled: bool = True


def histogram(
    title: str, edges: Sequence[float], series: Sequence[Bins], x: Axis, y: Axis, *, levels: Sequence[Level] = ()
) -> str:
    """Return bars or outlines over the bins between the edges."""
    frame = Frame(x, y)
    parts = [*frame.draw(), *(part for bins in series for part in _bins(frame, edges, bins)), *_levels(frame, levels)]
    return svg(title, parts, frame.width, frame.height)


def _bins(frame: Frame, edges: Sequence[float], bins: Bins) -> Iterator[Element]:
    spans = [(low, high, value) for (low, high), value in zip(pairwise(edges), bins.values, strict=True)]
    for (low, high, value), text in zip(spans, bins.texts, strict=True):
        if value:
            (left, top), (right, base) = frame.at(low, value), frame.at(high, frame.y.low)
            # An outline has invisible bars, which say their text to a pointer.
            style = f"bar {bins.style}" if bins.filled else "hover"
            width = max(right - left - 1, 1.0)
            yield tag("rect", tag("title", text), x=left + 0.5, y=top, width=width, height=base - top, class_=style)
    if not bins.filled:
        steps = [frame.at(edge, value or 0) for low, high, value in spans for edge in (low, high)]
        ends = [frame.at(edges[0], 0)], [frame.at(edges[-1], 0)]
        yield tag("path", d=path_of([*ends[0], *steps, *ends[1]]), class_=f"line {bins.style}")


@dataclass(frozen=True)
class Bar:
    """A row of a stacked bar: its label, and (name, style, count) of its parts in order."""

    label: str
    parts: Sequence[tuple[str, str, int]]


def stacked_bars(title: str, bars: Sequence[Bar]) -> str:
    """Return one row for each bar, as long as the others, parted by the shares of its counts."""
    left, right = 58.0, 62.0
    wide = _WIDTH - left - right
    parts = []
    for position, bar in enumerate(bars):
        y, total = 4 + position * 30, sum(count for _, _, count in bar.parts)
        parts += [
            text_of(bar.label, left - 8, y + 15, anchor="end"),
            text_of(f"n = {total:,}", _WIDTH - right + 8, y + 15),
        ]
        parts += (
            _stack(bar, y, left, wide / total)
            if total
            else [tag("path", d=path_of([(left, y + 11), (left + wide, y + 11)]), class_="grid")]
        )
    return svg(title, [tag("g", *parts, class_="axis")], _WIDTH, 4 + 30 * len(bars))


def _stack(bar: Bar, y: float, left: float, scale: float) -> Iterator[Element]:
    x = left
    for name, style, count in bar.parts:
        width = count * scale
        if count:
            label = tag("title", f"{bar.label}: {count:,} {name}")
            yield tag("rect", label, x=x, y=y, width=max(width - 1, 0.6), height=22, class_=f"bar {style}")
            if width > 8 * len(f"{count:,}") + 4:
                yield text_of(f"{count:,}", x + width / 2 - 0.5, y + 15, anchor="middle", class_=f"on-{style}")
        x += width


@dataclass(frozen=True)
class Dot:
    """A row of a dot plot: named values with perhaps the ends of an interval, or the heading of the rows below it.

    Attributes
    ----------
    label
        What stands before it.
    values
        (name, value); a single one is also written behind the row.
    ends
        Of the interval of the first value.
    style
        Class of the colour; ``own`` is larger than others.
    """

    label: str
    values: Sequence[tuple[str, float]] = ()
    ends: tuple[float, float] | None = None
    style: str = "plain"

    @property
    def is_heading(self) -> bool:
        """Whether the row has a label only."""
        return self.style == "heading"


def dot_rows(title: str, dots: Sequence[Dot], axis: Axis) -> str:
    """Return one row for each dot over a common axis."""
    left, step = 128.0, 19.0
    height = 8 + step * len(dots)
    frame = Frame(axis, unit_axis(""), _WIDTH, height + 36, left=left, right=50, top=4, bottom=36)
    parts = [*_scale_below(frame)]
    for position, dot in enumerate(dots):
        parts += _dot(frame, dot, 4 + step * (position + 0.5))
    return svg(title, parts, _WIDTH, height + 36)


def _dot(frame: Frame, dot: Dot, y: float) -> Iterator[Element]:
    if dot.is_heading:
        yield text_of(dot.label, 0, y + 4, class_="heading")
        return
    yield text_of(dot.label, 10, y + 4, class_=f"of-{dot.style}")
    if len(dot.values) < 2:
        text = f"{dot.values[0][1]:.3f}" if dot.values else "\N{EN DASH}"
        yield text_of(text, frame.width, y + 4, anchor="end", class_=f"of-{dot.style}")
    if dot.ends is not None:
        ends = [(frame.at(end, 0)[0], y) for end in dot.ends]
        yield tag("path", d=path_of(ends), class_=f"whisker {dot.style}")
    for name, value in dot.values:
        label = tag("title", f"{name}: {value:.3f}")
        radius = 5 if dot.style == "own" else 3.5
        yield tag("circle", label, cx=frame.at(value, 0)[0], cy=y, r=radius, class_=f"dot {dot.style}")


@dataclass(frozen=True)
class Change:
    """A row of a waterfall: a bar from one value to another."""

    label: str
    style: str
    before: float
    after: float


def change_rows(title: str, changes: Sequence[Change], axis: Axis, *, now: float | None, target: float | None) -> str:
    """Return one row for each change over a common axis, with lines at the score of today and at the target."""
    height = 18 + _ROW * len(changes)
    frame = Frame(axis, unit_axis(""), _WIDTH, height + 36, left=94, right=46, top=18, bottom=36)
    parts = [*_scale_below(frame)]
    marks = sorted((value, text) for value, text in ((now, "now"), (target, "target")) if value is not None)
    for (value, text), anchor in zip(marks, ("end", "start"), strict=False):
        (x, base), (_, top) = frame.at(value, 0), frame.at(value, 1)
        parts.append(tag("path", d=path_of([(x, base), (x, top - 14)]), class_="level"))
        parts.append(text_of(text, x + (3 if anchor == "start" else -3), 12, anchor=anchor, class_="level-text"))
    for position, change in enumerate(changes):
        parts += _change(frame, change, 18 + _ROW * (position + 0.5))
    return svg(title, parts, _WIDTH, height + 36)


def _change(frame: Frame, change: Change, y: float) -> Iterator[Element]:
    x0, x1 = sorted((frame.at(change.before, 0)[0], frame.at(change.after, 0)[0]))
    yield text_of(change.label, frame.left - 8, y + 4, anchor="end")
    label = tag("title", f"{change.label}: from {change.before:.3f} to {change.after:.3f}")
    yield tag("rect", label, x=x0, y=y - 7, width=max(x1 - x0, 1.5), height=14, class_=f"bar {change.style}")
    yield text_of(f"{change.after:.3f}", frame.width, y + 4, anchor="end")


def _scale_below(frame: Frame) -> Iterator[Element]:
    """Yield the grid and the labels of the axis that rows share."""
    base = frame.height - frame.bottom
    for value, text in frame.x.ticks:
        x, _ = frame.at(value, 0)
        yield tag("path", d=path_of([(x, frame.top), (x, base)]), class_="grid")
        yield text_of(text, x, base + 14, anchor="middle", class_="tick")
    middle = (frame.left + frame.width - frame.right) / 2
    yield text_of(frame.x.label, middle, frame.height - 4, anchor="middle", class_="tick")
