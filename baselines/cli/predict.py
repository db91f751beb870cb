"""``mitobench baseline predict``: an image and a trained network to probabilities."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, check_outputs, progress_bar
from mitobench.errors import InvalidInputError, UnusableFileError

if TYPE_CHECKING:
    from baselines.predict import PredictReport

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench baseline predict runs/v2 image.h5 -o prob.h5
  mitobench baseline predict published.pth.tar image.h5 --recipe u3d-bc-v2-multistep -o prob.h5 --device cuda
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "predict",
        help="predict a volume with a trained network",
        description="Predict a volume of any size, window by window. A run that was stopped goes on when the same "
        "command is given again.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="RUN", help="run folder of `train`, or a checkpoint")
    parser.add_argument("image", metavar="IMAGE", help="volume, `path` or `path::dataset`, uint8 or from 0 to 1")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="HDF5 file, uint8 (channel, z, y, x)")
    parser.add_argument("--recipe", metavar="RECIPE", help="of a checkpoint: what network it is of, and its windows")
    parser.add_argument("--last", action="store_true", help="of a run: the last weights, not those that scored best")
    parser.add_argument("--no-resume", action="store_true", help="throw away what a stopped run left")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default auto)")
    machine.add_argument(
        "--precision",
        choices=("auto", "full", "half"),
        default="auto",
        help="32 bits, or 16: float16 on a GPU, bfloat16 on a CPU (default auto: half on a GPU, full on a CPU)",
    )
    machine.add_argument("--batch", type=int, metavar="N", help="windows at a time (default: a million voxels of them)")
    add_limits(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Predict, and say how fast it was."""
    check_outputs({"--output": args.output}, printable=(), inputs=(args.image, args.network))
    from baselines.checkpoint import load_network
    from baselines.predict import predict
    from baselines.recipe import load_recipe

    recipe, weights = _sources(args)
    found = load_recipe(recipe)
    network = load_network(weights, name=found.network, config=vars(found.config))
    with progress_bar("predicting") as progress:
        report = predict(
            network,
            args.image,
            args.output,
            replace(found.window, batch=args.batch),
            device=args.device,
            precision=args.precision,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
            resume=not args.no_resume,
        )
    print(f"{args.output}: {_speed(report)}; weights: {weights}")
    return 0


def _sources(args: argparse.Namespace) -> tuple[str, Path]:
    """Return the recipe and the weights."""
    path = Path(args.network)
    if path.is_dir():
        from baselines.train import RunFolder

        folder = RunFolder(path)
        weights = folder.network if args.last else folder.chosen
        if not weights.is_file():
            raise UnusableFileError(f"{path}: no weights of a run in this folder; expected one that `train` has filled")
        return args.recipe or str(folder.recipe), weights
    if args.last:
        raise InvalidInputError(f"{path}: no run folder, only one has last weights; leave out --last")
    if args.recipe is None:
        raise UnusableFileError(f"{path}: no run folder; expected one, or a checkpoint together with --recipe")
    return args.recipe, path


def _speed(report: PredictReport) -> str:
    return f"{report.predicted:,} voxels on {report.device}, {report.voxels_per_second:,.0f} in a second"
