"""The lowest rung of a gradient check: forward differences, and one step back to see that fun is smooth.

Most checks end here, and are of a few microseconds of fun: every line counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._bars import bars
from ._difference import Run
from ._stencils import FORWARD
from ._steps import EPS, steps, taken

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

_STEP: Final = EPS**0.5
_FINE: Final = 4.0  # times rtol
FINEST: Final = 1e-7  # rtol: forward differences settle nothing that is finer
_ROUNDING: Final = 4.0  # times the precision of fun's values
FLOAT32: Final = 0.3 * float(np.finfo(np.float32).eps)  # standard deviation of rounding, relative


@lru_cache(maxsize=64)
def away(n: int) -> Float:
    """n numbers from 1/2 to 1, always the same."""
    weights = np.random.default_rng(n).uniform(0.5, 1.0, n)
    weights.flags.writeable = False
    return weights


@dataclass(slots=True)
class Forward:
    """Forward differences by some components, rows (count, m), and the mask of those that they do not settle."""

    x: Float
    h: Float
    scale: Float
    rows: Float
    kept: Float
    doubtful: NDArray[np.bool_] | None  # None: all are settled
    noise: float  # of values that have no more digits than float32 has, whatever their type; else 0
    straight: bool = True  # one step back is what they say

    def bars(self, run: Run) -> Float:
        f0 = np.reshape(np.asarray(run.f0, np.float64), -1)
        eps = run.eps or EPS
        return bars(FORWARD, 1, self.x, self.h[:, None], self.scale, self.rows, [self.kept[:, 0]], f0, eps, 0.0)


def forward(run: Run, a: Float, index: Integers | None, x: Float, scale: Float, rtol: float) -> Forward:
    """Differences by the components of index (None: all) of the flat x0, at x; a are those of jac, (count, m)."""
    eps, m, count = run.eps or EPS, a.shape[1], x.size
    with np.errstate(all="ignore"):
        h = taken(x, steps(x, _STEP if eps == EPS else eps**0.5, None, None, scale))
        kept = np.empty((count, 1, m))
        rows, remarks = run.difference(index, h.reshape(run.x0.shape) if index is None else h, FORWARD, None, kept)
        found = Forward(x, h, scale, rows, kept, None, 0.0)
        if remarks:
            found.doubtful = np.ones(count, bool)
            return found
        size = max(map(abs, kept.reshape(-1).tolist()), default=0.0)
        size = max(size, abs(run.f0) if m == 1 else float(np.abs(run.f0).max()))
        rounding = _ROUNDING * eps * size
        bar = (rounding / h)[:, None]
        steep = np.abs(rows)
        settled = np.abs(a - rows) <= rtol * steep + bar
        settled &= bar <= _FINE * max(rtol, FINEST) * steep  # with more, an error of that size would pass
        if eps == EPS and in_float32(run.f0) and in_float32(kept) and (kept != run.f0).any():
            found.noise = FLOAT32 * size
        if not _straight(run, index, h, rows, steep, rounding):
            found.doubtful, found.straight = np.ones(count, bool), False
        elif np.count_nonzero(settled) < settled.size:
            found.doubtful = np.asarray(~settled.all(axis=1))
    return found


def in_float32(values: Any) -> bool:
    if isinstance(values, float):
        return float(np.float32(values)) == values  # float32 == float would compare in float32
    first = float(next(iter(values.flat), 0.0))
    return float(np.float32(first)) == first and bool(np.all(np.float32(values) == values))


def in_float16(values: Float) -> bool:
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16) == values).all())


def _straight(run: Run, index: Integers | None, h: Float, rows: Float, steep: Float, rounding: float) -> bool:
    """Whether one step back, along all of these components, is what the forward differences say; else a kink."""
    part = h * away(h.size)
    if index is None:
        back = run.x0 - part.reshape(run.x0.shape)
    else:
        back = run.x0.copy()
        back.reshape(-1)[index] -= part
    value = run.evaluate(back)
    share = max(1e-6, 1e-7 * h.size)
    apart = abs(value - (run.f0 - part @ rows))
    smooth = apart <= share * (part @ steep) + 2 * rounding * math.sqrt(h.size)
    return bool(np.count_nonzero(smooth) == smooth.size)
