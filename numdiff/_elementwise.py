"""A function of one variable at many points: all points move together, so a stencil of k offsets costs k calls.

Arrays here are flat, but for what fun sees: always an array of x's shape, so that fun may hold parameters of that
shape. Where only some points are tried again, the others stay at x.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._backend import kernels
from ._function import as_array, describe, dtype_of, one_number
from ._kernels_py import NEAR, OVERFLOW
from ._result import Flag
from ._stencils import Stencil
from ._steps import EPS, eps_of, steps

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FLOAT64 = np.dtype(np.float64)
_CLEAR = 0.03  # of the distance to the end of a domain: a step that keeps clear of it
_ROUNDS = 12
_ROUNDS_ONE_SIDED = 4
_FELT = 1e4  # rounding errors of f: a change so large gives a quotient right to 1e-4


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
    fun's, comes in fresh pages, and these take most of the time. The piece is never touched, so that it costs nothing.
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
                if (getrefcount(points), getrefcount(work)) != before:
                    points = np.empty(self.shape)  # fun has kept the other
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


def power_of_two_below(h: Float) -> Float:
    """The largest power of two that is not above |h|, with the sign of h."""
    with np.errstate(all="ignore"):
        return np.asarray(np.where(h == 0, 0.0, np.ldexp(np.copysign(0.5, h), np.frexp(h)[1])))


@dataclass
class Layout:
    """Where the points go: a step and a stencil for each element."""

    n: int
    main: Stencil
    side: Stencil  # for a central difference that must become one-sided
    h: Float  # signed
    lb: Float | None = None
    ub: Float | None = None
    aside: Mask | None = None  # where `side` takes the place of `main`
    free: Mask | None = None  # where the bounds leave room
    flags: NDArray[np.intp] | None = None

    def groups(self) -> list[tuple[Mask | None, Stencil]]:
        """Which elements take which stencil; None: all."""
        if self.aside is None or self.free is None:
            return [(None, self.main)]
        groups: list[tuple[Mask | None, Stencil]] = []
        for mask, stencil in ((self.free & ~self.aside, self.main), (self.free & self.aside, self.side)):
            if mask.any():
                groups.append((None if mask.all() else mask, stencil))
        return groups

    def fits(self, x: Float, h: Float, stencil: Stencil) -> Mask:
        """Where the points are within the bounds and all different."""
        with np.errstate(all="ignore"):
            points = [x + offset * h for offset in sorted({0.0, *stencil[0]})]
        fits = np.isfinite(points[0]) & np.isfinite(points[-1])
        for a, b in pairwise(points):
            fits &= a != b
        if self.lb is not None and self.ub is not None:
            for point in points:
                fits &= (point >= self.lb) & (point <= self.ub)
        return np.asarray(fits)

    def distance(self, x: Float) -> Float:
        """How far x is from where a domain is likely to end: 0 and the bounds, but for those it is at."""
        far = [np.abs(x)]
        if self.lb is not None and self.ub is not None:
            with np.errstate(over="ignore"):
                far += [x - self.lb, self.ub - x]
        return np.asarray(np.min([np.where(d > 0, d, np.inf) for d in far], axis=0))


def fit(layout: Layout, x: Float, central: bool) -> None:
    """Bring the steps of layout within its bounds: shorter ones, the other side, or one side only."""
    lb, ub, wanted = layout.lb, layout.ub, layout.h
    assert lb is not None
    assert ub is not None
    with np.errstate(over="ignore"):
        below, above = np.minimum(x - lb, 1e300), np.minimum(ub - x, 1e300)
    nearer, farther = np.minimum(below, above), np.maximum(below, above)
    upward = np.where(above >= below, 1.0, -1.0)
    size = np.abs(wanted)
    reach = layout.main[0][-1]
    if central:
        # A shorter central difference, where that costs no more of the step than going to one side does.
        as_it_is = nearer >= reach * size
        short = np.where(as_it_is, size, np.minimum(size, power_of_two_below(nearer / reach)))
        one_side = np.minimum(size, power_of_two_below(farther / layout.side[0][-1]))
        aside = ~as_it_is & (one_side > short)
        h = np.where(aside, upward * one_side, short)
    else:
        aside = np.zeros(x.size, bool)
        ahead, behind = np.where(wanted > 0, above, below), np.where(wanted > 0, below, above)
        h = np.where(behind >= reach * size, -wanted, upward * np.minimum(size, power_of_two_below(farther / reach)))
        h = np.where(ahead >= reach * size, wanted, h)
    free = np.zeros(x.size, bool)
    for mask, stencil in ((~aside, layout.main), (aside, layout.side)):
        inside = layout.fits(x, h, stencil)
        h = np.where(mask & ~inside, 0.5 * h, h)  # rounding has carried a point past its bound
        free |= mask & layout.fits(x, h, stencil)
    flags = np.zeros(x.size, np.intp)
    flags[aside | (np.sign(h) != np.sign(wanted))] |= Flag.one_sided
    flags[np.abs(h) < size * (1 - 1e-6)] |= Flag.shrunk
    flags[~free] = Flag.fixed
    layout.h, layout.aside, layout.free, layout.flags = h, aside, free, flags


class Search:
    """Better derivatives where the first are not finite or not to be believed; see _domain.py for the rules.

    quotient, h, low, high and flags are changed in place.
    """

    def __init__(self, function: Elementwise, layout: Layout, sweep: Sweep, flags: NDArray[np.intp]) -> None:
        self.function = function
        self.layout = layout
        self.flags = flags
        self.h = layout.h.copy()
        self.quotient, self.low, self.high = sweep.quotient, sweep.low, sweep.high
        self.opposite = sweep.opposite
        self.free = np.ones(self.h.size, bool) if layout.free is None else layout.free

    def run(self, relative: float, steepest: Any, default_steps: bool) -> None:
        function, layout, x = self.function, self.layout, self.function.x
        pending = ~np.isfinite(self.quotient) & self.free
        distance = layout.distance(x)
        near = poles = np.zeros(x.size, bool)
        if default_steps:
            with np.errstate(invalid="ignore"):
                steep = self.free & ~pending & (np.abs(self.quotient) > steepest)
            near = steep & (distance < NEAR * np.abs(self.h))
            if self.opposite is not None:
                poles = steep & self.opposite
        asked = pending | near | poles
        if not asked.any():
            return
        function.quiet = True
        f0 = function.need_f0(asked)
        hopeless = asked & ~np.isfinite(f0)
        with np.errstate(all="ignore"):
            # Across a pole f(x) is far outside of the values on the two sides: tan at the float below pi / 2.
            margin = self.high - self.low
            hopeless |= poles & ((f0 > self.high + margin) | (f0 < self.low - margin))
        pending &= ~hopeless
        self._nearer(near & ~hopeless, relative * distance)

        with np.errstate(all="ignore"):
            clear = np.where(distance > 0, _CLEAR * distance, np.inf)
            smaller = np.copysign(np.minimum(0.1 * np.abs(layout.h), clear), layout.h)
        for mask, stencil in layout.groups():
            here = pending if mask is None else pending & mask
            if here.any():
                pending = pending & ~(here & ~self._shrink(here, smaller, stencil, Flag.shrunk))
        for side in (1.0, -1.0):
            pending = pending & ~np.isfinite(self.quotient)
            if pending.any():
                pending = self._shrink(pending, side * np.abs(layout.h), layout.side, Flag.one_sided)
        lost = (pending & ~np.isfinite(self.quotient)) | hopeless
        self.quotient[lost] = np.nan
        self.flags[lost] |= Flag.nonfinite
        function.quiet = False

    def _nearer(self, near: Mask, h: Float) -> None:
        """Close to the end of a domain: steps in proportion to the distance, where rounding can tell the two apart."""
        layout, function = self.layout, self.function
        h = np.copysign(power_of_two_below(np.where(near, h, 0.0)), layout.h)
        for mask, stencil in layout.groups():
            here = near & layout.fits(function.x, h, stencil)
            here = here if mask is None else here & mask
            if not here.any():
                continue
            new = function.sweep(h, stencil, layout.n, here)
            with np.errstate(all="ignore"):
                rounding = quotient_of_rounding(new, h, stencil, layout.n, function.eps or EPS)
                better = here & np.isfinite(new.quotient)
                better &= np.abs(new.quotient - self.quotient) > 10.0 * rounding
            self._take(better, new, h, int(Flag.shrunk))

    def _take(self, where: Mask, new: Sweep, h: Float, flags: int) -> None:
        for own, other in ((self.quotient, new.quotient), (self.low, new.low), (self.high, new.high), (self.h, h)):
            own[where] = other[where]
        self.flags[where] |= flags

    def _shrink(self, pending: Mask, h: Float, stencil: Stencil, flag: Flag) -> Mask:
        """Try h and then smaller steps, powers of two: what is still pending after that.

        After the first finite one, one more: a step that just fits is too long for a function that ends there. One side
        is content with the first. A finite value that f does not feel stands in until a better one is found, and ends
        the search of this kind.
        """
        function, layout = self.function, self.layout
        one_sided = flag == Flag.one_sided
        search, seen = pending.copy(), np.zeros_like(pending)
        for round_ in range(_ROUNDS_ONE_SIDED if one_sided else _ROUNDS):
            h = power_of_two_below(h)
            todo = search & layout.fits(function.x, h, stencil)
            if todo.any():
                new = function.sweep(h, stencil, layout.n, todo)
                finite = todo & np.isfinite(new.quotient)
                with np.errstate(all="ignore"):
                    rounding = quotient_of_rounding(new, h, stencil, layout.n, function.eps or EPS)
                    felt = finite & (np.abs(new.quotient) > _FELT * rounding)
                if one_sided and round_ == 0:
                    felt = finite  # no step is better than the default one
                take = felt | (finite & ~np.isfinite(self.quotient))
                self._take(take, new, h, int(flag | (Flag.shrunk if round_ else Flag.ok)))
                search &= ~(todo & (seen | (finite & ~felt) | (felt & (one_sided and round_ == 0))))
                seen |= felt
            if not search.any():
                break
            h = 0.1 * h
        return pending & ~seen


def quotient_of_rounding(sweep: Sweep, h: Float, stencil: Stencil, n: int, eps: float) -> Float:
    """What the rounding of fun's values by eps each can amount to in the quotients."""
    offsets, weights, scale = stencil
    size = np.maximum(np.abs(sweep.low), np.abs(sweep.high))
    divisor = scale * (offsets[-1] - offsets[0]) * np.abs(h) if n == 1 else scale * np.abs(h) ** n
    return np.asarray(eps * size * sum(abs(weight) for weight in weights) / divisor)
