"""Elementwise derivatives where the first are not finite or not to be believed: other steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._bars import CLOSER, error_by_closer
from ._elementwise import Elementwise, Sweep
from ._kernels_py import NEAR
from ._layout import Layout, power_of_two_below
from ._result import Flag
from ._stencils import Stencil
from ._steps import EPS

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_CLEAR = 0.03  # of the distance to the end of a domain: a step that keeps clear of it
_ROUNDS = 12
_ROUNDS_ONE_SIDED = 4
_FELT = 1e4  # rounding errors of f: a change so large gives a quotient right to 1e-4


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

    def run(self, relative: Any, steepest: Any, default_steps: bool) -> None:
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
                rounding = quotient_of_rounding(new, h, stencil, layout.n, function)
                better = here & np.isfinite(new.quotient)
                better &= np.abs(new.quotient - self.quotient) > 10.0 * rounding
            self._take(better, new, h, int(Flag.shrunk))

    def error_at_ends(self, steepest: Any, central: bool) -> Float:
        """What a step of an eighth tells of the error where the derivative is steep at 0 or a bound, or has one side.

        0 elsewhere, and where the shorter step does not fit; inf, and a flag, where the derivative is infinite.
        """
        layout, function, x = self.layout, self.function, self.function.x
        error = np.zeros(x.size)
        one_sided = (self.flags & Flag.one_sided) != 0
        alone = one_sided if layout.flags is None else one_sided & ((layout.flags & Flag.one_sided) == 0)
        at_end = (x == 0.0) | one_sided
        if layout.lb is not None:
            at_end |= (x == layout.lb) | (x == layout.ub)
        with np.errstate(invalid="ignore"):
            steep = np.abs(self.quotient) > steepest
        looked_at = self.free & np.isfinite(self.quotient) & (alone | (at_end & steep))
        if not looked_at.any():
            return error
        h = CLOSER * self.h
        one_sided &= central
        function.quiet = True
        for mask, stencil in ((~one_sided, layout.main), (one_sided, layout.side)):
            here = looked_at & mask
            if here.any():
                here &= layout.fits(x, h, stencil)
            if here.any():
                new = function.sweep(h, stencil, layout.n, here)
                with np.errstate(all="ignore"):
                    rounding = quotient_of_rounding(new, h, stencil, layout.n, function)
                found = error_by_closer(self.quotient, new.quotient, rounding)
                error[here] = found[here]
        function.quiet = False
        self.flags[error == np.inf] |= Flag.kink
        return error

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
                    rounding = quotient_of_rounding(new, h, stencil, layout.n, function)
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


def quotient_of_rounding(sweep: Sweep, h: Float, stencil: Stencil, n: int, function: Elementwise) -> Float:
    """What the rounding of fun's values, or two standard deviations of their noise, can amount to in the quotients."""
    offsets, weights, scale = stencil
    size = np.maximum(np.abs(sweep.low), np.abs(sweep.high))
    each = np.maximum((function.eps or EPS) * size, 2.0 * function.noise)
    divisor = scale * (offsets[-1] - offsets[0]) * np.abs(h) if n == 1 else scale * np.abs(h) ** n
    return np.asarray(each * sum(abs(weight) for weight in weights) / divisor)
