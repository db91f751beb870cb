"""The front door: settings decoded for real, and scored as any other result is."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.decode import decode, method_of
from baselines.tune._check import check_pairs, held
from baselines.tune._grid import axes_of, identity, settings_of, steps_between
from baselines.tune._kept import Kept
from baselines.tune._result import Trial, Tuning
from mitobench.errors import InputWarning, InvalidInputError, UnusableFileError
from mitobench.evaluate import Pair, evaluate_benchmark
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.rules import DEFAULT_RULE, find_rule
from mitobench.volumes import open_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from baselines.decode import Method
    from baselines.tune._grid import Axes, Number
    from mitobench.report import Value
    from mitobench.rules import Rule
    from mitobench.types import Int64, PathOrStr, Progress

__all__ = ["tune"]


def tune(
    probabilities: Sequence[Any],
    gts: Sequence[Any],
    method: str | Method,
    *,
    grid: Axes | None = None,
    rule: str | Rule = DEFAULT_RULE,
    memory: int = DEFAULT_MEMORY,
    workers: int | None = None,
    progress: Progress | None = None,
    folder: PathOrStr | None = None,
) -> Tuning:
    """Find the settings of a decoding that score best.

    Each is decoded as `baselines.decode.decode` does it, into a temporary file, and scored as `mitobench.evaluate` does
    it when no scores are handed in: the confidence of an instance is its number of voxels. Settings that differ in
    `min_size` alone share a decoding, of which the smaller instances are left out.

    Parameters
    ----------
    probabilities
        One or more, each as `baselines.decode.decode` takes them.
    gts
        The instances of each, as `mitobench.evaluate` takes them.
    method
        Where to begin; it is tried as well. What the grid does not name stays as it is here.
    grid
        Name of a setting -> values to try, in the place of those in `GRIDS`. A single value holds the setting fast.
        Combinations with `foreground` above `seed_mask` are left out.
    rule
        Name of a rule, or a rule. The score is what it ranks by.
    memory
        Bytes that buffers and tables may take.
    workers
        Threads; as many as processors by default.
    progress
        Called with (settings done, settings in all).
    folder
        Where the temporary files lie, by default that of the system.

    Raises
    ------
    InvalidInputError
        The numbers of volumes or their shapes differ, a ground truth holds no instance, the probabilities are not what
        the method needs, or the grid names no setting of it or no value of that.
    UnknownNameError
        There is no such method or rule.
    MitobenchError
        As `decode` and `mitobench.evaluate` do.

    Warns
    -----
    InputWarning
        There are fewer than ten instances to find.

    Examples
    --------
    >>> mask, gt = np.zeros((1, 2, 20, 44), np.uint8), np.zeros((2, 20, 44), np.uint8)
    >>> for number in range(1, 12):
    ...     gt[:, :, 4 * number - 4 : 4 * number - 1] = number
    >>> mask[0][gt > 0] = 190
    >>> tuning = tune([mask], [gt], "cc", grid={"min_size": [100]})
    >>> tuning.before.score, tuning.best.score, tuning.best.method.threshold
    (0.0, 1.0, 0.7)
    >>> tuning.plateau
    {'threshold': (0.3, 0.7), 'min_size': (100, 100)}
    """
    method, rule = method_of(method), find_rule(rule)
    axes = axes_of(method, grid)
    settings = settings_of(method, axes)
    instances = check_pairs(probabilities, gts, rule, memory=memory, workers=workers)
    trials: dict[Method, Trial] = {}
    with _scratch(folder) as scratch:
        bench = _bench(probabilities, gts, rule, scratch, memory=memory, workers=workers)
        for group in _groups(settings):
            for setting, score in bench.scores(group):
                trials[setting] = Trial(setting, score)
                if progress is not None:
                    progress(len(trials), len(settings))
    if all(trial.score is None for trial in trials.values()):
        raise InvalidInputError(f"{rule.rank_by} is undefined with every setting; choose another rule, or another grid")
    return Tuning(
        tried=_ranked(trials.values(), method, axes),
        before=trials[method],
        grid=axes,
        rule=rule,
        instances=instances,
    )


def _bench(
    probabilities: Sequence[Any], gts: Sequence[Any], rule: Rule, scratch: Path, *, memory: int, workers: int | None
) -> _Bench:
    """Return what decodes and scores, with as much in memory as a quarter of the limit takes."""
    used, volumes = 0, []
    for probability in probabilities:
        volume, size = held(probability, memory // 4 - used)
        volumes.append(volume)
        used += size
    return _Bench(volumes, gts, rule, scratch, {"memory": memory - used, "workers": workers})


@contextmanager
def _scratch(folder: PathOrStr | None) -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix=".tune-", dir=folder)
    except OSError as error:
        where = tempfile.gettempdir() if folder is None else folder
        raise UnusableFileError(f"cannot write in {where}: {error.strerror}; name another folder") from error
    with made as path:
        yield Path(path)


def _groups(settings: Iterable[Method]) -> list[list[Method]]:
    """Return the settings, those together that differ in nothing but the size of what is dropped."""
    groups: dict[tuple[Number, ...], list[Method]] = {}
    for setting in settings:
        groups.setdefault(identity(replace(setting, min_size=0)), []).append(setting)
    return list(groups.values())


@dataclass(frozen=True)
class _Bench:
    """Where one group of settings after the other is decoded and scored."""

    probabilities: Sequence[Any]
    gts: Sequence[Any]
    rule: Rule
    scratch: Path
    limits: Mapping[str, Any]

    def scores(self, group: Sequence[Method]) -> list[tuple[Method, Value]]:
        """Return each setting of a group with its score."""
        with warnings.catch_warnings():
            # It is no news that some settings of a grid find nothing.
            warnings.simplefilter("ignore", InputWarning)
            sizes = self._decode(min(group, key=lambda setting: setting.min_size))
            known: dict[tuple[int, ...], Value] = {}
            found = []
            for setting in group:
                kept = [size >= setting.min_size for size in sizes]
                numbers = tuple(int(np.count_nonzero(one)) for one in kept)
                # Where no instance is of a size between two limits, both leave the same ones.
                if numbers not in known:
                    known[numbers] = self._score(kept)
                found.append((setting, known[numbers]))
        return found

    def _decode(self, method: Method) -> list[Int64]:
        """Decode every volume, and return the sizes of the instances of each."""
        numbered = enumerate(self.probabilities)
        return [decode(one, self._file(number), method, **self.limits).sizes for number, one in numbered]

    def _score(self, kept: Sequence[NDArray[np.bool_]]) -> Value:
        """Score what was decoded, without the instances that are not kept."""
        with ExitStack() as files:
            pairs = {}
            for number, (gt, chosen) in enumerate(zip(self.gts, kept, strict=True)):
                decoded = Kept.of(open_labels(self._file(number)), chosen)
                files.callback(decoded.close)
                # Where a rule asks for lengths of cable, they are measured once.
                lengths = self.scratch / f"{number}.csv"
                pairs[str(number)] = Pair(pred=decoded, gt=gt, cable_file=lengths)
            return evaluate_benchmark(pairs, rule=self.rule, **self.limits).score

    def _file(self, number: int) -> Path:
        return self.scratch / f"{number}.h5"


def _ranked(trials: Iterable[Trial], method: Method, axes: Axes) -> tuple[Trial, ...]:
    """Return what was tried, the best first."""

    def place(trial: Trial) -> tuple[bool, float, int]:
        # Whatever a rule can rank by is better where it is higher.
        return trial.score is None, -(trial.score or 0.0), steps_between(trial.method, method, axes)

    return tuple(sorted(trials, key=place))
