"""``mitobench baseline run``: a method on a data set, from the first crop to an entry of the leaderboard."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.cli.common import add_limits, progress_bar
from mitobench.cli.options import add_rule, rule_of
from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from baselines.experiment import Experiment
    from mitobench.methods import Method

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench baseline run u3d-bc-small --data phantom --out runs/phantom
  mitobench baseline run u3d-bc-v2 --data mine.toml --out runs/v2 --option accelerator=gpu --option workers=8
  mitobench baseline run u2d-b+cc --data /data/MitoEM --split val --out runs/2d --seed 1
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "run",
        help="train, predict, decode and score; write an entry",
        description="Let a method learn from the training part of a data set, choose its thresholds on the validation "
        "part, and score it on the test part. What was stopped goes on when the same command is given again.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="a recipe, a TOML file of one, or a method that is installed")
    parser.add_argument(
        "--data", required=True, metavar="DATASET", help="MitoEM, a TOML file that describes data, or `phantom`"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="new, or of this very experiment")
    parser.add_argument("--split", default="test", metavar="PART", help="what is scored (default test)")
    parser.add_argument("--annotation", metavar="NAME", help="version of the labels (default: the first there is)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the method (default 0)")
    parser.add_argument("--team", default="", metavar="NAME", help="for the entry: who submits")
    _add_method(parser)
    add_rule(parser)
    parser.add_argument("--no-intervals", action="store_true", help="leave out confidence intervals")
    add_limits(parser)
    parser.set_defaults(run=run)


def _add_method(parser: argparse.ArgumentParser) -> None:
    method = parser.add_argument_group("method")
    method.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value of the recipe, such as iterations=8000; may be repeated",
    )
    method.add_argument(
        "--option",
        dest="options",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the method, such as accelerator=gpu; may be repeated. Those of the baselines: accelerator, devices, "
        "precision, workers, epoch, memory",
    )
    method.add_argument("--no-tune", action="store_true", help="keep the thresholds of the recipe")


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet, and say what came of it."""
    method, rule = _method(args), rule_of(args)
    from baselines.experiment import run_experiment
    from mitobench import Bootstrap

    experiment = run_experiment(
        method,
        args.data,
        args.out,
        part=args.split,
        annotation=args.annotation,
        seed=args.seed,
        rule=rule,
        intervals=None if args.no_intervals else Bootstrap(),
        team=args.team,
        command=_command(args),
        memory=args.memory,
        workers=args.workers,
        bar=progress_bar,
    )
    if experiment.again:
        print(f"{args.out}: was finished before; nothing was computed")
    print(f"entry: {experiment.entry}")
    print(_summary(experiment))
    return 0


def _method(args: argparse.Namespace) -> Method:
    """Return the method of this name, or the one that a recipe is of."""
    from mitobench.methods import list_methods, load_method

    options = _options(args)
    if args.name in list_methods():
        return load_method(args.name, **options)
    from baselines.adapters import method_of_recipe
    from baselines.recipe import list_recipes

    names = (*list_recipes(), *list_methods())
    if args.name not in names and Path(args.name).suffix.lower() != ".toml":
        raise UnknownNameError(
            f"unknown recipe or method {args.name!r}{did_you_mean(args.name, names)}; allowed: {', '.join(names)}, or "
            "the TOML file of a recipe"
        )
    if "recipe" in options:
        raise InvalidInputError(f"{args.name} is a recipe, and the option recipe names another; leave it out")
    return load_method(method_of_recipe(args.name, args.changes), recipe=args.name, **options)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for text in args.options:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise InvalidInputError(f"--option {text!r}: expected key=value, such as accelerator=gpu")
        options[key] = value
    changed = {"changes": args.changes} if args.changes else {}
    return {**options, **changed, **({"tune": False} if args.no_tune else {})}


def _command(args: argparse.Namespace) -> list[str]:
    """Return the words of a command that does the same."""
    words = ["mitobench", "baseline", "run", args.name, "--data", args.data, "--out", args.out]
    words += ["--seed", str(args.seed), "--split", args.split]
    words += [] if args.annotation is None else ["--annotation", args.annotation]
    words += [word for change in args.changes for word in ("--set", change)]
    words += [word for option in args.options for word in ("--option", option)]
    return [*words, "--no-tune"] if args.no_tune else words


def _summary(experiment: Experiment) -> str:
    """Return the score with its interval, and how long it took."""
    report = experiment.report
    metric = report.rule["rank_by"]
    value, interval = report.overall[metric], report.overall_intervals.get(metric)
    shown = "undefined" if value is None else f"{value:.3f}"
    within = "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
    hours = ", ".join(f"{step} {hours:.2g}" for step, hours in experiment.hours.items())
    return f"{metric}: {shown}{within}; hours: {hours}"
