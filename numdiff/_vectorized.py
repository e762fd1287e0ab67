"""A fun that takes many points at once, as columns: vectorized=True."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._elementwise import keep_freed_memory
from ._function import as_array, changed_shape, describe
from ._moves import Moves
from ._native import Native
from ._steps import EPS, eps_of
from ._stops import count

Float = NDArray[np.float64]

_IN_CACHE: Final = 1 << 20  # bytes of a block: what fun makes of it should stay in the cache
_MANY: Final = 64  # columns: if these do not fit, blocks may be larger, as columns share the cost of a call,
_LARGE: Final = 1 << 22  # up to so many bytes,
_LEAST: Final = 4  # or so many columns
_PAGES: Final = 1 << 14  # numbers: the system gives larger arrays back to itself
_ROUNDING: Final = 64 * EPS  # how far a value changes with the number of columns, with no second look
_BY_NUMBER: Final = 1e-6  # the same of the largest value, after one: BLAS rounds by the number of columns,
_COARSELY: Final = 0.05  # and in float32 that may be much of what cancels


def columns_of(fun: Any, max_bytes: Any) -> Columns:
    """fun, with vectorized=True; an @njit function is one of Python then."""
    if type(fun) is Native:
        raise ValueError("`vectorized` cannot be True for a native `fun`, which takes one point at a time")
    own = fun.fun if isinstance(fun, Native) else fun  # type: ignore[attr-defined]
    return Columns(own, count("max_bytes", max_bytes, 1))


class Columns:
    """A vectorised fun, callable with one point; and with many, in blocks."""

    def __init__(self, fun: Callable[..., Any], max_bytes: int) -> None:
        self.fun, self.max_bytes = fun, max_bytes
        self.nfev = 0  # columns that fun was called with
        self.eps = EPS  # that of its last values

    def __call__(self, x: NDArray[Any], *args: Any) -> Any:
        """At one point, in its dtype: a number, or m of them."""
        value = self.fun(x[..., None], *args)
        self.nfev += 1
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
        each = 8 * numbers
        return max(1, min(self.max_bytes // each, max(_IN_CACHE // each, min(_MANY, _LARGE // each), _LEAST)))

    def values(
        self, args: tuple[Any, ...], x0: Float, moves: Moves, m: int, first: Float | None, done: Callable[[int], Any]
    ) -> tuple[Float, int]:
        """At the moves, (k, m), and of how many columns; first: what fun is at the first, if it is known.

        done(k) is told of k columns more. The first column of each block is also seen alone.
        """
        found, nfev = np.empty((len(moves), m)), 0
        width = self.width(x0.size + m)
        if width * x0.size > _PAGES:
            keep_freed_memory()
        for begin in range(0, len(moves), width):
            part = moves if width >= len(moves) else moves.at(slice(begin, begin + width))
            k, alone, place = len(part), first if begin == 0 else None, witness(len(part))
            block = part.columns(x0, width * x0.nbytes > _IN_CACHE)
            _swap(block.T, place)
            found[begin : begin + k] = self.block(args, block, m)
            _swap(found[begin : begin + k], place)
            if alone is None and k > 1:
                alone = self.block(args, part.at(slice(0, 1)).columns(x0), m)[0].astype(np.float64)
                k += 1
            if alone is not None:
                column = partial(part.at(slice(0, 1)).columns, x0)
                k += self.check(args, column, place, alone, found[begin : begin + len(part)], 0)
            nfev += k
            done(k)
        return found, nfev

    def block(self, args: tuple[Any, ...], block: Float, m: int) -> NDArray[Any]:
        """The values of one block, (k, m)."""
        k = block.shape[-1]
        value = self.fun(block, *args)
        self.nfev += k
        array = self.as_columns(value, k)
        if array.dtype.kind == "c":
            raise TypeError(f"`fun` must return real numbers; it returned {describe(array)}")
        self.eps = eps_of(array.dtype)
        if array.dtype.itemsize > 8:
            with np.errstate(over="ignore"):  # longdouble
                array = array.astype(np.float64)
        array = array.reshape(-1, k)
        if len(array) != m:
            raise changed_shape(m, len(array))
        return array.T

    def check(
        self, args: tuple[Any, ...], column: Callable[[], Float], place: int, alone: Float, block: Float, row: int
    ) -> int:
        """Raise where fun lets other columns into one, or their number; returns for how many columns it was called.

        At place of a block with the values (k, m), of which those of the row are meant, fun is not the same as alone.
        Its rounding may depend on how many columns there are, but not on what is in them.
        """
        beside = block[row]
        pairs = zip(alone.tolist(), beside.tolist(), strict=True)
        apart = [abs(a - b) > _ROUNDING * max(abs(a), abs(b)) for a, b in pairs]
        if True not in apart:
            return 0
        k = len(block)
        once, twice = (
            self.block(args, np.repeat(column(), k, axis=-1), alone.size)[place].astype(np.float64) for _ in range(2)
        )
        if not np.array_equal(once, twice, equal_nan=True):  # it is noise
            return 2 * k
        with np.errstate(all="ignore"):
            size = np.max(np.abs(block), axis=0, initial=0.0, where=np.isfinite(block))
            allowed = _BY_NUMBER if self.eps <= EPS else _COARSELY
            by_number = np.abs(alone - once) > allowed * np.maximum(size, np.abs(alone))
        if by_number.any() or not np.array_equal(once, beside, equal_nan=True):
            r = int(np.flatnonzero(by_number)[0]) if by_number.any() else apart.index(True)
            raise ValueError(
                "`fun` must treat each column of x by itself (vectorized=True): at one point it is "
                f"{float(alone[r])} alone, and {float(beside[r])} among {k} columns"
            )
        return 2 * k


def witness(k: int) -> int:
    """Where of k columns the one that is looked at stands: with others on both sides, and elsewhere in a mirror."""
    return k // 2 + k % 2 if k > 1 else 0  # of two or three the last


def _swap(rows: Float, place: int) -> None:
    """The first row and that at place."""
    if place:
        first = rows[0].copy()
        rows[0] = rows[place]
        rows[place] = first
