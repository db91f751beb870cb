"""Where exact arithmetic and that of the challenge's public tool give different scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mitobench.metrics.average_precision import average_precision
from mitobench.metrics.detection import detection, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitobench.matching import Matching
    from mitobench.strata import Result

__all__ = ["mode_differences"]


def mode_differences(matching: Matching) -> tuple[str, ...]:
    r"""Return one line for each IoU threshold at which the modes of ``iou_precision`` count differently.

    Mean IoU and what is made of it, such as PQ, always differ a little, because IoU is rounded; one line names the
    largest of these differences. Nothing for rules whose ``detection_matching`` is one-to-one, which have no such mode.

    Examples
    --------
    >>> from mitobench.matching import match
    >>> from mitobench.testing import table_from_counts
    >>> matching = match(table_from_counts({(7, 1): 7498, (7, 0): 2502}), "mitoem-2023", cable_lengths={7: 500})
    >>> print(*mode_differences(matching), sep="\n")
    IoU 0.75: TP 0 in exact mode, 1 in float16 mode (ground truth 7, IoU 0.74980)
    Ratios that the counts leave alone differ by at most 0.0002 between the modes (sq_50, small).
    """
    if matching.rule.detection_matching != "best-overlap":
        return ()
    modes = [replace(matching, rule=replace(matching.rule, iou_precision=mode)) for mode in ("exact", "float16")]
    exact, rounded = (detection(mode) for mode in modes)
    return (*_counts(*modes), *_average_precision(*modes), *_rounding(exact, rounded))


def _counts(exact: Matching, rounded: Matching) -> Iterator[str]:
    for threshold in exact.rule.detection_ious:
        found, found_rounded = (judge(mode, threshold).found for mode in (exact, rounded))
        changed = (found != found_rounded).nonzero()[0]
        if len(changed):
            iou = judge(exact, 0.01).iou
            named = ", ".join(f"ground truth {exact.gt.id[g]}, IoU {iou[g]:.5f}" for g in changed[:3].tolist())
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            yield (
                f"IoU {threshold:.2f}: TP {int(found.sum())} in exact mode, {int(found_rounded.sum())} in float16 mode "
                f"({named}{more})"
            )


def _average_precision(exact: Matching, rounded: Matching) -> Iterator[str]:
    values, values_rounded = average_precision(exact), average_precision(rounded)
    for metric, by_bucket in values.items():
        if by_bucket != values_rounded[metric]:
            where = ", ".join(
                f"{bucket} {value:.4f} in exact mode, {values_rounded[metric][bucket]:.4f} in float16 mode"
                for bucket, value in by_bucket.items()
                if value != values_rounded[metric][bucket]
            )
            yield f"{metric}: {where}"


def _rounding(exact: Result, rounded: Result) -> Iterator[str]:
    """Name the largest difference of a value at thresholds where the counts agree."""
    differences = [
        (abs(value - other), metric, bucket)
        for metric, by_bucket in exact.items()
        if exact[_tp(metric)] == rounded[_tp(metric)]
        for (bucket, value), other in zip(by_bucket.items(), rounded[metric].values(), strict=True)
        if value is not None and other is not None
    ]
    difference, metric, bucket = max(differences, default=(0, "", ""))
    if difference:
        yield (
            f"Ratios that the counts leave alone differ by at most {difference:.1g} between the modes "
            f"({metric}, {bucket})."
        )


def _tp(metric: str) -> str:
    return f"tp_{metric.rpartition('_')[2]}"
