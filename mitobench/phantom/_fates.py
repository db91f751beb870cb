"""Ids of bodies: the true ones, and those of a prediction of a stated quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mitobench.phantom._bodies import DENSE, MITOCHONDRION, VACUOLE
from mitobench.phantom._kernels import Labels
from mitobench.phantom._quality import Quality, draw_fates, merge_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.phantom._bodies import Body
    from mitobench.types import Int64

__all__ = ["predicted_labels", "true_labels"]


def true_labels(rng: np.random.Generator, bodies: Sequence[Body]) -> Labels:
    """Return ids in random order of the mitochondria, and 0 of all else."""
    mitochondria = _of_kind(bodies, MITOCHONDRION)
    ids = np.zeros(len(bodies), np.int64)
    ids[mitochondria] = rng.permutation(len(mitochondria)) + 1
    count = len(bodies)
    return Labels(np.zeros((count, 3)), np.ones(count), np.full(count, np.inf), ids, ids, 0.0)


def predicted_labels(rng: np.random.Generator, bodies: Sequence[Body], quality: Quality) -> Labels:
    """Draw what becomes of each mitochondrion, and which distractors are taken for one."""
    mitochondria, count = _of_kind(bodies, MITOCHONDRION), len(bodies)
    found, split, merged = draw_fates(rng, len(mitochondria), quality)
    distractors = np.concatenate([_of_kind(bodies, DENSE), _of_kind(bodies, VACUOLE)])
    false = rng.binomial(len(mitochondria), quality.false) if len(distractors) else 0
    taken = rng.permutation(distractors)[:false]
    shown = mitochondria[found]
    middle = np.array([bodies[i].point[len(bodies[i].point) // 2] for i in shown.tolist()]).reshape(-1, 3)
    group = merge_groups(middle, merged)
    before, after = np.zeros((2, count), np.int64)
    before[shown] = after[shown] = group + 1
    after[shown[split]] = len(shown) + 1 + np.arange(split.sum())
    before[taken] = after[taken] = 2 * len(shown) + 1 + np.arange(len(taken))
    cut = np.full(count, np.inf)
    cut[shown[split]] = [bodies[i].along[-1] * rng.uniform(0.3, 0.7) for i in shown[split].tolist()]
    thin = np.array([np.median(body.radius) for body in bodies])
    shift = quality.jitter_shift * thin[:, None] * rng.normal(size=(count, 3))
    scale = np.exp(quality.jitter_scale * rng.normal(size=count))
    reach = float(np.linalg.norm(shift, axis=1).max(initial=0) + (thin * np.abs(scale - 1) * 2).max(initial=0))
    before, after = _renumbered(rng, before, after)
    return Labels(shift, scale, cut, before, after, reach)


def _of_kind(bodies: Sequence[Body], kind: int) -> Int64:
    return np.flatnonzero(np.array([body.kind for body in bodies], np.int64) == kind)


def _renumbered(rng: np.random.Generator, before: Int64, after: Int64) -> tuple[Int64, Int64]:
    """Return the same ids without gaps, in random order, 0 kept."""
    names, name = np.unique(np.concatenate([[0], before, after]), return_inverse=True)
    fresh = np.concatenate([[0], rng.permutation(len(names) - 1) + 1])[name[1:]]
    return fresh[: len(before)], fresh[len(before) :]
