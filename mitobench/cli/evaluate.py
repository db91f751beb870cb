"""``mitobench evaluate``: score predictions against ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, check_outputs, csv_text, numbers, progress_bar, write_text
from mitobench.cli.options import add_bootstrap, add_rule, bootstrap_of, rule_of
from mitobench.errors import InvalidInputError
from mitobench.files import check_new_folder, making_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mitobench.evaluate import Pair
    from mitobench.pictures import Sources
    from mitobench.report import Report

__all__ = ["add_parser", "run"]

_EXAMPLES = """examples:
  mitobench evaluate pred.h5 gt.h5
  mitobench evaluate pred.h5::main sections/ --rule coco --json report.json
  mitobench evaluate pred.h5 gt.h5 --html report.html --image im.h5
  mitobench evaluate --human H_PRED.h5 H_GT.h5 --rat R_PRED.h5 R_GT.h5 --csv table.csv
"""


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
    add_rule(parser)
    _add_cable(parser)
    _add_analysis(parser)
    _add_outputs(parser)
    add_limits(parser)


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


def _add_cable(parser: argparse.ArgumentParser) -> None:
    cable = parser.add_argument_group("cable length, for rules that sort by it")
    cable.add_argument(
        "--cable-lengths",
        action="append",
        metavar="FILE",
        help="CSV of ground-truth id and length in nm; once for each pair, in order (default: measured with kimimaro)",
    )
    cable.add_argument(
        "--voxel-size",
        type=numbers("30,8,8"),
        default=(30.0, 8.0, 8.0),
        metavar="Z,Y,X",
        help="in nm, for lengths that are measured and for scale bars (default 30,8,8)",
    )


def _add_analysis(parser: argparse.ArgumentParser) -> None:
    analysis = parser.add_argument_group("analysis; --html asks for both")
    analysis.add_argument(
        "--repairs", action="store_true", help="what each class of error costs, and how many repairs reach 0.9"
    )
    analysis.add_argument("--intervals", action="store_true", help="confidence intervals of every metric, by bootstrap")
    add_bootstrap(analysis)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    outputs = parser.add_argument_group("output")
    outputs.add_argument("--json", metavar="FILE", help="write the whole report; - prints it instead of the table")
    outputs.add_argument("--html", metavar="FILE", help="write a page to look at: one file, no network needed")
    outputs.add_argument(
        "--image", action="append", metavar="FILE", help="EM image for the pictures of the page; once for each pair"
    )
    outputs.add_argument("--csv", metavar="FILE", help="write one row per volume, metric and bucket; - prints them")
    outputs.add_argument("--instances", metavar="FILE", help="write one CSV row per instance of both sides")
    outputs.add_argument(
        "--tool-tables", metavar="FOLDER", help="write matching and associations as the challenge's public tool does"
    )


def run(args: argparse.Namespace) -> int:
    """Score, write what was asked for, and print the table or what ``-`` stands for."""
    _check_arguments(args)
    from mitobench.evaluate import evaluate_benchmark

    pairs, rule, bootstrap = _pairs(args), rule_of(args), bootstrap_of(args)
    sources = _sources(pairs, args)
    with progress_bar("scoring") as progress:
        report = evaluate_benchmark(
            pairs,
            rule=rule,
            repairs=args.repairs or args.html is not None,
            intervals=bootstrap if args.intervals or args.html is not None else None,
            rgb=args.rgb,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
        )
    _write(report, _page(report, sources, args), args)
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    """Find what is wrong before the first voxel is read."""
    named = bool(args.human or args.rat)
    if named == bool(args.pred) or bool(args.pred) != bool(args.gt):
        raise InvalidInputError("name a prediction and a ground truth (PRED GT), or --human PRED GT and --rat PRED GT")
    if named and (args.scores or args.heat_map):
        raise InvalidInputError("--scores and --heat-map belong to one pair; score the volumes one by one to use them")
    if args.image and args.html is None:
        raise InvalidInputError("--image is for the pictures of --html; name a page to write too")
    outputs = {"--json": args.json, "--csv": args.csv, "--instances": args.instances, "--html": args.html}
    volumes = (args.pred, args.gt, *(args.human or ()), *(args.rat or ()), args.heat_map, *(args.image or ()))
    read = (*volumes, args.scores, *(args.cable_lengths or ()))
    check_outputs(outputs, printable=("--json", "--csv"), inputs=read)
    if args.tool_tables is not None:
        check_new_folder(args.tool_tables)


def _pairs(args: argparse.Namespace) -> dict[str, Pair]:
    from mitobench.evaluate import Pair

    named = {"MitoEM-H": args.human, "MitoEM-R": args.rat}
    if args.pred:
        named = {Path(args.pred.partition("::")[0]).stem: (args.pred, args.gt)}
    volumes = {name: pair for name, pair in named.items() if pair}
    lengths = _once_for_each(volumes, "--cable-lengths", args.cable_lengths)
    return {
        name: Pair(
            pred=pred,
            gt=gt,
            scores=args.scores,
            heat_map=args.heat_map,
            heat_channel=args.heat_channel,
            cable_lengths=lengths[name],
            cable_file=_cable_file(args.json, name if len(volumes) > 1 else None),
            voxel_size=args.voxel_size,
        )
        for name, (pred, gt) in volumes.items()
    }


def _once_for_each(volumes: Iterable[str], option: str, files: list[str] | None) -> dict[str, str | None]:
    """Return which file of a repeated option belongs to each volume, None for each where it is not given."""
    names = list(volumes)
    if files is None:
        return dict.fromkeys(names)
    if len(files) != len(names):
        raise InvalidInputError(
            f"{option} is given {len(files)} time(s) for {len(names)} pair(s); give it once for each pair"
        )
    return dict(zip(names, files, strict=True))


def _cable_file(report: str | None, name: str | None) -> Path | None:
    """Return where measured cable lengths are kept: beside the report, if there is one.

    Examples
    --------
    >>> _cable_file("out/report.json", None).name, _cable_file("report.json", "MitoEM-H").name
    ('report.cable.csv', 'report.MitoEM-H.cable.csv')
    """
    if report in {None, "-"}:
        return None
    path = Path(str(report))
    return path.with_name(".".join(filter(None, (path.stem, name, "cable.csv"))))


def _sources(pairs: Mapping[str, Pair], args: argparse.Namespace) -> dict[str, Sources]:
    """Return what the pictures of the page are cut out of, once it is known to fit."""
    if args.html is None:
        return {}
    from mitobench.pictures import Sources, check_images
    from mitobench.render import need_html

    need_html()
    images = _once_for_each(pairs, "--image", args.image)
    sources = {name: Sources(pair.pred, pair.gt, images[name]) for name, pair in pairs.items()}
    check_images(sources, rgb=args.rgb)
    return sources


def _page(report: Report, sources: Mapping[str, Sources], args: argparse.Namespace) -> str | None:
    if args.html is None:
        return None
    from mitobench.pictures import report_pictures
    from mitobench.render import to_html

    return to_html(report, pictures=report_pictures(report, sources, rgb=args.rgb, voxel_size=args.voxel_size))


def _write(report: Report, page: str | None, args: argparse.Namespace) -> None:
    if args.json not in {None, "-"}:
        report.to_json(args.json)
    if args.csv not in {None, "-"}:
        write_text(args.csv, csv_text(report.rows()))
    if args.instances is not None:
        write_text(args.instances, csv_text(report.instance_rows()))
    if args.tool_tables is not None:
        _write_tool_tables(report, Path(args.tool_tables))
    if page is not None:
        write_text(args.html, page)
    if args.json == "-":
        print(report.to_json())
    elif args.csv == "-":
        print(csv_text(report.rows()), end="")
    else:
        from mitobench.render import print_report

        print_report(report)


def _write_tool_tables(report: Report, folder: Path) -> None:
    """Write the tables of one volume into the folder, of several into a folder each."""
    if len(report.volumes) == 1:
        report.volumes[0].write_tool_tables(folder)
        return
    with making_folder(folder):
        for volume in report.volumes:
            volume.write_tool_tables(folder / volume.name)
