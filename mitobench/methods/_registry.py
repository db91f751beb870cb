"""Methods by name, of any package that is installed."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError, MissingExtraError, MitobenchError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mitobench.methods._protocol import Method

__all__ = ["list_methods", "load_method"]

_GROUP = "mitobench.methods"
"""Entry points: callables that take options by keyword, as Python values or as text, and return a `Method`."""
_NEEDED = ("describe", "fit", "predict")


def list_methods() -> tuple[str, ...]:
    """Return the names of the methods that are installed.

    Examples
    --------
    >>> {"u2d-b+cc", "u3d-bc+mw"} <= set(list_methods())
    True
    """
    return tuple(sorted({point.name for point in entry_points(group=_GROUP)}))


def load_method(name: str, /, **options: Any) -> Method:  # noqa: ANN401
    """Return a method.

    Parameters
    ----------
    name
        One of `list_methods`.
    options
        Of the method, as its package describes them.

    Raises
    ------
    UnknownNameError
        No method has this name.
    InvalidInputError
        Two packages have a method of this name; what this one offers is no method; or it has no such option, or not
        with such a value.
    MissingExtraError
        A module that the method needs is not installed.
    """
    point = _point(name)
    where = f"the method {name!r} of {_distribution(point)}"
    factory = _loaded(point, where)
    try:
        _check_options(factory, options, where)
        method = factory(**options)
    except MitobenchError:
        raise
    except Exception as error:
        raise InvalidInputError(f"{where} cannot be made ({_reason(error)}); check its options") from error
    missing = [attribute for attribute in _NEEDED if not callable(getattr(method, attribute, None))]
    if missing:
        raise InvalidInputError(
            f"{where} is a {type(method).__name__} without {missing[0]}; expected {', '.join(_NEEDED)}, see "
            "mitobench.methods.Method; mend that package"
        )
    made: Method = method
    return made


def _point(name: str) -> EntryPoint:
    points = list(entry_points(group=_GROUP, name=name))
    if not points:
        names = list_methods()
        raise UnknownNameError(
            f"unknown method {name!r}{did_you_mean(name, names)}; installed: {', '.join(names) or 'none'}"
        )
    if len(points) > 1:
        owners = " and ".join(sorted(map(_distribution, points)))
        raise InvalidInputError(f"the method {name!r} is in {owners}; expected one of this name; uninstall the other")
    return points[0]


def _distribution(point: EntryPoint) -> str:
    return "an unnamed package" if point.dist is None else point.dist.name


def _loaded(point: EntryPoint, where: str) -> Callable[..., Any]:
    try:
        factory = point.load()
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{where} needs the module {error.name}, which is not installed; install it") from error
    except Exception as error:
        raise InvalidInputError(f"{where} cannot be loaded ({_reason(error)}); install that package again") from error
    if not callable(factory):
        raise InvalidInputError(f"{where} is {point.value}, which cannot be called; mend that package")
    loaded: Callable[..., Any] = factory
    return loaded


def _check_options(factory: Callable[..., Any], options: Mapping[str, Any], where: str) -> None:
    parameters = inspect.signature(factory).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    by_name = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    allowed = [parameter.name for parameter in parameters if parameter.kind in by_name]
    for option in options:
        if option not in allowed:
            hint = did_you_mean(option, allowed)
            raise InvalidInputError(
                f"{where} has no option {option!r}{hint}; its options are {', '.join(allowed) or 'none'}"
            )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
