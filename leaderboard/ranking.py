"""Ranks as the challenge platform gives them, and why a result has none."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leaderboard.platform import Column, phase_settings, platform_metrics, value_at
from mitobench.errors import InvalidInputError, did_you_mean
from mitobench.render.words import metric_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from leaderboard.board import Board
    from leaderboard.entry import Entry
    from leaderboard.platform import Order, PhaseSettings, ScoringMethod

__all__ = ["Ranking", "Result", "Standing", "rank_board", "rank_results", "ranked_columns", "why_hidden", "with_ranked"]

_SCORING: Mapping[ScoringMethod, Callable[[Sequence[int]], float]] = {
    "abs": lambda ranks: ranks[0],
    "avg": statistics.fmean,
    "med": statistics.median,
}


@dataclass(frozen=True)
class Result:
    """What the platform knows of a result.

    Attributes
    ----------
    id
        Unlike that of every other result.
    user
        Whose it is.
    created
        Time of ISO 8601, UTC where it names no zone; an empty one is before all others.
    metrics
        What metrics.json holds.
    """

    id: str
    user: str
    created: str
    metrics: Mapping[str, Any]

    @property
    def moment(self) -> datetime:
        """When it was created."""
        if not self.created:
            return datetime.min.replace(tzinfo=UTC)
        moment = datetime.fromisoformat(self.created)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Standing:
    """The rank of a result.

    Attributes
    ----------
    rank
        From 1, shared by equals; 0 for a result that is hidden.
    rank_score
        What the ranks are made of: rank in the first metric, or mean or median of the ranks in all of them.
    rank_per_metric
        Path -> rank.
    """

    rank: int = 0
    rank_score: float = 0.0
    rank_per_metric: Mapping[str, int] = field(default_factory=dict)


def rank_results(results: Sequence[Result], settings: PhaseSettings) -> dict[str, Standing]:
    """Return the standing of every result, by its id.

    Only results that have a number in every column that ranks are ranked; the others are hidden, with rank 0.

    Parameters
    ----------
    results
        Of those that were created at the same time, the first counts as the newest.
    settings
        Of the phase.

    Raises
    ------
    InvalidInputError
        Two results have the same id.

    Examples
    --------
    >>> settings = replace(phase_settings("ap_75"), result_display="all")
    >>> scores = {"a": 0.5, "b": 0.7, "c": 0.5, "d": None, "e": 0.4}
    >>> results = [Result(key, key, "", {"aggregates": {"ap_75": score}}) for key, score in scores.items()]
    >>> {key: standing.rank for key, standing in rank_results(results, settings).items()}
    {'a': 2, 'b': 1, 'c': 2, 'd': 0, 'e': 4}
    """
    if len({result.id for result in results}) < len(results):
        raise InvalidInputError("two results to rank have the same id; give each its own")
    newest_first = sorted(results, key=lambda result: result.moment, reverse=True)
    ranked = _ranked(_shown(newest_first, settings), settings)
    return {result.id: ranked.get(result.id, Standing()) for result in results}


def ranked_columns(settings: PhaseSettings) -> dict[str, Column]:
    """Return the columns that rank, by their path, the score first."""
    extra = [column for column in settings.extra if not column.exclude_from_ranking]
    return {column.path: column for column in (settings.score, *extra)}


def why_hidden(results: Sequence[Result], settings: PhaseSettings, standings: Mapping[str, Standing]) -> dict[str, str]:
    """Say of every result without a rank why it has none, by its id."""
    newest_first = sorted(results, key=lambda result: result.moment, reverse=True)
    reasons = {}
    for result in newest_first:
        if standings[result.id].rank:
            continue
        if missing := _missing(result, settings):
            reasons[result.id] = f"has no {' and no '.join(missing)}"
            continue
        own = [other for other in newest_first if other.user == result.user]
        if settings.result_display == "rec":
            reasons[result.id] = f"{result.user} has a newer result, {own[0].id}; only the newest of each is ranked"
        else:
            best = next(other.id for other in own if standings[other.id].rank)
            reasons[result.id] = f"{result.user} has the result {best}, no worse; only the best of each is ranked"
    return reasons


def _missing(result: Result, settings: PhaseSettings) -> list[str]:
    columns = ranked_columns(settings).values()
    return [f"{column.title} ({column.path})" for column in columns if value_at(result.metrics, column.path) is None]


def _shown(newest_first: Sequence[Result], settings: PhaseSettings) -> list[Result]:
    """Return the results that the display setting lets through."""
    if settings.result_display == "rec":
        return list(_first_of_each_user(newest_first))
    if settings.result_display == "bst":
        ranked = _ranked(newest_first, settings)
        valid = [result for result in newest_first if result.id in ranked]
        return list(_first_of_each_user(sorted(valid, key=lambda result: ranked[result.id].rank)))
    return list(newest_first)


def _first_of_each_user(results: Iterable[Result]) -> Iterator[Result]:
    seen: set[str] = set()
    for result in results:
        if result.user not in seen:
            seen.add(result.user)
            yield result


def _ranked(results: Sequence[Result], settings: PhaseSettings) -> dict[str, Standing]:
    """Return the standings of those that have a number in every column that ranks."""
    columns = ranked_columns(settings)
    values: dict[str, dict[str, float]] = {path: {} for path in columns}
    for result in results:
        found = {path: value_at(result.metrics, path) for path in columns}
        for path, value in found.items():
            if value is not None and None not in found.values():
                values[path][result.id] = value
    per_metric = {path: _ranks(values[path], column.order) for path, column in columns.items()}
    score_of = _SCORING[settings.scoring_method]
    scores = {
        key: float(score_of([ranks[key] for ranks in per_metric.values()])) for key in values[settings.score.path]
    }
    return {
        key: Standing(rank, scores[key], {path: ranks[key] for path, ranks in per_metric.items()})
        for key, rank in _ranks(scores, "asc").items()
    }


def _ranks(values: Mapping[str, float], order: Order) -> dict[str, int]:
    """Return ranks from 1; equals share the smallest."""
    first: dict[float, int] = {}
    for place, value in enumerate(sorted(values.values(), reverse=order == "desc"), 1):
        first.setdefault(value, place)
    return {key: first[value] for key, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A board with ranks.

    Attributes
    ----------
    board
        What was ranked.
    settings
        How.
    standings
        Key of the entry -> its standing.
    hidden
        Key of the entry -> why it is not ranked.
    """

    board: Board
    settings: PhaseSettings
    standings: Mapping[str, Standing]
    hidden: Mapping[str, str]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries by rank, equals in the order of the board, hidden ones last."""
        return tuple(
            sorted(self.board.entries, key=lambda entry: (entry.key in self.hidden, self.standings[entry.key].rank))
        )


def rank_board(board: Board, settings: PhaseSettings | None = None) -> Ranking:
    """Rank the entries of a board as the platform would; the user is the team, or the method where no team is named.

    An entry that lacks a volume that another one has is hidden: its mean would be over other volumes.

    Parameters
    ----------
    board
        With entries of different keys.
    settings
        By default all entries by the metric of the rule.

    Raises
    ------
    InvalidInputError
        Two entries have the same key.
    """
    if settings is None:
        settings = replace(phase_settings(board.rank_by, board.volumes), result_display="all")
    results = [
        Result(entry.key, entry.card.team or entry.card.method, entry.created, _comparable_metrics(entry, board))
        for entry in board.entries
    ]
    standings = rank_results(results, settings)
    hidden = why_hidden(results, settings, standings)
    by_key = {entry.key: entry for entry in board.entries}
    explained = {
        key: _lacking(by_key[key], board) or reason + _where_undefined(by_key[key], settings)
        for key, reason in hidden.items()
    }
    return Ranking(board=board, settings=settings, standings=standings, hidden=explained)


def _comparable_metrics(entry: Entry, board: Board) -> dict[str, Any]:
    """Return what the platform sees, without means that are over fewer volumes than those of other entries."""
    metrics = platform_metrics(entry)
    return {"case": metrics["case"]} if _lacking(entry, board) else metrics


def _lacking(entry: Entry, board: Board) -> str:
    missing = [name for name in board.volumes if name not in entry.volumes]
    return f"has no {' and no '.join(missing)}" if missing else ""


def _where_undefined(entry: Entry, settings: PhaseSettings) -> str:
    """Return which volumes keep the mean of the score from being defined."""
    start, _, metric = settings.score.path.partition(".")
    if start != "aggregates" or metric not in entry.metrics or entry.overall(metric) is not None:
        return ""
    volumes = [name for name in entry.volumes if entry.value(name, metric) is None]
    return f": undefined in {' and '.join(volumes)}" if volumes else ""


def with_ranked(settings: PhaseSettings, paths: Sequence[str], board: Board) -> PhaseSettings:
    """Return settings in which the columns of further paths rank too; a metric of which less is better sorts upwards.

    Raises
    ------
    InvalidInputError
        A path leads to no number in any entry of the board.
    """
    shown = {column.path: column for column in settings.extra}
    metrics = [platform_metrics(entry) for entry in board.entries]
    for path in dict.fromkeys(path for path in paths if path != settings.score.path):
        if all(value_at(values, path) is None for values in metrics):
            known = [found for values in metrics for found in _paths(values)]
            raise InvalidInputError(
                f"no entry of {board.rule}, {board.task.label} has a number under {path!r}"
                f"{did_you_mean(path, known)}; expected such as {settings.score.path}"
            )
        column = shown.get(path) or Column(title=_title(path), path=path, order=_order(path, board))
        shown[path] = replace(column, exclude_from_ranking=False)
    return replace(settings, extra=tuple(shown.values()))


def _paths(values: Mapping[str, Any], start: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{start}{key}.")
        else:
            yield f"{start}{key}"


def _metric(path: str) -> str:
    """Return the metric that a path names, after ``aggregates`` or after ``case`` and the volume."""
    parts = path.split(".")
    return parts[1] if len(parts) == 2 else parts[-2]


def _title(path: str) -> str:
    volume_and_bucket = path.split(".")[1::2] if path.startswith("case.") else []
    return " ".join([metric_label(_metric(path)), *volume_and_bucket])


def _order(path: str, board: Board) -> Order:
    infos = [entry.report.metrics.get(_metric(path)) for entry in board.entries if entry.report is not None]
    return "asc" if any(info is not None and info.direction == "lower" for info in infos) else "desc"
