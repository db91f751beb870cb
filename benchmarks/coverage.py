"""How often 95 % intervals hold the truth, by the number of blocks and by how far neighbours are alike.

``python -m benchmarks.coverage`` draws volumes in which the chance that an instance is found is a smooth random field,
and prints the share of them whose interval holds the expected recall, F1 and AP-75.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from scipy.ndimage import gaussian_filter

from mitobench import resampling
from mitobench.matching import match
from mitobench.metrics import compute
from mitobench.resampling import Bootstrap
from mitobench.rules import RULES
from mitobench.strata import ALL
from mitobench.testing import random_population, random_prediction
from mitobench.uncertainty import intervals, resampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.matching import Matching
    from mitobench.types import Float64, Shape

CELLS = 16
METRICS = ("recall_75", "f1_75", "ap_75")
RULE = replace(RULES["mitoem-2020"], iou_thresholds=(0.75,))
RANGES = (0.0, 0.5, 1.0, 2.0)
LIMITS = (8, 16, 64, 512)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--volumes", type=int, default=300, help="drawn for each range (default: 300)")
    parser.add_argument(
        "--density", type=float, default=0.25, help=f"instances in each of {CELLS}^3 cells (default 0.25)"
    )
    args = parser.parse_args(arguments)
    print(f"{'neighbours alike up to':<26}{'drawn':<14}" + "".join(f"{metric:>12}" for metric in METRICS))
    truth = expected()
    for smoothing in RANGES:
        report(smoothing, truth, args)


def report(smoothing: float, truth: dict[str, Any], args: argparse.Namespace) -> None:
    """Print one line for each kind of unit, for fields of one range."""
    rng = np.random.default_rng(1)
    volumes = [volume(rng, smoothing, args.density) for _ in range(args.volumes)]
    settings: list[tuple[str, int]] = [("instances", 0), *(("blocks", limit) for limit in LIMITS)]
    for unit, limit in settings:
        with mock.patch.object(resampling, "_BLOCKS", limit):
            held = np.mean([holds(one, unit, truth, seed) for seed, one in enumerate(volumes)], axis=0)
        # Two standard deviations of the smoothing kernel on either side.
        alike = f"{4 * smoothing / CELLS:.0%} of the edge"
        drawn = f"{limit} {unit}" if limit else unit
        print(f"{alike:<26}{drawn:<14}" + "".join(f"{share:>12.3f}" for share in held))


def volume(rng: np.random.Generator, smoothing: float, density: float) -> tuple[Matching, Shape]:
    population = random_population(rng, (CELLS, CELLS, CELLS), density)
    table = random_prediction(rng, population, recall=field(rng, smoothing).ravel())
    return match(table, RULE), population.shape


def field(rng: np.random.Generator, smoothing: float, cells: int = CELLS) -> Float64:
    """Return the chance to be found in each cell: the corner of a field of twice the size, which has no period."""
    noise = rng.standard_normal((2 * cells,) * 3)
    smooth = gaussian_filter(noise, smoothing, mode="wrap") if smoothing else noise
    return chance(smooth / smooth.std())[:cells, :cells, :cells]


def chance(normal: Float64) -> Float64:
    return np.asarray(1 / (1 + np.exp(-1.2 - 0.8 * normal)))


def expected() -> dict[str, Any]:
    """Return the metrics of a very large volume, which do not depend on how far neighbours are alike."""
    rng = np.random.default_rng(0)
    population = random_population(rng, (64, 64, 64), 1)
    recall = chance(rng.standard_normal(64**3))
    metrics = compute(match(random_prediction(rng, population, recall=recall), RULE))
    return {metric: metrics[metric][ALL] for metric in METRICS}


def holds(one: tuple[Matching, Shape], unit: Any, truth: dict[str, Any], seed: int) -> list[bool]:  # noqa: ANN401
    found = intervals(resampled(*one, Bootstrap(resamples=400, unit=unit, seed=seed)))
    ends = [found[metric][ALL] or [np.nan, np.nan] for metric in METRICS]
    return [bool(low <= truth[metric] <= high) for metric, (low, high) in zip(METRICS, ends, strict=True)]


if __name__ == "__main__":
    main()
