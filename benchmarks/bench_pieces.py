"""Time and memory of counting the pieces of instances, against reading the volume and against labelling it whole.

``python -m benchmarks.bench_pieces --shape 100,1024,1024`` measures calls on a file of gzip chunks, from opening it on.
Every measurement is a process of its own; the contenders take turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._contenders import OF_ONE_FILE
from benchmarks.bench_pair import Row, Run, itemsize, make_pair, measure_process, table

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE = "mitobench overlap_pass with itself"


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch).resolve()
        make_pair(folder, args)
        print(table(measure(folder / "pred.h5", args), BASE))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_pieces", description=__doc__)
    parser.add_argument("--shape", default="100,1024,1024", metavar="Z,Y,X", help="(default: 100,1024,1024)")
    parser.add_argument("--dtype", default="uint16", help="of the labels (default: uint16)")
    parser.add_argument("--seed", type=int, default=0, help="of the volume (default: 0)")
    parser.add_argument("--keep", metavar="DIR", help="keep the volume there, and use it if it is there already")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="threads of mitobench (default: 2)")
    return parser.parse_args(arguments)


def measure(volume: Path, args: argparse.Namespace) -> list[Row]:
    rounds = [{name: run(name, volume, args.workers) for name in OF_ONE_FILE} for _ in range(args.repeat)]
    rows = []
    for name in OF_ONE_FILE:
        runs = [one[name] for one in rounds]
        size = runs[0].voxels * itemsize(args.dtype)
        rows.append(Row(name, tuple(each.inner for each in runs), size, tuple(each.peak for each in runs)))
    return rows


def run(name: str, volume: Path, workers: int) -> Run:
    return measure_process([sys.executable, "-m", "benchmarks._contenders", name, str(volume), "", str(workers)])


if __name__ == "__main__":
    main()
