"""The only file that imports numba; the compiled loops are in the files named ``_kernels.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on the first call, and keep the result for later runs where a folder can be written for it.

    The loop releases the GIL.
    """
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # Neither beside the function's file nor in the user's cache, as in a locked-down container: compile in every
        # run.
        return cast("F", njit(nogil=True)(function))
