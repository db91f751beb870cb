"""``python -m leaderboard.container [exec|invoke]``: the program of the evaluation image."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from pathlib import Path

from leaderboard.container.paths import Paths, SetupError

_DEFAULTS = Paths()


def main() -> int:
    """Evaluate once, serve evaluations, or prepare for them. Return 0, or 1 where the last line on stderr says why."""
    arguments = sys.argv[1:]
    # Options without a mode in front are those of a single run.
    is_named = bool(arguments) and (not arguments[0].startswith("-") or arguments[0] in {"-h", "--help"})
    args = _parser().parse_args(arguments if is_named else ["exec", *arguments])
    if args.mode == "warm-up":
        from leaderboard.container.warm_up import warm_up

        warm_up()
        return 0
    if args.mode == "evaluate":
        return _evaluate(args)
    from leaderboard.container.supervisor import Supervisor

    supervisor = Supervisor([sys.executable, "-m", "leaderboard.container", "evaluate", *_path_options(args)])
    if args.mode == "exec":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        return 0 if supervisor.run() is None else 1
    from leaderboard.container.server import serve

    try:
        serve(supervisor, port=args.port)
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from leaderboard.container.evaluation import failure_of

    # Ctrl-C goes to the process that started this one, too, which ends it and says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    message = failure_of(_paths(args))
    if message is not None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # The name of a file in it may be no text.
            sys.stdout.reconfigure(errors="backslashreplace")
        sys.stdout.write(f"{message}\n")
    return 0 if message is None else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m leaderboard.container", description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    from leaderboard.container.server import PORT

    helps = {
        "exec": "evaluate once (default)",
        "invoke": "evaluate whenever the platform asks for it over HTTP",
        "evaluate": "what exec and invoke run as a process of its own",
    }
    for mode, text in helps.items():
        _add_paths(modes.add_parser(mode, help=text))
    modes.choices["invoke"].add_argument("--port", type=int, default=PORT, help="(default %(default)s)")
    modes.add_parser("warm-up", help="compile the loops, for a NUMBA_CACHE_DIR that comes with the image")
    return parser


def _add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input", type=Path, default=_DEFAULTS.input, metavar="DIR", help="(default %(default)s)")
    parser.add_argument("--output", type=Path, default=_DEFAULTS.output, metavar="DIR", help="(default %(default)s)")
    parser.add_argument(
        "--ground-truth",
        type=Path,
        metavar="DIR",
        help=f"(default: the first that is there of {', '.join(map(str, _DEFAULTS.ground_truth))})",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        default=_DEFAULTS.settings,
        metavar="FILE",
        help="used where none lies beside the ground truth (default %(default)s)",
    )


def _paths(args: argparse.Namespace) -> Paths:
    ground_truth = _DEFAULTS.ground_truth if args.ground_truth is None else (args.ground_truth,)
    return Paths(input=args.input, output=args.output, ground_truth=ground_truth, settings=args.settings)


def _path_options(args: argparse.Namespace) -> list[str]:
    options = {"--input": args.input, "--output": args.output, "--settings": args.settings}
    if args.ground_truth is not None:
        options["--ground-truth"] = args.ground_truth
    return [os.fspath(part) for option in options.items() for part in option]


if __name__ == "__main__":
    sys.exit(main())
