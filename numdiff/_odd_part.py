"""What the slopes tell of second derivatives: those between the points of second differences, at no further call.

The slope (f(x + h) - f(x - h)) / 2h of a smooth f changes with h as h^2. A jump J of the second derivative at x makes it
change as J h / 4, but leaves the second difference there the same at all h: the mean of both sides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_POWERS = (0, 1, 2, 4)  # of h, in the slope of a function with a jump of the second derivative
_LINEAR = 0.2  # of the coefficient of h with one power less: if it is smaller, the slope was smooth


def slopes(f0: float, near: Float, h: Float) -> Float:
    """The slopes (k, count) from the values beside x0 (k, count, 2) at the steps h (k, count)."""
    with np.errstate(all="ignore"):
        return np.asarray(((near[..., 0] - f0) - (near[..., 1] - f0)) / (2.0 * h))


def jumps(slope: Float, h: Float, rounding: Float) -> tuple[Float, Mask]:
    """The jump of the second derivative by each variable (count,), 0 where none is felt, and where it is one at x0.

    What is no such jump is scatter. slope, h > 0 and the bounds of the slopes' rounding are (k, count), k >= 3.
    """
    order = np.argsort(h, axis=0, kind="stable")
    slope, h, rounding = (np.take_along_axis(array, order, axis=0) for array in (slope, h, rounding))
    jump, linear = np.zeros(h.shape[1]), np.zeros(h.shape[1], bool)
    seen = np.flatnonzero((h[1:] > 1.1 * h[:-1]).all(axis=0) & np.isfinite(slope).all(axis=0))
    if not seen.size or len(h) < 3:
        return jump, linear
    slope, rounding, t, unit = slope[:, seen], rounding[:, seen], h[:, seen] / h[0, seen], h[0, seen]
    with np.errstate(all="ignore"):
        best, bar = _coefficient(slope, t, rounding)
        other, _ = _coefficient(slope[:-1], t[:-1], rounding[:-1])
        felt = (np.abs(best) > bar) & (best * other > 0) & (np.abs(best) > _LINEAR * np.abs(other))
        steps = np.diff(slope[:3], axis=0) / np.diff(t[:3], axis=0)
        alike = ((steps / best > 1 / 3) & (steps / best < 3)).all(axis=0)
        jump[seen] = np.where(felt, 4.0 * np.abs(best) / unit, 0.0)
    linear[seen] = felt & alike
    return jump, linear


def _coefficient(slope: Float, t: Float, rounding: Float) -> tuple[Float, Float]:
    """That of t in slope (k, count), a sum of k powers of t, and a bound of its rounding."""
    powers = t.T[:, :, None] ** np.array(_POWERS[: len(t)])
    weights = np.linalg.inv(powers)[:, 1, :].T
    return (weights * slope).sum(axis=0), (np.abs(weights) * rounding).sum(axis=0)
