"""What training minimises: weighted binary cross-entropy and Dice, of logits and targets (b, z, y, x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch.nn import functional

from mitobench.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ChannelLoss", "EmptyCrop", "balance_weights", "dice_loss", "weighted_bce"]

EmptyCrop = Literal["ones", "zeros"]


@dataclass(frozen=True, kw_only=True)
class ChannelLoss:
    """The loss of one channel: a weighted sum of two terms.

    Attributes
    ----------
    bce, dice
        Weights of the terms.
    lowest, highest
        Limits of the share of foreground that `balance_weights` goes by.
    empty
        Weight of the voxels of a crop that holds one value only.
    """

    bce: float = 1.0
    dice: float = 0.0
    lowest: float = 0.05
    highest: float = 0.99
    empty: EmptyCrop = "ones"

    def __post_init__(self) -> None:
        if not (self.bce >= 0 and self.dice >= 0 and self.bce + self.dice > 0):
            raise InvalidInputError(
                f"the weights of a loss are bce {self.bce!r} and dice {self.dice!r}; allowed: from 0, one of them above"
            )
        if not 0 < self.lowest <= 0.5 <= self.highest < 1:
            raise InvalidInputError(
                f"lowest and highest of a loss are {self.lowest!r} and {self.highest!r}; allowed: 0 < lowest <= "
                "0.5 and 0.5 <= highest < 1"
            )
        if self.empty not in get_args(EmptyCrop):
            raise InvalidInputError(f"empty of a loss is {self.empty!r}; allowed: {', '.join(get_args(EmptyCrop))}")

    def __call__(self, logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return the loss of a channel, a scalar.

        Parameters
        ----------
        logits, target
            float (b, z, y, x); the target is 0 or 1.
        valid
            1 where the annotation counts, 0 where nothing is known; everywhere by default.
        """
        total = logits.new_zeros(())
        if self.bce:
            weights = balance_weights(target, lowest=self.lowest, highest=self.highest, empty=self.empty)
            total = total + self.bce * weighted_bce(logits, target, weights if valid is None else weights * valid)
        if self.dice:
            total = total + self.dice * dice_loss(torch.sigmoid(logits), target, valid)
        return total


def balance_weights(
    target: Tensor, *, lowest: float = 0.05, highest: float = 0.99, empty: EmptyCrop = "ones"
) -> Tensor:
    """Return weights under which foreground and background of each crop weigh the same.

    With f, the share of foreground within its limits: (1 - f) / f on the foreground if f is at most a half, f / (1 - f)
    on the background if it is more, 1 elsewhere.

    Parameters
    ----------
    target
        float (b, z, y, x) of 0 and 1.
    lowest, highest
        Limits of f; 0.05 makes 19 the largest weight on the foreground, 0.99 makes 99 that on the background.
    empty
        ``ones`` or ``zeros``: weight of the voxels of a crop that holds one value only.

    Examples
    --------
    >>> balance_weights(torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])).flatten().tolist()
    [3.0, 1.0, 1.0, 1.0]
    """
    share = target.mean(dim=(1, 2, 3), keepdim=True)
    f = share.clamp(lowest, highest)
    on_foreground = torch.where(f <= 0.5, (1 - f) / f, torch.ones_like(f))
    on_background = torch.where(f <= 0.5, torch.ones_like(f), f / (1 - f))
    one_value = (share == 0) | (share == 1)
    weights = torch.where(target > 0.5, on_foreground, on_background)
    return torch.where(one_value, torch.full_like(weights, float(empty == "ones")), weights)


def weighted_bce(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over all voxels of weight times cross-entropy; not divided by the weights.

    Examples
    --------
    >>> zeros, ones = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    >>> round(float(weighted_bce(zeros, ones, 3 * ones)), 4), round(float(weighted_bce(zeros, ones, zeros)), 4)
    (2.0794, 0.0)
    """
    return functional.binary_cross_entropy_with_logits(logits, target, weights)


def dice_loss(probability: Tensor, target: Tensor, valid: Tensor | None = None, *, smooth: float = 100.0) -> Tensor:
    """Return 1 - (2 |p t| + smooth) / (|p| + |t| + smooth), of each crop by itself, averaged.

    References
    ----------
    Milletari et al., 3DV 2016, doi:10.1109/3DV.2016.79 (without the squares).

    Examples
    --------
    >>> p = torch.ones(1, 1, 10, 10)
    >>> float(dice_loss(p, p)), float(dice_loss(p, 0 * p))
    (0.0, 0.5)
    """
    if valid is not None:
        probability, target = probability * valid, target * valid
    both, p, t = ((part).sum(dim=(1, 2, 3)) for part in (probability * target, probability, target))
    return (1 - (2 * both + smooth) / (p + t + smooth)).mean()
