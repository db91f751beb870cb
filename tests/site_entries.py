"""Results to put on a site: the published ones, and measured ones of small volumes."""

from dataclasses import replace
from functools import cache

import numpy as np

from leaderboard.card import MethodCard
from leaderboard.entry import Entry, File, Published, Task
from mitobench.evaluate import evaluate_benchmark
from mitobench.published import PUBLISHED, PUBLISHED_SOURCE
from mitobench.resampling import Bootstrap

RULE = {"name": "mitoem-2020", "label": "mitoem-2020", "rank_by": "ap_75", "source": "a paper"}


def published():
    """Return the four published results, on two boards."""
    return tuple(
        Entry(
            card=MethodCard(method=found.method),
            task=Task(annotation=found.annotation),
            result=Published(
                rule=RULE,
                scores={name: {"ap_75": dict(values)} for name, values in found.scores.items()},
                overall={"ap_75": found.overall},
                source=PUBLISHED_SOURCE,
            ),
            created="2021-04-15",
        )
        for found in PUBLISHED
    )


def blocks():
    """Return 64 boxes in a grid, some of them larger."""
    gt = np.zeros((12, 160, 160), np.uint16)
    for label in range(1, 65):
        y, x = (20 * place for place in divmod(label - 1, 8))
        size = 19 if label % 8 == 3 else 12
        gt[:12, y : y + size, x : x + 15 + label % 4] = label
    return gt


@cache
def report(missed=0):
    """Return a report of two volumes in which so many ground truths are missed, with resamples and instances."""
    gt = blocks()
    rng = np.random.default_rng(8)
    order = rng.permutation(64)[:missed] + 1
    pairs = {
        "MitoEM-H": (np.where(np.isin(gt, order), 0, gt), gt),
        "MitoEM-R": (np.where(np.isin(gt, order[: missed // 2]), 0, gt), gt),
    }
    return evaluate_benchmark(pairs, intervals=Bootstrap(resamples=200))


def measured(method, missed=0, *, task=None, **card):
    """Return the result of a method that misses so many ground truths."""
    return Entry(
        card=MethodCard(method=method, **card),
        task=task or Task(),
        result=report(missed),
        created="2026-11-23T12:00:00+00:00",
        files=(File("submission.zip", 12_345, "ab" * 32),),
    )


def without_score(method):
    """Return a result whose score is undefined in one volume."""
    entry = measured(method)
    first, second = entry.report.volumes
    undefined = {**first.metrics, "ap_75": dict.fromkeys(first.metrics["ap_75"])}
    volumes = (replace(first, metrics=undefined), second)
    overall = {**entry.report.overall, "ap_75": None}
    return replace(entry, result=replace(entry.report, volumes=volumes, overall=overall, overall_intervals={}))
