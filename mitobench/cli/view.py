"""``mitobench view``: look at the errors of a report in 3D, in the browser."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from mitobench.cli.common import numbers
from mitobench.errors import MitobenchError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from mitobench.view import Scene

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "view",
        help="look at the errors of a report in 3D",
        description="Serve neuroglancer on this machine, with the errors of a report as a list that leads to each. "
        "Ends with Ctrl-C. Needs pip install 'mitobench[view]'.",
    )
    parser.add_argument("report", metavar="REPORT", help="JSON file that `mitobench evaluate --json` wrote")
    parser.add_argument("--volume", metavar="NAME", help="volume of the report (default: the first)")
    parser.add_argument("--pred", metavar="PATH", help="where the prediction is now (default: as in the report)")
    parser.add_argument("--gt", metavar="PATH", help="where the ground truth is now (default: as in the report)")
    parser.add_argument("--image", metavar="PATH", help="image of the same shape, in any format that labels may have")
    parser.add_argument("--rgb", action="store_true", help="colours of TIFF or PNG sections are ids")
    parser.add_argument(
        "--voxel-size", type=numbers("30,8,8"), default="30,8,8", metavar="Z,Y,X", help="in nm (default: 30,8,8)"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="to listen on (default: any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from mitobench.report import Report
    from mitobench.view import open_scene, start_viewer

    scene = open_scene(
        Report.from_json(args.report),
        volume=args.volume,
        gt=args.gt,
        pred=args.pred,
        image=args.image,
        voxel_size=args.voxel_size,
        rgb=args.rgb,
    )
    with scene, _stopped() as stopped, start_viewer(scene, port=args.port) as session:
        if not args.no_browser:
            _open_in_browser(session.url)
        print(session.url, flush=True)
        _tell(scene)
        stopped.wait()
    print("stopped", file=sys.stderr)
    return 0


def _open_in_browser(url: str) -> None:
    from mitobench.view import open_browser

    if not open_browser(url):
        raise MitobenchError(
            "no web browser could be opened; run it with --no-browser and open the address that it prints"
        )


def _tell(scene: Scene) -> None:
    from mitobench.view import MOST_ERRORS

    count = len(scene.mistakes)
    listed = f"the largest {MOST_ERRORS:,} of {count:,} errors" if count > MOST_ERRORS else f"{count:,} errors"
    print(f"{scene.volume.name}: {listed} listed; Ctrl-C ends", file=sys.stderr)


@contextmanager
def _stopped() -> Iterator[Event]:
    """Hand out what is set when the user or the system asks to stop; Ctrl-C is how one ends this, so it is no error."""
    stopped = Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        yield stopped
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
