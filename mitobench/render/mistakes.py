"""What went wrong in one volume, and what repairs would bring, as charts and tables."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mitobench.render.charts import Bar, Change, Level, Line, change_rows, line_chart, stacked_bars
from mitobench.render.figures import Figure
from mitobench.render.svg import count_axis, unit_axis
from mitobench.render.words import BUCKETS, DRAWN, amount, metric_label, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from mitobench.report import Report, VolumeReport

__all__ = ["ERRORS", "VERDICTS", "Composition", "budget_rows", "compositions", "lever", "other_rules", "repair_figures"]

VERDICTS = {
    "matched": "paired one to one at the IoU threshold",
    "missed": "a ground truth that no prediction stands for",
    "false": "a prediction that stands for no ground truth",
    "split": "one ground truth in several predictions",
    "merged": "several ground truths in one prediction",
    "many-to-many": "several of both sides entangled",
    "boundary": "the right instance, but its outline is too poor",
}
"""What each verdict means."""
ERRORS = tuple(VERDICTS)[1:]
_TITLES = {"gt": "Ground truths", "pred": "Predictions"}


@dataclass(frozen=True)
class Composition:
    """The verdicts of one side.

    Attributes
    ----------
    title
        Of the chart.
    svg
        A bar for each bucket.
    rows
        Verdict -> bucket -> number of instances, only what occurs.
    """

    title: str
    svg: str
    rows: Mapping[str, Mapping[str, int]]


def compositions(volume: VolumeReport) -> list[Composition]:
    """Return the verdicts of both sides by bucket."""
    return [_composition(side, volume) for side in _TITLES if volume.instances.get(side, {}).get("verdict")]


def _composition(side: str, volume: VolumeReport) -> Composition:
    columns = volume.instances[side]
    rows = {verdict: dict.fromkeys(BUCKETS, 0) for verdict in VERDICTS if verdict in columns["verdict"]}
    for verdict, bucket in zip(columns["verdict"], columns["bucket"], strict=True):
        if verdict in rows:
            rows[verdict]["all"] += 1
            if bucket in BUCKETS:
                rows[verdict][bucket] += 1
    title = f"{_TITLES[side]} by verdict and size"
    bars = [
        Bar(label, [(verdict, f"v-{verdict}", rows[verdict][bucket]) for verdict in rows])
        for bucket, label in BUCKETS.items()
    ]
    return Composition(title, stacked_bars(title, bars), rows)


def lever(volume: VolumeReport, rule: Mapping[str, Any]) -> tuple[str, float, float] | None:
    """Return the kind of mistake whose repair raises the score over all instances the most, and both scores."""
    scores = _own_scores(volume, rule)
    now = scores.get("now", {}).get("all")
    alone = {kind: score["all"] for kind, score in scores.get("alone", {}).items() if score.get("all") is not None}
    if now is None or not alone or max(alone.values()) <= now:
        return None
    best = max(alone, key=lambda kind: alone[kind])
    return best, now, alone[best]


def _own_scores(volume: VolumeReport, rule: Mapping[str, Any]) -> Mapping[str, Any]:
    by_rule = (volume.repairs or {}).get("scores", {})
    found: Mapping[str, Any] = by_rule.get(rule["label"], {})
    return found


def repair_figures(volume: VolumeReport, report: Report) -> list[Figure]:
    """Return the score if one kind were repaired, if one after the other were, and by the number of single repairs.

    Empty where there is nothing to repair or no analysis.
    """
    if volume.repairs is None:
        return []
    metric = metric_label(report.rule["rank_by"])
    figures = [_changes(volume.repairs, _own_scores(volume, report.rule), metric, alone) for alone in (True, False)]
    figures.append(_curve(volume.repairs, metric))
    return [figure for figure in figures if figure is not None]


def _changes(repairs: Mapping[str, Any], scores: Mapping[str, Any], metric: str, alone: bool) -> Figure | None:  # noqa: FBT001
    now, target = scores.get("now", {}).get("all"), repairs.get("target")
    if now is None:
        return None
    changes = list(_alone(repairs, scores, now) if alone else _steps(now, scores["cumulative"]))
    if not changes:
        return None
    values = [now, *(change.after for change in changes), *(() if target is None else (target,))]
    axis = unit_axis(f"{metric}, all instances", low=0.5 if min(values) >= 0.5 else 0.0)
    caption = f"{metric} without one kind of mistake" if alone else f"{metric}, one kind after the other"
    return Figure(caption, change_rows(caption, changes, axis, now=now, target=target))


def _alone(repairs: Mapping[str, Any], scores: Mapping[str, Any], now: float) -> Iterator[Change]:
    """Yield the kinds that occur."""
    for kind, score in scores["alone"].items():
        errors = repairs.get("classes", {}).get(kind, {}).get("errors", {})
        if score.get("all") is not None and errors.get("all", 1):
            yield Change(kind, f"v-{kind}", now, score["all"])


def _steps(now: float, cumulative: list[Mapping[str, Any]]) -> Iterator[Change]:
    known = [step for step in cumulative if step["score"].get("all") is not None]
    values = [now, *(step["score"]["all"] for step in known)]
    for step, (before, after) in zip(known, pairwise(values), strict=True):
        yield Change(f"+ {step['kind']}", f"v-{step['kind']}", before, after)


def _curve(repairs: Mapping[str, Any], metric: str) -> Figure | None:
    lines = [line for bucket in DRAWN if (line := _repair_line(repairs, bucket, metric)).points]
    most = max((count for line in lines for count, _ in line.points), default=0)
    if most == 0:
        return None
    caption, target = f"{metric} by number of single repairs", repairs.get("target")
    levels = [] if target is None else [Level(target, f"target {target:g}")]
    scores = [score for line in lines for _, score in line.points] + [level.value for level in levels]
    y = unit_axis(metric, low=0.5 if min(scores) >= 0.5 else 0.0)
    return Figure(caption, line_chart(caption, lines, count_axis("repairs", int(most)), y, levels=levels))


def _repair_line(repairs: Mapping[str, Any], bucket: str, metric: str) -> Line:
    curve = repairs["repairs"].get(bucket, {}).get("curve", ())
    points = [(count, score) for count, score in curve if score is not None]
    texts = [f"{DRAWN[bucket]}: {metric} {score:.3f} after {amount(count, 'repair')}" for count, score in points]
    return Line(DRAWN[bucket], bucket, points, texts)


def budget_rows(repairs: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (bucket, errors, repairs to the target) as texts."""
    rows = []
    for bucket, label in BUCKETS.items():
        budget = repairs.get("repairs", {}).get(bucket)
        if budget is not None:
            needed = budget.get("to_target")
            unreached = "not reached" if budget.get("curve") else number(None)
            rows.append((label, number(budget.get("errors")), unreached if needed is None else f"{needed:,}"))
    return rows


def other_rules(repairs: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return (rule, metric, the score now and without each kind of mistake) of every rule, as texts."""
    rows = []
    for label, scores in repairs.get("scores", {}).items():
        values = [scores["now"].get("all"), *(scores["alone"].get(kind, {}).get("all") for kind in ERRORS)]
        rows.append((label, metric_label(scores["metric"]), [number(value) for value in values]))
    return rows
