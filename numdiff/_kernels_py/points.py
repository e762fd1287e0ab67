"""One function at many points, twin of src/points.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stencils import CENTRAL
from .difference import difference
from .elementwise import move
from .point import OVERFLOW


def _number(value: Any) -> float:
    return float(np.reshape(value, ()))


def gradients(
    fun: Any,
    points: NDArray[np.float64],
    relative: float,
    x_scale: float,
    x0: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """The gradients of a native fun of one value at the columns of points (n, k), into out (n, k): nd_gradients.

    Central differences with the steps of `move`; OVERFLOW, before any call, where that says so. x0 is workspace, n.
    Returns (status, calls of fun).
    """
    if move(points, relative, x_scale, 1.0, out) & OVERFLOW:
        return OVERFLOW, 0
    h, df = np.empty_like(x0), np.empty_like(x0)
    remarks = nfev = 0
    for k in range(points.shape[1]):
        x0[:] = points[:, k]
        move(x0, relative, x_scale, 1.0, h)
        h -= x0
        status, calls = difference(fun, (), _number, 1, x0, None, h, CENTRAL, None, None, df, None)
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
