"""What happens at the end of each epoch: a checkpoint, a sheet of predictions, scores."""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from baselines.checkpoint import load_notes, save_network
from baselines.train._module import TrainingModule, check_finite
from mitobench.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lightning.pytorch import LightningModule, Trainer

    from baselines.crops import CropReader, Sample
    from baselines.networks import Network
    from baselines.train._run import RunFolder
    from mitobench.types import AnyArray, PathOrStr

__all__ = ["Bar", "Keep", "Score", "Sheet", "draw_sheet"]

_SHEET_CHOICE = 8


class Keep(Callback):
    """Write all that is needed to go on, and the weights alone."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace the last checkpoint, unless the weights are no numbers any more."""
        module = _of(pl_module)
        check_finite(module.network, trainer.global_step)
        if not trainer.is_global_zero:
            # Lightning gathers the state in all processes and writes in the first.
            trainer.save_checkpoint(self.run.checkpoint)
            return
        with replacing(self.run.checkpoint) as temporary:
            trainer.save_checkpoint(temporary)
        save_network(module.network, self.run.network, recipe=module.recipe.name, step=trainer.global_step)


class Sheet(Callback):
    """Draw what the network makes of one sample, always the same: of the first few, that with most foreground."""

    def __init__(self, run: RunFolder, crops: CropReader) -> None:
        self.run, self.crops = run, crops

    @cached_property
    def sample(self) -> Sample:
        """What is drawn."""
        return max(map(self.crops.sample, range(_SHEET_CHOICE)), key=lambda sample: float(sample.target[0].sum()))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write a picture."""
        if not trainer.is_global_zero:
            return
        module = _of(pl_module)
        with predicting(module.network) as network:
            logits = network(torch.from_numpy(self.sample.image[None]).to(pl_module.device))
        picture = draw_sheet(self.sample.image[0], self.sample.target, torch.sigmoid(logits)[0].cpu().numpy())
        _write_png(picture, self.run.sheets / f"step-{trainer.global_step:07d}.png")


class Bar(Callback):
    """Draw on stderr how far the training has come."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin where the training does."""
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress

        console = Console(stderr=True)
        columns = (*Progress.get_default_columns(), MofNCompleteColumn())
        hidden = not (trainer.is_global_zero and console.is_terminal)
        self._bar = Progress(*columns, console=console, transient=True, disable=hidden)
        steps = _of(pl_module).recipe.iterations
        self._task = self._bar.add_task("training", total=steps, completed=trainer.global_step)
        self._bar.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:  # noqa: ANN401
        """Show the step and the loss."""
        loss = float(trainer.callback_metrics["loss"])
        self._bar.update(self._task, completed=trainer.global_step, description=f"loss {loss:.4f}")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Take the bar away."""
        if hasattr(self, "_bar"):
            self._bar.stop()


class Score(Callback):
    """Score the network, log what comes out, and keep the weights that scored best, the latest of equals.

    Parameters
    ----------
    run
        Where they are kept.
    score
        Called with the network, ready to predict, and the number of steps done; returns name -> value, the one that
        counts first.
    every
        So many epochs lie between two scores; there is one after the last epoch in any case.
    """

    def __init__(self, run: RunFolder, score: Callable[[Network, int], dict[str, float]], every: int) -> None:
        self.run, self.score, self.every = run, score, every

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Score in the first process; the others wait."""
        module = _of(pl_module)
        last = trainer.global_step >= module.recipe.iterations
        if last or (trainer.current_epoch + 1) % self.every == 0:
            if trainer.is_global_zero:
                with predicting(module.network) as network:
                    values = self.score(network, trainer.global_step)
                for logger in trainer.loggers:
                    logger.log_metrics(values, step=trainer.global_step)
                    logger.save()
                self._keep(module, values, trainer.global_step)
            trainer.strategy.barrier("score")

    def _keep(self, module: TrainingModule, values: dict[str, float], step: int) -> None:
        score = next(iter(values.values()), -math.inf)
        best = load_notes(self.run.best).get("score", -math.inf) if self.run.best.is_file() else -math.inf
        if score >= best:
            save_network(module.network, self.run.best, recipe=module.recipe.name, step=step, score=score)


@contextmanager
def predicting(network: Network) -> Iterator[Network]:
    """Yield a network that predicts, and let it go on training afterwards."""
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        network.train()


def draw_sheet(image: AnyArray, target: AnyArray, probability: AnyArray) -> AnyArray:
    """Return the middle section of an image beside target and prediction, a row for each channel: a picture, uint8.

    Parameters
    ----------
    image
        (z, y, x), of any range.
    target, probability
        (channel, z, y, x), from 0 to 1.

    Examples
    --------
    >>> draw_sheet(np.eye(4)[None], np.zeros((2, 1, 4, 4)), np.ones((2, 1, 4, 4))).shape
    (8, 12)
    """
    middle = len(image) // 2
    low, high = float(image.min()), float(image.max())
    gray = (image[middle] - low) / max(high - low, 1e-6)
    rows = [np.hstack([gray, wanted[middle], found[middle]]) for wanted, found in zip(target, probability, strict=True)]
    return np.asarray(255 * np.vstack(rows) + 0.5).astype(np.uint8)


def _write_png(picture: AnyArray, path: PathOrStr) -> None:
    from imagecodecs import png_encode

    with replacing(path) as temporary:
        temporary.write_bytes(png_encode(picture))


def _of(module: LightningModule) -> TrainingModule:
    if not isinstance(module, TrainingModule):
        raise TypeError(type(module).__name__)
    return module
