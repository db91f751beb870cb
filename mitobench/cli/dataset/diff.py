"""``mitobench dataset diff``: what was edited between two versions of an annotation."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mitobench.cli.common import add_limits, check_outputs, csv_text, progress_bar, write_text
from mitobench.cli.options import add_rule, rule_of
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from mitobench.annotation import AnnotationDiff

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench dataset diff mito-train/ mito-train-v2/ --names v1,v2 --csv edits.csv
  mitobench dataset diff v1.h5 v2.h5 --pred pred.h5 --json diff.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``diff``."""
    parser = subparsers.add_parser(
        "diff",
        help="say what was edited between two versions of an annotation",
        description="Say which instances were removed, added, split, merged and reshaped between two versions of an "
        "annotation, and what that does to the score of a prediction.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    _add_inputs(parser)
    add_rule(parser)
    outputs = parser.add_argument_group("output")
    outputs.add_argument("--json", metavar="FILE", help="write everything; - prints it instead of the tables")
    outputs.add_argument("--csv", metavar="FILE", help="write one row per edit; - prints them")
    outputs.add_argument("--instances", metavar="FILE", help="write one CSV row per instance of both versions")
    add_limits(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="annotated instances: a volume as `mitobench evaluate` takes it")
    parser.add_argument("new", metavar="NEW", help="the other version of the same volume")
    parser.add_argument("--pred", metavar="PRED", help="predicted instances, to score against both versions")
    parser.add_argument("--scores", metavar="FILE", help="confidence of the predicted instances: a table")
    parser.add_argument("--names", default="old,new", metavar="A,B", help="of the two versions (default old,new)")
    parser.add_argument("--rgb", action="store_true", help="colours of TIFF or PNG sections are ids, R*65536+G*256+B")
    parser.add_argument(
        "--cable-lengths",
        nargs=2,
        metavar=("OLD", "NEW"),
        help="CSV of id and length in nm of each version, for rules that sort by it",
    )


def run(args: argparse.Namespace) -> int:
    """Compare, write what was asked for, and print the tables or what ``-`` stands for."""
    outputs = {"--json": args.json, "--csv": args.csv, "--instances": args.instances}
    read = (args.old, args.new, args.pred, args.scores, *(args.cable_lengths or ()))
    check_outputs(outputs, printable=("--json", "--csv"), inputs=read)
    names = _names(args.names)
    from mitobench.annotation import diff_annotations

    with progress_bar("comparing") as progress:
        diff = diff_annotations(
            args.old,
            args.new,
            pred=args.pred,
            rule=rule_of(args),
            scores=args.scores,
            cable_lengths=None if args.cable_lengths is None else tuple(args.cable_lengths),
            names=names,
            rgb=args.rgb,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    _write(diff, args)
    return 0


def _names(text: str) -> tuple[str, str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise InvalidInputError(f"--names is {text!r}; expected two different names, such as v1,v2")
    return names[0], names[1]


def _write(diff: AnnotationDiff, args: argparse.Namespace) -> None:
    if args.json not in {None, "-"}:
        diff.to_json(args.json)
    if args.csv not in {None, "-"}:
        write_text(args.csv, _edits_csv(diff))
    if args.instances is not None:
        write_text(args.instances, csv_text(diff.instance_rows()))
    if args.json == "-":
        print(diff.to_json())
    elif args.csv == "-":
        print(_edits_csv(diff), end="")
    else:
        from mitobench.render.annotation import print_diff

        print_diff(diff)


def _edits_csv(diff: AnnotationDiff) -> str:
    """Return one row per edit, ids separated by spaces; the header also where there is none."""
    rows: list[dict[str, Any]] = [
        {**row, "old_ids": " ".join(map(str, row["old_ids"])), "new_ids": " ".join(map(str, row["new_ids"]))}
        for row in diff.rows()
    ]
    return csv_text(rows) if rows else ",".join(diff.edits) + "\n"
