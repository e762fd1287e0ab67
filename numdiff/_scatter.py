"""Noise that is smooth to short steps: how far fun's values lie off a parabola, over two windows."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._stencils import FORWARD

Float = NDArray[np.float64]

_WINDOWS: Final = (1e-6, 1e-5)  # of the scale of x
_POINTS: Final = 12
_ALIKE: Final = 4.0  # what a kink or curvature leaves is 10 or 1000 times as large in the wider window


def scatter_along(run: Run, i: int, scale: float, limits: Any) -> float:
    """The standard deviation of fun's values along coordinate i around a parabola; 0: it is no noise.

    24 calls of fun, at points at random within 1e-6 and 1e-5 of the scale of x.
    """
    x, m = float(run.x0.reshape(-1)[i]), run.m or 1
    at = np.random.default_rng(i).uniform(-1.0, 1.0, _POINTS)
    f0 = np.reshape(np.asarray(run.f0, np.float64), -1)
    found = []
    for window in _WINDOWS:
        h = at * window * scale
        if limits is not None:
            h = np.clip(x + h, limits[0][i], limits[1][i]) - x
        h = (x + h) - x
        used = h != 0
        kept = np.empty((int(used.sum()), 1, m))
        if len(kept) < _POINTS // 2:
            return 0.0
        run.difference(np.full(len(kept), i, np.intp), h[used], FORWARD, None, kept)
        if not np.isfinite(kept).all():
            return 0.0
        powers = np.vander(at[used], 3)
        off = kept[:, 0] - f0
        fitted = powers @ np.linalg.lstsq(powers, off, rcond=None)[0]
        found.append(float(np.sqrt(((off - fitted) ** 2).sum(axis=0) / (len(kept) - 3)).max()))
    narrow, wide = found
    if not math.isfinite(narrow + wide):
        return 0.0
    return max(narrow, wide) if wide < _ALIKE * narrow and narrow < _ALIKE * wide else 0.0
