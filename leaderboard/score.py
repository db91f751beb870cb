"""From a submission and the ground truth to an entry of the leaderboard."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.challenge import MITOEM
from leaderboard.entry import Entry
from leaderboard.ground_truth import Called, cable_options, open_ground_truth
from leaderboard.submission import open_submission
from mitobench.evaluate import Pair, evaluate_benchmark
from mitobench.resampling import Bootstrap
from mitobench.rules import DEFAULT_RULE, Rule, find_rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from leaderboard.card import MethodCard
    from leaderboard.challenge import Challenge
    from leaderboard.entry import Task
    from leaderboard.ground_truth import GroundTruth
    from mitobench.report import Report
    from mitobench.types import LabelVolume, PathOrStr, Progress

__all__ = ["score_predictions", "score_submission"]

_MEMORY = 10**9
_INTERVALS = Bootstrap()


def score_submission(
    path: PathOrStr,
    gt: PathOrStr,
    *,
    card: MethodCard,
    task: Task,
    rule: str | Rule = DEFAULT_RULE,
    challenge: Challenge = MITOEM,
    intervals: Bootstrap | None = _INTERVALS,
    repairs: bool = False,
    cable_lengths: Mapping[str, Any] | None = None,
    cable_folder: PathOrStr | None = None,
    scratch: PathOrStr | None = None,
    memory: int = _MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> Entry:
    """Score a submission, as `mitobench.evaluate.evaluate_benchmark` scores its volumes one by one.

    Parameters
    ----------
    path
        Zip, or the folder that it was unpacked to.
    gt
        Folder of the ground truth, see `leaderboard.ground_truth.open_ground_truth`.
    card, task
        Whose result it is, and of what.
    rule, challenge, intervals, repairs, cable_lengths, cable_folder, memory, workers, progress
        As in `score_predictions`.
    scratch
        Where compressed members of the zip are unpacked to, if they have to be.
    now
        When the entry was made; by default the time of the call.

    Returns
    -------
    Entry
        Its report names volumes by the submission and the file inside it; private paths are not in it.

    Raises
    ------
    GroundTruthError
        The ground truth cannot be used.
    InvalidInputError, UnusableFileError, UnknownNameError, MissingExtraError, MemoryLimitError
        The submission cannot be used, or as in `mitobench.evaluate.evaluate_benchmark`.
    """
    rule = find_rule(rule)
    # First, for a submission is read to its end when it is opened, which takes minutes.
    with open_ground_truth(gt, challenge) as truth, open_submission(path, challenge, scratch=scratch) as submission:
        whole = Path(path).resolve().name
        predictions: dict[str, LabelVolume] = {
            volume.name: Called(submission.volumes[volume.name], f"{whole}::{volume.file}")
            for volume in challenge.volumes
        }
        report = score_predictions(
            predictions,
            truth,
            rule=rule,
            challenge=challenge,
            intervals=intervals,
            repairs=repairs,
            cable_lengths=cable_lengths,
            cable_folder=cable_folder,
            memory=memory,
            workers=workers,
            progress=progress,
        )
    created = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    return Entry(card=card, task=task, result=report, created=created, files=submission.files)


def score_predictions(
    predictions: Mapping[str, LabelVolume],
    truth: GroundTruth,
    *,
    rule: str | Rule = DEFAULT_RULE,
    challenge: Challenge = MITOEM,
    intervals: Bootstrap | None = _INTERVALS,
    repairs: bool = False,
    cable_lengths: Mapping[str, Any] | None = None,
    cable_folder: PathOrStr | None = None,
    memory: int = _MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score the predictions of the volumes of a challenge.

    Parameters
    ----------
    predictions
        Name of the volume -> open volume of the challenge's shape.
    truth
        From `leaderboard.ground_truth.open_ground_truth`.
    rule
        Name of a rule, or a rule.
    challenge
        Says which volumes there are, and how large.
    intervals
        How confidence intervals are made; None for none.
    repairs
        Also find out what each class of error costs.
    cable_lengths
        For rules that sort by it, name of the volume -> lengths as `mitobench.evaluate.Pair` takes them. By default
        from the files beside the ground truth, see `leaderboard.ground_truth.cable_options`.
    cable_folder
        Where these files lie instead.
    memory, workers, progress
        As in `mitobench.evaluate.evaluate_benchmark`.

    Raises
    ------
    GroundTruthError
        The ground truth cannot be used.
    InvalidInputError, UnusableFileError, UnknownNameError, MissingExtraError, MemoryLimitError
        As in `mitobench.evaluate.evaluate_benchmark`.
    """
    rule = find_rule(rule)
    with ExitStack() as stack:
        cable: Mapping[str, Mapping[str, Any]] = {}
        if cable_lengths is not None:
            cable = {name: {"cable_lengths": lengths} for name, lengths in cable_lengths.items()}
        elif rule.size_by == "cable-length":
            cable = stack.enter_context(cable_options(truth.folder, challenge, keep=cable_folder))
        tables = [source for options in cable.values() for source in options.values() if isinstance(source, Path)]
        stack.enter_context(truth.blamed(*tables))
        return evaluate_benchmark(
            {
                name: Pair(pred=predictions[name], gt=volume, **cable.get(name, {}))
                for name, volume in truth.volumes.items()
            },
            rule=rule,
            repairs=repairs,
            intervals=intervals,
            memory=memory,
            workers=workers,
            progress=progress,
        )
