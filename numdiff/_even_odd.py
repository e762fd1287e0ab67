"""What the even and the odd part of a function beside x tell of its second derivative, at no further call.

The slope (f(x + h) - f(x - h)) / 2h of a smooth f changes with h as h^2. A jump J of the second derivative at x makes
it change as J h / 4, but leaves the second difference there the same at all h: the mean of both sides. The second
difference changes as h^2 too, and as h^-2 if the values of f scatter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MISFIT = 0.5  # of the coefficient that a fit with a step less gives: a smaller one was that of a smooth function


def slopes(f0: float, near: Float, h: Float) -> Float:
    """The slopes (k, count) from the values beside x (k, count, 2) at the steps h (k, count)."""
    with np.errstate(all="ignore"):
        return np.asarray(((near[..., 0] - f0) - (near[..., 1] - f0)) / (2.0 * h))


def doubts(second: Float, slope: Float, h: Float, rounding: Float) -> tuple[Float, Float, Mask]:
    """Jumps of the second derivative, scatter of it at the shortest step, and where the jump is one at x: (count,).

    0 where none is felt. The second differences, the slopes, the steps h > 0 and bounds of the rounding of the former
    are (k, count). Two steps tell nothing.
    """
    jump, scatter, at_x = np.zeros(h.shape[1]), np.zeros(h.shape[1]), np.zeros(h.shape[1], bool)
    order = np.argsort(h, axis=0, kind="stable")
    second, slope, h, rounding = (np.take_along_axis(array, order, axis=0) for array in (second, slope, h, rounding))
    with np.errstate(all="ignore"):
        seen = np.flatnonzero((h[1:] > 1.1 * h[:-1]).all(axis=0) & np.isfinite(second + slope).all(axis=0))
    if not seen.size or len(h) < 3:
        return jump, scatter, at_x
    second, slope, h, rounding = (array[:, seen] for array in (second, slope, h, rounding))
    t = h / h[0]
    with np.errstate(all="ignore"):
        linear = _misfit(slope, t, rounding * h, (1, 0, 2, 4))
        steps = np.diff(slope[:3], axis=0) / np.diff(t[:3], axis=0) / linear
        at_x[seen] = ((steps > 1 / 3) & (steps < 3)).all(axis=0)
        jump[seen] = 4.0 * np.abs(linear) / h[0]
        scatter[seen] = 2.0 * np.abs(_misfit(second, t, rounding, (-2, 0, 2, 4)))
    return jump, scatter, at_x


def _misfit(values: Float, t: Float, rounding: Float, powers: tuple[int, ...]) -> Float:
    """The coefficient of the first of these powers of t in values (k, count); 0 where rounding or smoothness tell it.

    In a smooth function it stands for powers that come later, and is small beside that of a fit with a step less, or
    of other sign.
    """
    fits = []
    for k in (len(t), len(t) - 1):
        weights = np.linalg.inv(t[:k].T[:, :, None] ** np.array(powers[:k], float))[:, 0, :].T
        fits.append(((weights * values[:k]).sum(axis=0), (np.abs(weights) * rounding[:k]).sum(axis=0)))
    (best, bar), (other, _) = fits
    felt = (np.abs(best) > bar) & (best * other > 0) & (np.abs(best) > _MISFIT * np.abs(other))
    return np.where(felt, best, 0.0)
