"""The front door: train a recipe on volumes into a run folder."""

from __future__ import annotations

import errno
import logging
import signal
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from baselines.crops import CropReader, check_volumes
from baselines.recipe import load_recipe, recipe_text
from baselines.train._callbacks import Bar, Keep, Score, Sheet
from baselines.train._loader import Batches, StepBatches
from baselines.train._module import TrainingModule
from baselines.train._run import RunFolder, facts_of
from mitobench.errors import InvalidInputError, MissingExtraError, MitobenchError, UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lightning.pytorch.callbacks import Callback

    from baselines.networks import Network
    from baselines.recipe import Recipe
    from mitobench.methods import TrainingVolume
    from mitobench.types import PathOrStr

__all__ = ["Log", "Precision", "train"]

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
Log = Literal["csv", "tensorboard"]


def train(
    recipe: PathOrStr,
    volumes: Sequence[TrainingVolume],
    run_folder: PathOrStr,
    *,
    resume: bool = True,
    seed: int = 0,
    workers: int = 0,
    accelerator: str = "auto",
    devices: int = 1,
    precision: Precision = "32-true",
    epoch: int = 500,
    log: Log = "csv",
    log_every: int = 10,
    score: Callable[[Network, int], dict[str, float]] | None = None,
    score_every: int = 1,
    changes: Sequence[str] = (),
    progress: bool = False,
) -> RunFolder:
    """Train a recipe, from where the run folder has come to.

    A run that is stopped in any way goes on from the end of its last epoch, and on the same number of threads of a CPU
    with the same losses as if it had not been stopped. Another number of workers changes nothing.

    Parameters
    ----------
    recipe
        Its name, or a TOML file.
    volumes
        What to train on, see `mitobench.methods.training_volumes`.
    run_folder
        A new folder, or that of this run.
    resume
        Whether a run that is there may go on.
    seed
        Of weights, crops and augmentations.
    workers
        Processes that make batches.
    accelerator, devices
        ``cpu``, ``gpu`` or ``auto``, and how many; the batch is divided among them.
    precision
        ``16-mixed`` and ``bf16-mixed`` are faster on GPUs; the published runs are ``32-true``.
    epoch
        Steps between two checkpoints.
    log, log_every
        What the logs in the folder are, and after how many steps there is a line.
    score, score_every
        Called with the network and the number of steps after so many epochs and after the last, such as a
        `baselines.validation.Validation`. What it returns is logged, and the weights for which its first value was
        highest are kept.
    changes
        Values to put in the place of those of the recipe, see `baselines.recipe.recipe_text`.
    progress
        Whether to draw a bar on stderr, if that is a terminal.

    Returns
    -------
    The folder, with ``network.ckpt`` in it, and ``best.ckpt`` if there are scores.

    Raises
    ------
    MitobenchError
        As `check_volumes` and `load_recipe` do; the folder is of another run; the loss is no number; the disk is full.
    """
    wanted = load_recipe(recipe, changes)
    _check_numbers(wanted, devices, workers=workers, epoch=epoch, log_every=log_every, score_every=score_every)
    run = RunFolder(Path(run_folder))
    shapes = check_volumes(volumes, wanted)
    facts = facts_of(seed, volumes, shapes)
    logger = _logger(run, log)
    # The other processes of a training are started by the first one, once there is a run.
    if not _is_started_by_another():
        run.check(wanted, facts, resume=resume)
        run.start(recipe_text(recipe, changes), facts)
    crops = CropReader(volumes, shapes, wanted, seed)

    def batches(rank: int, world: int, first: Callable[[], int]) -> Batches:
        source = StepBatches(crops, wanted.batch, rank, world)
        pin = trainer.strategy.root_device.type == "cuda"
        return Batches(source, first, steps=wanted.iterations, epoch=epoch, workers=workers, pin=pin)

    # In this order, so that a score that takes hours is not waited for.
    callbacks: list[Callback] = [Keep(run), Sheet(run, crops)]
    callbacks += [Score(run, score, score_every)] if score else []
    callbacks += [Bar()] if progress else []
    with _quiet(), _clear_errors(run), torch.random.fork_rng(devices=[]):
        trainer = _trainer(
            accelerator=accelerator,
            devices=devices,
            precision=precision,
            max_steps=wanted.iterations,
            callbacks=callbacks,
            logger=logger,
            log_every_n_steps=min(log_every, epoch),
            default_root_dir=run.path,
        )
        module = TrainingModule(wanted, seed, batches)
        try:
            trainer.fit(module, ckpt_path=_checkpoint(run), weights_only=True)
        finally:
            crops.close()
    return run


def _check_numbers(recipe: Recipe, devices: int, *, workers: int, **counts: int) -> None:
    if workers < 0:
        raise InvalidInputError(f"workers is {workers}; allowed: whole numbers from 0")
    for name, value in {"devices": devices, **counts}.items():
        if value < 1:
            raise InvalidInputError(f"{name} is {value}; allowed: whole numbers from 1")
    if recipe.batch % devices:
        raise InvalidInputError(
            f"a batch of {recipe.batch} cannot be divided among {devices} devices; use a number that divides it"
        )


def _trainer(accelerator: str, devices: int, **more: Any) -> Trainer:  # noqa: ANN401
    """Return a trainer that does what this package does not, and nothing else."""
    try:
        return Trainer(
            accelerator=accelerator,
            devices=devices,
            strategy="ddp" if devices > 1 else "auto",
            # There is none for CPUs; each of their processes normalises its own share of a batch.
            sync_batchnorm=devices > 1 and accelerator != "cpu" and torch.cuda.is_available(),
            use_distributed_sampler=False,
            max_epochs=-1,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            **more,
        )
    except (MisconfigurationException, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInputError(
            f"{accelerator} with {devices} devices cannot be used ({reason}); choose another accelerator or precision"
        ) from error


def _is_started_by_another() -> bool:
    return getattr(rank_zero_only, "rank", 0) > 0


def _checkpoint(run: RunFolder) -> Path | None:
    path = run.checkpoint
    if not path.is_file():
        return None
    try:
        there = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, UnpicklingError) as error:
        raise _damaged(path) from error
    if not isinstance(there, dict) or "global_step" not in there:
        raise _damaged(path)
    return path


def _damaged(path: Path) -> UnusableFileError:
    return UnusableFileError(
        f"{path}: damaged, or no checkpoint of a training; delete it to begin again, or name a new folder"
    )


def _logger(run: RunFolder, log: Log) -> Logger:
    if log not in get_args(Log):
        raise InvalidInputError(f"log is {log!r}; allowed: {', '.join(get_args(Log))}")
    if log == "csv":
        # A start that resumes has a file of its own, so that no line is lost.
        return CSVLogger(run.path, name="logs", flush_logs_every_n_steps=1)
    try:
        return TensorBoardLogger(run.path, name="logs")
    except ModuleNotFoundError as error:
        raise MissingExtraError("logs for TensorBoard need it; install tensorboard, or log csv") from error


@contextmanager
def _clear_errors(run: RunFolder) -> Iterator[None]:
    """Say in one line that the disk is full, and let Ctrl-C be what it is elsewhere."""
    main = threading.current_thread() is threading.main_thread()
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        # Lightning makes this of a KeyboardInterrupt, and ignores any further one.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    except OSError as error:
        if isinstance(error, MitobenchError) or error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise UnusableFileError(
            f"cannot write in {run.path}: {error.strerror}; free space and start again: it goes on from the last epoch"
        ) from error
    finally:
        if main and on_interrupt is not None:
            signal.signal(signal.SIGINT, on_interrupt)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning from telling about itself; its warnings stay, but for one to its own authors."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning calls what newer versions of torch are about to drop.
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        logger.setLevel(before)
