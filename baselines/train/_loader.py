"""Batches by the number of their step, made in worker processes that live as long as the training."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mitobench.errors import MitobenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from baselines.crops import CropReader

__all__ = ["Batch", "Batches", "StepBatches"]

Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Image (b, 1, z, y, x), target (b, c, z, y, x), valid (b, z, y, x), float32."""


class StepBatches(Dataset[Batch | MitobenchError]):
    """The batch of each step, or this process's share of it.

    Parameters
    ----------
    crops
        Makes the samples.
    batch
        Samples of a step, over all processes.
    rank, world
        Which process this is, of how many that train together.
    """

    def __init__(self, crops: CropReader, batch: int, rank: int, world: int) -> None:
        self.crops, self.batch, self.rank, self.world = crops, batch, rank, world

    def __getitem__(self, step: int) -> Batch | MitobenchError:
        """Return a batch. An error is returned too, since one that a worker raises reaches nobody as one line."""
        share = self.batch // self.world
        first = step * self.batch + self.rank * share
        try:
            samples = [self.crops.sample(number) for number in range(first, first + share)]
        except MitobenchError as error:
            return error
        image, target, valid = (
            torch.from_numpy(np.stack([getattr(sample, key) for sample in samples]))
            for key in ("image", "target", "valid")
        )
        return image, target, valid


class Batches:
    """What Lightning iterates over, one epoch after another; the workers go on making batches between them.

    Parameters
    ----------
    source
        The batches by step.
    first
        Returns the step to begin with, when the first batch is asked for.
    steps
        Of the whole training.
    epoch
        Steps of an epoch.
    workers
        Processes that make batches; 0 for none.
    pin
        Whether to keep batches where a GPU reads them fastest.
    """

    def __init__(
        self, source: StepBatches, first: Callable[[], int], *, steps: int, epoch: int, workers: int, pin: bool
    ) -> None:
        self.source, self.first, self.steps, self.epoch = source, first, steps, epoch
        self.workers, self.pin = workers, pin
        self._all: Iterator[Batch | MitobenchError] | None = None

    def __len__(self) -> int:
        return self.epoch

    def __iter__(self) -> Iterator[Batch]:
        if self._all is None:
            self._all = self._started()
        for batch in islice(self._all, self.epoch):
            if isinstance(batch, MitobenchError):
                raise batch
            yield batch

    def _started(self) -> Iterator[Batch | MitobenchError]:
        # Started where it costs nothing, workers need not load everything again.
        context = "fork" if self.workers and sys.platform == "linux" else None
        loader: DataLoader[Batch | MitobenchError] = DataLoader(
            self.source,
            batch_size=None,
            sampler=range(self.first(), self.steps),
            num_workers=self.workers,
            pin_memory=self.pin,
            multiprocessing_context=context,
            collate_fn=_as_it_is,
        )
        with _forking():
            return iter(loader)


def _as_it_is(batch: Any) -> Any:  # noqa: ANN401 - what torch thinks that batches may be
    return batch


@contextmanager
def _forking() -> Iterator[None]:
    """Python warns of threads that a forked process lacks; workers use none of those of the process before."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        yield
