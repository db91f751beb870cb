"""Time and memory of ``mitobench dataset convert`` on PNG sections, against reading and inflating the same files.

``python -m benchmarks.bench_convert --shape 64,2048,2048`` compares processes; the contenders take turns.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench_pair import ROOT, Row, Run, measure_process, table
from mitobench import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

DECODE = "read and inflate, a loop"
DECODE_THREADS = "read and inflate, {} threads"
CONVERSIONS = {
    "to Zarr, zstd": ["im.zarr"],
    "to Zarr, zstd, --no-verify": ["im.zarr", "--no-verify"],
    "to HDF5, not compressed": ["im.h5"],
    "to HDF5, not compressed, --no-verify": ["im.h5", "--no-verify"],
    "to HDF5, gzip": ["im.h5", "--compression", "gzip"],
}


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch).resolve()
        make_sections(folder, args)
        print(table(measure(folder, args), DECODE))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_convert", description=__doc__)
    parser.add_argument("--shape", default="64,2048,2048", metavar="Z,Y,X", help="(default: 64,2048,2048)")
    parser.add_argument("--seed", type=int, default=0, help="of the sections (default: 0)")
    parser.add_argument("--keep", metavar="DIR", help="keep the sections there, and use them if they are there already")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="threads of a conversion (default: 2)")
    parser.add_argument("--memory", default="1GB", help="limit of a conversion (default: 1GB)")
    return parser.parse_args(arguments)


def make_sections(folder: Path, args: argparse.Namespace) -> None:
    """Write the sections, unless the same ones are there."""
    made = {"shape": args.shape, "seed": args.seed, "mitobench": __version__}
    record = folder / "sections.json"
    if record.is_file() and json.loads(record.read_text()) == made:
        return
    shutil.rmtree(folder / "im", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks._sections", str(folder / "im"), args.shape, str(args.seed)]
    subprocess.run(command, cwd=ROOT, check=True)
    record.write_text(json.dumps(made))


def measure(folder: Path, args: argparse.Namespace) -> list[Row]:
    rounds = [measure_once(folder, args) for _ in range(args.repeat)]
    size = math.prod(map(int, args.shape.split(",")))
    rows = []
    for name in rounds[0]:
        runs = [one[name] for one in rounds]
        rows.append(Row(name, tuple(run.inner for run in runs), size, tuple(run.peak for run in runs)))
    return rows


def measure_once(folder: Path, args: argparse.Namespace) -> dict[str, Run]:
    runs = {}
    for name, workers in ((DECODE, 1), (DECODE_THREADS.format(args.workers), args.workers)):
        decode = [sys.executable, "-m", "benchmarks._contenders", "decode", str(folder / "im"), "", str(workers)]
        runs[name] = measure_process(decode)
    limits = ["--workers", str(args.workers), "--memory", args.memory]
    for name, (target, *options) in CONVERSIONS.items():
        convert = [sys.executable, "-m", "mitobench", "dataset", "convert", str(folder / "im"), str(folder / target)]
        runs[name] = measure_process([*convert, *options, *limits])
        remove(folder / target)
    return runs


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    main()
