"""The optimizers of the recipes as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["OPTIMIZERS", "Adam", "Optimizer", "Sgd"]


@dataclass(frozen=True, kw_only=True)
class Sgd:
    """Stochastic gradient descent with momentum.

    Attributes
    ----------
    lr
        Learning rate, before the schedule.
    momentum
        Share of the last step that the next one keeps; 0 for none.
    weight_decay, weight_decay_norm, weight_decay_bias
        Of the weights; of all parameters of normalisations; of the biases of everything else.
    """

    lr: float
    momentum: float
    weight_decay: float
    weight_decay_norm: float
    weight_decay_bias: float

    def __post_init__(self) -> None:
        _check("sgd", self, shares=("momentum",))

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of a network."""
        from torch import optim

        return optim.SGD(_groups(self, network), lr=self.lr, momentum=self.momentum)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam, with weight decay as a part of the gradient.

    Attributes
    ----------
    lr
        Learning rate, before the schedule.
    beta1, beta2
        Shares that the running means of gradients and of their squares keep.
    eps
        Added to the root of the second.
    amsgrad
        Whether the largest second mean so far counts.
    weight_decay, weight_decay_norm, weight_decay_bias
        Of the weights; of all parameters of normalisations; of the biases of everything else.

    References
    ----------
    Kingma and Ba, ICLR 2015, arXiv:1412.6980. Reddi et al., ICLR 2018 (AMSGrad).
    """

    lr: float
    beta1: float
    beta2: float
    eps: float
    amsgrad: bool
    weight_decay: float
    weight_decay_norm: float
    weight_decay_bias: float

    def __post_init__(self) -> None:
        _check("adam", self, shares=("beta1", "beta2"))
        if not 0 < self.eps < 1:
            raise InvalidInputError(f"eps of adam is {self.eps}; allowed: above 0 and below 1")

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of a network."""
        from torch import optim

        betas = self.beta1, self.beta2
        return optim.Adam(_groups(self, network), lr=self.lr, betas=betas, eps=self.eps, amsgrad=self.amsgrad)


Optimizer = Sgd | Adam

OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": Sgd, "adam": Adam}
"""Name in a recipe -> optimizer."""


def _check(of: str, values: Optimizer, shares: tuple[str, ...]) -> None:
    if not 0 < values.lr <= 10:
        raise InvalidInputError(f"lr of {of} is {values.lr}; allowed: above 0, up to 10")
    for name in shares:
        if not 0 <= getattr(values, name) < 1:
            raise InvalidInputError(f"{name} of {of} is {getattr(values, name)}; allowed: from 0, below 1")
    for name in ("weight_decay", "weight_decay_norm", "weight_decay_bias"):
        if not 0 <= getattr(values, name) <= 1:
            raise InvalidInputError(f"{name} of {of} is {getattr(values, name)}; allowed: 0 to 1")


def _groups(values: Optimizer, network: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters in three groups, by their weight decay, each in the order of the network."""
    from torch.nn import BatchNorm2d, BatchNorm3d, SyncBatchNorm

    decays = values.weight_decay, values.weight_decay_norm, values.weight_decay_bias
    groups: list[dict[str, Any]] = [{"params": [], "weight_decay": decay} for decay in decays]
    for module in network.modules():
        norm = isinstance(module, BatchNorm2d | BatchNorm3d | SyncBatchNorm)
        for name, parameter in module.named_parameters(recurse=False):
            groups[1 if norm else 2 if name == "bias" else 0]["params"].append(parameter)
    return [group for group in groups if group["params"]]
