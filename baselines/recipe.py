"""Recipes: all that makes a training and what follows it, as values that TOML files describe."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from baselines._changes import changed_text
from baselines._fields import check_keys, convert, read_one_of, read_table
from baselines.augment import AUGMENTATIONS, Augmentation
from baselines.decode import METHODS, MarkerWatershed, Method
from baselines.losses import ChannelLoss
from baselines.networks import NETWORKS, Network, NetworkConfig
from baselines.optimizer import OPTIMIZERS, Optimizer
from baselines.schedule import Schedule
from baselines.targets import ContourKind, Smoothing  # noqa: TC001 - read_table looks at the types of fields
from mitobench.errors import InvalidInputError, UnknownNameError, UnusableFileError, did_you_mean
from mitobench.types import Shape  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.predict import Window
    from mitobench.types import PathOrStr

__all__ = [
    "Channel",
    "Flips",
    "Intensity",
    "Prediction",
    "Recipe",
    "Sampling",
    "Targets",
    "list_recipes",
    "load_recipe",
    "recipe_text",
]

Channel = Literal["mask", "contour"]
Flips = Literal["none", "xy", "xyz"]
Intensity = Literal["unit", "centred"]

_FOLDER = Path(__file__).parent / "recipes"
_MOST_BYTES = 1 << 20
_METHODS: dict[str, type[Method]] = {name: type(method) for name, method in METHODS.items()}
_TABLES = ("network", "targets", "loss", "sampling", "optimizer", "schedule", "prediction", "decoding")


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What the network learns to predict from instance labels, see `baselines.targets`.

    Attributes
    ----------
    channels
        What each channel of the network is.
    contour
        How contours are found, where a channel is one.
    separate_touching
        Whether instances that touch are set apart by two pixels, before augmentation.
    smoothing
        How outlines are smoothed, after augmentation.
    """

    channels: tuple[Channel, ...]
    contour: ContourKind
    separate_touching: bool
    smoothing: Smoothing | Literal["none"]

    def __post_init__(self) -> None:
        if self.channels not in {("mask",), ("mask", "contour")}:
            raise InvalidInputError(f"channels are {list(self.channels)}; allowed: [mask] or [mask, contour]")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which crops are trained on.

    Attributes
    ----------
    padding
        Voxels along z, y, x by which crops may reach beyond a volume, where it is mirrored.
    annotated
        Where an annotation is partial: crops are drawn again until more than this share of them is annotated.
    least_foreground, rejection
        A patch with fewer voxels of foreground is drawn again with this probability. 0 voxels: never.
    """

    padding: Shape
    annotated: float
    least_foreground: int
    rejection: float

    def __post_init__(self) -> None:
        if min(self.padding) < 0:
            raise InvalidInputError(f"padding is {list(self.padding)}; allowed: whole numbers from 0")
        if self.least_foreground < 0:
            raise InvalidInputError(f"least_foreground is {self.least_foreground}; allowed: whole numbers from 0")
        for name in ("annotated", "rejection"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInputError(f"{name} is {getattr(self, name)}; allowed: from 0, below 1")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """How a whole volume is predicted, window by window.

    Attributes
    ----------
    patch
        Voxels along z, y, x that the network sees at once.
    overlap
        Share of a window along each axis that the next one sees too.
    sigma_scale
        Standard deviation of the Gaussian by which windows are weighted, as a share of the window along each axis.
    padding
        Voxels along z, y, x by which the volume is mirrored beyond its ends.
    flips
        Mirror images that are averaged: of all axes named, four for ``xy``, eight for ``xyz``.
    """

    patch: Shape
    overlap: float
    sigma_scale: float
    padding: Shape
    flips: Flips

    def __post_init__(self) -> None:
        if min(self.padding) < 0:
            raise InvalidInputError(f"padding is {list(self.padding)}; allowed: whole numbers from 0")
        if not 0 <= self.overlap < 1:
            raise InvalidInputError(f"overlap is {self.overlap}; allowed: from 0, below 1")
        if not 0 < self.sigma_scale <= 10:
            raise InvalidInputError(f"sigma_scale is {self.sigma_scale}; allowed: above 0, up to 10")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A baseline: its network, how it is trained, how it predicts, and how predictions become instances.

    Attributes
    ----------
    name, description
        One line each.
    patch
        Voxels along z, y, x that the network is trained on.
    intensity
        What the network sees of an image from 0 to 1: ``unit``, that; ``centred``, from -1 to 1.
    augmentation
        A key of `baselines.augment.AUGMENTATIONS`.
    iterations
        Steps of the optimizer.
    batch
        Patches of each, over all GPUs.
    network, config
        A key of `baselines.networks.NETWORKS`, and its configuration.
    losses
        Of each channel.
    targets, sampling, optimizer, schedule, prediction, decoding
        As their types say.

    Raises
    ------
    InvalidInputError
        The parts do not fit together.
    """

    name: str
    description: str
    patch: Shape
    intensity: Intensity
    augmentation: str
    iterations: int
    batch: int
    network: str
    config: NetworkConfig
    targets: Targets
    losses: tuple[ChannelLoss, ...]
    sampling: Sampling
    optimizer: Optimizer
    schedule: Schedule
    prediction: Prediction
    decoding: Method

    def __post_init__(self) -> None:
        for key in ("iterations", "batch"):
            if getattr(self, key) < 1:
                raise InvalidInputError(f"{key} is {getattr(self, key)}; allowed: whole numbers from 1")
        if self.augmentation not in AUGMENTATIONS:
            hint = did_you_mean(self.augmentation, AUGMENTATIONS)
            raise InvalidInputError(f"augmentation is {self.augmentation!r}{hint}; allowed: {', '.join(AUGMENTATIONS)}")
        self._check_shapes()
        self._check_channels()
        if max((self.schedule.warmup, *self.schedule.milestones)) > self.iterations:
            raise InvalidInputError(
                f"the schedule goes on after the last of {self.iterations} iterations; shorten warmup and milestones"
            )

    def _check_shapes(self) -> None:
        for key, shape in (("patch", self.patch), ("patch of prediction", self.prediction.patch)):
            if not self.config.fits(shape):
                raise InvalidInputError(
                    f"{key} is {list(shape)}, which the network {self.network} cannot take; expected edges that fit "
                    "its levels, such as [32, 256, 256], or [17, 257, 257] for unet-se-3d"
                )
        _ = self.chain

    def _check_channels(self) -> None:
        images, logits = self.config.in_channels, self.config.out_channels
        if images != 1 or logits != len(self.targets.channels):
            raise InvalidInputError(
                f"the network has {images} channels in and {logits} out; expected 1 in, and one out for each of "
                f"{', '.join(self.targets.channels)}"
            )
        if isinstance(self.decoding, MarkerWatershed) and "contour" not in self.targets.channels:
            raise InvalidInputError("decoding is mw, which needs a contour; use cc, or add the channel contour")

    @property
    def chain(self) -> Augmentation:
        """The augmentation of crops, down to patches."""
        smoothing = None if self.targets.smoothing == "none" else self.targets.smoothing
        return Augmentation(AUGMENTATIONS[self.augmentation], self.patch, smoothing)

    @property
    def window(self) -> Window:
        """The windows of a prediction, one at a time."""
        from baselines.predict import Window

        return Window(intensity=self.intensity, **vars(self.prediction))

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.optimizer.lr * self.schedule(step, self.iterations)

    def build_network(self) -> Network:
        """Return the network with fresh weights."""
        kind: type[Any] = NETWORKS[self.network][0]
        network: Network = kind(self.config)
        return network


def list_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with mitobench.

    Examples
    --------
    >>> list_recipes()[:2]
    ('u2d-b', 'u3d-bc-pytc2021')
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def recipe_text(name_or_path: PathOrStr, changes: Sequence[str] = ()) -> str:
    """Return the TOML of a recipe, with its comments.

    Parameters
    ----------
    name_or_path
        Name of a recipe, or a TOML file.
    changes
        ``key=value`` or ``table.key=value``: values to put in the place of those of the recipe. Its name is then
        followed by ``, changed``.

    Raises
    ------
    UnknownNameError
        It is neither the name of a recipe nor that of a file.
    UnusableFileError
        The file cannot be read.
    InvalidInputError
        It is too large, or no TOML; or there is no such value to change.
    """
    path = _path(name_or_path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInputError(f"{path}: larger than {_MOST_BYTES:,} bytes; expected a recipe")
        text = path.read_text(encoding="utf-8")
        tomllib.loads(text)
        return changed_text(text, changes, str(path))
    except OSError as error:
        raise UnusableFileError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: no text; expected a recipe in TOML") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path}: not TOML ({error}); copy a recipe and change that") from error


def load_recipe(name_or_path: PathOrStr, changes: Sequence[str] = ()) -> Recipe:
    """Return a recipe by its name, or from a TOML file, with values changed as `recipe_text` does.

    Raises
    ------
    UnknownNameError, UnusableFileError
        As `recipe_text` does.
    InvalidInputError
        It is not TOML, a key is unknown or missing or has a wrong value, or its parts do not fit together.

    Examples
    --------
    >>> load_recipe("u3d-bc-v2").chain.crop
    (34, 370, 370)
    """
    return _recipe(tomllib.loads(recipe_text(name_or_path, changes)), str(_path(name_or_path)))


def _path(name_or_path: PathOrStr) -> Path:
    names = list_recipes()
    if name_or_path in names:
        return _FOLDER / f"{name_or_path}.toml"
    path = Path(name_or_path)
    if path.suffix.lower() != ".toml" and not path.is_file():
        name = str(name_or_path)
        raise UnknownNameError(
            f"unknown recipe {name!r}{did_you_mean(name, names)}; allowed: {', '.join(names)}, or a TOML file"
        )
    return path


def _recipe(table: Mapping[str, Any], where: str) -> Recipe:
    plain = {"name": str, "description": str, "patch": tuple[int, int, int], "intensity": Intensity}
    plain |= {"augmentation": str, "iterations": int, "batch": int}
    check_keys(where, table, (*plain, *_TABLES))
    parts: dict[str, Any] = {key: convert(where, key, hint, table[key]) for key, hint in plain.items()}
    inside = {key: f"{where}: {key}" for key in _TABLES}
    for key in _TABLES:
        if not isinstance(table[key], dict):
            raise InvalidInputError(f"{where}: {key} is {table[key]!r:.60}; expected a table; correct it")
    networks = {name: config for name, (_, config) in NETWORKS.items()}
    network, config = read_one_of(networks, table["network"], inside["network"])
    kinds: dict[str, type[Any]] = {"targets": Targets, "sampling": Sampling, "schedule": Schedule}
    kinds["prediction"] = Prediction
    parts |= {key: read_table(kind, table[key], inside[key]) for key, kind in kinds.items()}
    _, optimizer = read_one_of(OPTIMIZERS, table["optimizer"], inside["optimizer"])
    _, decoding = read_one_of(_METHODS, table["decoding"], inside["decoding"])
    channels = parts["targets"].channels
    check_keys(inside["loss"], table["loss"], channels)
    losses = tuple(_loss(table["loss"][channel], f"{inside['loss']}.{channel}") for channel in channels)
    try:
        return Recipe(network=network, config=config, losses=losses, optimizer=optimizer, decoding=decoding, **parts)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}; correct it") from error


def _loss(table: Any, where: str) -> ChannelLoss:  # noqa: ANN401
    return read_table(ChannelLoss, table, where)
