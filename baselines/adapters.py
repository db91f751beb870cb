"""The two baselines as methods: `mitobench.methods` knows them as ``u2d-b+cc`` and ``u3d-bc+mw``."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from shutil import rmtree
from typing import TYPE_CHECKING, Any, get_args

from lightning.pytorch.utilities import rank_zero_only

from baselines.decode import Components, MarkerWatershed, decode
from baselines.recipe import Recipe, load_recipe
from baselines.train import Precision, RunFolder, train
from baselines.tune import predict_part, read_decoding, tune, write_decoding
from baselines.validation import Validation
from mitobench.errors import InvalidInputError
from mitobench.json_files import plain
from mitobench.methods import Description, TrainingVolume
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.volumes import open_image, open_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy import dtype

    from mitobench.types import AnyArray, Box, PathOrStr, Progress, RawChunks, Shape, Volume

__all__ = ["Baseline", "method_of_recipe", "u2d_b_cc", "u3d_bc_mw"]

_METHODS: dict[type, str] = {Components: "u2d-b+cc", MarkerWatershed: "u3d-bc+mw"}


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A recipe as a method: it trains, chooses thresholds, predicts and decodes.

    Attributes
    ----------
    recipe
        Its name, or a TOML file.
    changes
        Values to put in the place of those of the recipe, see `baselines.recipe.recipe_text`.
    tune
        Whether to choose the thresholds on the validation part, where there is one.
    accelerator, devices, precision
        What to train on, as in `baselines.train.train`; predictions use a GPU unless the accelerator is ``cpu``.
    workers
        Processes that make batches.
    epoch
        Steps between two checkpoints, and between two scores on the validation part.
    memory
        Bytes for predictions and decoding.

    Raises
    ------
    MitobenchError
        There is no such recipe, or it cannot be used.
    """

    recipe: PathOrStr
    changes: tuple[str, ...] = ()
    tune: bool = True
    accelerator: str = "auto"
    devices: int = 1
    precision: Precision = "32-true"
    workers: int = 0
    epoch: int = 500
    memory: int = DEFAULT_MEMORY

    def __post_init__(self) -> None:
        allowed = get_args(Precision)
        if self.precision not in allowed:
            raise InvalidInputError(f"precision is {self.precision!r}; allowed: {', '.join(allowed)}")
        _ = self.values

    @property
    def values(self) -> Recipe:
        """The recipe with its changes."""
        return load_recipe(self.recipe, self.changes)

    @property
    def device(self) -> str:
        """Where predictions run."""
        return "cpu" if self.accelerator == "cpu" else "auto"

    def describe(self) -> Description:
        """Return the name of the baseline with that of the recipe, and what the recipe holds."""
        values = self.values
        kept = {key: value for key, value in plain(values).items() if key not in {"name", "description"}}
        settings = {"changes": list(self.changes), "tune": self.tune, "precision": self.precision, **kept}
        return Description(f"{_METHODS[type(values.decoding)].upper()}, {values.name}", values.description, settings)

    def fit(
        self,
        volumes: Sequence[TrainingVolume],
        folder: Path,
        *,
        validation: Sequence[TrainingVolume] = (),
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        """Train into the folder, which is that of a run; then choose thresholds, if there is what to choose them by.

        What an earlier call has finished is not done again.

        Raises
        ------
        MitobenchError
            As `train`, `Validation`, `predict` and `tune` do.
        """
        values = self.values
        score = None
        if validation:
            score = Validation(values, validation, folder / "validation", device=self.device, memory=self.memory)
        run = train(
            self.recipe,
            volumes,
            folder,
            changes=self.changes,
            seed=seed,
            workers=self.workers,
            accelerator=self.accelerator,
            devices=self.devices,
            precision=self.precision,
            epoch=self.epoch,
            score=score,
            progress=progress,
        )
        if getattr(rank_zero_only, "rank", 0) > 0:
            # Lightning has started the whole program once more for each further device; the first one goes on alone.
            raise SystemExit(0)
        if validation and self.tune:
            if not run.decoding.is_file():
                self._choose_thresholds(run, validation, run.path / "tuning")
            rmtree(run.path / "tuning", ignore_errors=True)

    def predict(self, image: Any, path: Path, folder: Path, *, progress: Progress | None = None) -> None:  # noqa: ANN401
        """Predict and decode. Probabilities stay beside the file; instances are ranked by size, as the challenge does.

        Probabilities that an earlier call has left are used again if they are of this network and this image.

        Raises
        ------
        MitobenchError
            As `predict_part` and `decode` do.
        """
        run = RunFolder(folder)
        decoding = read_decoding(run.decoding) if run.decoding.is_file() else self.values.decoding
        with _borrowed(image) as volume:
            # There are no labels yet; nobody asks for them.
            seen = TrainingVolume(f"{path.stem}-probability", lambda: volume, partial(open_labels, path))
            [probability] = self._predicted(run, [seen], path.parent, progress)
        decode(probability, path, decoding, memory=self.memory)

    def _choose_thresholds(self, run: RunFolder, validation: Sequence[TrainingVolume], folder: Path) -> None:
        files = self._predicted(run, validation, folder)
        with ExitStack() as opened:
            labels = [opened.enter_context(closing(volume.labels())) for volume in validation]
            tuning = tune(files, labels, self.values.decoding, memory=self.memory, folder=folder)
        found = {"score": tuning.best.score, "before": tuning.before.score, "instances": tuning.instances}
        write_decoding(tuning.best.method, run.decoding, tuned={"rule": tuning.rule.label, **found})

    def _predicted(
        self, run: RunFolder, volumes: Sequence[TrainingVolume], folder: Path, progress: Progress | None = None
    ) -> tuple[Path, ...]:
        return predict_part(run, volumes, folder, device=self.device, memory=self.memory, progress=progress)


@dataclass(frozen=True)
class _Borrowed:
    """An open volume that is still needed after whoever reads it has closed it."""

    volume: Volume

    @property
    def name(self) -> str:
        return self.volume.name

    @property
    def shape(self) -> Shape:
        return self.volume.shape

    @property
    def dtype(self) -> dtype[Any]:
        return self.volume.dtype

    @property
    def chunks(self) -> Shape:
        return self.volume.chunks

    @property
    def raw(self) -> RawChunks | None:
        return self.volume.raw

    def read(self, box: Box) -> AnyArray:
        return self.volume.read(box)

    def close(self) -> None:
        """Leave it open."""


@contextmanager
def _borrowed(image: Any) -> Iterator[_Borrowed]:  # noqa: ANN401
    channels = open_image(image)
    if len(channels) > 1:
        raise InvalidInputError(f"{channels[0].name}: one of {len(channels)} channels; expected one; keep that alone")
    try:
        yield _Borrowed(channels[0])
    finally:
        if isinstance(image, str | PathLike):
            channels[0].close()


def method_of_recipe(recipe: PathOrStr, changes: Sequence[str] = ()) -> str:
    """Return the name of the method that a recipe is one of.

    Raises
    ------
    MitobenchError
        As `load_recipe` does.

    Examples
    --------
    >>> method_of_recipe("u3d-bc-small")
    'u3d-bc+mw'
    """
    return _METHODS[type(load_recipe(recipe, changes).decoding)]


def _baseline(
    decoding: type,
    *,
    recipe: PathOrStr,
    changes: str | Sequence[str] = (),
    tune: str | bool = True,
    accelerator: str = "auto",
    devices: str | int = 1,
    precision: Precision = "32-true",
    workers: str | int = 0,
    epoch: str | int = 500,
    memory: str | int = DEFAULT_MEMORY,
) -> Baseline:
    """Return a baseline with options as Python values or as text, as `Baseline` describes them.

    Raises
    ------
    InvalidInputError
        A value makes no sense; or the recipe is one of the other baseline.
    """
    counts = {"devices": devices, "workers": workers, "epoch": epoch, "memory": memory}
    baseline = Baseline(
        recipe=recipe,
        changes=(changes,) if isinstance(changes, str) else tuple(changes),
        tune=_truth("tune", tune),
        accelerator=accelerator,
        precision=precision,
        **{name: _count(name, value) for name, value in counts.items()},
    )
    name = _METHODS[type(baseline.values.decoding)]
    if name != _METHODS[decoding]:
        raise InvalidInputError(
            f"the recipe {baseline.values.name!r} is one of the method {name!r}, not of {_METHODS[decoding]!r}; name "
            "that method, or another recipe"
        )
    return baseline


def _count(name: str, value: str | int) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidInputError(f"{name} is {value!r}; allowed: whole numbers") from None


def _truth(name: str, value: object) -> bool:
    truth = {"true": True, "false": False}.get(str(value).lower())
    if truth is None:
        raise InvalidInputError(f"{name} is {value!r}; allowed: true or false")
    return truth


u2d_b_cc = partial(_baseline, Components, recipe="u2d-b")
"""U2D-B+CC: sections one by one, connected components. Options as the attributes of `Baseline`."""
u3d_bc_mw = partial(_baseline, MarkerWatershed, recipe="u3d-bc-v2")
"""U3D-BC+MW: mask and contour in 3D, a watershed from seeds. Options as the attributes of `Baseline`."""
