"""What forward differences say of derivatives that are to be checked, twin of src/forward.c."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBTFUL, BENT, SHORT = 1, 2, 4

FINEST = 1e-7  # rtol: forward differences settle nothing that is finer
_ROUNDING = 4.0  # times the precision of fun's values
_SETTLING = 4.0  # times rtol
_LARGEST32 = float(np.finfo(np.float32).max)


def settle(
    m: int,
    a: NDArray[np.float64],
    rows: NDArray[np.float64],
    h: NDArray[np.float64],
    part: NDArray[np.float64],
    f0: Any,
    values: NDArray[np.float64],
    back: Any,
    eps: float,
    rtol: float,
    doubtful: NDArray[np.bool_],
) -> tuple[int, float]:
    """What forward differences say, and the largest |value|: nd_settle.

    a, rows and values have (count, m) numbers in any shape; h and part count; f0 and back are floats where m is 1,
    else arrays of m. Fills doubtful (count,).
    """
    count = h.size
    a, rows, values = (array.reshape(count, m) for array in (a, rows, values))
    at, at_back = np.reshape(f0, -1), np.reshape(back, -1)
    with np.errstate(all="ignore"):
        size = float(np.fmax.reduce(np.abs(at), initial=np.fmax.reduce(np.abs(values), axis=None, initial=0.0)))
        rounding = _ROUNDING * eps * size
        bar = (rounding / h.reshape(-1))[:, None]
        steep = np.abs(rows)
        settled = np.abs(a - rows) <= rtol * steep + bar
        settled &= bar <= _SETTLING * max(rtol, FINEST) * steep  # with more, an error of that size would pass
        np.logical_not(settled.all(axis=1), out=doubtful)
        said = DOUBTFUL if doubtful.any() else 0
        steps = part.reshape(-1, 1)
        share = max(1e-6, 1e-7 * count)
        apart = np.abs(at_back - (at - _sum(steps * rows)))
        if not (apart <= share * _sum(steps * steep) + 2.0 * rounding * sqrt(count)).all():
            said |= BENT
        if _in_float32(at) and _in_float32(values) and bool((values != at).any()):
            said |= SHORT
    return said, size


def _sum(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums over the first axis, from 0 in the order of the terms; NumPy's add.reduce has another."""
    begun = np.zeros((terms.shape[0] + 1, terms.shape[1]))
    begun[1:] = terms
    total: NDArray[np.float64] = np.add.accumulate(begun, out=begun)[-1]
    return total


def _in_float32(values: NDArray[np.float64]) -> bool:
    return bool(((np.abs(values) <= _LARGEST32) & (values.astype(np.float32) == values)).all())
