"""``mitobench baseline tune``: the settings of a decoding, chosen by score."""

from __future__ import annotations

import argparse
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.cli.common import add_limits, check_outputs, csv_text, progress_bar, write_text
from mitobench.cli.options import add_rule, rule_of
from mitobench.errors import InvalidInputError, UnknownNameError, UnusableFileError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from baselines.train import RunFolder
    from baselines.tune import Tuning
    from mitobench.methods import TrainingVolume
    from mitobench.rules import Rule

__all__ = ["add_parser", "run"]

_PROBABILITIES = {
    "seed_mask": "mw: seeds are where the mask is above",
    "seed_contour": "mw: and the contour below",
    "foreground": "mw: instances fill the mask above",
    "threshold": "cc: instances are components of the mask above",
}
_SIZES = {"min_seed": "mw: drop smaller seeds", "min_size": "drop smaller instances"}
_ROWS = 10
_EXAMPLES = """examples:
  mitobench baseline tune runs/v2 --data /data/MitoEM
  mitobench baseline tune runs/v2 --data /data/MitoEM --seed-contour 0.5,0.6,0.7 --min-size 1024
  mitobench baseline tune --prob prob.h5 --gt gt.h5 --method mw -o decoding.json --csv tried.csv
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "tune",
        help="choose the settings of a decoding by score",
        description="Decode with every setting of a grid, score each, and write the best one to a file that "
        "`mitobench baseline decode --settings` takes. Either the validation part of a data set, predicted with the "
        "network of a run (a call that was stopped goes on when it is given again), or probabilities of any origin.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_run(parser)
    _add_files(parser)
    _add_grid(parser)
    add_rule(parser)
    outputs = parser.add_argument_group("output")
    outputs.add_argument("-o", "--output", metavar="FILE", help="settings, as JSON (default RUN/decoding.json)")
    outputs.add_argument("--csv", metavar="FILE", help="every setting that was tried, the best first; - prints them")
    add_limits(parser)
    parser.set_defaults(run=run)


def _add_run(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a run and a data set")
    group.add_argument("folder", nargs="?", metavar="RUN", help="run folder of `train`")
    group.add_argument("--data", metavar="DATASET", help="MitoEM, or a TOML file that describes data")
    group.add_argument("--split", metavar="NAME", help="part of the data (default val)")
    group.add_argument("--annotation", metavar="NAME", help="version of the labels (default: the first there is)")
    group.add_argument("--volume", metavar="NAME", help="one volume of the data (default: all)")
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default auto)")
    group.add_argument("--batch", type=int, metavar="N", help="windows at a time (default: a million voxels of them)")
    group.add_argument("--keep", action="store_true", help="keep the probabilities, in RUN/tuning")


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("or probabilities")
    group.add_argument("--prob", action="append", metavar="FILE", help="uint8 (channel, z, y, x); once for each volume")
    group.add_argument("--gt", action="append", metavar="FILE", help="its instances; once for each volume, in order")


def _add_grid(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("grid: values, separated by commas, in the place of the default ones")
    group.add_argument("--method", choices=("mw", "cc"), help="where to begin (default: the decoding of the run)")
    for names, kind, metavar in ((_PROBABILITIES, float, "P,P"), (_SIZES, int, "N,N")):
        for name, text in names.items():
            group.add_argument(f"--{name.replace('_', '-')}", type=_several(kind), metavar=metavar, help=text)


def _several(kind: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    """Return a type for an option of one number or more, separated by commas.

    Examples
    --------
    >>> _several(int)("128,1024")
    (128, 1024)
    """

    def read(text: str) -> tuple[float, ...]:
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError:
            what, example = ("whole numbers", "128,1024") if kind is int else ("numbers", "0.7,0.8")
            raise argparse.ArgumentTypeError(f"{text!r} is no list of {what}; expected such as {example}") from None

    return read


def run(args: argparse.Namespace) -> int:
    """Tune, write the best settings, and say how much better they are and how sure that is."""
    _check_arguments(args)
    read = (*(args.prob or ()), *(args.gt or ()))
    check_outputs({"--output": args.output, "--csv": args.csv}, printable=("--csv",), inputs=read)
    from baselines.tune import write_decoding

    rule = rule_of(args)
    output, tuning, data = _tuned_on_files(args, rule) if args.prob else _tuned_on_run(args, rule)
    write_decoding(tuning.best.method, output, tuned={**data, **_facts(tuning)})
    rows = _rows(tuning)
    if args.csv == "-":
        print(csv_text(rows), end="")
        return 0
    if args.csv is not None:
        write_text(args.csv, csv_text(rows))
    print(_table(rows[:_ROWS]))
    print(_summary(tuning))
    print(f"{output}: {_shown(tuning.best.score)}, before {_shown(tuning.before.score)}")
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    if (args.folder is None) == (args.prob is None):
        raise InvalidInputError("name either a RUN with --data, or --prob with --gt")
    of_run = {"--data": args.data, "--split": args.split, "--annotation": args.annotation, "--volume": args.volume}
    of_run["--keep"] = args.keep or None
    if args.prob is None:
        if args.data is None or args.gt is not None:
            raise InvalidInputError("a RUN needs --data, whose labels it is tuned on; --gt belongs to --prob")
        return
    for option, value in of_run.items():
        if value is not None:
            raise InvalidInputError(f"{option} belongs to a RUN; leave it out, or name a RUN in the place of --prob")
    for option, value in (("--gt", args.gt), ("--method", args.method), ("--output", args.output)):
        if value is None:
            raise InvalidInputError(f"--prob needs {option}; name it")


def _tuned_on_files(args: argparse.Namespace, rule: Rule) -> tuple[str, Tuning, dict[str, Any]]:
    data = {"probabilities": args.prob, "ground_truths": args.gt}
    return args.output, _tune(args, rule, args.prob, args.gt, args.method), data


def _tuned_on_run(args: argparse.Namespace, rule: Rule) -> tuple[Path, Tuning, dict[str, Any]]:
    """Predict the part, and tune on it. What was predicted stays if anything fails, so that a second call goes on."""
    from baselines.recipe import load_recipe
    from baselines.tune import count_instances, predict_part

    folder = _run_folder(args.folder)
    output = folder.decoding if args.output is None else Path(args.output)
    check_outputs({"--output": str(output)}, printable=())
    split = args.split or "val"
    volumes = _volumes(args, split)
    method = args.method or load_recipe(folder.recipe).decoding
    scratch = folder.path / "tuning"
    limits = {"memory": args.memory, "workers": args.workers}
    with ExitStack() as files:
        gts = [volume.labels() for volume in volumes]
        for gt in gts:
            files.callback(gt.close)
            # Hours before it would be found out.
            count_instances(gt, rule, **limits)
        with progress_bar("predicting") as progress:
            paths = predict_part(
                folder, volumes, scratch, device=args.device, batch=args.batch, progress=progress, **limits
            )
        tuning = _tune(args, rule, paths, gts, method, folder=scratch)
    if not args.keep:
        shutil.rmtree(scratch)
    names = [volume.name for volume in volumes]
    return output, tuning, {"data": args.data, "part": split, "annotation": args.annotation, "volumes": names}


def _run_folder(path: str) -> RunFolder:
    from baselines.train import RunFolder

    folder = RunFolder(Path(path))
    if not (folder.recipe.is_file() and folder.chosen.is_file()):
        raise UnusableFileError(f"{path}: no run with a network; expected a folder of `mitobench baseline train`")
    return folder


def _volumes(args: argparse.Namespace, split: str) -> Sequence[TrainingVolume]:
    from mitobench.methods import training_volumes

    volumes = training_volumes(args.data, split=split, annotation=args.annotation)
    if args.volume is None:
        return volumes
    names = [volume.name for volume in volumes]
    if args.volume not in names:
        raise UnknownNameError(
            f"{args.data}: no volume {args.volume!r} with a part {split!r}{did_you_mean(args.volume, names)}; the "
            f"volumes are {', '.join(names)}"
        )
    return [volume for volume in volumes if volume.name == args.volume]


def _tune(
    args: argparse.Namespace,
    rule: Rule,
    probabilities: Sequence[Any],
    gts: Sequence[Any],
    method: Any,  # noqa: ANN401 - a name, or a method
    folder: Path | None = None,
) -> Tuning:
    from baselines.tune import tune

    grid = {name: getattr(args, name) for name in (*_PROBABILITIES, *_SIZES) if getattr(args, name) is not None}
    with progress_bar("tuning") as progress:
        return tune(
            probabilities,
            gts,
            method,
            grid=grid,
            rule=rule,
            memory=args.memory,
            workers=args.workers,
            progress=progress,
            folder=folder,
        )


def _facts(tuning: Tuning) -> dict[str, Any]:
    """Return what a file of settings says of how they were found."""
    return {
        "rule": tuning.rule.label,
        "ranked_by": tuning.rule.rank_by,
        "score": tuning.best.score,
        "before": tuning.before.score,
        "instances": tuning.instances,
        "settings": len(tuning.tried),
    }


def _rows(tuning: Tuning) -> list[dict[str, Any]]:
    """Return one row for each setting, with the values that tell them apart."""
    names = [name for name in vars(tuning.best.method) if len({vars(t.method)[name] for t in tuning.tried}) > 1]
    ranked = tuning.rule.rank_by
    return [{ranked: trial.score, **{name: vars(trial.method)[name] for name in names}} for trial in tuning.tried]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows in columns.

    Examples
    --------
    >>> print(_table([{"ap_75": 1.0, "threshold": 0.85}, {"ap_75": 0.5, "threshold": 0.9}]))
     ap_75  threshold
    1.0000       0.85
    0.5000        0.9
    """
    lines = [list(rows[0]), *([_shown(score), *map(str, values)] for score, *values in (row.values() for row in rows))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:>{n}}" for cell, n in zip(line, widths, strict=True)) for line in lines)


def _summary(tuning: Tuning) -> str:
    """Return how far the choice can be trusted."""
    plateau = tuning.plateau.items()
    ranges = [f"{name} {low}" if low == high else f"{name} {low} to {high}" for name, (low, high) in plateau]
    close = f"{len(tuning.close):,} of {len(tuning.tried):,} settings are within 0.01 of the best"
    lines = [f"{tuning.instances:,} instances; {close}: {', '.join(ranges)}"]
    if tuning.at_an_end:
        lines.append(f"at an end of the values tried: {', '.join(tuning.at_an_end)}; others may be better")
    return "\n".join(lines)


def _shown(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.4f}"
