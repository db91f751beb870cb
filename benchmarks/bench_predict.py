"""Time and memory of a whole prediction, beside the bare network on the same windows.

``python -m benchmarks.bench_predict`` predicts noise from a gzip file to a gzip file. The bare network is given batches
of the same size and number, mirror images included, that are in memory already.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from baselines.networks import build_network
from baselines.predict import Window, plan_prediction, predict
from mitobench.volumes import write_hdf5

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.networks import Network
    from baselines.predict import Plan, PredictReport
    from mitobench.types import Shape


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_predict", description=__doc__)
    parser.add_argument("--shape", type=_edges, default=(32, 512, 512), metavar="Z,Y,X", help="(default: 32,512,512)")
    parser.add_argument("--patch", type=_edges, default=(32, 256, 256), metavar="Z,Y,X", help="(default: 32,256,256)")
    parser.add_argument("--filters", default="8,12,16", help="of the residual network (default: 8,12,16)")
    parser.add_argument("--flips", default="none", choices=("none", "xy", "xyz"), help="(default: none)")
    parser.add_argument("--batch", type=int, default=1, help="windows at a time (default: 1)")
    parser.add_argument("--memory", type=int, default=2 * 10**9, help="bytes (default: 2 GB)")
    parser.add_argument("--device", default="auto", help="(default: auto)")
    parser.add_argument("--repeat", type=int, default=1, help="the best of so many rounds counts (default: 1)")
    args = parser.parse_args(arguments)
    window = Window(patch=args.patch, flips=args.flips, batch=args.batch)
    network = build_network("unet-residual-3d", {"filters": tuple(map(int, args.filters.split(",")))}).eval()
    plan = plan_prediction(args.shape, window, memory=args.memory)
    print("volume {}x{}x{}, {} windows, {} tiles, {:.1%} of the windows twice".format(
        *args.shape, plan.windows, len(plan.tiles), plan.recomputed
    ))  # fmt: skip
    whole, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.repeat):
            bare.append(bare_seconds(network, plan, window, args.device))
            before = _peak()
            whole.append(predicted(network, args.shape, window, Path(folder), args.memory, args.device))
    show(min(bare), min(whole, key=lambda report: report.seconds), _peak() - before)


def bare_seconds(network: Network, plan: Plan, window: Window, device: str) -> float:
    """Return what the network takes for as many batches as the plan has."""
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    image = torch.rand(window.batch, 1, *window.patch, device=kind)
    rows = -(-len(plan.axes[2].starts) // window.batch) * len(plan.axes[1].starts) * len(plan.axes[0].starts)
    network = network.to(kind)
    half = torch.autocast(kind, torch.float16, enabled=kind == "cuda")
    with torch.inference_mode(), half:
        network(image)
        start = time.perf_counter()
        for _ in range(rows * (1 + len(window.flips_of_axes))):
            network(image)
        if kind == "cuda":
            torch.cuda.synchronize()
    return time.perf_counter() - start


def predicted(network: Network, shape: Shape, window: Window, folder: Path, memory: int, device: str) -> PredictReport:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_hdf5(folder / "im.h5", lambda z0, z1: image[z0:z1], shape=shape, dtype=np.uint8)
    return predict(network, folder / "im.h5", folder / "prob.h5", window, memory=memory, device=device)


def show(bare: float, report: PredictReport, memory: float) -> None:
    print(f"{'bare network':<42}{bare:10.2f} s")
    print(f"{'network within the prediction':<42}{report.network_seconds:10.2f} s")
    print(f"{'whole prediction':<42}{report.seconds:10.2f} s")
    print(f"{'overhead over the bare network':<42}{report.seconds / bare - 1:10.1%}")
    print(f"{'overhead over the network within':<42}{report.seconds / report.network_seconds - 1:10.1%}")
    print(f"{'voxels per second':<42}{report.voxels_per_second:10.0f}")
    print(f"{'growth of the peak memory':<42}{memory / 1e6:10.0f} MB")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _edges(text: str) -> Shape:
    z, y, x = map(int, text.split(","))
    return z, y, x


if __name__ == "__main__":
    main()
