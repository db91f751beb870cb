"""A ranking as rows of plain values, and as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leaderboard.platform import platform_metrics, value_at
from leaderboard.ranking import ranked_columns
from mitobench.render.words import ends, number, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from leaderboard.ranking import Ranking
    from leaderboard.stability import RankSpread, Stability

__all__ = ["ranking_dict", "ranking_parts"]

_POSITIONS = {"avg": "mean position", "med": "median position"}


def ranking_dict(ranking: Ranking, stability: Stability | None) -> dict[str, Any]:
    """Return what JSON holds of a ranking: what was ranked, how, and a dictionary for each entry, by rank."""
    board = ranking.board
    return {
        "rule": board.rule,
        "task": board.task.label,
        "settings": ranking.settings.to_dict(),
        "entries": list(_rows(ranking, stability)),
        "stability_left_out": {} if stability is None else dict(stability.left_out),
    }


def _rows(ranking: Ranking, stability: Stability | None) -> Iterator[dict[str, Any]]:
    spreads = _spreads(stability)
    for entry in ranking.entries:
        standing, spread, metrics = ranking.standings[entry.key], spreads.get(entry.key), platform_metrics(entry)
        yield {
            "key": entry.key,
            "method": entry.card.method,
            "team": entry.card.team,
            "kind": entry.kind,
            "created": entry.created,
            "rank": standing.rank,
            "rank_score": standing.rank_score,
            "rank_per_metric": dict(standing.rank_per_metric),
            "values": {path: value_at(metrics, path) for path in ranked_columns(ranking.settings)},
            "interval": entry.overall_interval(_metric(ranking)),
            "rank_interval": None if spread is None else [spread.low, spread.high],
            "first": None if spread is None else spread.first,
            "why_not_ranked": ranking.hidden.get(entry.key, ""),
        }


def _spreads(stability: Stability | None) -> dict[str, RankSpread]:
    return {} if stability is None else {spread.key: spread for spread in stability.spreads}


def _metric(ranking: Ranking) -> str:
    """Return the metric whose mean over the volumes is the score, empty if the score is something else."""
    start, _, metric = ranking.settings.score.path.partition(".")
    return metric if start == "aggregates" else ""


def ranking_parts(ranking: Ranking, stability: Stability | None) -> Iterator[RenderableType]:
    """Yield what to print of a ranking."""
    from rich.text import Text

    board = ranking.board
    yield Text(f"{visible(board.task.label)}, rule {visible(board.rule)}", style="bold")
    yield _table(ranking, stability)
    methods = {entry.key: entry.card.method for entry in board.entries}
    for key, reason in ranking.hidden.items():
        yield Text(f"not ranked: {visible(methods[key])} ({key}) {visible(reason)}", style="yellow")
    if stability is not None:
        yield Text(
            f"ranks: {stability.level:.0%} interval of the rank of a method among {len(stability.spreads)}, over "
            f"{stability.resamples:,} draws of blocks of the volumes; first: how often it is",
            style="dim",
        )
        for key, reason in stability.left_out.items():
            yield Text(f"  without {visible(methods[key])} ({key}): {visible(reason)}", style="dim")


def _table(ranking: Ranking, stability: Stability | None) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns, method = list(ranked_columns(ranking.settings).values()), ranking.settings.scoring_method
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    for heading in ("method", "team"):
        table.add_column(heading, overflow="fold", min_width=6)
    positions = [_POSITIONS[method]] if method in _POSITIONS else []
    for heading in (*positions, *(column.title for column in columns)):
        table.add_column(Text(visible(heading), overflow="fold"), justify="right", overflow="fold")
    for heading in ["interval"] if stability is None else ["interval", "ranks", "first"]:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _rows(ranking, stability):
        table.add_row(*map(Text, _cells(row, ranking, stability)), style="" if row["rank"] else "dim")
    return table


def _cells(row: dict[str, Any], ranking: Ranking, stability: Stability | None) -> Iterator[str]:
    digits, several = ranking.settings.decimals, len(row["values"]) > 1
    yield str(row["rank"] or "-")
    yield visible(row["method"]) + (" (published)" if row["kind"] == "published" else "")
    yield visible(row["team"])
    if ranking.settings.scoring_method in _POSITIONS:
        yield f"{row['rank_score']:.2f}" if row["rank"] else ""
    for path, value in row["values"].items():
        place = f" ({row['rank_per_metric'][path]})" if several and row["rank"] else ""
        yield number(value, digits) + place
    yield ends(row["interval"], digits)
    if stability is not None:
        low, high = row["rank_interval"] or (None, None)
        yield "" if low is None else str(low) if low == high else f"{low} to {high}"
        yield "" if row["first"] is None else f"{row['first']:.0%}"
