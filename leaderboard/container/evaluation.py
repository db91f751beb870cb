"""What the image does: score what lies in one folder, write metrics.json to another, and say clearly why it cannot."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.container.paths import SETTINGS, SetupError
from mitobench.errors import InputWarning, MemoryLimitError, MitobenchError
from mitobench.files import check_output_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from leaderboard.container.paths import Paths
    from leaderboard.container.settings import Settings
    from leaderboard.ground_truth import GroundTruth
    from mitobench.report import Report
    from mitobench.types import LabelVolume

__all__ = ["METRICS", "evaluate", "failure_of", "too_large"]

METRICS = "metrics.json"
_NO_FAULT = "which is no fault of the submission"


def failure_of(paths: Paths) -> str | None:
    """Evaluate, and return None, or the one line that tells the participant what went wrong.

    What only the organisers need to know goes to standard error, before that line.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = _show_warning
        try:
            with _numba_cache():
                evaluate(paths)
        except Exception as error:  # noqa: BLE001 - whatever it is, the participant gets a clear line
            return _line_for_participant(error, paths)
    return None


def evaluate(paths: Paths) -> None:
    """Score the input and write metrics.json; one of an earlier run is removed first.

    Raises
    ------
    SetupError, leaderboard.ground_truth.GroundTruthError
        The organisers have to mend it.
    MitobenchError
        The submission cannot be used.
    """
    from leaderboard.container.settings import read_settings
    from leaderboard.ground_truth import open_ground_truth

    _prepare(paths.output)
    gt = paths.find_ground_truth()
    settings = read_settings(gt / SETTINGS, paths.settings)
    with open_ground_truth(gt, settings.challenge) as truth, _predictions(paths, settings) as predictions:
        report = _score(predictions, truth, settings)
    _write(report, paths.output)


def too_large(detail: str) -> str:
    """Return what is said of a submission that needs too much memory."""
    sys.stderr.write(f"out of memory: {detail}\n")
    return (
        "scoring this submission takes more memory than there is; check that it holds instance ids, one for each "
        "mitochondrion, and that its chunks have no more than a few million voxels; if so, tell the organisers"
    )


def _prepare(folder: Path) -> None:
    try:
        check_output_folder(folder / METRICS).unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(str(error)) from error


@contextmanager
def _predictions(paths: Paths, settings: Settings) -> Iterator[dict[str, LabelVolume]]:
    from leaderboard.ground_truth import Called
    from leaderboard.submission import open_submission

    if settings.algorithm is not None:
        from leaderboard.container.algorithm import open_outputs

        with open_outputs(paths.input, settings.algorithm, settings.challenge) as outputs:
            yield outputs
        return
    with open_submission(paths.input, settings.challenge) as submission:
        volumes = settings.challenge.volumes
        yield {volume.name: Called(submission.volumes[volume.name], volume.file) for volume in volumes}


def _score(predictions: dict[str, LabelVolume], truth: GroundTruth, settings: Settings) -> Report:
    from leaderboard.score import score_predictions
    from mitobench.resampling import Bootstrap

    return score_predictions(
        predictions,
        truth,
        rule=settings.rule,
        challenge=settings.challenge,
        intervals=Bootstrap() if settings.intervals else None,
        memory=int(settings.memory_gb * 10**9),
    )


def _write(report: Report, folder: Path) -> None:
    """Write the numbers, unless the one that is ranked by is missing, for then the platform would hide the result."""
    from leaderboard.card import MethodCard
    from leaderboard.entry import Entry, Task
    from leaderboard.platform import phase_settings, platform_metrics, value_at
    from mitobench.json_files import write_json

    metrics = platform_metrics(Entry(card=MethodCard(method="submission"), task=Task(), result=report, created=""))
    ranked = report.rule["rank_by"]
    if value_at(metrics, phase_settings(ranked).score.path) is None:
        raise SetupError(f"{ranked} is undefined, so the result could not be ranked; does the ground truth hold ids?")
    try:
        write_json(metrics, folder / METRICS)
    except OSError as error:
        raise SetupError(str(error)) from error


def _line_for_participant(error: Exception, paths: Paths) -> str:
    from leaderboard.ground_truth import GroundTruthError

    if isinstance(error, GroundTruthError | SetupError):
        what = "set-up of the evaluation" if isinstance(error, SetupError) else "ground truth"
        sys.stderr.write(f"{_one_line(error)}\n")
        return f"the {what} cannot be used, {_NO_FAULT}; the organisers have to mend it, please tell them"
    if isinstance(error, MemoryError):
        return too_large(_one_line(error) if isinstance(error, MemoryLimitError) else "")
    if isinstance(error, MitobenchError):
        return _one_line(error).replace(f"{paths.input}: ", "submission: ").replace(f"{paths.input}{os.sep}", "")
    traceback.print_exception(error)
    return f"the evaluation itself failed, {_NO_FAULT}; tell the organisers: {type(error).__name__}{_place(error)}"


def _place(error: Exception) -> str:
    """Say where an error was raised; what it says may hold a piece of the ground truth."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""


@contextmanager
def _numba_cache() -> Iterator[None]:
    """Copy compiled loops to where numba can write, if they are kept where it cannot, for else it ignores them."""
    kept = os.environ.get("NUMBA_CACHE_DIR", "")
    if not kept or not Path(kept).is_dir() or os.access(kept, os.W_OK):
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(kept, Path(folder, "numba")))
        for path in (copy, *copy.rglob("*")):
            path.chmod(stat.S_IRWXU)
        os.environ["NUMBA_CACHE_DIR"] = str(copy)
        yield


def _show_warning(  # the signature that the standard library calls
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    where = "" if issubclass(category, InputWarning) else f"{filename}:{lineno}: "
    sys.stderr.write(f"warning: {where}{_one_line(message)}\n")


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
