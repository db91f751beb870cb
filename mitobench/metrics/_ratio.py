"""The quotient that is undefined instead of infinite."""

__all__ = ["ratio"]


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, None where there is no whole.

    Examples
    --------
    >>> ratio(1, 4), ratio(0, 0)
    (0.25, None)
    """
    return part / whole if whole else None
