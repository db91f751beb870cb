"""The published results as entries; their numbers are those of `mitobench.published`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaderboard.card import MethodCard
from leaderboard.entry import Entry, Published, Task
from mitobench.published import PUBLISHED, PUBLISHED_METRIC, PUBLISHED_RULE, PUBLISHED_SOURCE

if TYPE_CHECKING:
    from mitobench.published import PublishedResult

__all__ = ["published_entries"]


def published_entries() -> tuple[Entry, ...]:
    """Return an entry for each published result, as they ship with the package.

    ``leaderboard.store.add_all(SHIPPED, published_entries(), replace=True)`` writes them anew.

    Examples
    --------
    >>> [(entry.key, entry.score) for entry in published_entries()][:2]
    [('u2d-b-cc-v1', 0.476), ('u2d-b-cc-v2', 0.432)]
    """
    return tuple(map(_entry, PUBLISHED))


def _entry(result: PublishedResult) -> Entry:
    from mitobench.rules import RULES

    rule = RULES[PUBLISHED_RULE]
    published = Published(
        rule={**rule.to_dict(), "label": rule.label},
        scores={name: {PUBLISHED_METRIC: dict(buckets)} for name, buckets in result.scores.items()},
        overall={PUBLISHED_METRIC: result.overall},
        source=PUBLISHED_SOURCE,
    )
    return Entry(
        card=MethodCard(method=result.method),
        task=Task(annotation=result.annotation),
        result=published,
        created="",
        remark=f"{result.implementation} implementation" if result.implementation else "",
    )
