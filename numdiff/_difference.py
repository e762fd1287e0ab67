"""The dense difference: one call down to the kernels, and what to do when fun writes into its argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._backend import kernels
from ._kernels_py import NO_STEP, WRITTEN
from ._stencils import Stencil


class NoStepError(Exception):
    """A step is lost in rounding: x + h == x. Raised before fun is called; never reaches the user."""


def difference(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    m: int,
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    stencil: Stencil,
    f0: Any = None,
    first: Any = None,
) -> tuple[NDArray[np.float64], int, int]:
    """The derivatives, one row for each step in h: ((count,) or (count, m), calls of fun, remarks).

    x0 must be a private copy: it is compared with what fun sees. See the kernels for the arguments.
    """
    count = h.size
    out = np.empty(count if m == 1 else (count, m))
    status, nfev = kernels.difference(fun, args, values, m, x0, index, h, stencil, f0, first, out)
    if status == WRITTEN:
        # fun writes into its argument: start over, and let it have a copy of its own in every call
        def fun_on_copy(x: NDArray[np.float64], *rest: Any) -> Any:
            return fun(x.copy(), *rest)

        status, more = kernels.difference(fun_on_copy, args, values, m, x0, index, h, stencil, f0, first, out)
        nfev += more
    if status == NO_STEP:
        raise NoStepError
    return out, nfev, status
