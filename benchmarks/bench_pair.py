"""Time and memory of scoring one pair of label volumes, against reading them and against other ways to count.

``python -m benchmarks.bench_pair --shape 200,2048,2048`` compares whole commands on files, ``--in-memory`` calls on
arrays. Every measurement is a process of its own; the contenders take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# This process stays small: on Linux the peak memory of a child counts what its parent held when it was started.
from benchmarks._contenders import IN_MEMORY, SUB_VOLUME
from mitobench import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
READ = "plain h5py read, whole command"
READ_ALONE = "plain h5py read, read alone"
EVALUATE = "mitobench evaluate, whole command"
EQUAL = "numpy (gt == pred).sum()"


@dataclass(frozen=True)
class Run:
    """One process: wall time of the whole and what it timed itself (s), voxels of one side, peak memory (bytes)."""

    wall: float
    inner: float
    voxels: int
    peak: int


@dataclass(frozen=True)
class Row:
    """One line of the table: times (s), bytes of labels of both sides, peak memories (bytes)."""

    name: str
    times: tuple[float, ...]
    size: int
    peaks: tuple[int, ...]

    @property
    def speed(self) -> float:
        """Bytes of label data per second, at best."""
        return self.size / max(min(self.times), 1e-9)


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch).resolve()
        make_pair(folder, args)
        measure = measure_arrays if args.in_memory else measure_files
        rows = measure(folder / "gt.h5", folder / "pred.h5", args)
    print(table(rows, EQUAL if args.in_memory else READ))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_pair", description=__doc__)
    parser.add_argument("--shape", metavar="Z,Y,X", help="default: 200,2048,2048, or 100,2048,2048 in memory")
    parser.add_argument("--dtype", default="uint16", help="of the labels (default: uint16)")
    parser.add_argument("--seed", type=int, default=0, help="of the pair (default: 0)")
    parser.add_argument("--keep", metavar="DIR", help="keep the pair there, and use it if it is there already")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--in-memory", action="store_true", help="compare calls on arrays instead of whole commands")
    parser.add_argument("--sections", type=int, default=10, help="for those too slow for all of them (default: 10)")
    args = parser.parse_args(arguments)
    args.shape = args.shape or ("100,2048,2048" if args.in_memory else "200,2048,2048")
    return args


def make_pair(folder: Path, args: argparse.Namespace) -> None:
    """Write the pair, unless the same one is there."""
    made = {"shape": args.shape, "dtype": args.dtype, "seed": args.seed, "mitobench": __version__}
    record = folder / "pair.json"
    files = [folder / "gt.h5", folder / "pred.h5", record]
    if all(file.is_file() for file in files) and json.loads(record.read_text()) == made:
        return
    record.unlink(missing_ok=True)
    options = ["--shape", args.shape, "--dtype", args.dtype, "--seed", str(args.seed), "--no-image"]
    run = measure_process([sys.executable, "-m", "mitobench", "phantom", "make", str(folder), *options])
    record.write_text(json.dumps(made))
    print(f"made {args.shape} {args.dtype} in {run.wall:.1f} s, peak {run.peak / 1e6:.0f} MB", file=sys.stderr)


def measure_process(command: Sequence[str]) -> Run:
    """Run a command to its end. Its output is only read where it comes from `benchmarks._contenders`."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT)
        assert process.stdout is not None
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read().decode()}")
    result = json.loads(output) if "benchmarks._contenders" in command else {"seconds": wall, "voxels": 0}
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(wall, result["seconds"], int(result["voxels"]), usage.ru_maxrss * unit)


def contender(name: str, gt: Path, pred: Path, sections: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks._contenders", name, str(gt), str(pred), str(sections)]


def measure_files(gt: Path, pred: Path, args: argparse.Namespace) -> list[Row]:
    commands = {
        READ: contender("read", gt, pred, args.sections),
        EVALUATE: [sys.executable, "-m", "mitobench", "evaluate", str(pred), str(gt), "--json", "-"],
    }
    rounds = [{name: measure_process(command) for name, command in commands.items()} for _ in range(args.repeat)]
    size = rounds[0][READ].voxels * 2 * itemsize(args.dtype)
    reads, runs = [one[READ] for one in rounds], [one[EVALUATE] for one in rounds]
    return [
        Row(READ, tuple(run.wall for run in reads), size, tuple(run.peak for run in reads)),
        Row(READ_ALONE, tuple(run.inner for run in reads), size, tuple(run.peak for run in reads)),
        Row(EVALUATE, tuple(run.wall for run in runs), size, tuple(run.peak for run in runs)),
    ]


def measure_arrays(gt: Path, pred: Path, args: argparse.Namespace) -> list[Row]:
    commands = {name: contender(name, gt, pred, args.sections) for name in IN_MEMORY}
    rounds = [{name: measure_process(command) for name, command in commands.items()} for _ in range(args.repeat)]
    rows = []
    for name in IN_MEMORY:
        runs = [one[name] for one in rounds]
        label = f"{name}, {args.sections} sections" if name in SUB_VOLUME else name
        size = runs[0].voxels * 2 * itemsize(args.dtype)
        rows.append(Row(label, tuple(run.inner for run in runs), size, tuple(run.peak for run in runs)))
    return rows


def itemsize(dtype: str) -> int:
    return int(dtype.lstrip("uint")) // 8


def table(rows: Sequence[Row], base: str) -> str:
    """Lay out the rows; the ratio is of the times per byte at best, the base being 1."""
    reference = next(row for row in rows if row.name == base).speed
    lines = [f"{'':42}{'min s':>9}{'median s':>10}{'ratio':>8}{'GB/s':>8}{'peak MB':>9}"]
    for row in rows:
        times = f"{'-':>9}{'-':>10}{'-':>8}{'-':>8}"
        if row.size:
            low, middle = min(row.times), statistics.median(row.times)
            times = f"{low:9.3f}{middle:10.3f}{reference / row.speed:8.2f}{row.speed / 1e9:8.2f}"
        lines.append(f"{row.name:42}{times}{max(row.peaks) / 1e6:9.0f}")
    return "\n".join([*lines, f"ratio: time per byte of labels over that of '{base}'"])


if __name__ == "__main__":
    main()
