"""Where the points of elementwise derivatives go: a step and a stencil for each element, within the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ._result import Flag
from ._stencils import Stencil

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]


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
