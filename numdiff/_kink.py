"""One-sided slopes that go on disagreeing as the step shrinks: a kink at x0."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._stencils import CENTRAL
from ._steps import EPS

Float = NDArray[np.float64]

_STEPS: Final = 4.0 ** -np.arange(3, 15)  # of the scale of x: 1.6e-2 to 3.7e-9
_STEADY: Final = 0.7  # the gap at one step over that at the one before; 1/4 for a smooth function
_CLEAR: Final = 10.0  # times what rounding makes of the gap
_TELLING: Final = 0.01  # of the slope: rounding at the shortest step that tells something
_IN_A_ROW: Final = 4


def one_sided_slopes(run: Run, i: int, scale: float, noise: float) -> Float:
    """The slopes to the left and to the right of x0 along coordinate i, and their error bar: (3, m), nan: no kink.

    24 calls of fun. A kink: the gap between both slopes is the same at the last four steps before rounding hides it,
    each a quarter of the one before. Where fun is smooth the gap shrinks as the step does; noise and jumps make it
    grow.
    """
    x, f0 = float(run.x0.reshape(-1)[i]), np.reshape(np.asarray(run.need_f0(), np.float64), -1)
    h = 2.0 ** np.round(np.log2(scale)) * _STEPS
    h = (x + h) - x
    h = h[(h > 0) & (x - h != x)]
    kept = np.empty((h.size, 2, f0.size))
    if h.size:
        run.difference(np.full(h.size, i, np.intp), h, CENTRAL, None, kept)
    with np.errstate(all="ignore"):
        left, right = (f0 - kept[:, 0]) / h[:, None], (kept[:, 1] - f0) / h[:, None]
        values = np.fmax(np.abs(kept).max(axis=1), np.abs(f0))
        rounding = 4 * np.fmax((run.eps or EPS) * values + EPS * abs(x) * np.abs(left), noise) / h[:, None]
    return np.array([_kink_of(left[:, r], right[:, r], rounding[:, r]) for r in range(f0.size)]).T


def _kink_of(left: Float, right: Float, rounding: Float) -> tuple[Any, Any, Any]:
    """Of one value: the slopes at the best of the last steps."""
    with np.errstate(all="ignore"):
        gap = np.abs(right - left)
        steepest = np.fmax(np.abs(left), np.abs(right))
        usable = np.flatnonzero(np.isfinite(gap) & (rounding <= _TELLING * steepest))
        last = usable[-_IN_A_ROW:]
        ratio = gap[last][1:] / gap[last][:-1]
        clear = (gap[last] > _CLEAR * rounding[last]) & (gap[last] > 1e-6 * steepest[last])
        if last.size < _IN_A_ROW or not clear.all() or not ((ratio > _STEADY) & (ratio < 1 / _STEADY)).all():
            return np.nan, np.nan, np.nan
        change = np.fmax(np.abs(np.diff(left[last])), np.abs(np.diff(right[last])))
    bars = change + rounding[last[1:]]
    best = int(np.argmin(bars))
    return left[last[1 + best]], right[last[1 + best]], bars[best]
