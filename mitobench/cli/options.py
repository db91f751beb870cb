"""Options that several subcommands have: the rule, and how intervals are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mitobench.cli.common import whole_numbers

if TYPE_CHECKING:
    import argparse

    from mitobench.resampling import Bootstrap
    from mitobench.rules import Rule

__all__ = ["add_bootstrap", "add_rule", "bootstrap_of", "rule_of"]


def add_rule(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a rule; `rule_of` reads them."""
    rule = parser.add_argument_group("rule")
    rule.add_argument(
        "--rule",
        default="mitoem-2020",
        metavar="NAME",
        help="mitoem-2020 (default), mitoem-2021, mitoem-2023 or coco",
    )
    rule.add_argument(
        "--size-thresholds",
        type=whole_numbers("5000,15000"),
        metavar="A,B",
        help="small up to A and medium up to B voxels; for cable lengths, medium from A and large from B nm",
    )
    rule.add_argument(
        "--iou-precision",
        choices=("exact", "float16"),
        help="float16: the arithmetic of the challenge's public tool (mitoem-2023 only; default exact)",
    )


def rule_of(args: argparse.Namespace) -> Rule:
    """Return the rule that was asked for."""
    from mitobench.rules import find_rule

    changes = {"size_thresholds": args.size_thresholds, "iou_precision": args.iou_precision}
    return replace(find_rule(args.rule), **{key: value for key, value in changes.items() if value is not None})


def add_bootstrap(group: argparse._ArgumentGroup) -> None:
    """Add the options that say how intervals are made; `bootstrap_of` reads them."""
    group.add_argument("--resamples", type=int, default=1000, metavar="N", help="(default 1000)")
    group.add_argument("--level", type=float, default=0.95, metavar="P", help="of the intervals (default 0.95)")
    group.add_argument(
        "--unit",
        choices=("blocks", "instances"),
        default="blocks",
        help="what is drawn: blocks of the volume (default), or single instances as if neighbours were independent",
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the random generator (default 0)")


def bootstrap_of(args: argparse.Namespace) -> Bootstrap:
    """Return how intervals are to be made."""
    from mitobench.resampling import Bootstrap

    return Bootstrap(resamples=args.resamples, level=args.level, unit=args.unit, seed=args.seed)
