"""What comes of tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from baselines.decode import Method
    from baselines.tune._grid import Axes, Number
    from mitobench.rules import Rule

__all__ = ["Trial", "Tuning"]

_CLOSE = 0.01
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Trial:
    """One setting and what it reaches.

    Attributes
    ----------
    method
        With its settings.
    score
        What the rule ranks by, the mean over the volumes; None where that is undefined.
    """

    method: Method
    score: float | None


@dataclass(frozen=True)
class Tuning:
    """Every setting that was tried, and how far the choice can be trusted.

    Attributes
    ----------
    tried
        The best first; of several with one score, those that are the fewest steps of the grid away from where tuning
        began. Where the score is undefined they are last.
    before
        Where tuning began.
    grid
        Name of a setting -> values of it that were tried.
    rule
        By which they were scored.
    instances
        Of the ground truth, as far as the rule counts them.
    """

    tried: tuple[Trial, ...]
    before: Trial
    grid: Axes
    rule: Rule
    instances: int

    @property
    def best(self) -> Trial:
        """The first of those tried."""
        return self.tried[0]

    @property
    def close(self) -> tuple[Trial, ...]:
        """Those with a score within 0.01 of the best one, itself included."""
        best = self.best.score
        return tuple(trial for trial in self.tried if _is_close(trial.score, best))

    @property
    def plateau(self) -> dict[str, tuple[Number, Number]]:
        """Lowest and highest value of each setting among the `close` ones.

        The wider, the less it matters which value is taken; not every combination of values in between is as good.
        """
        values = {name: [getattr(trial.method, name) for trial in self.close] for name in self.grid}
        return {name: (min(several), max(several)) for name, several in values.items()}

    @property
    def at_an_end(self) -> tuple[str, ...]:
        """Names of the settings whose best value is the lowest or the highest of several: others may be better."""
        best = vars(self.best.method)
        ends = {name: {min(values), max(values)} for name, values in self.grid.items() if len(values) > 1}
        return tuple(name for name, both in ends.items() if best[name] in both)


def _is_close(score: float | None, best: float | None) -> bool:
    return score is not None and best is not None and abs(score - best) <= _CLOSE + _ROUNDING
