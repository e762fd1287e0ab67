"""A function along a line through x0: x0 + t direction, with bounds, and every call counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._function import as_point, bind, component, describe, dtype_of, numbers
from ._steps import eps_of

Float = NDArray[np.float64]

_SEED: Final = 20110225  # of the default direction, which is the same in every call


class Line:
    """fun at x0 + t direction, one real number; each call gets an array of its own.

    Attributes
    ----------
    scale : float
        The t that moves some component by max(|x|, 1) and none by more.
    down, up : float
        How far t may go below and above 0 within the bounds, but for rounding.
    """

    def __init__(
        self,
        fun: Any,
        x0: ArrayLike,
        direction: Any,
        scaled: bool,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None,
        bounds: Any,
    ) -> None:
        """scaled: the default direction moves each component in proportion to its size, else it is a unit vector."""
        self.fun, self.args = bind(fun, args, kwargs)
        self.x0, moderate = as_point(x0)
        if self.x0.size == 0:
            raise ValueError("`x0` must have at least one component; it has none")
        limits = as_bounds(bounds, self.x0, moderate)
        flat = self.x0.reshape(-1)
        if limits is None:
            limits = np.full(flat.size, -np.inf), np.full(flat.size, np.inf)
        self.lb, self.ub = limits
        sizes = np.maximum(np.abs(flat), 1.0)
        along = self._default(sizes, scaled) if direction is None else as_direction(direction, self.x0.shape)
        self.nfev = 0
        self.eps: float | None = None  # that of fun's values; learnt in the first call
        self.direction = along
        with np.errstate(divide="ignore", over="ignore"):
            self.scale = float(1.0 / np.max(np.abs(along) / sizes)) if along.any() else 0.0
            above, below = self.ub - flat, flat - self.lb
            moved = along != 0
            ahead, behind = np.where(along > 0, above, below)[moved], np.where(along > 0, below, above)[moved]
            self.up = float(np.min(ahead / np.abs(along[moved]), initial=np.inf))
            self.down = float(np.min(behind / np.abs(along[moved]), initial=np.inf))

    def _default(self, sizes: Float, scaled: bool) -> Float:
        """A random unit vector, always the same; where bounds are near, it points away from them."""
        size = sizes.size
        unit = np.random.default_rng(_SEED).standard_normal(size) if size > 1 else np.ones(1)
        flat = self.x0.reshape(-1)
        with np.errstate(over="ignore"):
            above, below, width = self.ub - flat, flat - self.lb, self.ub - self.lb
        near = np.minimum(above, below) < sizes
        unit = np.where(near, np.where(above >= below, np.abs(unit), -np.abs(unit)), unit)
        unit = np.where(width > 0, unit, 0.0)
        length = float(np.sqrt(np.sum(unit * unit)))
        if length > 0:
            unit = unit / length
        return unit * np.minimum(sizes, width) if scaled else unit

    def value(self, x: Float) -> float:
        """fun at x, a flat array that nobody else uses."""
        with np.errstate(all="ignore"):  # looking where fun may not be defined
            result = self.fun(x.reshape(self.x0.shape), *self.args)
        self.nfev += 1
        if self.eps is None:
            self.eps = eps_of(dtype_of(result))
        array = numbers(result)
        if array.size != 1:
            raise ValueError(f"`fun` must return one number; it returned an array of {array.size}. Pass one of them")
        return float(array[0])

    def inside(self, x: Float) -> bool:
        return bool(np.all((x >= self.lb) & (x <= self.ub)))


def as_direction(direction: Any, shape: tuple[int, ...]) -> Float:
    """`direction`, flat: an integer picks a coordinate."""
    size = int(np.prod(shape))
    if isinstance(direction, int | np.integer) and not isinstance(direction, bool):
        if not -size <= direction < size:
            raise ValueError(f"`direction`, as a coordinate, must be from {-size} to {size - 1}; it is {direction}")
        along = np.zeros(size)
        along[direction] = 1.0
        return along
    array = np.asarray(direction)
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"`direction` must be a coordinate or an array of real numbers of x0's shape; it is {describe(direction)}"
        )
    if array.shape != shape and not array.size == size == 1:
        raise ValueError(f"`direction` must be a coordinate or have the shape of `x0`, {shape}; it has {array.shape}")
    flat = np.array(array, dtype=np.float64).reshape(-1)
    bad = np.flatnonzero(~np.isfinite(flat))
    if bad.size:
        where = component("direction", int(bad[0]), array.shape)
        raise ValueError(f"`direction` must be finite; {where} is {flat[bad[0]]}")
    if not flat.any():
        raise ValueError("`direction` must not be zero; all of it is 0")
    return flat
