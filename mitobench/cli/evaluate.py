"""``mitobench evaluate``: score predictions against ground truth."""

from __future__ import annotations

import argparse
import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.cli._common import progress_bar, whole_numbers
from mitobench.errors import InvalidInputError
from mitobench.files import check_output_folder, replacing

if TYPE_CHECKING:
    from mitobench.evaluate import Pair
    from mitobench.report import Report
    from mitobench.rules import Rule

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench evaluate pred.h5 gt.h5
  mitobench evaluate pred.h5::main sections/ --rule coco --json report.json
  mitobench evaluate --human H_PRED.h5 H_GT.h5 --rat R_PRED.h5 R_GT.h5 --csv table.csv
"""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a prediction against ground truth",
        description="Score predicted instances against ground truth: one pair, or MitoEM's two volumes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_inputs(parser)
    _add_rule(parser)
    outputs = parser.add_argument_group("output")
    outputs.add_argument("--json", metavar="FILE", help="write the whole report; - prints it instead of the table")
    outputs.add_argument("--csv", metavar="FILE", help="write one row per volume, metric and bucket; - prints them")
    outputs.add_argument("--instances", metavar="FILE", help="write one CSV row per instance of both sides")
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--memory", type=_bytes, default=10**9, metavar="SIZE", help="for buffers, such as 500MB or 2GB (default 1GB)"
    )
    limits.add_argument("--workers", type=int, metavar="N", help="threads (default: one per processor)")


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    volume = "HDF5, Zarr, TIFF, .npy, or a folder of sections; FILE::DATASET names a dataset"
    parser.add_argument("pred", nargs="?", metavar="PRED", help=f"predicted instances: {volume}")
    parser.add_argument("gt", nargs="?", metavar="GT", help="ground-truth instances, likewise")
    parser.add_argument("--human", nargs=2, metavar=("PRED", "GT"), help="score MitoEM-H")
    parser.add_argument("--rat", nargs=2, metavar=("PRED", "GT"), help="score MitoEM-R")
    parser.add_argument("--rgb", action="store_true", help="colours of TIFF or PNG sections are ids, R*65536+G*256+B")
    parser.add_argument("--scores", metavar="FILE", help="confidence of instances: CSV, NPY or HDF5 of id and score")
    parser.add_argument("--heat-map", metavar="FILE", help="confidence = mean of this image over each instance")
    parser.add_argument("--heat-channel", type=int, metavar="N", help="channel of the heat map (default: mean of all)")


def _add_rule(parser: argparse.ArgumentParser) -> None:
    rule = parser.add_argument_group("rule")
    rule.add_argument(
        "--rule", default="mitoem-2020", metavar="NAME", help="mitoem-2020 (default), mitoem-2021 or coco"
    )
    rule.add_argument(
        "--size-thresholds",
        type=whole_numbers("5000,15000"),
        metavar="A,B",
        help="voxels: small up to A, medium up to B (default: of the rule)",
    )


def run(args: argparse.Namespace) -> int:
    """Score, write what was asked for, and print the table or what ``-`` stands for."""
    _check_arguments(args)
    from mitobench.evaluate import evaluate_benchmark

    pairs, rule = _pairs(args), _rule(args)
    with progress_bar("scoring") as progress:
        report = evaluate_benchmark(
            pairs, rule=rule, rgb=args.rgb, memory=args.memory, workers=args.workers, progress=progress
        )
    _write(report, args)
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    """Find what is wrong before the first voxel is read."""
    named = bool(args.human or args.rat)
    if named == bool(args.pred) or bool(args.pred) != bool(args.gt):
        raise InvalidInputError("name a prediction and a ground truth (PRED GT), or --human PRED GT and --rat PRED GT")
    if named and (args.scores or args.heat_map):
        raise InvalidInputError("--scores and --heat-map belong to one pair; score the volumes one by one to use them")
    outputs = [path for path in (args.json, args.csv, args.instances) if path is not None]
    if len({Path(path).resolve() for path in outputs}) < len(outputs):
        raise InvalidInputError("two outputs have the same name; give each of them its own")
    if args.instances == "-":
        raise InvalidInputError("--instances needs a file; only --json and --csv can print with -")
    for path in outputs:
        if path != "-":
            check_output_folder(path)


def _pairs(args: argparse.Namespace) -> dict[str, Pair]:
    from mitobench.evaluate import Pair

    if args.pred:
        name = Path(args.pred.partition("::")[0]).stem
        one = Pair(
            pred=args.pred, gt=args.gt, scores=args.scores, heat_map=args.heat_map, heat_channel=args.heat_channel
        )
        return {name: one}
    volumes = {"MitoEM-H": args.human, "MitoEM-R": args.rat}
    return {name: Pair(pred=pair[0], gt=pair[1]) for name, pair in volumes.items() if pair}


def _rule(args: argparse.Namespace) -> Rule:
    from mitobench.rules import find_rule

    rule = find_rule(args.rule)
    return rule if args.size_thresholds is None else replace(rule, size_thresholds=args.size_thresholds)


def _write(report: Report, args: argparse.Namespace) -> None:
    if args.json not in {None, "-"}:
        report.to_json(args.json)
    if args.csv not in {None, "-"}:
        _write_text(args.csv, _csv(report.rows()))
    if args.instances is not None:
        _write_text(args.instances, _csv(report.instance_rows()))
    if args.json == "-":
        print(report.to_json())
    elif args.csv == "-":
        print(_csv(report.rows()), end="")
    else:
        from mitobench.render import print_report

        print_report(report)


def _write_text(path: str, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _bytes(text: str) -> int:
    """Read a size such as ``500MB``.

    Examples
    --------
    >>> _bytes("2GB"), _bytes("750m"), _bytes("1.5 GB")
    (2000000000, 750000000, 1500000000)
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected a number with a unit, such as 500MB or 2GB")
    return int(float(found[1]) * _UNITS[found[2]])
