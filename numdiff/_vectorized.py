"""A fun that takes many points at once, as columns: vectorized=True."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._elementwise import keep_freed_memory
from ._function import as_array, changed_shape, describe
from ._moves import Moves
from ._steps import EPS

Float = NDArray[np.float64]

_IN_CACHE: Final = 1 << 20  # bytes of a block: what fun makes of it should stay in the cache
_LEAST: Final = 64  # columns of a block, if max_bytes allows: they share the cost of a call
_PAGES: Final = 1 << 14  # numbers: the system gives larger arrays back to itself
_ROUNDING: Final = 64 * EPS  # how far a value changes with the number of columns, with no second look


class Columns:
    """A vectorised fun, callable with one point; and with many, in blocks."""

    def __init__(self, fun: Callable[..., Any], max_bytes: int) -> None:
        self.fun, self.max_bytes = fun, max_bytes
        self.checked = False  # whether its columns are known to be apart

    def __call__(self, x: NDArray[Any], *args: Any) -> Any:
        """At one point, in its dtype: a number, or m of them."""
        value = self.fun(x[..., None], *args)
        return self.as_columns(value, 1)[..., 0]

    def as_columns(self, value: Any, k: int) -> NDArray[Any]:
        """What fun returned for k columns, as an array (k,) or (m, k)."""
        if value is None:
            raise TypeError("`fun` returned None; did fun forget to return its value?")
        array = as_array(value)
        if array.dtype.kind not in "fiuc":
            raise TypeError(f"`fun` must return real numbers; it returned {describe(value)}")
        if array.ndim not in (1, 2) or array.shape[-1] != k:
            raise ValueError(
                f"`fun` must return one column for each of x (vectorized=True): for {k} of them an array of shape "
                f"({k},) or (m, {k}); it returned {'one number' if not array.ndim else f'shape {array.shape}'}"
            )
        return array

    def width(self, numbers: int) -> int:
        """How many columns of so many numbers, with fun's values of them, make a block."""
        most = max(_LEAST, _IN_CACHE // (8 * numbers))
        return max(1, min(self.max_bytes // (8 * numbers), most))

    def values(
        self, args: tuple[Any, ...], x0: Float, moves: Moves, m: int, first: Float | None, done: Callable[[int], Any]
    ) -> Float:
        """At the moves, (k, m); first: what fun is at the first, if it is known. done(k) is told of k more."""
        found = np.empty((len(moves), m))
        width = self.width(x0.size + m)
        if width * x0.size > _PAGES:
            keep_freed_memory()
        for begin in range(0, len(moves), width):
            part = moves if width >= len(moves) else moves.at(slice(begin, begin + width))
            # The first stands in the middle, where sums over the columns from either side would show in it.
            order = np.roll(np.arange(len(part)), len(part) // 2)
            block = part.at(order).columns(x0)
            with np.errstate(over="ignore"):  # longdouble
                found[begin + order] = self.block(args, block, m)
            if begin == 0 and first is not None:
                column, place = part.at(slice(0, 1)).columns(x0), len(part) // 2
                self.check(args, column, len(part), place, first, found[0])
            done(len(part))
        return found

    def block(self, args: tuple[Any, ...], block: Float, m: int) -> NDArray[Any]:
        """The values of one block, (k, m)."""
        k = block.shape[-1]
        array = self.as_columns(self.fun(block, *args), k)
        if array.dtype.kind == "c":
            raise TypeError(f"`fun` must return real numbers; it returned {describe(array)}")
        array = array.reshape(-1, k)
        if len(array) != m:
            raise changed_shape(m, len(array))
        return array.T

    def check(self, args: tuple[Any, ...], column: Float, k: int, place: int, alone: Float, beside: Float) -> None:
        """Raise where fun lets other columns into one: at place, of k, it is not the same as alone.

        Its rounding may depend on how many columns there are, but not on what is in them.
        """
        if alone.tobytes() == beside.tobytes():
            return
        with np.errstate(all="ignore"):
            apart = np.abs(alone - beside) > _ROUNDING * np.maximum(np.abs(alone), np.abs(beside))
        if not apart.any():
            return
        once, twice = (
            self.block(args, np.repeat(column, k, axis=-1), alone.size)[place].astype(np.float64) for _ in range(2)
        )
        if np.array_equal(once, twice, equal_nan=True) and not np.array_equal(once, beside, equal_nan=True):
            r = int(np.flatnonzero(apart)[0])
            raise ValueError(
                "`fun` must treat each column of x by itself (vectorized=True): at one point it is "
                f"{float(once[r])}, and {float(beside[r])} where the columns beside it are others"
            )
