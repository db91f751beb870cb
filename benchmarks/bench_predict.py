"""Time and memory of a whole prediction, beside the bare network on the same windows.

``python -m benchmarks.bench_predict`` predicts noise from a gzip file to a gzip file, with random weights. The bare
network is the one that the prediction uses, on the same device in the same precision, in a loop over as many batches of
the same size, mirror images included, that are in memory already. With ``--plain`` the network as PyTorch has it is
timed too: in full precision, layer by layer as it was built. The best round of each counts.
"""

from __future__ import annotations

import argparse
import copy
import resource
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch

from baselines.networks import build_network
from baselines.predict import Window, plan_prediction, predict
from baselines.predict._heap import kept_memory
from baselines.predict._model import Model, choose_device, is_half
from baselines.recipe import load_recipe
from mitobench.volumes import write_hdf5

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from baselines.networks import Network
    from baselines.predict import Plan, PredictReport
    from mitobench.types import Shape


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_predict", description=__doc__)
    parser.add_argument("--recipe", help="network, windows and padding of a recipe, but for what is named")
    parser.add_argument("--shape", type=_edges, default=(32, 384, 384), metavar="Z,Y,X", help="(default: 32,384,384)")
    parser.add_argument("--patch", type=_edges, metavar="Z,Y,X", help="(default: 32,256,256)")
    parser.add_argument("--filters", type=_edges, help="of the residual network (default: the published ones)")
    parser.add_argument("--flips", default="none", choices=("none", "xy", "xyz"), help="(default: none)")
    parser.add_argument("--batch", type=int, help="windows at a time (default: as `Window` has)")
    parser.add_argument("--precision", default="auto", choices=("auto", "full", "half"), help="(default: auto)")
    parser.add_argument("--memory", type=int, default=2 * 10**9, help="bytes (default: 2 GB)")
    parser.add_argument("--threads", type=int, help="of the CPU (default: as PyTorch has)")
    parser.add_argument("--device", default="auto", help="(default: auto)")
    parser.add_argument("--repeat", type=int, default=1, help="rounds (default: 1)")
    parser.add_argument("--plain", action="store_true", help="also time the network as PyTorch has it")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads or torch.get_num_threads())
    network, window = _chosen(args)
    plan = plan_prediction(args.shape, window, memory=args.memory)
    print("volume {}x{}x{}, {} windows, {} tiles, {:.1%} of the windows twice".format(
        *args.shape, plan.windows, len(plan.tiles), plan.recomputed
    ))  # fmt: skip
    device = choose_device(args.device)
    model = Model(network, window, device, half=is_half(args.precision, device))
    found: dict[str, list[Took]] = {"plain": [], "bare": [], "whole": []}
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        image, before = make_image(Path(folder), args.shape), _peak()
        for _ in range(args.repeat):
            if args.plain:
                plain = copy.deepcopy(network).to(device)
                found["plain"].append(bare(plain, plan, window, torch.zeros(0, device=device)))
            found["bare"].append(bare(model.logits, plan, window, torch.zeros(0, device=device, dtype=model.dtype)))
            with Clock() as clock:
                options = {"memory": args.memory, "device": args.device, "precision": args.precision}
                reports.append(predict(network, image, Path(folder) / "prob.h5", window, **options))
            found["whole"].append(clock.took)
    show(found, min(reports, key=lambda report: report.seconds), _peak() - before)


class Took(NamedTuple):
    """Seconds by the clock, and of the processors for the program and for the system."""

    wall: float
    user: float
    system: float


class Clock:
    """Measures what happens inside of it."""

    took: Took

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = Took(*(now - then for now, then in zip(self._now(), self._began, strict=True)))

    def _now(self) -> Took:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Took(time.perf_counter(), used.ru_utime, used.ru_stime)


def bare(network: Callable[[Tensor], Tensor], plan: Plan, window: Window, like: Tensor) -> Took:
    """Return what a network takes for as many batches as the plan has, images of the type and device of a tensor."""
    places = len(plan.axes[1].starts) * len(plan.axes[2].starts)
    batches = -(-places // window.at_a_time)
    sizes = [(k + 1) * places // batches - k * places // batches for k in range(batches)]
    plain = isinstance(network, torch.nn.Module)
    layout = torch.contiguous_format if plain else torch.channels_last_3d
    images = {n: torch.rand(n, 1, *window.patch).to(like).to(memory_format=layout) for n in set(sizes)}
    with torch.inference_mode(), nullcontext() if plain else kept_memory():
        for image in images.values():
            network(image)
        with Clock() as clock:
            for n in sizes * len(plan.axes[0].starts) * (1 + len(window.flips_of_axes)):
                network(images[n])
            if like.is_cuda:
                torch.cuda.synchronize()
    return clock.took


def make_image(folder: Path, shape: Shape) -> Path:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_hdf5(folder / "im.h5", lambda z0, z1: image[z0:z1], shape=shape, dtype=np.uint8)
    return folder / "im.h5"


def show(found: dict[str, list[Took]], report: PredictReport, memory: float) -> None:
    names = {"plain": "network as PyTorch has it", "bare": "bare network", "whole": "whole prediction"}
    best = {key: min(took) for key, took in found.items() if took}
    for key, (wall, user, system) in best.items():
        print(f"{names[key]:<42}{wall:10.2f} s, {user:.2f} s user, {system:.2f} s system")
    print(f"{'network within the prediction':<42}{report.network_seconds:10.2f} s")
    print(f"{'overhead over the bare network':<42}{best['whole'].wall / best['bare'].wall - 1:10.1%}")
    print(f"{'overhead in time of the processors':<42}{sum(best['whole'][1:]) / sum(best['bare'][1:]) - 1:10.1%}")
    print(f"{'overhead over the network within':<42}{report.seconds / report.network_seconds - 1:10.1%}")
    print(f"{'voxels per second':<42}{report.voxels_per_second:10.0f}")
    print(f"{'growth of the peak memory':<42}{memory / 1e6:10.0f} MB")


def _chosen(args: argparse.Namespace) -> tuple[Network, Window]:
    """Return the network and the windows that were named."""
    if args.recipe is None:
        network, config, window = "unet-residual-3d", {}, Window()
    else:
        recipe = load_recipe(args.recipe)
        network, config, window = recipe.network, vars(recipe.config), recipe.window
    config = config if args.filters is None else {**config, "filters": args.filters}
    window = replace(window, patch=args.patch or window.patch, flips=args.flips, batch=args.batch)
    return build_network(network, config).eval(), window


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _edges(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    main()
