"""The learning rate as a pure function of the step: nothing to keep, so nothing to lose when a run is resumed."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from mitobench.errors import InvalidInputError

__all__ = ["Schedule", "ScheduleKind"]

ScheduleKind = Literal["constant", "cosine", "multistep"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """By what the learning rate of the optimizer is multiplied at each step.

    Attributes
    ----------
    kind
        ``constant``: 1. ``cosine``: from 1 at the first step to 0 after the last along half a cosine. ``multistep``:
        multiplied by `factor` from each of the `milestones` on.
    warmup
        Steps over which a second factor grows linearly from `warmup_factor` to 1; 0 for none.
    warmup_factor
        Where that starts.
    milestones
        Ascending steps; none but for ``multistep``.
    factor
        Of each milestone.

    Examples
    --------
    >>> cosine = Schedule(kind="cosine", warmup=1000)
    >>> [round(cosine(step, 100_000), 4) for step in (0, 1000, 50_000, 100_000)]
    [0.001, 0.9998, 0.5, 0.0]
    """

    kind: ScheduleKind
    warmup: int = 0
    warmup_factor: float = 0.001
    milestones: tuple[int, ...] = ()
    factor: float = 0.1

    def __post_init__(self) -> None:
        if self.warmup < 0:
            raise InvalidInputError(f"warmup of a schedule is {self.warmup}; allowed: whole numbers from 0")
        for name in ("warmup_factor", "factor"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInputError(f"{name} of a schedule is {getattr(self, name)}; allowed: 0 to 1")
        ascending = all(a < b for a, b in pairwise((0, *self.milestones)))
        if not ascending or bool(self.milestones) != (self.kind == "multistep"):
            raise InvalidInputError(
                f"milestones of a {self.kind} schedule are {list(self.milestones)}; allowed: ascending steps from 1 "
                "for multistep, none for the others"
            )

    def __call__(self, step: int, iterations: int) -> float:
        """Return the factor at a step.

        Parameters
        ----------
        step
            Steps done before, from 0.
        iterations
            Steps of the whole run.
        """
        warm = min(1.0, self.warmup_factor + (1 - self.warmup_factor) * step / self.warmup) if self.warmup else 1.0
        if self.kind == "cosine":
            return warm * 0.5 * (1 + math.cos(math.pi * min(step, iterations) / iterations))
        return warm * float(self.factor ** bisect_right(self.milestones, step))
