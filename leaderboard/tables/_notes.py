"""What stands above and below the tables of papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaderboard.entry import Published
from leaderboard.tables._words import PUBLISHED, is_mixed, one_line
from mitobench.render.words import metric_label, rule_sentences, uncertainty_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from leaderboard.entry import Entry

__all__ = ["annotation_note", "caption", "interval_notes", "published_note", "rule_note", "volume_note"]


def caption(entries: Sequence[Entry]) -> str:
    """Say which score of what stands in a table, as far as it is the same for all rows."""
    metric = metric_label(one_line(str(entries[0].rule["rank_by"])))
    methods = {one_line(entry.card.method) for entry in entries}
    whose = f" of {methods.pop()}" if len(methods) == 1 else ""
    task = entries[0].task
    if all(entry.task == task for entry in entries):
        return f"{metric}{whose} on {task.label}"
    protocol = "" if task.protocol == "full" else f", {task.protocol}"
    return f"{metric}{whose} on {task.dataset} {task.part}{protocol}"


def rule_note(entries: Sequence[Entry]) -> str:
    """Say what the numbers mean, after the entry that knows most of the rule."""
    rule: Mapping[str, Any] = max((entry.rule for entry in entries), key=len)
    return ". ".join(one_line(text) for text in (f"Rule {rule['label']}", *rule_sentences(rule))) + "."


def annotation_note(entries: Sequence[Entry]) -> Iterator[str]:
    """Warn of numbers that say nothing about each other."""
    versions = list(dict.fromkeys(entry.task.annotation for entry in entries))
    if len(versions) > 1:
        names = f"{', '.join(versions[:-1])} and {versions[-1]}"
        yield (
            f"Annotations {names} are different ground truth: the rows of one cannot be held against those of another."
        )


def published_note(entries: Sequence[Entry]) -> Iterator[str]:
    """Name the publications that numbers are taken from."""
    results = [entry.result for entry in entries]
    sources = dict.fromkeys(one_line(result.source) for result in results if isinstance(result, Published))
    if sources:
        mark = f"{PUBLISHED} " if is_mixed(entries) else ""
        yield f"{mark}As published, not computed anew: {'; '.join(sources)}."


def volume_note(entries: Sequence[Entry], volumes: Sequence[str]) -> Iterator[str]:
    """Say why there is no mean over the volumes."""
    if any(entry.volumes and set(entry.volumes) != set(volumes) for entry in entries):
        yield "There is no overall value without all volumes."


def interval_notes(entries: Sequence[Entry]) -> Iterator[str]:
    """Say how the intervals were made, or that there are none."""
    made = [entry.report.uncertainty for entry in entries if entry.report and entry.report.uncertainty]
    yield from dict.fromkeys(map(uncertainty_sentence, made)) or ["No result in this table has intervals."]
