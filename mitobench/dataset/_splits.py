"""How a volume is divided along z into sections for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from types import MappingProxyType

from mitobench.errors import InvalidInputError

__all__ = ["SPLITS", "Fractions", "split_sections"]

Fractions = Mapping[str, Fraction]
"""Name of a part -> its share of the sections, in the order in which they follow one another along z."""

SPLITS: Mapping[str, Fractions] = MappingProxyType(
    {
        "full": MappingProxyType({"train": Fraction(40, 100), "val": Fraction(10, 100), "test": Fraction(50, 100)}),
    }
)
"""Name of a split -> its parts; ``full`` is MitoEM's 40-10-50."""


def split_sections(fractions: Fractions, depth: int) -> dict[str, range]:
    """Return which sections belong to each part.

    A part ends at the section that its fraction and those before it add up to, rounded to the nearest section and a
    half upwards. It begins where the one before it ends, so that there are no gaps and no overlaps.

    Parameters
    ----------
    fractions
        Positive shares that add up to at most 1; sections past their sum belong to no part.
    depth
        Sections of the volume.

    Raises
    ------
    InvalidInputError
        A share is not positive, or they add up to more than 1.

    Examples
    --------
    >>> split_sections(SPLITS["full"], 1000)
    {'train': range(0, 400), 'val': range(400, 500), 'test': range(500, 1000)}
    >>> split_sections(SPLITS["full"], 28)
    {'train': range(0, 11), 'val': range(11, 14), 'test': range(14, 28)}
    """
    if any(fraction <= 0 for fraction in fractions.values()) or sum(fractions.values()) > 1:
        shares = ", ".join(f"{name} {float(fraction):g}" for name, fraction in fractions.items())
        raise InvalidInputError(f"the split is {shares}; expected positive shares that add up to at most 1")
    sections, share, start = {}, Fraction(0), 0
    for name, fraction in fractions.items():
        share += fraction
        stop = floor(share * depth + Fraction(1, 2))
        sections[name] = range(start, stop)
        start = stop
    return sections
