"""bounds= of numdiff's own names: what it may be, and x0 clipped into it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._function import component
from ._steps import EPS, MAX

Float = NDArray[np.float64]


def as_bounds(bounds: Any, x0: Float, moderate: bool, name: str = "x0") -> tuple[Float, Float] | None:
    """(lb, ub), flat, or None where nothing is bounded; x0 is clipped in place where it is outside by rounding only.

    Where x0 is not moderate, x + h could be inf: then the largest floats are the bounds.
    """
    if bounds is None:
        return None if moderate else (np.full(x0.size, -MAX), np.full(x0.size, MAX))
    try:
        lower, upper = bounds
    except (TypeError, ValueError):
        raise ValueError(f"`bounds` must be a pair (lb, ub) of numbers or arrays; it is {bounds!r}") from None
    lb, ub = _one_bound("lb", lower, x0, name), _one_bound("ub", upper, x0, name)
    if np.any(lb > ub):
        i = int(np.flatnonzero(lb > ub)[0])
        where = component("lb", i, x0.shape), component("ub", i, x0.shape)
        raise ValueError(f"`bounds` must have lb <= ub; {where[0]} is {lb[i]} and {where[1]} is {ub[i]}")
    x = x0.reshape(-1)
    for bound, beyond, relation in ((lb, x < lb, ">= lb"), (ub, x > ub, "<= ub")):
        far = beyond & (np.abs(x - bound) > 4 * EPS * np.maximum(1, np.abs(bound)))
        if far.any():
            i = int(np.flatnonzero(far)[0])
            at = component(name, i, x0.shape)
            raise ValueError(f"`{name}` must be within `bounds`: {at} is {x[i]!s}, not {relation} = {bound[i]}")
        x[beyond] = bound[beyond]
    return np.maximum(lb, -MAX), np.minimum(ub, MAX)


def _one_bound(name: str, value: Any, x0: Float, point: str) -> Float:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`bounds`: {name} must be a real number or an array of them; it is {value!r}")
    if array.shape not in ((), x0.shape):
        raise ValueError(
            f"`bounds`: {name} must be a number or of the shape of `{point}`, {x0.shape}; it is {array.shape}"
        )
    if np.isnan(array).any():
        raise ValueError(f"`bounds`: {name} must not be nan; it is {value!r}")
    return np.array(np.broadcast_to(array, x0.shape), dtype=np.float64).reshape(-1)
