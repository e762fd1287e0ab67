"""The dense difference: one call down to the kernels, and what to do when fun writes into its argument."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._backend import kernels as kernels
from ._function import dtype_of, numbers, one_number, same_number, same_numbers
from ._kernels_py import NO_STEP, WRITTEN
from ._moves import Moves, of_difference
from ._native import Native
from ._ranges import in_ranges
from ._stencils import CENTRAL, Stencil
from ._steps import EPS, default_step, eps_of

Float = NDArray[np.float64]


class NoStepError(Exception):
    """A step is lost in rounding: x + h == x. Raised before fun is called; never reaches the user."""


def difference(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    m: int,
    x0: Float,
    index: NDArray[np.intp] | None,
    h: Float,
    stencil: Stencil,
    f0: Any = None,
    first: Any = None,
    kept: Float | None = None,
    workers: Any = None,
) -> tuple[Float, int, int]:
    """The derivatives, one row for each step in h: ((count,) or (count, m), calls of fun, remarks).

    x0 must be a private copy: it is compared with what fun sees. workers: None, a number of threads, or an Executor
    of them. See the kernels for the others.
    """
    count = h.size
    out = np.empty(count if m == 1 else (count, m))
    if workers is None or count < 2:
        status, nfev = kernels.difference(fun, args, values, m, x0, index, h, stencil, f0, first, out, kept)
    else:
        where, flat = np.arange(count) if index is None else index, h.reshape(-1)
        part = partial(_part, args, values, m, x0, where, flat, stencil, f0, first, out, kept)
        status, nfev = in_ranges(workers, fun, count, part)
    if status >= 0:
        return out, nfev, status
    if status == WRITTEN:
        # fun writes into its argument: start over, and let it have a copy of its own in every call
        fun = partial(_on_copy, fun)
        status, more = kernels.difference(fun, args, values, m, x0, index, h, stencil, f0, first, out, kept)
        nfev += more
    if status == NO_STEP:
        raise NoStepError
    return out, nfev, status


CENTRAL_STEP: Final = default_step(EPS, 2)
_FLOAT64: Final = np.dtype(np.float64)


def is_plain(fun: Native, x0: Any) -> bool:
    """Whether fun has one value, and x0 is an array as fun takes it, with axes and components."""
    return (
        type(x0) is np.ndarray
        and x0.dtype is _FLOAT64
        and x0.flags.c_contiguous
        and x0.shape != ()
        and x0.size > 0
        and fun.m == 1
    )


def plain_gradient(fun: Native, x: Float, kept: Float | None, workers: Any = None) -> tuple[Float, Float, int]:
    """The gradient at x, a private copy, and its steps; calls of fun: below 0 (or 0) where it takes more care.

    kept, if wanted, takes fun's values, (n, 2, 1).
    """
    h, out = np.empty(x.shape), np.empty(x.shape)
    if kernels.move(x, CENTRAL_STEP, 1.0, 1.0, h):
        return out, h, 0
    h -= x
    if workers is None:
        status, calls = kernels.difference(fun, (), one_number, 1, x, None, h, CENTRAL, None, None, out, kept)
    else:
        flat = h.reshape(-1), CENTRAL, None, None, out.reshape(-1), None
        part = partial(_part, (), one_number, 1, x, np.arange(x.size), *flat)
        status, calls = in_ranges(workers, fun, x.size, part)
    return out, h, calls if status == 0 else -calls


# Not inside: a function with functions in it takes longer, even where they are not made.
def _part(
    args: Any, values: Any, m: int, x0: Any, index: Any, h: Any, stencil: Any, f0: Any, first: Any, out: Any, kept: Any,
    fun: Any, begin: int, end: int,
) -> Any:  # fmt: skip
    """The steps from begin to end of `difference`."""
    own = slice(begin, end)
    one, rest = first if begin == 0 else None, None if kept is None else kept[own]
    return kernels.difference(fun, args, values, m, x0, index[own], h[own], stencil, f0, one, out[own], rest)


def _on_copy(fun: Callable[..., Any], x: Float, *args: Any) -> Any:
    return fun(x.copy(), *args)


class Run:
    """A function being differenced around x0: its calls counted, its number of values and its precision learnt."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...], x0: Float, scalar: bool, f0: Any) -> None:
        self.fun = fun
        self.args = args
        self.x0 = x0
        self.nfev = 0
        self.eps: float | None = None  # that of fun's values; learnt in the first call
        self.noise = 0.0  # the standard deviation of fun's values, if the user knows it
        self.f0: Any = None  # fun(x0): a float if m is 1
        self.m: int | None = None
        self.workers: Any = None  # several threads
        self.engine: Any = None  # calls fun in another way: see _engine.py
        self.bar: Any = None  # of the calls
        self.values: Callable[[Any], Any] = one_number
        self.scalar = scalar  # gradient: fun must return one number
        if scalar:
            self.m = 1
        if isinstance(fun, Native) and fun.m is not None:  # nothing to be learnt
            self.eps = EPS
            nothing = np.zeros(fun.m)
            if scalar:
                one_number(nothing)
            else:
                self.learn(nothing)
        if f0 is not None:
            self.f0 = one_number(f0, "f0") if scalar else self.learn(numbers(f0, "f0"))

    def learn(self, value: Float) -> Any:
        """Fix m by a first value; returns it, a float if m is 1."""
        self.m = value.size
        if self.m == 1:
            self.values = same_number
            return float(value[0])
        self.values = partial(same_numbers, self.m)
        return value

    def evaluate(self, x: Float) -> Any:
        """fun at x, an array that nobody else uses; the first value fixes m and eps."""
        value = self.fun(x, *self.args)
        self.nfev += 1
        if isinstance(value, float) and self.m in (None, 1):  # the usual case, quickly
            if self.m is None:
                self.m, self.values = 1, same_number
            self.eps = self.eps or EPS
            return float(value)
        result = self.learn(numbers(value)) if self.m is None else self.values(value)
        if self.eps is None:
            self.eps = EPS if isinstance(value, float) else eps_of(dtype_of(value))
        return result

    def need_f0(self) -> Any:
        if self.f0 is None:
            self.f0 = self.evaluate(self.x0.copy())
        return self.f0

    def difference(
        self,
        index: NDArray[np.intp] | None,
        h: Float,
        stencil: Stencil,
        first: Any = None,
        kept: Float | None = None,
    ) -> tuple[Float, int]:
        """The derivatives by the coordinates of index, (count, m), and remarks; kept takes fun's values."""
        assert self.m is not None
        calls = sum(offset != 0.0 for offset in stencil[0])
        if self.bar is not None:
            self.bar.expect(h.size * calls - (first is not None))
        if self.engine is not None:
            return self._difference_by_engine(index, h.reshape(-1), stencil, first, kept, calls)
        rows, nfev, remarks = difference(
            self.fun, self.args, self.values, self.m, self.x0, index, h, stencil, self.f0, first, kept,
            self.workers,
        )  # fmt: skip
        self.nfev += nfev
        return rows.reshape(h.size, self.m), remarks

    def _difference_by_engine(
        self, index: NDArray[np.intp] | None, h: Float, stencil: Stencil, first: Any, kept: Float | None, calls: int
    ) -> tuple[Float, int]:
        """The same, the values first, of so many coordinates that they do not fill the memory."""
        assert self.m is not None
        out = np.empty((h.size, self.m))
        most = self.engine.most(calls * self.m)
        if h.size <= most:
            return out, self._values_first(index, h, stencil, first, out, kept)
        remarks, where = 0, np.arange(h.size) if index is None else index
        for begin in range(0, h.size, most):
            part = slice(begin, begin + most)
            rest = None if kept is None else kept[part]
            remarks |= self._values_first(where[part], h[part], stencil, first, out[part], rest)
            first = None
        return out, remarks

    def _values_first(
        self, index: NDArray[np.intp] | None, h: Float, stencil: Stencil, first: Any, out: Float, kept: Float | None
    ) -> int:
        """Fill out, and kept if wanted; remarks."""
        values = self.beside(of_difference(self.x0, index, h, stencil), first)
        rest = index, h, stencil, self.f0, None, out, kept
        status: int
        status, _ = kernels.difference(values, (), self.values, self.m, self.x0.reshape(-1), *rest)
        return status

    def beside(self, moves: Moves, first: Any = None) -> Float:
        """What the kernels take in place of fun: its values at the moves, (calls, m)."""
        values, nfev = self.engine.values(self, moves, first)
        self.nfev += nfev
        return np.ascontiguousarray(values)


def first_point(x0: Float, coordinate: int, h: float, stencil: Stencil) -> Float:
    """A new array: the point of the first call for this coordinate."""
    offset = stencil[0][0] or stencil[0][1]
    x = x0.copy()
    x.reshape(-1)[coordinate] += offset * h
    return x
