"""Which settings are tried: a grid, without what makes no sense and what is the same twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from itertools import product
from numbers import Integral, Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from baselines.decode import METHODS, MarkerWatershed, Method
from baselines.decode._methods import byte_of
from mitobench.errors import InvalidInputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["GRIDS", "Axes", "Number", "axes_of", "identity", "name_of", "settings_of", "steps_between"]

Number = float | int
Axes: TypeAlias = "Mapping[str, tuple[Number, ...]]"
"""Field of a method -> values to try."""

_SIZES = (128, 512, 1024, 2048)

GRIDS: Mapping[str, Axes] = MappingProxyType(
    {
        "mw": MappingProxyType(
            {
                "seed_mask": (0.6, 0.75, 0.85, 0.95),
                "seed_contour": (0.3, 0.45, 0.6, 0.75, 0.9),
                "foreground": (0.5, 0.6, 0.7, 0.8),
                "min_size": _SIZES,
            }
        ),
        "cc": MappingProxyType({"threshold": tuple(n / 20 for n in range(6, 20)), "min_size": _SIZES}),
    }
)
"""What is tried by default: name of the method -> field -> values, the published ones among them."""


def name_of(method: Method) -> str:
    """Return what the command line calls a method.

    Examples
    --------
    >>> name_of(MarkerWatershed(min_size=3))
    'mw'
    """
    return next(name for name, known in METHODS.items() if type(known) is type(method))


def axes_of(method: Method, grid: Axes | None) -> dict[str, tuple[Number, ...]]:
    """Return the values of each field to try: those given, and the default ones of the other fields.

    Raises
    ------
    InvalidInputError
        The method has no such field, or a value is none of it.

    Examples
    --------
    >>> axes_of(METHODS["cc"], {"threshold": [0.5]})
    {'threshold': (0.5,), 'min_size': (128, 512, 1024, 2048)}
    """
    axes = dict(GRIDS[name_of(method)])
    for field, values in ({} if grid is None else grid).items():
        _check_field(method, field)
        axes[field] = _values(method, field, values)
    return axes


def settings_of(method: Method, axes: Axes) -> tuple[Method, ...]:
    """Return the method itself, and then every combination of the values that is another one.

    A foreground above the mask of the seeds makes no sense and is left out: then seeds lie beyond the instances that
    they stand for, and join some that do not touch.

    Raises
    ------
    InvalidInputError
        No combination makes sense.

    Examples
    --------
    >>> found = settings_of(METHODS["cc"], {"threshold": (0.8, 0.801, 0.7)})
    >>> [setting.threshold for setting in found]
    [0.8, 0.7]
    """
    combined = [_changed(method, zip(axes, values, strict=True)) for values in product(*axes.values())]
    sensible = [setting for setting in combined if not _seeds_lie_outside(setting)]
    if not sensible:
        raise InvalidInputError(
            "every foreground of the grid is above every seed_mask; expected one that is not, so that seeds lie in the "
            "foreground; lower the one or raise the other"
        )
    different: dict[tuple[Number, ...], Method] = {}
    for setting in (method, *sensible):
        different.setdefault(identity(setting), setting)
    return tuple(different.values())


def identity(method: Method) -> tuple[Number, ...]:
    """Return what decoding looks at: two settings of one method with the same values here decode alike.

    Examples
    --------
    >>> identity(MarkerWatershed(seed_mask=0.85, min_seed=0)) == identity(MarkerWatershed(seed_mask=0.849, min_seed=1))
    True
    """
    return tuple(_exact(method, field.name) for field in fields(method))


def steps_between(first: Method, second: Method, axes: Axes) -> int:
    """Return how many steps along the axes lead from one setting to another.

    Examples
    --------
    >>> axes = {"threshold": (0.5, 0.6, 0.9), "min_size": (1, 128)}
    >>> steps_between(METHODS["cc"], replace(METHODS["cc"], threshold=0.5, min_size=1), axes)
    3
    """
    steps = 0
    for field, values in axes.items():
        ends = _exact(first, field), _exact(second, field)
        stops = {_exact(_changed(first, [(field, value)]), field) for value in values} | set(ends)
        steps += sum(min(ends) < stop <= max(ends) for stop in stops)
    return steps


def _exact(method: Method, field: str) -> Number:
    """Return the byte of a probability; of a number of voxels 1 for 0, as both drop nothing."""
    value: Number = getattr(method, field)
    return byte_of(value) if _is_probability(method, field) else max(1, value)


def _is_probability(method: Method, field: str) -> bool:
    return isinstance(getattr(METHODS[name_of(method)], field), float)


def _seeds_lie_outside(method: Method) -> bool:
    return isinstance(method, MarkerWatershed) and byte_of(method.foreground) > byte_of(method.seed_mask)


def _check_field(method: Method, field: str) -> None:
    names = [known.name for known in fields(method)]
    if field not in names:
        raise InvalidInputError(
            f"{name_of(method)} has no setting {field!r} to tune{did_you_mean(str(field), names)}; its settings are "
            f"{', '.join(names)}"
        )


def _values(method: Method, field: str, values: Any) -> tuple[Number, ...]:  # noqa: ANN401 - whatever a caller gives
    """Return values as the field has them, if it can have them all."""
    several = tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else ()
    if not several:
        raise InvalidInputError(f"the grid has {field} {values!r:.60}; expected one value or more, as in a list")
    kind, wanted = (float, Real) if _is_probability(method, field) else (int, Integral)
    for value in several:
        if isinstance(value, bool) or not isinstance(value, wanted):
            expected = "probabilities from 0 to 1" if kind is float else "whole numbers"
            raise InvalidInputError(f"the grid has {field} {value!r:.60}; expected {expected}")
    found: Sequence[Number] = [kind(value) for value in several]
    for value in found:
        _changed(method, [(field, value)])
    return tuple(found)


def _changed(method: Method, values: Iterable[tuple[str, Any]]) -> Method:
    return replace(method, **dict(values))
