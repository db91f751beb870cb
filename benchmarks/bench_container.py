"""Time and memory of the program of the evaluation image, against scoring the same volumes by the command line.

``python -m benchmarks.bench_container --shape 500,4096,4096`` makes one pair, takes it for both volumes of the
challenge, and limits the address space of both contenders to the memory that the platform gives an evaluation.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench_pair import Row, itemsize, make_pair, measure_process, table

if TYPE_CHECKING:
    from collections.abc import Sequence

EVALUATE = "mitobench evaluate --intervals"
CONTAINER = "leaderboard.container exec"
LIMIT = 8 * 10**9
PREDICTIONS = {"human": "0_human_instance_seg_pred.h5", "rat": "1_rat_instance_seg_pred.h5"}


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        pair = Path(args.keep or scratch).resolve()
        make_pair(pair, args)
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
        with tempfile.TemporaryDirectory(dir=pair) as folder:
            commands = {EVALUATE: command_line(pair, args), CONTAINER: program(pair, Path(folder), args)}
            print(table(measure(commands, args), EVALUATE))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_container", description=__doc__)
    parser.add_argument("--shape", default="100,2048,2048", metavar="Z,Y,X", help="(default: %(default)s)")
    parser.add_argument("--dtype", default="uint16", help="of the labels (default: uint16)")
    parser.add_argument("--rule", default="mitoem-2020", metavar="NAME", help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the pair (default: 0)")
    parser.add_argument("--keep", metavar="DIR", help="keep the pair there, and use it if it is there already")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: 3)")
    return parser.parse_args(arguments)


def command_line(pair: Path, args: argparse.Namespace) -> list[str]:
    both = [str(pair / "pred.h5"), str(pair / "gt.h5")]
    options = ["--rule", args.rule, "--intervals", "--json", "-"]
    return [sys.executable, "-m", "mitobench", "evaluate", "--human", *both, "--rat", *both, *options]


def program(pair: Path, folder: Path, args: argparse.Namespace) -> list[str]:
    """Lay the pair out as the platform does, and return the command."""
    paths = {name: folder / name for name in ("input", "output", "ground-truth")}
    for path in paths.values():
        path.mkdir()
    for key, file in PREDICTIONS.items():
        os.link(pair / "pred.h5", paths["input"] / file)
        os.link(pair / "gt.h5", paths["ground-truth"] / f"{key}.h5")
    (paths["ground-truth"] / "settings.toml").write_text(f'rule = "{args.rule}"\nshape = [{args.shape}]\n')
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    return [sys.executable, "-m", "leaderboard.container", "exec", *options]


def measure(commands: dict[str, list[str]], args: argparse.Namespace) -> list[Row]:
    """Let the commands take turns."""
    z, y, x = map(int, args.shape.split(","))
    size = 2 * 2 * z * y * x * itemsize(args.dtype)
    rounds = [{name: measure_process(command) for name, command in commands.items()} for _ in range(args.repeat)]
    return [
        Row(name, tuple(one[name].wall for one in rounds), size, tuple(one[name].peak for one in rounds))
        for name in commands
    ]


if __name__ == "__main__":
    main()
