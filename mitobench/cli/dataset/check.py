"""``mitobench dataset check``: say what a data set holds, and what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, check_outputs, progress_bar, write_text
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mitobench.dataset import CheckReport, DatasetVolume

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check``."""
    check = subparsers.add_parser(
        "check",
        help="say what a data set holds, and what is wrong with it",
        description="Find MitoEM in a folder, or read the TOML file of another data set, and list what is there, what "
        "is missing and what does not fit. The header of every section is read and three sections of each part are "
        "decoded; --deep reads every voxel and counts the instances. Exit status 2 if there are problems.",
    )
    check.add_argument("root", metavar="ROOT", help="folder with MitoEM, one of its files, or a TOML file")
    check.add_argument("--deep", action="store_true", help="read every voxel; count instances by size")
    check.add_argument("--json", metavar="FILE", help="also write what was found as JSON; - prints it instead")
    add_limits(check)
    check.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was found; problems are an error."""
    check_outputs({"--json": args.json}, printable=("--json",))
    from mitobench.dataset import check_dataset, open_dataset

    dataset = open_dataset(args.root)
    with progress_bar("checking") as progress:
        limits = {"memory": args.memory, "workers": args.workers}
        report = check_dataset(dataset, deep=args.deep, progress=progress, **limits)
    text = json.dumps(report.to_dict(), indent=1, ensure_ascii=True)
    if args.json not in {None, "-"}:
        write_text(args.json, text + "\n")
    print(text if args.json == "-" else "\n".join(map(_printable, _lines(report))))
    if report.problems:
        count = len(report.problems)
        raise InvalidInputError(f"{args.root}: {count} problem{'s' * (count > 1)}, each in a line above")
    return 0


def _lines(report: CheckReport) -> Iterator[str]:
    for volume in report.dataset.volumes:
        yield from _volume_lines(volume)
        yield ""
    if report.counts:
        header = ("Labels", "Sections", "Instances", "Small", "Medium", "Large", "Voxels of the smallest, largest")
        yield from _table([header, *_count_rows(report)])
        yield ""
    yield from (f"note: {note}" for note in report.notes)
    yield from (f"problem: {problem}" for problem in report.problems)
    read = "every voxel was read" if report.deep else "headers and a few sections were read; --deep reads every voxel"
    yield f"{len(report.problems) or 'no'} problem{'s' * (len(report.problems) != 1)} ({read})"


def _volume_lines(volume: DatasetVolume) -> Iterator[str]:
    size = "unknown voxel size" if volume.voxel_size is None else f"{_times(volume.voxel_size)} nm"
    yield f"{volume.name}: {_times(volume.shape)} voxels, {size}"
    rows = [("image", part) for part in volume.image_parts]
    rows += [(_label_name(name), part) for name, parts in volume.label_parts.items() for part in parts]
    yield from _table(
        [
            (f"  {what}", _ends(part.sections), str(part.source.dtype), part.source.form, part.source.name)
            for what, part in rows
        ]
    )
    splits = ", ".join(
        f"{name} {_ends(sections)}{' (labels are private)' * (name in volume.private)}"
        for name, sections in volume.splits.items()
        if sections
    )
    yield f"  splits: {splits or 'none'}"


def _count_rows(report: CheckReport) -> Iterator[tuple[str, ...]]:
    for count in report.counts:
        extremes = "-" if count.smallest is None else f"{count.smallest:,}, {count.largest:,}"
        buckets = (f"{number:,}" for number in count.buckets.values())
        first, last = count.sections
        yield (
            f"{count.volume}{_label_name(count.annotation).removeprefix('labels')}",
            f"{first}-{last}",
            f"{count.instances:,}",
            *buckets,
            extremes,
        )


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Align the columns; a path is never folded, so that it can be copied."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _label_name(annotation: str) -> str:
    return "labels" if annotation == "given" else f"labels {annotation}"


def _ends(sections: range) -> str:
    return f"{sections.start}-{sections.stop - 1}"


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _printable(line: str) -> str:
    """Names of files come from strangers and must not steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
