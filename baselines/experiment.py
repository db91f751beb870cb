"""One method on one data set, from the first crop to an entry of the leaderboard, in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import shlex
import traceback
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines._data import PHANTOM, Data, choose_data, make_phantom
from baselines._journal import Journal
from leaderboard.card import MethodCard
from leaderboard.challenge import MITOEM
from leaderboard.entry import Entry, File, Task, slug
from leaderboard.ground_truth import Called
from mitobench import Bootstrap
from mitobench.errors import InvalidInputError, MitobenchError, UnusableFileError
from mitobench.evaluate import Pair, evaluate_benchmark
from mitobench.files import check_new_folder, making_folder
from mitobench.json_files import plain
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.report import Report
from mitobench.rules import DEFAULT_RULE, Rule, find_rule
from mitobench.volumes import open_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mitobench.dataset import DatasetVolume
    from mitobench.methods import Description, Method
    from mitobench.types import PathOrStr, Progress, Shape

    Bar = Callable[[str], AbstractContextManager[Progress | None]]

__all__ = ["Experiment", "run_experiment"]

_JOURNAL = "experiment.json"
_DATA = "data"
_INTERVALS = Bootstrap()


@dataclass(frozen=True)
class Experiment:
    """A finished experiment.

    Attributes
    ----------
    folder
        Where all of it is.
    report
        The scores.
    hours
        Step -> hours.
    again
        Whether it was finished before.
    """

    folder: Path
    report: Report
    hours: Mapping[str, float]
    again: bool

    @property
    def entry(self) -> Path:
        """The entry of the leaderboard."""
        return _entry(self.folder)


def run_experiment(
    method: Method,
    data: PathOrStr,
    folder: PathOrStr,
    *,
    part: str = "test",
    annotation: str | None = None,
    seed: int = 0,
    rule: str | Rule = DEFAULT_RULE,
    intervals: Bootstrap | None = _INTERVALS,
    team: str = "",
    command: Sequence[str] = (),
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    bar: Bar | None = None,
) -> Experiment:
    """Let a method learn from the training part of a data set, and score what it finds in another part.

    Whatever is finished is kept: an experiment that was stopped goes on when it is started again, and one that is
    finished is read. Another rule, other intervals or another team only change the scores and the entry.

    Parameters
    ----------
    method
        As `mitobench.methods.load_method` returns it.
    data
        As `mitobench.dataset.open_dataset` takes it; or ``phantom`` for synthetic tissue.
    folder
        A new folder, or that of this experiment. In the end it holds ``experiment.json`` (hours, machine, commands),
        ``method/``, ``predictions/``, ``report.json`` and ``entry.json``.
    part
        What is scored, where a volume has labels there. The part ``val`` is there to choose thresholds by; if it is the
        one that is scored, none are chosen.
    annotation
        Version of the labels, by default the first.
    seed
        Of the method.
    rule, intervals
        As in `mitobench.evaluate.evaluate_benchmark`.
    team, command
        Who submits, and the words of what was called; in the entry, paths are without their folders.
    memory, workers
        For scoring.
    bar
        Called with what is being done; yields what shows on stderr how far it is.

    Raises
    ------
    MitobenchError
        The data lack what is needed; the folder is of another experiment; the method failed; or as
        `mitobench.evaluate.evaluate_benchmark` does.
    """
    show = bar or _no_bar
    place = _checked_folder(Path(folder))
    scored = plain({"rule": find_rule(rule).to_dict(), "intervals": intervals, "team": team})
    with making_folder(place):
        job = _prepared(method, data, place, part=part, annotation=annotation, seed=seed, show=show)
        card = _card(job.about, team, command)
    journal = job.journal
    if journal.done.get("score") == scored and _report(place).is_file() and _entry(place).is_file():
        return Experiment(place, Report.from_json(_report(place)), journal.hours, again=True)
    journal.start(shlex.join(command))
    _fit(job, seed, progress=bar is not None)
    _predict(job, show)
    with journal.timed("score"), show("scoring") as progress:
        report = _scored(job, rule=rule, intervals=intervals, memory=memory, workers=workers, progress=progress)
        report.to_json(_report(place))
        _entry_of(job, report, card, seed).to_json(_entry(place))
        journal.done["score"] = scored
    return Experiment(place, report, journal.hours, again=False)


@dataclass(frozen=True, eq=False)
class _Job:
    """What is to be done, where, and how much of it is done."""

    method: Method
    about: Description
    data: Data
    task: Task
    folder: Path
    journal: Journal

    @property
    def own(self) -> Path:
        """What the method leaves."""
        return self.folder / "method"

    @property
    def predictions(self) -> Path:
        """Its predictions."""
        return self.folder / "predictions"


def _prepared(
    method: Method, data: PathOrStr, folder: Path, *, part: str, annotation: str | None, seed: int, show: Bar
) -> _Job:
    """Find out all that can be wrong before hours are spent."""
    if seed < 0:
        raise InvalidInputError(f"the seed is {seed}; allowed: whole numbers from 0")
    if data == PHANTOM:
        with show("making the phantom") as progress:
            data = make_phantom(folder / _DATA, progress)
    chosen = choose_data(data, part, annotation)
    with _blamed(type(method).__name__, "describing itself"):
        about = method.describe()
        settings = json.loads(json.dumps(plain(about.settings), allow_nan=False))
    task = Task(dataset=_name(chosen), part=part, annotation=chosen.annotation)
    facts = {"method": {"name": about.name, "settings": settings}, "seed": seed, "data": chosen.facts()}
    return _Job(method, about, chosen, task, folder, Journal.open(folder / _JOURNAL, facts))


def _card(about: Description, team: str, command: Sequence[str]) -> MethodCard:
    parts = (word.rpartition("=") for word in command)
    words = [f"{key}{sign}{Path(value).name or value}" for key, sign, value in parts]
    return MethodCard(method=about.name, team=team, description=about.description, command=shlex.join(words))


def _no_bar(_label: str) -> AbstractContextManager[None]:
    return nullcontext()


def _report(folder: Path) -> Path:
    return folder / "report.json"


def _entry(folder: Path) -> Path:
    return folder / "entry.json"


def _checked_folder(folder: Path) -> Path:
    """Return a folder that is new, of an experiment, or holds nothing but the phantom that one begins with."""
    check_new_folder(folder)
    if folder.is_dir() and not (folder / _JOURNAL).is_file() and {path.name for path in folder.iterdir()} - {_DATA}:
        raise UnusableFileError(f"{folder}: the folder is not empty and holds no experiment; name a new folder")
    return folder


def _name(data: Data) -> str:
    """Return the name of the data set, unless it says MitoEM and is not."""
    name = data.dataset.name
    if slug(name) != "mitoem":
        return name
    whole = MITOEM.first_section + MITOEM.shape[0], *MITOEM.shape[1:]
    known = {volume.name for volume in MITOEM.volumes}
    published = Path(data.source).suffix.lower() != ".toml"
    if published and all(volume.name in known and volume.shape == whole for volume in data.volumes):
        return name
    shapes = ", ".join(f"{volume.name} {volume.shape}" for volume in data.volumes)
    raise InvalidInputError(
        f"{data.source}: called {name}, but these are not the published volumes of {whole}: {shapes}; describe them in "
        "a TOML file, by another name"
    )


@contextmanager
def _blamed(name: str, doing: str) -> Iterator[None]:
    """Say in one line that a method failed, and where: it may be anybody's."""
    try:
        yield
    except MitobenchError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise InvalidInputError(
            f"the method {name!r} failed while {doing}: {type(error).__name__}: {error}, in "
            f"{Path(last.filename).name} line {last.lineno}; mend it and start again: what is finished is kept"
        ) from error


def _fit(job: _Job, seed: int, *, progress: bool) -> None:
    if "fit" in job.journal.done:
        return
    with job.journal.timed("fit"), _blamed(job.about.name, "learning"), making_folder(job.own):
        training, validation = job.data.training, job.data.validation
        job.method.fit(training, job.own, validation=validation, seed=seed, progress=progress)
        job.journal.done["fit"] = True


def _predict(job: _Job, show: Bar) -> None:
    """Predict each volume that is not predicted yet."""
    done = job.journal.done.setdefault("predict", {})
    for number, volume in enumerate(job.data.volumes):
        if volume.name in done:
            continue
        with making_folder(job.predictions), job.journal.timed("predict"):
            path = job.predictions / f"{number}-{slug(volume.name)}.h5"
            with show(f"predicting {volume.name}") as progress, closing(volume.image(job.data.part)) as image:
                with _blamed(job.about.name, f"predicting {volume.name}"):
                    scores = job.method.predict(image, path, job.own, progress=progress)
                _check_prediction(job.about.name, path, image.shape, scores)
            done[volume.name] = {"file": path.name, "scores": None if scores is None else Path(scores).name}


def _check_prediction(name: str, path: Path, shape: Shape, scores: Path | None) -> None:
    where = f"the method {name!r} has left no prediction that can be scored"
    try:
        with closing(open_labels(f"{path}::main")) as found:
            given = found.shape
    except MitobenchError as error:
        raise InvalidInputError(f"{where}: {error}") from error
    if given != shape:
        raise InvalidInputError(f"{where}: {path.name} is {given}, the image {shape}; expected one shape; mend it")
    if scores is not None and not (Path(scores).parent == path.parent and Path(scores).is_file()):
        raise InvalidInputError(f"{where}: its scores are {scores}; expected a file beside {path.name}; mend it")


def _scored(job: _Job, **how: Any) -> Report:  # noqa: ANN401
    with ExitStack() as opened:
        pairs = {volume.name: _pair(job, volume, opened) for volume in job.data.volumes}
        return evaluate_benchmark(pairs, **how)


def _pair(job: _Job, volume: DatasetVolume, opened: ExitStack) -> Pair:
    """Return prediction and ground truth, called by their names without the folders around them."""
    names = job.journal.done["predict"][volume.name]
    pred = opened.enter_context(closing(open_labels(f"{job.predictions / names['file']}::main")))
    gt = opened.enter_context(closing(volume.labels(job.data.part, annotation=job.data.annotation)))
    pair = Pair(
        pred=Called(pred, names["file"]),
        gt=Called(gt, f"{volume.name} {job.data.part}"),
        scores=None if names["scores"] is None else job.predictions / names["scores"],
    )
    return pair if volume.voxel_size is None else replace(pair, voxel_size=volume.voxel_size)


def _entry_of(job: _Job, report: Report, card: MethodCard, seed: int) -> Entry:
    paths = [job.predictions / names["file"] for names in job.journal.done["predict"].values()]
    files = tuple(File(path.name, path.stat().st_size, _sha256(path)) for path in paths)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(card=card, task=job.task, result=report, created=created, files=files, remark=f"seed {seed}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
