"""How far to step: one function for each decision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._function import component

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Arrays: NumPy takes them faster than numbers.
_ONE = np.array(1.0)
_HALF = np.array(1 << 51, np.int64)
_NO_SIGNIFICAND = np.array(~((1 << 52) - 1), np.int64)

EPS = float(np.finfo(np.float64).eps)
MAX = float(np.finfo(np.float64).max)


def default_step(eps: Any, order: int, derivative: int = 1) -> Any:
    """The relative step that balances truncation, h^order, and rounding, eps / h^derivative.

    Nocedal and Wright, Numerical Optimization, section 8.1.
    """
    return eps ** (1 / (order + derivative))


def eps_of(dtype: np.dtype[Any]) -> float:
    """The machine epsilon of the coarser of float64 and fun's dtype."""
    return max(EPS, float(np.finfo(dtype).eps)) if dtype.kind in "fc" else EPS


def positive(name: str, value: ArrayLike | None, shape: tuple[int, ...], point: str = "x0") -> Float | None:
    """A step argument: None, a positive finite number, or an array of them of the shape of the point, flat."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`{name}` must be a positive number or an array of them; it is {value!r}")
    if array.shape not in ((), shape):
        raise ValueError(f"`{name}` must be a number or have the shape of `{point}`, {shape}; it has {array.shape}")
    array = array.astype(np.float64)
    bad = np.flatnonzero(~((array > 0) & (array < np.inf)))
    if bad.size:
        where = component(name, int(bad[0]), array.shape)
        raise ValueError(f"`{name}` must be positive and finite; {where} is {array.reshape(-1)[bad[0]]}")
    return array.reshape(-1) if array.shape else array


def steps(x: Float, relative: float, rel_step: Float | None, abs_step: Float | None, x_scale: Float | None) -> Float:
    """The steps h > 0 asked for at the flat x: abs_step, or a relative step times max(|x|, x_scale).

    The default relative step gives a power of two, so that x + h loses as little as possible.
    """
    if abs_step is not None:
        return np.array(np.broadcast_to(abs_step, x.shape))
    h = np.abs(x)
    if rel_step is not None:
        with np.errstate(over="ignore"):
            return np.asarray(np.maximum(h, _ONE if x_scale is None else x_scale) * rel_step)
    np.maximum(h, _ONE if x_scale is None else x_scale, out=h)
    h *= relative
    # To the nearest power of two, in place: half of the significand's range up, then the significand off.
    bits = h.view(np.int64)
    bits += _HALF
    bits &= _NO_SIGNIFICAND
    return h


def taken(x: Float, h: Float) -> Float:
    """The step that is taken in floating point, (x + h) - x; adding it to x gives the same point."""
    to = x + h
    to -= x
    return to


def fit_to_bounds(
    x0: Float, h: Float, two_sided: bool, lb: Float, ub: Float, reach: float = 1.0, one_sided_reach: float | None = None
) -> tuple[Float, Mask]:
    """Steps that stay within bounds, and where a two-sided difference must become a one-sided one.

    reach is the farthest offset, in steps; that of one-sided differences is twice as far, if not given. One-sided
    steps flip where only the other side has room, else end at the farther bound. Two-sided steps shrink to the nearer
    bound where that costs less than going one-sided does. The rule is SciPy's; unlike SciPy, no point is outside by an
    ulp.
    """
    below, above = x0 - lb, ub - x0
    room = np.minimum(below, above) / 2.0  # half: whatever the rounding, all that fits here fits
    farthest = reach if two_sided or one_sided_reach is None else one_sided_reach
    if np.count_nonzero(room >= farthest * np.abs(h)) == h.size:
        return (np.abs(h), np.zeros(x0.shape, bool)) if two_sided else (h, np.ones(x0.shape, bool))
    upward = above >= below
    no_bound = np.isnan(below) | np.isnan(above)
    if two_sided:
        one_sided_reach = 2.0 * reach if one_sided_reach is None else one_sided_reach
        h = np.abs(h)
        fits = ((below >= reach * h) & (above >= reach * h)) | no_bound
        part = np.minimum(h, np.maximum(below, above) / one_sided_reach)
        nearer = np.minimum(below, above) / reach
        one_sided = ~fits & (part > nearer)
        h = np.where(fits, h, np.where(one_sided, np.where(upward, part, -part), nearer))
    else:
        one_sided_reach = reach if one_sided_reach is None else one_sided_reach
        one_sided = np.ones(x0.shape, bool)
        to = x0 + one_sided_reach * h
        length = one_sided_reach * np.abs(h)
        fits = (length <= np.maximum(below, above)) | no_bound
        flips = ((to < lb) | (to > ub)) & (length <= np.where(h > 0, below, above))
        h = np.where(fits, np.where(flips, -h, h), np.where(upward, above, -below) / one_sided_reach)
    # Rounding may carry a point past its bound. The room was rounded once, so a step an ulp smaller is inside.
    outside = ~inside(x0, h, two_sided, one_sided, lb, ub, reach, one_sided_reach) & ~no_bound
    return np.where(outside, np.nextafter(h, 0.0), h), one_sided


def inside(
    x0: Float,
    h: Float,
    two_sided: bool,
    one_sided: Mask,
    lb: Float,
    ub: Float,
    reach: float = 1.0,
    one_sided_reach: float = 2.0,
) -> Mask:
    """Where all points of a difference are within the bounds."""
    near = x0 + np.where(one_sided, 1.0, reach) * h
    far = x0 + np.where(one_sided, one_sided_reach if two_sided else reach, -reach) * h
    return np.asarray((near >= lb) & (near <= ub) & (far >= lb) & (far <= ub))
