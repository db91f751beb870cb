"""Time of the confidence intervals of every metric, against computing the metrics once.

``python -m benchmarks.bench_intervals`` makes a table of 20,000 ground truths and 22,000 predictions.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from mitobench.compare._statistics import Paired, differences
from mitobench.matching import match
from mitobench.metrics import compute
from mitobench.resampling import Bootstrap
from mitobench.testing import random_population, random_prediction
from mitobench.uncertainty import intervals, resampled
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mitobench.matching import Matching
    from mitobench.types import Shape

BLOCKS = (4, 4, 4)
ONCE = "every metric once"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_intervals", description=__doc__)
    parser.add_argument("--instances", type=int, default=20_000, help="ground truths (default: 20000)")
    parser.add_argument("--resamples", type=int, default=1000, help="(default: 1000)")
    parser.add_argument("--rule", default="mitoem-2020", help="(default: mitoem-2020)")
    parser.add_argument("--workers", type=int, default=default_workers(), help="threads (default: one per processor)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the best counts (default: 3)")
    args = parser.parse_args(arguments)
    (a, b), shape = make_matchings(args.instances, args.rule)
    print(f"{len(a.gt):,} ground truths, {len(a.pred):,} predictions, {args.resamples:,} resamples")
    contenders = make_contenders(a, b, shape, args)
    for call in contenders.values():
        call()  # Compiling and lazy imports are not what is measured.
    seconds = {name: min(clock(call) for _ in range(args.repeat)) for name, call in contenders.items()}
    for name, best in seconds.items():
        print(f"{name:<42}{best:8.3f} s{best / seconds[ONCE]:8.1f} x")


def make_matchings(instances: int, rule: str) -> tuple[list[Matching], Shape]:
    rng = np.random.default_rng(0)
    population = random_population(rng, BLOCKS, instances / math.prod(BLOCKS))
    recall = rng.beta(2, 1, (2, math.prod(BLOCKS)))
    tables = [random_prediction(rng, population, recall=one, false=0.25) for one in recall]
    lengths = {int(i): size / 10.0 for i, size in zip(tables[0].gt.id, tables[0].gt.size, strict=True)}
    return [match(table, rule, cable_lengths=lengths) for table in tables], population.shape


def make_contenders(
    a: Matching, b: Matching, shape: Shape, args: argparse.Namespace
) -> dict[str, Callable[[], object]]:
    blocks = Bootstrap(resamples=args.resamples)
    single = Bootstrap(resamples=args.resamples, unit="instances")
    return {
        ONCE: lambda: compute(a),
        "intervals of every metric, by blocks": lambda: intervals(resampled(a, shape, blocks, workers=args.workers)),
        "intervals of every metric, by instances": lambda: intervals(resampled(a, shape, single, workers=args.workers)),
        "comparison of two predictions, by blocks": lambda: differences(
            Paired.of(a, b, shape, "blocks"), blocks, args.workers
        ),
    }


def clock(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
