"""Time and memory of decoding probabilities, against scikit-image's watershed of the whole volume.

``python -m benchmarks.bench_decode --shape 200,2048,2048`` decodes probabilities made from synthetic labels, smoothed
and noisy. The contenders take turns, and every measurement is a process of its own, from its start and reading the file
on; ours writes the instances too. Beside the wall time stands that of the processors, user and system: it says less of
who else used the machine. The whole volume takes scikit-image about 30 bytes a voxel: with ``--sections`` it gets only
so many sections of it, and the ratios are per voxel.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench_pair import measure_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mitobench.types import AnyArray, Shape

READ, DECODE, WHOLE = "plain h5py read", "mitobench decode", "scikit-image, whole volume"
_MARGIN = 4
"""Sections around a slab that its smoothing looks at."""


@dataclass(frozen=True)
class Row:
    """One line of the table: wall and processor times of the best run (s), voxels, and the largest peak (bytes)."""

    name: str
    wall: float
    processor: float
    voxels: int
    peak: int


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse(arguments)
    if args.run:
        run(args)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch).resolve()
        folder.mkdir(exist_ok=True)
        make_probability(folder, args)
        print(table(measure(folder, args)))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_decode", description=__doc__)
    parser.add_argument("--shape", default="50,1024,1024", metavar="Z,Y,X", help="(default: %(default)s)")
    parser.add_argument("--foreground", type=float, default=0.08, help="fraction of voxels (default: %(default)s)")
    parser.add_argument("--noise", type=float, default=0.1, help="standard deviation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the labels and the noise (default: 0)")
    parser.add_argument("--method", default="mw", choices=["mw", "cc"], help="(default: %(default)s)")
    parser.add_argument("--memory", type=int, default=10**9, help="bytes, for ours (default: %(default)s)")
    parser.add_argument("--sections", type=int, default=0, help="for scikit-image (default: all)")
    parser.add_argument("--keep", metavar="DIR", help="keep the volume there, and use it if it is there already")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--run", metavar="CONTENDER", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def make_probability(folder: Path, args: argparse.Namespace) -> None:
    """Write the probabilities, unless the same ones are there."""
    made = {name: getattr(args, name) for name in ("shape", "foreground", "noise", "seed")}
    record = folder / "probability.json"
    if record.is_file() and json.loads(record.read_text()) == made:
        return
    record.unlink(missing_ok=True)
    measure_process([*again(args, "make"), "--keep", str(folder)])
    record.write_text(json.dumps(made))


def again(args: argparse.Namespace, contender: str) -> list[str]:
    """Return the command that runs one contender alone."""
    names = ("shape", "foreground", "noise", "seed", "method", "memory", "sections", "keep")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "benchmarks.bench_decode", *options, "--run", contender]


def measure(folder: Path, args: argparse.Namespace) -> list[Row]:
    """Let the contenders take turns."""
    names = {READ: "read", DECODE: "decode", WHOLE: "whole"}
    commands = {name: [*again(args, run), "--keep", str(folder)] for name, run in names.items()}
    rounds = [{name: measured(command) for name, command in commands.items()} for _ in range(args.repeat)]
    z, y, x = map(int, args.shape.split(","))
    rows = []
    for name in names:
        part = args.sections if name == WHOLE and args.sections else z
        label = name if part == z else f"{name}, {part} sections"
        wall, processor, _ = min(one[name] for one in rounds)
        rows.append(Row(label, wall, processor, part * y * x, max(one[name][2] for one in rounds)))
    return rows


def measured(command: Sequence[str]) -> tuple[float, float, int]:
    """Run a process; return its wall time and its processor time (s), and its peak memory (bytes)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = measure_process(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return run.wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run.peak


def table(rows: Sequence[Row]) -> str:
    """Lay out the rows; the last one is what the others are compared with, voxel by voxel."""
    base = rows[-1]
    lines = [f"{'':42}{'wall s':>9}{'ratio':>8}{'processor s':>13}{'ratio':>8}{'peak MB':>9}"]
    for row in rows:
        scale = row.voxels / base.voxels
        wall, processor = scale * base.wall / row.wall, scale * base.processor / max(row.processor, 1e-9)
        lines.append(
            f"{row.name:42}{row.wall:9.2f}{wall:8.1f}{row.processor:13.2f}{processor:8.1f}{row.peak / 1e6:9.0f}"
        )
    return "\n".join([*lines, f"ratio: how many times as fast as '{base.name}'"])


def run(args: argparse.Namespace) -> None:
    """Run one contender in this process."""
    folder, shape = Path(args.keep), tuple(map(int, args.shape.split(",")))
    if args.run == "make":
        write_probability(folder / "probability.h5", shape, args)  # type: ignore[arg-type]
    elif args.run == "read":
        read(folder / "probability.h5", None)
    elif args.run == "decode":
        from baselines.decode import decode

        decode(str(folder / "probability.h5"), folder / "instances.h5", args.method, memory=args.memory)
    else:
        mask, contour = read(folder / "probability.h5", args.sections or None)
        decode_whole(mask, contour, args.method)


def read(path: Path, sections: int | None) -> AnyArray:
    import h5py

    with h5py.File(path) as file:
        probability: AnyArray = file["main"][:, :sections]
    return probability


def decode_whole(mask: AnyArray, contour: AnyArray, method: str) -> AnyArray:
    """Decode as the public tools do, at the settings of ours."""
    import numpy as np
    from skimage.measure import label
    from skimage.segmentation import watershed

    if method == "cc":
        labels, least = label(mask > 204, connectivity=3), 128  # type: ignore[no-untyped-call]
    else:
        seeds = label((mask > 216) & (contour < 153), connectivity=3)  # type: ignore[no-untyped-call]
        labels = watershed(-mask, seeds, mask=mask > 204)  # type: ignore[no-untyped-call]
        least = 1024
    small = np.bincount(labels.ravel()) < least
    labels[small[labels]] = 0
    return labels  # type: ignore[no-any-return]


def write_probability(path: Path, shape: Shape, args: argparse.Namespace) -> None:
    """Write a smoothed mask and a smoothed contour, both with smooth noise, slab by slab."""
    import h5py
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from baselines.targets import window_contour
    from mitobench.phantom import plan_labels

    plan = plan_labels(shape, seed=args.seed, foreground=args.foreground)
    chunk = tuple(min(n, edge) for n, edge in zip(shape, (16, 128, 128), strict=True))
    with h5py.File(path, "w") as file:
        target = file.create_dataset("main", (2, *shape), "u1", chunks=(1, *chunk), compression="gzip")
        for z in range(0, shape[0], 16):
            low, high = max(0, z - _MARGIN), min(shape[0], z + 16 + _MARGIN)
            labels = plan.paint(plan.gt, low, high)
            for channel, kind in enumerate((labels > 0, window_contour(labels))):
                rng = np.random.default_rng((args.seed, channel, z))
                noise = gaussian_filter(rng.standard_normal(kind.shape, np.float32), 1.5)
                clean = gaussian_filter(kind.astype(np.float32), 1 - 0.3 * channel)
                # As of a network that is sure of most voxels: the noise is on what its sigmoid gets.
                noisy = 1 / (1 + np.exp(-16 * (clean - 0.5 + args.noise / noise.std() * noise)))
                target[channel, z : z + 16] = (255 * noisy[z - low : z - low + 16]).astype(np.uint8)


if __name__ == "__main__":
    main()
