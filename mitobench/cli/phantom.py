"""``mitobench phantom``: write synthetic volumes with known instances."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.cli._common import progress_bar, whole_numbers
from mitobench.errors import UnusableFileError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``phantom`` and what it can do."""
    phantom = subparsers.add_parser("phantom", help="write synthetic volumes with known instances")
    actions = phantom.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser(
        "make",
        help="write a ground truth and a prediction, DIR/gt.h5 and DIR/pred.h5",
        description="Write a mitochondria-like ground truth and a prediction with known errors to DIR/gt.h5 and "
        "DIR/pred.h5, dataset 'main', 30 x 8 x 8 nm a voxel. Equal options give equal voxels.",
    )
    make.add_argument("folder", metavar="DIR", help="folder for the two files; made if its parent exists")
    make.add_argument(
        "--shape",
        type=whole_numbers("100,512,512"),
        required=True,
        metavar="Z,Y,X",
        help="voxels, for example 100,512,512",
    )
    make.add_argument("--seed", type=int, default=0, help="of the random generator (default: 0)")
    make.add_argument(
        "--dtype", choices=["uint8", "uint16", "uint32", "uint64"], default="uint16", help="type of the ids"
    )
    make.add_argument("--density", type=float, default=1200.0, help="instances per 1e9 voxels (default: 1200)")
    make.add_argument("--foreground", type=float, default=0.08, help="fraction of voxels covered (default: 0.08)")
    make.add_argument("--compression", choices=["gzip", "lzf", "none"], default="gzip", help="(default: gzip)")
    make.add_argument(
        "--chunks",
        type=whole_numbers("7,64,128"),
        metavar="Z,Y,X",
        help="HDF5 chunk, for example 7,64,128 (default: h5py's choice)",
    )
    make.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the pair and print the two paths."""
    from mitobench.phantom import write_label_pair

    folder = Path(args.folder)
    gt_path, pred_path = folder / "gt.h5", folder / "pred.h5"
    with _made(folder), progress_bar("writing") as progress:
        write_label_pair(
            gt_path,
            pred_path,
            shape=args.shape,
            chunks=args.chunks,
            compression=None if args.compression == "none" else args.compression,
            progress=progress,
            seed=args.seed,
            dtype=args.dtype,
            instances_per_gigavoxel=args.density,
            foreground=args.foreground,
        )
    print(gt_path)
    print(pred_path)
    return 0


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make the folder, and take it away again when nothing comes of it."""
    if not folder.parent.is_dir():
        raise UnusableFileError(f"cannot make {folder}: the folder {folder.parent} does not exist; create it first")
    there = folder.is_dir()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"cannot make {folder}: {error.strerror}; name another folder") from error
    try:
        yield
    except BaseException:
        if not there:
            folder.rmdir()
        raise
