"""``mitobench baseline train``: a recipe on a data set, into a run folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mitobench.cli.options import add_rule, rule_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench baseline train u3d-bc-v2 --data /data/MitoEM --out runs/v2 --devices 4
  mitobench baseline train u3d-bc-small --data mine.toml --out runs/small --validate val --set iterations=8000
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "train",
        help="train a recipe",
        description="Train a recipe on the training part of a data set. A run that was stopped goes on from the end of "
        "its last epoch when the same command is given again.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a TOML file")
    parser.add_argument("--data", required=True, metavar="DATASET", help="MitoEM, or a TOML file that describes data")
    parser.add_argument("--out", required=True, metavar="RUN", help="folder of the run; new, or of this very run")
    parser.add_argument("--split", default="train", metavar="NAME", help="part of the data (default train)")
    parser.add_argument("--annotation", metavar="NAME", help="version of the labels (default: the first there is)")
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value of the recipe, such as batch=4 or network.filters=[8,16,32,48]; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and crops (default 0)")
    parser.add_argument("--no-resume", action="store_true", help="refuse to go on with a run that is there")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--accelerator", choices=("auto", "cpu", "gpu"), default="auto", help="(default auto)")
    machine.add_argument("--devices", type=int, default=1, metavar="N", help="how many of them (default 1)")
    machine.add_argument("--precision", choices=("32-true", "16-mixed", "bf16-mixed"), default="32-true")
    machine.add_argument("--workers", type=int, default=0, metavar="N", help="processes that make batches (default 0)")
    logs = parser.add_argument_group("logs and checkpoints")
    logs.add_argument("--epoch", type=int, default=500, metavar="N", help="steps from one to the next (default 500)")
    logs.add_argument("--validate", metavar="NAME", help="part to score on; the best weights are kept (default none)")
    logs.add_argument("--validate-every", type=int, default=1, metavar="N", help="epochs between scores (default 1)")
    logs.add_argument("--log", choices=("csv", "tensorboard"), default="csv", help="(default csv)")
    add_rule(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, and say where the network is."""
    from baselines.recipe import load_recipe
    from baselines.train import train
    from baselines.validation import Validation
    from mitobench.methods import training_volumes

    validation = None
    if args.validate is not None:
        validation = Validation(
            load_recipe(args.recipe, args.changes),
            training_volumes(args.data, split=args.validate, annotation=args.annotation),
            Path(args.out) / "validation",
            rule=rule_of(args),
            device="cpu" if args.accelerator == "cpu" else "auto",
        )
    folder = train(
        args.recipe,
        training_volumes(args.data, split=args.split, annotation=args.annotation),
        args.out,
        resume=not args.no_resume,
        seed=args.seed,
        workers=args.workers,
        accelerator=args.accelerator,
        devices=args.devices,
        precision=args.precision,
        epoch=args.epoch,
        log=args.log,
        score=validation,
        score_every=args.validate_every,
        changes=args.changes,
        progress=sys.stderr.isatty(),
    )
    print(f"network: {folder.chosen}")
    return 0
