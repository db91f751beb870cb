"""Processor time of each augmentation of a recipe, and of its whole chain.

``python -m benchmarks.bench_augment`` makes crops of synthetic tissue of the size that the recipe needs.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from baselines.augment import AUGMENTATIONS, Augmentation, worker_generator
from baselines.targets import smooth_instances
from mitobench.phantom import plan_tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mitobench.types import AnyArray, Shape

CHAIN = "whole chain"
SMOOTHED = "whole chain, outlines smoothed"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_augment", description=__doc__)
    parser.add_argument("--recipe", default="v2", choices=AUGMENTATIONS, help="(default: v2)")
    parser.add_argument("--patch", default="32,256,256", metavar="Z,Y,X", help="(default: 32,256,256)")
    parser.add_argument("--samples", type=int, default=20, help="of the whole chain (default: 20)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of each transform (default: 5)")
    args = parser.parse_args(arguments)
    z, y, x = map(int, args.patch.split(","))
    steps = AUGMENTATIONS[args.recipe]
    chain = Augmentation(steps, (z, y, x))
    crop = make_crop(chain.crop)
    print("recipe {}, crop {}x{}x{}, patch {}x{}x{}".format(args.recipe, *chain.crop, z, y, x))
    for step in steps:
        report(type(step.transform).__name__, args.repeat, partial(step.transform, *crop))
    report("smooth_instances", args.repeat, lambda _rng: smooth_instances(crop[1][:z, :y, :x], "v2"))
    smoothed = Augmentation(steps, (z, y, x), smoothing="v2")
    for name, augmentation in ((CHAIN, chain), (SMOOTHED, smoothed)):
        seconds = report(name, args.samples, partial(augmentation, *crop))
        print(f"{'samples per second per core':<42}{1 / seconds:8.1f}")


def make_crop(shape: Shape) -> tuple[AnyArray, AnyArray]:
    plan = plan_tissue(shape)
    image = np.asarray(plan.image(0, shape[0]), np.float32) / 255
    return image, plan.gt(0, shape[0])


def report(name: str, rounds: int, call: Callable[[np.random.Generator], object]) -> float:
    """Print and return the mean of the processor time in seconds; rounds draw other numbers, so none is the best."""
    call(worker_generator(seed=0, worker=1, step=0))
    start = time.process_time()
    for k in range(rounds):
        call(worker_generator(seed=0, worker=0, step=k))
    seconds = (time.process_time() - start) / rounds
    print(f"{name:<42}{1000 * seconds:8.1f} ms")
    return seconds


if __name__ == "__main__":
    main()
