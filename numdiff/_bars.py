"""Error bars of single differences: cheap ones, from the values of fun that are at hand.

    rounding     sum |weights| (eps max|f| + eps |x f'|) / |scale span|
    truncation   c |h / l|^p max(|f'|, l |f''|),  l = max(|x|, x_scale) / 10

c is the constant of the stencil. The truncation is a guess, as nothing is known of the higher derivatives: it assumes
that fun varies on the scale l or a longer one. Where that is not enough, method="richardson" measures it.
f'' counts where f' is nearly 0, as in a minimum. Central stencils see it where f0 is known, or where it is not the same
in all components; one-sided ones do not.
"""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._stencils import Stencil
from ._steps import EPS

Float = NDArray[np.float64]

_VARIES = 0.1  # of max(|x|, x_scale): the scale on which fun is taken to vary
_NOISE = 2.0  # standard deviations
CLOSER = 0.125  # of the step: at an end of the domain, whether the quotient is a derivative
_GROWS = 1.2  # times: with a step so much shorter, the quotient of an infinite slope grows by more than this
_CHANGES = 2.0  # times what that changes: the error of x^1.5 at 0 is 1.6 times, of smooth functions 1.1 times


@cache
def _truncation(stencil: Stencil) -> float:
    """The constant c of a first derivative: its error is c h^p f^(p+1) / f'."""
    offsets, weights, scale = stencil
    width = offsets[-1] - offsets[0]
    for power in range(2, 12):
        moment = sum(weight * offset**power for weight, offset in zip(weights, offsets, strict=True))
        if abs(moment) > 1e-9:
            return abs(moment) / (factorial(power) * scale * width)
    raise AssertionError(stencil)


def error_by_closer(wide: Float, close: Float, rounding: Any) -> Float:
    """The error of the quotients wide by those with steps CLOSER times as long; 0 within rounding, inf without end."""
    with np.errstate(all="ignore"):
        change = np.abs(close - wide)
        error = np.where(np.abs(close) > _GROWS * np.abs(wide), np.inf, _CHANGES * change)
        return np.where(change > 10.0 * rounding, error, 0.0)


def bars(
    stencil: Stencil,
    order: int,
    x: Float,
    h: Float,
    scale: Float,
    rows: Float,
    values: list[Float],
    f0: Any,
    eps: float,
    noise: float,
) -> Float:
    """The errors of the first derivatives rows, (count, m), from fun's values: a list of (count, m), and f0,
    if known: a number, (m,) or (count, m).

    h is (count, 1) or (count, m), scale (count,) or as h.
    """
    offsets, weights, denominator = stencil
    with np.errstate(all="ignore"):
        size = np.abs(values[0])
        for value in values[1:] if f0 is None else [*values[1:], np.atleast_1d(f0)]:
            size = np.fmax(size, np.abs(value))
        length = np.abs(h)
        amplified = sum(map(abs, weights)) / (denominator * (offsets[-1] - offsets[0]) * length)
        # Rounding of the values, and of x before anything is done with it.
        rounding = np.maximum(eps * size + EPS * np.abs(x)[:, None] * np.abs(rows), _NOISE * noise)
        varies = _VARIES * (scale if scale.ndim == 2 else scale[:, None])
        slope = np.abs(rows)
        if offsets[0] == -offsets[-1]:
            rise = _rise(0.5 * (values[0] + values[-1]), length[:, 0], f0)
            slope = np.fmax(slope, 2.0 * rise / (offsets[-1] * length) ** 2 * varies)
        truncation = _truncation(stencil) * (length / varies) ** order * slope
        return np.asarray(rounding * amplified + truncation)


def _rise(middle: Float, h: Float, f0: Any) -> Float:
    """How far f0 is below or above the middle of the values on both sides, (count, m).

    Unknown, f0 is near the middles of the other components: of those with a step as short or shorter.
    """
    if f0 is not None:
        return np.asarray(np.abs(middle - np.atleast_1d(f0)))
    order = np.argsort(h)
    last = np.searchsorted(h[order], h, side="right") - 1
    highest, lowest = (extreme.accumulate(middle[order])[last] for extreme in (np.fmax, np.fmin))
    return np.asarray(np.maximum(highest - middle, middle - lowest))
