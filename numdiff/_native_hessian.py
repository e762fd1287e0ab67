"""The Hessian of a native function where nothing is asked for but the matrix: little more than the calls."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import _difference
from ._difference import is_plain
from ._function import one_number
from ._native import Native
from ._second import NEAR
from ._second_steps import default_relative
from ._steps import EPS

Float = NDArray[np.float64]

_STEP: Final = default_relative("central", EPS)


def native_hessian(fun: Native, x0: Any) -> Float | None:
    """By central differences with default steps, the bits of `second_derivatives`.

    None where it takes more care: a point that is no float64 array, or near the end of a domain that is at 0, or values
    that are not finite.
    """
    if not is_plain(fun, x0):
        return None
    kernels, x, n = _difference.kernels, x0.reshape(-1).copy(), x0.size
    size, h = np.abs(x), np.empty(n)
    if kernels.move(size, _STEP, 1.0, 1.0, h):
        return None
    h -= size
    if np.count_nonzero((size < h / NEAR) & (size >= h)):
        return None
    f0 = fun(x0.copy())
    near, diagonal, found = np.empty((n, 2)), np.empty(n), np.empty((n, n))
    point = x.reshape(x0.shape)
    status, _ = kernels.hessian_diagonal(fun, (), one_number, point, None, h, None, f0, None, near, diagonal)
    if status == 0 and n > 1:
        status, _ = kernels.hessian_mixed(fun, (), one_number, point, None, h, None, f0, near, found, 0, n)
    if status != 0:
        return None
    found.reshape(-1)[:: n + 1] = diagonal
    return found
