"""What the challenge platform (grand-challenge.org) sees of a result: numbers under paths, and its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from leaderboard.challenge import MITOEM
from leaderboard.entry import slug
from mitobench.errors import InvalidInputError
from mitobench.render.words import metric_label
from mitobench.report import schema

if TYPE_CHECKING:
    from leaderboard.entry import Entry

__all__ = [
    "Column",
    "Display",
    "Order",
    "PhaseSettings",
    "ScoringMethod",
    "phase_settings",
    "platform_metrics",
    "value_at",
]

Order = Literal["asc", "desc"]
ScoringMethod = Literal["abs", "avg", "med"]
Display = Literal["all", "rec", "bst"]

_BUCKETS = ("small", "medium", "large", "all")
_KEYS = {volume.name: volume.key for volume in MITOEM.volumes}
_MOST_DECIMALS = 17
_ALSO = ("precision", "recall", "accuracy", "f1", "pq")
"""Families that the platform shows beside the score, at the IoU threshold that is ranked by."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the platform's leaderboard.

    Attributes
    ----------
    title
        Its heading.
    path
        Keys of metrics.json that lead to the value, joined by dots.
    order
        ``desc`` where more is better.
    error_path
        Leads to what is written behind the value as "± error"; empty for none.
    exclude_from_ranking
        Whether the column is only shown.
    """

    title: str
    path: str
    order: Order = "desc"
    error_path: str = ""
    exclude_from_ranking: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what the platform's ``extra_results_columns`` holds of a column."""
        values: dict[str, Any] = {"title": self.title, "path": self.path, "order": self.order}
        if self.error_path:
            values["error_path"] = self.error_path
        return values | {"exclude_from_ranking": self.exclude_from_ranking}


_SCORE_KEYS = {
    "title": "score_title",
    "path": "score_jsonpath",
    "error_path": "score_error_jsonpath",
    "order": "score_default_sort",
}
"""Field of `Column` -> what the platform's form calls it for the score."""


def _choice(allowed: object) -> schema.Check:
    def check(value: Any, where: str) -> None:  # noqa: ANN401
        if value not in get_args(allowed):
            raise TypeError(f"{where} is {value!r}, allowed: {', '.join(get_args(allowed))}")

    return check


def _flag(value: Any, where: str) -> None:  # noqa: ANN401
    if not isinstance(value, bool):
        raise TypeError(f"{where} is {value!r}, expected true or false")


_ORDER = _choice(Order)
_COLUMN = schema.record(
    {"title": schema.text, "path": schema.text, "order": _ORDER},
    {"error_path": schema.text, "exclude_from_ranking": _flag},
)
_SETTINGS = schema.record(
    {
        **dict.fromkeys(("score_title", "score_jsonpath", "score_error_jsonpath"), schema.text),
        "score_default_sort": _ORDER,
        "score_decimal_places": schema.whole,
        "scoring_method_choice": _choice(ScoringMethod),
        "result_display_choice": _choice(Display),
        "extra_results_columns": schema.each(_COLUMN),
    }
)


@dataclass(frozen=True, kw_only=True)
class PhaseSettings:
    """How a phase of a challenge ranks its results.

    Attributes
    ----------
    score
        What it ranks by, or the first of what it ranks by.
    extra
        Further columns.
    decimals
        Of every value.
    scoring_method
        ``abs``: by the rank of the score alone; ``avg``, ``med``: by mean or median of the ranks of the score and of
        all columns that are not excluded.
    result_display
        ``all`` results, the most recent (``rec``) or the best (``bst``) of each user.

    Raises
    ------
    InvalidInputError
        There are more decimals than a number has, or a negative number of them.
    """

    score: Column
    extra: tuple[Column, ...] = ()
    decimals: int = 4
    scoring_method: ScoringMethod = "abs"
    result_display: Display = "bst"

    def __post_init__(self) -> None:
        if not 0 <= self.decimals <= _MOST_DECIMALS:
            raise InvalidInputError(
                f"decimals of the settings are {self.decimals}; allowed: whole numbers from 0 to {_MOST_DECIMALS}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the platform's form, by its names."""
        return {
            **{key: getattr(self.score, field) for field, key in _SCORE_KEYS.items()},
            "score_decimal_places": self.decimals,
            "scoring_method_choice": self.scoring_method,
            "result_display_choice": self.result_display,
            "extra_results_columns": [column.to_dict() for column in self.extra],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PhaseSettings:
        """Return the settings of a dictionary made by `to_dict`.

        Raises
        ------
        InvalidInputError
            A key is missing, or a value is not allowed.
        """
        try:
            _SETTINGS(values, "settings")
            return cls(
                score=Column(**{field: values[key] for field, key in _SCORE_KEYS.items()}),
                extra=tuple(Column(**column) for column in values["extra_results_columns"]),
                decimals=values["score_decimal_places"],
                scoring_method=values["scoring_method_choice"],
                result_display=values["result_display_choice"],
            )
        except TypeError as error:
            raise InvalidInputError(
                f"not the settings of a phase ({error}); expected the fields of the platform's form, score_title and "
                "so on"
            ) from error


def phase_settings(rank_by: str, volumes: tuple[str, ...] = tuple(_KEYS)) -> PhaseSettings:
    """Return the settings of a phase that ranks by the mean of a metric over the volumes, and shows its parts.

    Parameters
    ----------
    rank_by
        Such as ``ap_75``.
    volumes
        Names of the volumes.

    Examples
    --------
    >>> settings = phase_settings("ap_75")
    >>> settings.score.path, settings.extra[0].path, settings.extra[0].title
    ('aggregates.ap_75', 'case.human.ap_75.small', 'MitoEM-H AP-75 small')
    """
    label = metric_label(rank_by)
    family, _, threshold = rank_by.partition("_")
    places = {
        f"{name} {label} {bucket}": f"case.{_key(name)}.{rank_by}.{bucket}" for name in volumes for bucket in _BUCKETS
    }
    parts = [Column(title=title, path=path, exclude_from_ranking=True) for title, path in places.items()]
    others = [f"{also}_{threshold}" for also in _ALSO if also != family and threshold.isdigit()]
    shown = [Column(title=metric_label(name), path=f"aggregates.{name}", exclude_from_ranking=True) for name in others]
    score = Column(title=label, path=f"aggregates.{rank_by}", error_path=f"aggregates.{rank_by}_error")
    return PhaseSettings(score=score, extra=(*parts, *shown))


def platform_metrics(entry: Entry) -> dict[str, Any]:
    """Return what metrics.json holds: ``case``, every metric of each volume by bucket, and ``aggregates``, the means.

    Keys hold no dots, because the platform splits paths at them. What is undefined is left out: the platform hides
    results with a null among the values that it ranks, and has no place for one elsewhere. ``ap_75_error`` and its like
    are half of the width of the confidence interval, where there is one.
    """
    case = {
        _key(name): {
            metric: {bucket: value for bucket in _BUCKETS if (value := entry.value(name, metric, bucket)) is not None}
            for metric in entry.metrics
        }
        for name in entry.volumes
    }
    aggregates: dict[str, float] = {}
    for metric in entry.metrics:
        if (value := entry.overall(metric)) is not None:
            aggregates[metric] = value
        if (ends := entry.overall_interval(metric)) is not None:
            aggregates[f"{metric}_error"] = (ends[1] - ends[0]) / 2
    return {"case": case, "aggregates": aggregates}


def value_at(metrics: Mapping[str, Any], path: str) -> float | None:
    """Return the number that a path leads to; None where there is none that can be ranked.

    Examples
    --------
    >>> value_at({"aggregates": {"ap_75": 0.81}}, "aggregates.ap_75"), value_at({}, "aggregates.ap_75")
    (0.81, None)
    """
    found: Any = metrics
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    # An integer may be too large for a float; JSON knows no limit.
    return found if isinstance(found, int) or math.isfinite(found) else None


def _key(volume: str) -> str:
    return _KEYS.get(volume) or slug(volume)
