"""Ripples of fun that are finer than the steps of differences, or of their period."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._forward import away
from ._steps import EPS, default_step

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

ODD: Final = 0.7368  # times steps that would be powers of two: a function may have the period of all those
_TINY: Final = (1.0, 0.6, 0.3)  # times eps^(2/3): the shortest steps at which a slope can be told
_RIPPLE: Final = 1e-5  # of the change of fun: what a step may leave where it is smooth


def ripple(run: Run, some: Integers, scale: Float, n: Float, bar: Float) -> tuple[bool, float] | None:
    """Whether fun has another slope at the shortest steps than n, (count, m), and by how much its values are off.

    None where steps to both sides along all of these components, of no power of two, give what n says, or nothing. The
    shortest that agree among each other tell a ripple from noise. 2 to 10 calls of fun.
    """
    x, f0, eps = run.x0.reshape(-1), np.reshape(np.asarray(run.f0, np.float64), -1), run.eps or EPS
    with np.errstate(all="ignore"):
        n, bar = (np.where(np.isfinite(value), value, 0.0) for value in (n, bar))
        by_x = EPS * (np.abs(x[some]) @ np.abs(n))
        slopes, clear, height = [], [], 0.0
        for relative in (default_step(eps, 2), default_step(eps, 1), *(part * eps ** (2 / 3) for part in _TINY)):
            part = np.zeros(x.size)
            part[some] = (ODD * relative * scale * away(x.size))[some]
            right, left = (
                np.reshape(np.asarray(run.evaluate((x + way * part).reshape(run.x0.shape)), np.float64), -1)
                for way in (1, -1)
            )
            change, due = (right - left) / 2, part[some] @ n
            if not np.isfinite(change).all():
                return None
            rounding = 4 * eps * np.fmax(np.abs(right), np.abs(f0)) + by_x
            allowed = part[some] @ (_RIPPLE * np.abs(n) + bar) + 2 * rounding
            if (np.abs(change - due) <= allowed).all():
                return None
            slopes.append(change / relative)
            clear.append(np.abs(change) > 10 * rounding)
            height = max(height, float(np.abs(change - due).max()))
        tiny = np.array(slopes[-len(_TINY) :])
        alike = np.ptp(tiny, axis=0) <= 0.1 * np.abs(tiny).max(axis=0)
        return bool((alike & np.array(clear[-len(_TINY) :]).all(axis=0)).any()), height
