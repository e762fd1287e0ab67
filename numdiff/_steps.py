"""How far to step: one function for each decision. Source of the exponents: Nocedal and Wright, section 8.1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)


def coarser_eps(*dtypes: np.dtype[Any]) -> float:
    """The machine epsilon of the coarsest of the floating dtypes; float64's where there is none."""
    return max([EPS, *(float(np.finfo(dtype).eps) for dtype in dtypes if dtype.kind in "fc")])


def fit_to_bounds(x0: Float, h: Float, two_sided: bool, lb: Float, ub: Float) -> tuple[Float, NDArray[np.bool_]]:
    """Steps that stay within bounds, and where a two-sided difference must become a one-sided one.

    One-sided steps flip where only the other side has room, else end at the farther bound. Two-sided steps shrink to
    the nearer bound where that costs less than going one-sided (with two steps of at most half the room) does. The
    rule is SciPy's; unlike SciPy, no point is outside by an ulp.
    """
    below, above = x0 - lb, ub - x0
    upward = above >= below
    if two_sided:
        h = np.abs(h)
        fits = (below >= h) & (above >= h)
        half = np.minimum(h, 0.5 * np.maximum(below, above))
        nearer = np.minimum(below, above)
        one_sided = ~fits & (half > nearer)
        h = np.where(fits, h, np.where(one_sided, np.where(upward, half, -half), nearer))
    else:
        one_sided = np.ones(x0.shape, bool)
        to = x0 + h
        fits = np.abs(h) <= np.maximum(below, above)
        h = np.where(fits, np.where((to < lb) | (to > ub), -h, h), np.where(upward, above, -below))
    return keep_inside(x0, h, two_sided, one_sided, lb, ub), one_sided


def keep_inside(x0: Float, h: Float, two_sided: bool, one_sided: NDArray[np.bool_], lb: Float, ub: Float) -> Float:
    """h, an ulp smaller where rounding carried a point past its bound."""
    other = np.where(one_sided, 2.0 if two_sided else 1.0, -1.0)  # the points are x0 + h and x0 + other h
    while True:
        outside = np.zeros(x0.shape, bool)
        for to in (x0 + h, x0 + other * h):
            outside |= (to < lb) | (to > ub)
        if not outside.any():
            return h
        h = np.where(outside, np.nextafter(h, 0.0), h)
