"""``mitobench dataset convert``: write a volume as chunked HDF5 or OME-Zarr."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mitobench.cli.common import add_limits, numbers, progress_bar, whole_numbers
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitobench.types import Volume

__all__ = ["add_parser", "run"]

_INTERRUPTED = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``convert``."""
    convert = subparsers.add_parser(
        "convert",
        help="write a volume as chunked HDF5 or OME-Zarr",
        description="Write a volume as chunked HDF5 or OME-Zarr 0.5. The work lies in TARGET.partial until it is "
        "complete and compared with what was read; killed at any moment, the same command goes on with the rest.",
    )
    convert.add_argument("source", metavar="SOURCE", help="folder of sections, TIFF, HDF5, Zarr or .npy; path::dataset")
    convert.add_argument("target", metavar="TARGET", help="file *.h5 or folder *.zarr to make")
    convert.add_argument("--labels", action="store_true", help="voxels are instance ids, not an image")
    convert.add_argument("--rgb", action="store_true", help="colours of labels encode ids, R*65536 + G*256 + B")
    convert.add_argument("--sections", type=_sections, default=(None, None), metavar="A:B", help="such as 400:500")
    _add_storage(convert)
    convert.add_argument("--no-verify", action="store_true", help="do not read the result back")
    convert.add_argument(
        "--restart", action="store_true", help="throw away unfinished work, and replace TARGET if it exists"
    )
    add_limits(convert)
    convert.set_defaults(run=run)


def _add_storage(parser: argparse.ArgumentParser) -> None:
    storage = parser.add_argument_group("storage")
    storage.add_argument(
        "--chunks", type=whole_numbers("16,256,256"), metavar="Z,Y,X", help="(default 256x256 and 1 MB, 16,256,256)"
    )
    storage.add_argument(
        "--compression",
        choices=["auto", "gzip", "lzf", "zstd", "none"],
        default="auto",
        help="default zstd for Zarr; for HDF5 gzip for labels and none for images",
    )
    storage.add_argument("--level", type=int, metavar="N", help="of gzip or zstd (default 1)")
    storage.add_argument(
        "--dtype", default="keep", metavar="TYPE", help="keep (default), such as uint16, or smallest (for labels)"
    )
    storage.add_argument("--dataset", default="main", metavar="NAME", help="inside an HDF5 file (default main)")
    storage.add_argument(
        "--voxel-size", type=numbers("30,8,8"), default=(30.0, 8.0, 8.0), metavar="Z,Y,X", help="in nm (default 30,8,8)"
    )
    storage.add_argument("--levels", type=int, default=1, metavar="N", help="of an OME-Zarr pyramid (default 1)")


def _sections(text: str) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"([0-9]*):([0-9]*)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of sections; expected such as 400:500")
    start, stop = (int(number) if number else None for number in found.groups())
    return start, stop


def run(args: argparse.Namespace) -> int:
    """Convert, and print the checksum and the path."""
    from mitobench.dataset.conversion import convert, sections_of

    try:
        with _opened(args) as volume, progress_bar("converting") as progress:
            made = convert(
                sections_of(volume, *args.sections),
                args.target,
                labels=args.labels,
                chunks=args.chunks,
                compression=args.compression,
                level=args.level,
                dtype=args.dtype,
                voxel_size=args.voxel_size,
                dataset=args.dataset,
                levels=args.levels,
                memory=args.memory,
                workers=args.workers,
                verify=not args.no_verify,
                resume=not args.restart,
                progress=progress,
            )
    except KeyboardInterrupt:
        print(
            f"mitobench: interrupted; what is done is kept in {args.target}.partial, and the same command goes on with "
            "it",
            file=sys.stderr,
        )
        return _INTERRUPTED
    print(made.checksum, made.path)
    return 0


@contextmanager
def _opened(args: argparse.Namespace) -> Iterator[Volume]:
    from mitobench.volumes import open_image, open_labels

    if args.rgb and not args.labels:
        raise InvalidInputError("--rgb decodes the colours of labels; add --labels")
    volumes = (open_labels(args.source, rgb=args.rgb),) if args.labels else open_image(args.source)
    try:
        if len(volumes) > 1:
            raise InvalidInputError(
                f"{args.source}: {len(volumes)} channels; expected one volume (z, y, x); save one channel by itself"
            )
        yield volumes[0]
    finally:
        volumes[0].close()
