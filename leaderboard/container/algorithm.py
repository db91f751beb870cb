"""Phases that run algorithms: which of their outputs is the prediction of which volume."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from leaderboard.container.paths import SetupError
from leaderboard.ground_truth import Called
from leaderboard.submission import contents_of
from mitobench.errors import InvalidInputError
from mitobench.volumes import open_labels
from mitobench.volumes.array import reading

if TYPE_CHECKING:
    from leaderboard.challenge import Challenge
    from leaderboard.container.settings import Algorithm
    from mitobench.types import LabelVolume

__all__ = ["JOBS", "find_outputs", "open_outputs"]

JOBS = "predictions.json"
_KEY = re.compile(r"[A-Za-z0-9-]+")
_SUCCEEDED = "succeeded"


@contextmanager
def open_outputs(folder: Path, algorithm: Algorithm, challenge: Challenge) -> Iterator[dict[str, LabelVolume]]:
    """Open the predictions that the jobs of an algorithm wrote.

    Parameters
    ----------
    folder
        Holds predictions.json and, for each job, ``PK/output/``.
    algorithm
        Says which output it is.
    challenge
        Says which volumes there are, and how large.

    Yields
    ------
    dict
        Name of the volume -> prediction.

    Raises
    ------
    SetupError
        There is no list of jobs, or it does not fit the settings.
    InvalidInputError, UnusableFileError
        A job failed, or its output is missing or no label volume of the right shape.
    """
    paths = find_outputs(folder, algorithm)
    with ExitStack() as stack:
        opened: dict[str, LabelVolume] = {}
        for volume in challenge.volumes:
            called = f"output {algorithm.output!r} for {volume.name}"
            path = _only_file(paths[volume.key])
            _refuse_links(path, called)
            labels = Called(stack.enter_context(closing(open_labels(path))), called)
            if labels.shape != challenge.shape:
                raise InvalidInputError(
                    f"{called}: its shape is {labels.shape}; expected {challenge.shape}; write it as large as the input"
                )
            opened[volume.name] = labels
        yield opened


def _refuse_links(path: Path, called: str) -> None:
    """Refuse what would lead to other files, such as the ground truth."""
    import h5py

    if any(part.is_symlink() for part in (path, *path.rglob("*"))):
        raise InvalidInputError(f"{called}: holds a link; expected none; write the file itself")
    if path.is_file() and h5py.is_hdf5(path):
        with reading(f"{called}: cannot be listed"), h5py.File(path) as file:
            problems = contents_of(file, called).problems
        if problems:
            raise InvalidInputError(str(problems[0]))


def find_outputs(folder: Path, algorithm: Algorithm) -> dict[str, Path]:
    """Return where the prediction of each volume lies, by the key of the volume.

    Raises
    ------
    SetupError, InvalidInputError
        As in `open_outputs`.
    """
    jobs = _jobs(folder / JOBS)
    try:
        found = {key: _job_of(jobs, key, text) for key, text in algorithm.inputs.items()}
        return {key: _output(folder, job, algorithm, key) for key, job in found.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise SetupError(f"{JOBS}: no list of jobs as the platform writes it ({error!r})") from error


def _jobs(path: Path) -> list[Mapping[str, Any]]:
    if not path.exists():
        raise SetupError(f"{path} does not exist, but the settings have a table [algorithm]")
    try:
        jobs: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SetupError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(jobs, list):
        raise SetupError(f"{path}: no list of jobs")
    return jobs


def _job_of(jobs: list[Mapping[str, Any]], key: str, text: str) -> Mapping[str, Any]:
    """Return the job in whose inputs the text occurs."""
    found = [job for job in jobs if any(text.casefold() in value.casefold() for value in _texts(job["inputs"]))]
    if len(found) != 1:
        raise SetupError(f"{len(found) or 'no'} jobs have {text!r} in their inputs; one is expected for {key}")
    return found[0]


def _texts(value: object) -> Iterator[str]:
    """Yield every text inside of lists and dictionaries."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _output(folder: Path, job: Mapping[str, Any], algorithm: Algorithm, key: str) -> Path:
    """Return the path of one job's prediction, which lies in the folder of that job."""
    pk, status = str(job["pk"]), str(job.get("status", _SUCCEEDED))
    if status.casefold() != _SUCCEEDED:
        raise InvalidInputError(
            f"the algorithm did not finish on the {key} volume (job {pk}: {status}); see the log of that job"
        )
    sockets = [value.get("socket") or value["interface"] for value in job["outputs"]]
    relative = next((socket["relative_path"] for socket in sockets if socket["slug"] == algorithm.output), None)
    if relative is None:
        there = ", ".join(repr(socket["slug"]) for socket in sockets) or "nothing"
        raise InvalidInputError(
            f"the algorithm wrote no output {algorithm.output!r} for the {key} volume (job {pk}); it wrote {there}"
        )
    return _inside(folder, pk, relative)


def _inside(folder: Path, pk: str, relative: str) -> Path:
    """Return the path of an output; refuse one that leads out of the folder of its job, by its name or by a link."""
    root = folder / pk / "output"
    path = root / relative
    parts = PurePosixPath(relative)
    honest = _KEY.fullmatch(pk) and not parts.is_absolute() and ".." not in parts.parts and parts.parts
    if not honest or not path.resolve().is_relative_to(root.resolve()):
        raise InvalidInputError(f"the output {relative!r} of job {pk} leads out of its folder; write it inside")
    return path


def _only_file(path: Path) -> Path:
    """Return the file that the platform puts into the folder of an output; else the path itself."""
    inside = list(path.iterdir()) if path.is_dir() else []
    return inside[0] if len(inside) == 1 else path
