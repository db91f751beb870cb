"""The list of errors: which instances of a report went wrong, the largest first, and which others belong to each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitobench.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mitobench.report import Columns

__all__ = ["SIDES", "VERDICT_COLOURS", "Mistake", "find_mistakes", "worst"]

SIDES = {"gt": "ground truth", "pred": "prediction"}
"""How each side is called on the screen."""

VERDICT_COLOURS = {
    "missed": "#ff4136",
    "false": "#ff851b",
    "split": "#39a0ff",
    "merged": "#f032e6",
    "many-to-many": "#b48cff",
    "boundary": "#ffdc00",
}

_MATCHED = "matched"


@dataclass(frozen=True)
class Mistake:
    """One instance that is not matched.

    Attributes
    ----------
    side
        ``gt`` or ``pred``.
    id
        On its side.
    verdict, bucket, size, iou
        As in the report.
    centre
        Centroid (z, y, x) in voxels; 0 is the middle of the first voxel.
    box
        Bounding box.
    gt, pred
        Ids of both sides that belong to it, its own among them.
    """

    side: str
    id: int
    verdict: str
    bucket: str
    size: int
    iou: float
    centre: tuple[float, float, float]
    box: Box
    gt: tuple[int, ...]
    pred: tuple[int, ...]

    @property
    def name(self) -> str:
        """Unique in a report, such as ``gt 17``."""
        return f"{self.side} {self.id}"

    @property
    def text(self) -> str:
        """One line about it."""
        return f"{self.verdict}, {self.bucket}, {self.size:,} voxels ({self.name})"


def find_mistakes(instances: Mapping[str, Columns]) -> list[Mistake]:
    """Return what is not matched, the largest first.

    What both sides call by the same name is one mistake, listed once, as that of the ground truth: a prediction is left
    out if its best partner has the same verdict.

    Parameters
    ----------
    instances
        ``gt`` and ``pred`` -> columns of a report.

    Examples
    --------
    >>> def columns(**given):
    ...     zeros = dict.fromkeys(["z0", "y0", "x0", "z1", "y1", "x1", "z", "y", "x", "iou"], [0, 0])
    ...     return {**zeros, "bucket": ["small"] * 2, **given}
    >>> gt = columns(id=[1, 2], size=[9, 5], partner=[None, 7], verdict=["missed", "boundary"])
    >>> pred = columns(id=[7, 8], size=[6, 30], partner=[2, None], verdict=["boundary", "false"])
    >>> [(mistake.name, mistake.verdict, mistake.pred) for mistake in find_mistakes({"gt": gt, "pred": pred})]
    [('pred 8', 'false', (8,)), ('gt 1', 'missed', ()), ('gt 2', 'boundary', (7,))]
    """
    rows = {side: list(_rows(instances.get(side, {}))) for side in SIDES}
    verdict_of_gt = {row["id"]: row["verdict"] for row in rows["gt"]}
    wrong = [("gt", row) for row in rows["gt"] if row["verdict"] != _MATCHED]
    wrong += [
        ("pred", row) for row in rows["pred"] if row["verdict"] not in {_MATCHED, verdict_of_gt.get(row["partner"])}
    ]
    links = _Links(rows)
    found = [_mistake(side, row, links) for side, row in wrong]
    return sorted(found, key=lambda mistake: (-mistake.size, mistake.side, mistake.id))


def worst(mistakes: Sequence[Mistake]) -> Mistake | None:
    """Return where to begin: the largest ground truth that is not matched or, if all are, the first of the list."""
    return next((mistake for mistake in mistakes if mistake.side == "gt"), mistakes[0] if mistakes else None)


class _Links:
    """Who is whose best partner, in both directions."""

    def __init__(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._of = {side: {row["id"]: row["partner"] for row in rows[side]} for side in SIDES}
        self._to: dict[str, dict[int, list[int]]] = {side: defaultdict(list) for side in SIDES}
        for side, partners in self._of.items():
            for own, other in partners.items():
                self._to[side][other].append(own)

    def around(self, side: str, own: int) -> tuple[set[int], set[int]]:
        """Return the ids of this and of the other side that belong to a mistake."""
        other_side = "pred" if side == "gt" else "gt"
        partner = self._of[side][own]
        if partner is None:
            return {own}, set(self._to[other_side][own])
        return {own, *self._to[side][partner]}, {partner, *self._to[other_side][own]}


def _rows(columns: Columns) -> Iterator[dict[str, Any]]:
    yield from (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _mistake(side: str, row: Mapping[str, Any], links: _Links) -> Mistake:
    own, other = (tuple(sorted(ids)) for ids in links.around(side, row["id"]))
    start, stop = ((row[f"z{end}"], row[f"y{end}"], row[f"x{end}"]) for end in (0, 1))
    return Mistake(
        side=side,
        id=row["id"],
        verdict=row["verdict"],
        bucket=row["bucket"],
        size=row["size"],
        iou=row["iou"],
        centre=(row["z"], row["y"], row["x"]),
        box=Box(start, stop),
        gt=own if side == "gt" else other,
        pred=other if side == "gt" else own,
    )
