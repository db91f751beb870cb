"""One step of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule

from baselines.augment import worker_generator
from baselines.networks import channels_last
from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from baselines.recipe import Recipe
    from baselines.train._loader import Batch, Batches

__all__ = ["TrainingModule", "check_finite"]

_REMEDY = "the last checkpoint is kept; try a lower learning rate, a longer warm-up, or precision 32, in a new folder"


class TrainingModule(LightningModule):
    """A network with the losses, the optimizer and the learning rates of a recipe.

    Parameters
    ----------
    recipe
        What to do.
    seed
        Of the fresh weights, and of whatever else the network draws.
    batches
        Makes the batches of this process: called with its rank and the number of processes, and what tells the step.
    """

    def __init__(self, recipe: Recipe, seed: int, batches: Callable[[int, int, Callable[[], int]], Batches]) -> None:
        super().__init__()
        self.recipe, self.seed, self._batches = recipe, seed, batches
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = recipe.build_network()
        self.network = network.to(memory_format=channels_last(network))  # type: ignore[call-overload]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer of the recipe."""
        return self.recipe.optimizer.build(self.network)

    def train_dataloader(self) -> Batches:
        """Return the batches of this process, from the step of the checkpoint on."""
        return self._batches(self.global_rank, self.trainer.world_size, lambda: self.global_step)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Set what depends on the step alone: the learning rate, and what dropout draws."""
        for group in self._optimizer().param_groups:
            group["lr"] = self.recipe.learning_rate(self.global_step)
        # Worker 0 is that of the crops.
        own = worker_generator(seed=self.seed, worker=1 + self.global_rank, step=self.global_step)
        torch.manual_seed(int(own.integers(2**63)))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:  # noqa: ARG002
        """Return the sum of the losses of the channels."""
        image, target, valid = batch
        # Sums over millions of voxels are not for half precision.
        logits = self.network(image.contiguous(memory_format=torch.channels_last_3d)).float()
        losses: dict[str, torch.Tensor] = {
            channel: loss(logits[:, k], target[:, k], valid)
            for k, (channel, loss) in enumerate(zip(self.recipe.targets.channels, self.recipe.losses, strict=True))
        }
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise InvalidInputError(f"the loss of step {self.global_step} is {total.item()}; {_REMEDY}")
        self._note(total, losses)
        return total

    def _note(self, total: torch.Tensor, losses: dict[str, torch.Tensor]) -> None:
        own = {f"loss/{channel}": loss.detach() for channel, loss in losses.items()} if len(losses) > 1 else {}
        values = {"loss": total.detach(), **own, "lr": self._optimizer().param_groups[0]["lr"]}
        self.log_dict(values, batch_size=self.recipe.batch, sync_dist=self.trainer.world_size > 1)

    def _optimizer(self) -> Any:  # noqa: ANN401
        return self.trainer.optimizers[0]


def check_finite(network: torch.nn.Module, step: int) -> None:
    """Refuse weights that are no numbers.

    Raises
    ------
    InvalidInputError
        As said.
    """
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise InvalidInputError(f"the weights after {step} steps hold what is no number; {_REMEDY}")
