"""A function of one variable at many points: all points move together, so a stencil of k offsets costs k calls.

Arrays here are flat, but for what fun sees: always an array of x's shape, so that fun may hold parameters of that
shape. Where only some points are tried again, the others stay at x.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._backend import kernels
from ._function import as_array, describe, dtype_of, one_number
from ._kernels_py import OVERFLOW
from ._stencils import Stencil
from ._steps import EPS, eps_of, steps

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FLOAT64 = np.dtype(np.float64)


def _references_of_one_name() -> int:
    value = np.empty(0)
    return getrefcount(value)


_ALONE = _references_of_one_name()  # of an array that nothing but one local variable holds


@dataclass
class Sweep:
    """Quotients, and the smallest and largest value of fun behind each."""

    quotient: Float
    low: Float
    high: Float
    opposite: Mask | None  # where the values nearest to x have opposite signs; None where x is a point itself


@cache
def keep_freed_memory() -> None:
    """Once in a process: let glibc keep up to 64 MB of freed memory for the arrays to come.

    It keeps twice as much as the largest piece freed so far, up to 32 MB; else every array here, and every one of
    fun's, comes in fresh pages, and these take most of the time: x^2 at 1,000,000 points takes 1.8 ms with this and 4.3
    without. The piece is never touched, so that it costs nothing.
    """
    np.empty((1 << 25) - (1 << 13), np.uint8)


class CoarseError(Exception):
    """fun's first value is coarser than float64: longer steps are due. Never reaches the user."""


class Elementwise:
    """fun at points around x: its calls counted, its precision learnt."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...], x: Float, vectorized: bool) -> None:
        self.fun = fun
        self.args = args
        self.shape = x.shape
        self.x = x.reshape(-1)
        self.vectorized = vectorized
        self.nfev = 0
        self.eps: float | None = None  # that of fun's values; learnt in the first call
        self.noise = 0.0  # their standard deviation, if the user knows it
        self.redo_if_coarse = False
        self.quiet = False  # in calls for which the user did not ask
        self.f0 = np.empty(0)  # fun(x), where known
        self.f0_known = np.zeros(0, bool)

    @property
    def coarse(self) -> bool:
        return (self.eps or EPS) > EPS

    def numbers(self, value: Any) -> Float:
        """What fun returned, as a float64 array of x's shape: itself, where it is one."""
        if value is None:
            raise TypeError("`fun` returned None; did fun forget to return its value?")
        array = as_array(value)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"`fun` must return real numbers; it returned {describe(value)}")
        if array.shape != self.shape and not (array.size == 1 and self.x.size == 1):
            what = "one number" if array.shape == () else f"an array of shape {array.shape}"
            raise ValueError(
                f"`fun` must be elementwise: for an `x` of shape {self.shape} it must return that shape; it returned "
                f"{what}. For a fun of one number set vectorized=False; for a function of all of x see "
                "numdiff.gradient and numdiff.jacobian"
            )
        with np.errstate(over="ignore"):  # longdouble
            return np.ascontiguousarray(array, dtype=np.float64).reshape(self.shape)

    def learn(self, value: Any) -> None:
        if self.eps is None:
            self.eps = eps_of(dtype_of(value))
            if self.coarse and self.redo_if_coarse:
                raise CoarseError

    def at(self, points: Float, where: Mask | None = None) -> Float:
        """The values at the points, to be read before the next call; only those of `where` count."""
        with np.errstate(all="ignore") if self.quiet else nullcontext():
            if self.vectorized:
                value = self.fun(points.reshape(self.shape), *self.args)
                self.nfev += 1
                array = self.numbers(value)
                self.learn(value)
                return array.reshape(-1)
            values = np.full(points.size, np.nan)
            for i in range(points.size) if where is None else np.flatnonzero(where):
                value = self.fun(float(points[i]), *self.args)
                self.nfev += 1
                values[i] = one_number(value)
                self.learn(value)
            return values

    def need_f0(self, where: Mask | None = None) -> Float:
        """fun(x), at least where asked for."""
        if not self.f0_known.size:
            self.f0 = np.full(self.x.size, np.nan)
            self.f0_known = np.zeros(self.x.size, bool)
        wanted = ~self.f0_known if where is None else where & ~self.f0_known
        if wanted.any():
            values = self.at(self.x.copy(), wanted)
            if self.vectorized:
                wanted[:] = True
            self.f0[wanted] = values[wanted]
            self.f0_known |= wanted
        return self.f0

    def quick(self, relative: float, x_scale: float, stencil: Stencil, steepest: float) -> tuple[Float, int, Any]:
        """First derivatives by a stencil of two points and default steps, fast: (quotients, remarks, Sweep or None).

        OVERFLOW says that x is nan, inf or huge; the quotients are none then. The Sweep is there where something
        needs a closer look.
        """
        x = self.x
        if x.nbytes > 1 << 20:
            keep_freed_memory()
        work = np.empty((2, x.size))
        points, first = work[0].reshape(self.shape), work[1].reshape(self.shape)
        before = getrefcount(points), getrefcount(work)
        left, left_mine = first, False
        for j, offset in enumerate(stencil[0]):
            if kernels.move(x, relative, x_scale, offset or stencil[0][1], points) & OVERFLOW:
                return x, OVERFLOW, None
            if not offset:
                np.copyto(points, x.reshape(self.shape))
            value = self.fun(points, *self.args)
            self.nfev += 1
            mine = (  # nobody else has it: the quotients may take its place
                type(value) is np.ndarray
                and getrefcount(value) <= _ALONE
                and value.base is None
                and value.dtype == _FLOAT64
                and value.shape == self.shape
                and value.flags.carray
                and value.flags.owndata
            )
            array = value if mine else self.numbers(value)
            self.learn(value)
            if j == 0:
                if mine:
                    left, left_mine = array, True
                else:  # fun may return the same array the next time
                    np.copyto(first, array)
                del array, value
                if (getrefcount(points), getrefcount(work)) != before or not points.flags.writeable:
                    points = np.empty(self.shape)  # fun has kept the other, or made it read-only
        out = array if mine else left if left_mine else np.empty(self.shape)
        remarks = kernels.quotient(x, relative, x_scale, stencil, steepest, left, array, out)
        sweep = None
        if remarks:
            h = steps(x, relative, None, None, np.array(x_scale))
            quotient, a, b = out.reshape(-1), left.reshape(-1), array.reshape(-1)
            with np.errstate(all="ignore"):
                change = quotient * (stencil[2] * (stencil[0][1] - stencil[0][0]) * h)
                if out is array:
                    b = a + change
                elif out is left:
                    a = b - change
                opposite = None if 0.0 in stencil[0] else np.signbit(a) != np.signbit(b)
                sweep = Sweep(quotient, np.minimum(a, b), np.maximum(a, b), opposite)
            known = left if stencil[0][0] == 0.0 else array
            if 0.0 in stencil[0] and out is not known:
                self.f0, self.f0_known = known.reshape(-1).copy(), np.ones(x.size, bool)
        return out, remarks, sweep

    def sweep(self, h: Float, stencil: Stencil, n: int, where: Mask | None = None) -> Sweep:
        """The n-th derivatives with the steps h (of any sign), where asked for; nan elsewhere."""
        offsets, weights, scale = stencil
        x = self.x
        total = low = high = np.empty(0)
        signs: list[Mask] = []
        for j, (offset, weight) in enumerate(zip(offsets, weights, strict=True)):
            if offset:
                with np.errstate(all="ignore"):
                    points = x + offset * h
                value = self.at(points if where is None else np.where(where, points, x), where)
            else:
                value = self.need_f0(where)
            with np.errstate(all="ignore"):
                if j == 0:
                    total, low, high = weight * value, value.copy(), value.copy()
                else:
                    total += weight * value
                    np.minimum(low, value, out=low)
                    np.maximum(high, value, out=high)
                if offset in (offsets[len(offsets) // 2 - 1], offsets[len(offsets) // 2]):
                    signs.append(np.signbit(value))
        with np.errstate(all="ignore"):
            if n == 1:
                total /= scale * ((x + offsets[-1] * h) - (x + offsets[0] * h))
            else:
                power = h
                for _ in range(n - 1):
                    power = power * h
                total /= scale * power
        if where is not None:
            total[~where] = np.nan
        return Sweep(total, low, high, None if 0.0 in offsets else signs[0] != signs[1])
