"""The lowest rung of a gradient check: forward differences, and one step back to see that fun is smooth.

Most checks end here, and are of a few microseconds of fun: every line counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import _difference
from ._bars import bars
from ._difference import Run
from ._kernels_py import BENT, DOUBTFUL, SHORT
from ._stencils import FORWARD
from ._steps import EPS, steps, taken

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

_STEP: Final = EPS**0.5
_SMALLEST: Final = 1e-280  # scale of x
FLOAT32: Final = 0.3 * float(np.finfo(np.float32).eps)  # standard deviation of rounding, relative


@lru_cache(maxsize=64)
def away(n: int) -> Float:
    """n numbers from 1/2 to 1, always the same."""
    weights = np.random.default_rng(n).uniform(0.5, 1.0, n)
    weights.flags.writeable = False
    return weights


def scale_of(flat: Float) -> Float:
    """How far each x reaches: |x|, and for those that are 0 the largest |x|, or 1."""
    scale = np.abs(flat)
    if np.count_nonzero(scale > _SMALLEST) < scale.size:
        scale[scale == 0.0] = scale.max() or 1.0
        np.maximum(scale, _SMALLEST, out=scale)
    return scale


@dataclass(slots=True)
class Forward:
    """Forward differences by some components, rows (count, m), and the mask of those that they do not settle."""

    x: Float
    h: Float
    scale: Float | None  # None: that of x alone
    rows: Float
    kept: Float
    doubtful: NDArray[np.bool_] | None  # None: all are settled
    noise: float  # of values that have no more digits than float32 has, whatever their type; else 0
    straight: bool = True  # one step back is what they say

    def bars(self, run: Run) -> Float:
        f0 = np.reshape(np.asarray(run.f0, np.float64), -1)
        scale = scale_of(self.x) if self.scale is None else self.scale
        eps = run.eps or EPS
        return bars(FORWARD, 1, self.x, self.h[:, None], scale, self.rows, [self.kept[:, 0]], f0, eps, 0.0)


def forward(run: Run, a: Float, index: Integers | None, x: Float, scale: Float | None, rtol: float) -> Forward:
    """Differences by the components of index (None: all) of the flat x0, at x; a are those of jac, (count, m).

    scale may be None where no x is 0.
    """
    eps, m, count = run.eps or EPS, a.shape[1], x.size
    relative = _STEP if eps == EPS else eps**0.5
    with np.errstate(all="ignore"):
        if scale is None:
            h = np.empty(count)
            _difference.kernels.move(x, relative, _SMALLEST, 1.0, h)
            h -= x
        else:
            h = taken(x, steps(x, relative, None, None, scale))
        kept = np.empty((count, 1, m))
        rows, remarks = run.difference(index, h.reshape(run.x0.shape) if index is None else h, FORWARD, None, kept)
        if remarks:
            return Forward(x, h, scale, rows, kept, np.ones(count, bool), 0.0)
        part = h * away(count)
        if index is None:
            back = run.x0 - part.reshape(run.x0.shape)
        else:
            back = run.x0.copy()
            back.reshape(-1)[index] -= part
        value = run.evaluate(back)
    doubtful = np.empty(count, bool)
    said, size = _difference.kernels.settle(m, a, rows, h, part, run.f0, kept, value, eps, rtol, doubtful)
    if said == 0:
        return Forward(x, h, scale, rows, kept, None, 0.0)
    found = Forward(x, h, scale, rows, kept, doubtful if said & DOUBTFUL else None, 0.0, not said & BENT)
    if said & BENT:
        doubtful.fill(True)
        found.doubtful = doubtful
    if said & SHORT and eps == EPS:
        found.noise = FLOAT32 * size
    return found


def in_float32(values: Any) -> bool:
    if isinstance(values, float):
        return float(np.float32(values)) == values  # float32 == float would compare in float32
    first = float(next(iter(values.flat), 0.0))
    return float(np.float32(first)) == first and bool(np.all(np.float32(values) == values))


def in_float16(values: Float) -> bool:
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16) == values).all())
