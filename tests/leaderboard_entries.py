"""Entries for tests of the leaderboard: made up, or measured on small volumes."""

import functools
from dataclasses import replace

import numpy as np

from leaderboard.card import MethodCard
from leaderboard.entry import Entry, Published, Task
from mitobench import Bootstrap
from mitobench.evaluate import evaluate_benchmark
from mitobench.rules import RULES

# One threshold, because that is enough and fast.
RULE = replace(RULES["mitoem-2020"], iou_thresholds=(0.75,))
BOOTSTRAP = Bootstrap(resamples=200)
SHAPE = (24, 128, 128)


def published_entry(method="U2D", score=0.5, *, team="", created="", rule=RULES["mitoem-2020"], **task):
    """Return an entry with nothing but one score."""
    scores = {name: {"ap_75": {"all": score}} for name in ("MitoEM-H", "MitoEM-R")}
    labelled = rule.to_dict() | {"label": rule.label}
    result = Published(rule=labelled, scores=scores, overall={"ap_75": score}, source="a paper")
    return Entry(card=MethodCard(method=method, team=team), task=Task(**task), result=result, created=created)


def volumes(seed, recall):
    """Return (gt, pred): boxes on a grid, of which so many are found; the ground truth depends on the seed alone."""
    place, found = np.random.default_rng(seed), np.random.default_rng([seed, int(1000 * recall)])
    gt, pred = np.zeros((2, *SHAPE), np.uint16)
    corners = [(z, y, x) for z in range(0, 24, 6) for y in range(0, 119, 12) for x in range(0, 119, 12)]
    for label, (z, y, x) in enumerate(corners, 1):
        width = int(place.integers(6, 10))
        gt[z : z + 4, y : y + 9, x : x + width] = label
        if found.random() < recall:
            pred[z : z + 4, y : y + 9, x : x + width] = label
    return gt, pred


@functools.cache
def report(recall, *, seeds=(1, 2), bootstrap=BOOTSTRAP, rule=RULE):
    """Return the report of a method that finds so many."""
    names = ("MitoEM-H", "MitoEM-R")
    pairs = {name: volumes(seed, recall)[::-1] for name, seed in zip(names, seeds, strict=False)}
    return evaluate_benchmark(pairs, rule=rule, intervals=bootstrap)


def measured_entry(method, recall, *, team="", created="2026-11-23T12:00:00+00:00", **options):
    """Return the entry of a method that finds so many."""
    card = MethodCard(method=method, team=team)
    return Entry(card=card, task=Task(part="val"), result=report(recall, **options), created=created)
