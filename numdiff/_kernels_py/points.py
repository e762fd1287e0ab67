"""One function at many points, twin of src/points.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stencils import Stencil
from .difference import difference
from .elementwise import move


def _number(value: Any) -> float:
    return float(np.reshape(value, ()))


def gradients(
    fun: Any,
    points: NDArray[np.float64],
    relative: float,
    x_scale: float,
    stencil: Stencil,
    x0: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """The gradients of a native fun of one value at the columns of points (n, k), into out (n, k): nd_gradients.

    The steps are those of `move`, the stencil has no offset 0. x0 is workspace, n. Returns (status, calls of fun).
    """
    h, df = np.empty_like(x0), np.empty_like(x0)
    remarks = nfev = 0
    for k in range(points.shape[1]):
        x0[:] = points[:, k]
        move(x0, relative, x_scale, 1.0, h)
        h -= x0
        status, calls = difference(fun, (), _number, 1, x0, None, h, stencil, None, None, df, None)
        nfev += calls
        if status < 0:
            return status, nfev
        remarks |= status
        out[:, k] = df
    return remarks, nfev


def columns(fun: Any, points: NDArray[np.float64], x0: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """out (k,) = the values of a native fun at the columns of points (n, k): nd_columns. x0 is workspace, n."""
    for k in range(out.size):
        x0[:] = points[:, k]
        out[k] = _number(fun(x0))
