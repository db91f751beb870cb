"""Entries for tests of tables, and the cells of what was made of them."""

import re

import numpy as np

from leaderboard.card import MethodCard
from leaderboard.entry import Entry, Published, Task
from mitobench.evaluate import evaluate_benchmark
from mitobench.testing import random_volumes

BUCKETS = ("small", "medium", "large", "all")
RULE = {"name": "mitoem-2020", "label": "mitoem-2020", "rank_by": "ap_75", "source": ""}


def published(method="A", *, human=0.5, rat=0.5, rule=RULE, remark="", source="a paper", **task):
    """One value for all buckets of a volume; None leaves the volume out."""
    volumes = {name: value for name, value in (("MitoEM-H", human), ("MitoEM-R", rat)) if value is not None}
    scores = {name: {"ap_75": dict.fromkeys(BUCKETS, value)} for name, value in volumes.items()}
    overall = {"ap_75": sum(volumes.values()) / len(volumes)} if volumes else {"ap_75": None}
    result = Published(rule=rule, scores=scores, overall=overall, source=source)
    return Entry(card=MethodCard(method=method), task=Task(**task), result=result, created="", remark=remark)


def measured(method="ours", *, seed=0, names=("MitoEM-H", "MitoEM-R"), rule="mitoem-2020", intervals=None, team=""):
    rng = np.random.default_rng(seed)
    pairs = {name: random_volumes(rng)[::-1] for name in names}
    report = evaluate_benchmark(pairs, rule=rule, intervals=intervals)
    card = MethodCard(method=method, team=team)
    return Entry(card=card, task=Task(), result=report, created="2026-11-23T10:00:00+00:00")


def texts(table):
    return [[cell.text for cell in row.cells] for row in table.rows]


def bold(table):
    return [[cell.best for cell in row.cells] for row in table.rows]


def latex_rows(text):
    """Cells of each line of a table, heading and groups included."""
    lines = (line.strip() for line in text.splitlines())
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", line[:-2])] for line in lines if line.endswith(r"\\")]


def markdown_rows(text):
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line.startswith("|")]
