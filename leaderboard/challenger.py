"""Entries as the table that challengeR reads, the R package for the analysis of challenges.

    challengeR::as.challenge(read.csv("table.csv"), by = "Task", case = "TestCase", algorithm = "Algorithm",
                             value = "MetricValue", smallBetter = FALSE, na.treat = "na.rm")

A test case is a block of a volume, because two volumes are too few cases to resample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboard.blocks import alike
from leaderboard.tables import harmless
from mitobench.errors import InvalidInputError
from mitobench.render.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leaderboard.blocks import BlockScores
    from leaderboard.board import Board
    from leaderboard.entry import Entry

__all__ = ["ChallengerTable", "challenger_table"]


@dataclass(frozen=True)
class ChallengerTable:
    """The table of a board.

    Attributes
    ----------
    rows
        With ``Task``, ``TestCase``, ``Algorithm`` and ``MetricValue``; more is better.
    left_out
        Key of the entry -> why it is not in the table.
    """

    rows: tuple[dict[str, Any], ...]
    left_out: Mapping[str, str]


def challenger_table(board: Board, *, bucket: str = "all") -> ChallengerTable:
    """Return what the rule ranks by in each block of each volume, for every method of one ground truth.

    A value is ``NA`` where the metric is undefined in a block. A name that starts with ``=``, ``+``, ``-`` or ``@`` has
    an apostrophe put before it, because a spreadsheet would take it for a formula; R reads the apostrophe as part of
    the name.

    Parameters
    ----------
    board
        With entries of different keys.
    bucket
        ``all``, ``small``, ``medium`` or ``large``.

    Raises
    ------
    InvalidInputError
        No entry has scores of blocks.
    """
    group, left_out = alike(board.entries, lambda scores: scores.ground_truth, "other ground truth")
    if not group:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in left_out.items())
        raise InvalidInputError(
            f"no entry of {board.rule}, {board.task.label} has scores of blocks ({reasons}); add some that were scored "
            "with intervals"
        )
    names = _names([scores.entry for scores in group])
    rows = [row for scores in group for row in _rows(scores, names[scores.entry.key], bucket)]
    return ChallengerTable(tuple(rows), left_out)


def _rows(scores: BlockScores, name: str, bucket: str) -> list[dict[str, Any]]:
    return [
        {
            "Task": harmless(visible(volume if bucket == "all" else f"{volume} {bucket}")),
            "TestCase": f"block-{number:02d}",
            "Algorithm": name,
            "MetricValue": "NA" if value is None else value,
        }
        for (volume, _, _), resamples in zip(scores.ground_truth, scores.resamples, strict=True)
        for number, value in enumerate(resamples.by_block[bucket], 1)
    ]


def _names(entries: Sequence[Entry]) -> dict[str, str]:
    """Return a name for each entry, by its key: the method, and the key where several look alike."""
    shown = {entry.key: harmless(visible(entry.card.method)) for entry in entries}
    folded = [name.casefold() for name in shown.values()]
    return {key: name if folded.count(name.casefold()) == 1 else f"{name} ({key})" for key, name in shown.items()}
