"""``mitobench compare``: how far two predictions of one ground truth differ."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, check_outputs, csv_text, progress_bar, write_text
from mitobench.cli.options import add_bootstrap, add_rule, bootstrap_of, rule_of

if TYPE_CHECKING:
    from mitobench.compare import Comparison

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench compare mine.h5 theirs.h5 --gt gt.h5
  mitobench compare mine.h5 theirs.h5 --gt gt.h5 --rule coco --instances instances.csv
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "compare",
        help="compare two predictions of one ground truth",
        description="Compare two predictions of one ground truth: differences with confidence intervals and p-values, "
        "and the instances that only one of them finds.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_inputs(parser)
    add_rule(parser)
    add_bootstrap(parser.add_argument_group("intervals and p-values"))
    outputs = parser.add_argument_group("output")
    outputs.add_argument("--json", metavar="FILE", help="write everything; - prints it instead of the table")
    outputs.add_argument("--csv", metavar="FILE", help="write one row per metric and bucket; - prints them")
    outputs.add_argument("--instances", metavar="FILE", help="write one CSV row per ground truth: who found it")
    add_limits(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="predicted instances: a volume as `mitobench evaluate` takes it")
    parser.add_argument("b", metavar="B", help="other predicted instances of the same volume")
    parser.add_argument("--gt", required=True, metavar="GT", help="ground-truth instances")
    parser.add_argument("--rgb", action="store_true", help="colours of TIFF or PNG sections are ids, R*65536+G*256+B")
    parser.add_argument(
        "--scores", nargs=2, metavar=("A", "B"), help="confidence of the instances of A and of B: tables"
    )
    parser.add_argument(
        "--cable-lengths", metavar="FILE", help="CSV of ground-truth id and length in nm, for rules that sort by it"
    )


def run(args: argparse.Namespace) -> int:
    """Compare, write what was asked for, and print the table or what ``-`` stands for."""
    outputs = {"--json": args.json, "--csv": args.csv, "--instances": args.instances}
    read = (args.a, args.b, args.gt, *(args.scores or ()), args.cable_lengths)
    check_outputs(outputs, printable=("--json", "--csv"), inputs=read)
    from mitobench.compare import compare_pair

    rule, bootstrap = rule_of(args), bootstrap_of(args)
    scores_a, scores_b = args.scores or (None, None)
    with progress_bar("comparing") as progress:
        comparison = compare_pair(
            args.a,
            args.b,
            args.gt,
            rule=rule,
            scores_a=scores_a,
            scores_b=scores_b,
            cable_lengths=args.cable_lengths,
            bootstrap=bootstrap,
            rgb=args.rgb,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    _write(comparison, args)
    return 0


def _write(comparison: Comparison, args: argparse.Namespace) -> None:
    if args.json not in {None, "-"}:
        comparison.to_json(args.json)
    if args.csv not in {None, "-"}:
        write_text(args.csv, csv_text(comparison.rows()))
    if args.instances is not None:
        write_text(args.instances, csv_text(comparison.instance_rows()))
    if args.json == "-":
        print(comparison.to_json())
    elif args.csv == "-":
        print(csv_text(comparison.rows()), end="")
    else:
        from mitobench.render.comparison import print_comparison

        print_comparison(comparison)
