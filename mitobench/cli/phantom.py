"""``mitobench phantom``: write synthetic volumes with known instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.cli.common import progress_bar, whole_numbers
from mitobench.files import making_folder

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``phantom`` and what it can do."""
    phantom = subparsers.add_parser("phantom", help="write synthetic volumes with known instances")
    actions = phantom.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser(
        "make",
        help="write an image, its ground truth and a prediction, DIR/im.h5, DIR/gt.h5 and DIR/pred.h5",
        description="Write an image of synthetic brain tissue, the mitochondria in it and a prediction with known "
        "errors to DIR/im.h5, DIR/gt.h5 and DIR/pred.h5, dataset 'main', 30 x 8 x 8 nm a voxel. Equal options give "
        "equal voxels.",
    )
    make.add_argument("folder", metavar="DIR", help="folder for the files; made if its parent exists")
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
    make.add_argument(
        "--no-image",
        action="store_true",
        help="only labels, of simpler shapes that do not touch: much faster, for measuring speed",
    )
    _add_rates(make)
    make.set_defaults(run=run)


def _add_rates(make: argparse.ArgumentParser) -> None:
    """Add how good the prediction is and how often sections are damaged."""
    quality = make.add_argument_group("errors of the prediction, as fractions of the instances")
    for name, default, what in (
        ("missed", 0.05, "are absent"),
        ("false", 0.05, "are invented"),
        ("split", 0.04, "are cut in two"),
        ("merged", 0.03, "share the id of a neighbour"),
    ):
        quality.add_argument(f"--{name}", type=float, default=default, help=f"{what} (default: {default})")
    quality.add_argument(
        "--shifted",
        type=float,
        default=0.06,
        metavar="F",
        help="how far instances are displaced, in their short radii (standard deviation, default: 0.06)",
    )
    make.add_argument(
        "--no-artefacts", action="store_true", help="no missing, repeated, displaced, scratched or odd sections"
    )


def run(args: argparse.Namespace) -> int:
    """Write the volumes and print their paths."""
    from mitobench.phantom import Artefacts, Quality, write_label_pair, write_tissue

    folder = Path(args.folder)
    names = ("gt", "pred") if args.no_image else ("im", "gt", "pred")
    paths = [folder / f"{name}.h5" for name in names]
    options = {
        "shape": args.shape,
        "chunks": args.chunks,
        "compression": None if args.compression == "none" else args.compression,
        "seed": args.seed,
        "dtype": args.dtype,
        "instances_per_gigavoxel": args.density,
        "foreground": args.foreground,
        "quality": Quality(
            missed=args.missed,
            false=args.false,
            split=args.split,
            merged=args.merged,
            jitter_shift=args.shifted,
        ),
    }
    with making_folder(folder), progress_bar("writing") as progress:
        if args.no_image:
            write_label_pair(*paths, progress=progress, **options)
        else:
            artefacts = Artefacts.none() if args.no_artefacts else Artefacts()
            write_tissue(*paths, progress=progress, artefacts=artefacts, **options)
    print(*paths, sep="\n")
    return 0
