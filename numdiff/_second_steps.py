"""How far to step for second derivatives, which stencils, and what bounds leave of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._plan import StepOptions, lost_step
from ._result import Flag
from ._steps import default_step, inside, steps, taken

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

LONGEST = 9.51  # of richardson's four steps, over the shortest
_FIRST_RICHARDSON = LONGEST / 64.0  # the longest relative step that is extrapolated from


@dataclass
class Steps:
    """The free variables, (count,) each, and how far to step."""

    index: Index
    x: Float
    h: Float
    one_sided: Mask
    scale: Float  # max(|x|, x_scale)
    lb: Any = None  # None: unbounded
    ub: Any = None

    def take(self, chosen: Any) -> Steps:
        parts: list[Any] = [v if v is None else v[chosen] for v in vars(self).values()]
        return Steps(*parts)

    def distance(self) -> Float:
        """How far x is from where a domain is likely to end: 0 and the bounds, but for those it is at."""
        found = np.where(self.x != 0.0, np.abs(self.x), np.inf)
        if self.lb is not None:
            with np.errstate(over="ignore"):
                for far in (self.x - self.lb, self.ub - self.x):
                    found = np.where(far > 0, np.minimum(found, far), found)
        return found

    def usable(self, h: Float, one_sided: Mask) -> Mask:
        """Where the steps h can be felt on both sides and their points are within the bounds."""
        with np.errstate(over="ignore"):
            other = np.where(one_sided, self.x + 2.0 * h, self.x - h)
            good = (self.x + h != self.x) & (other != self.x) & (other != self.x + h)
            if self.lb is not None:
                good &= inside(self.x, h, True, one_sided, self.lb, self.ub)
        return np.asarray(good)


def alone(h: Float, scale: Float) -> Float:
    """Of the step of a central difference: the best one of a forward difference; eps^(1/3) over eps^(1/4)."""
    return np.asarray(np.minimum(h / scale, 1.0) ** (1 / 3))


def default_relative(kind: str, eps: float) -> float:
    """The default relative step, by the order of accuracy; for richardson the shortest of four."""
    if kind == "richardson":
        return max(_FIRST_RICHARDSON / LONGEST, float(default_step(eps, 2, 2)))
    return float(default_step(eps, 1 if kind == "forward" else 2, 2))


def make_steps(
    kind: str, x0: Float, options: StepOptions, limits: tuple[Float, Float] | None, relative: Any
) -> tuple[Steps, Float, Index]:
    """Exact steps within the bounds for the free variables; the steps (nan where none) and flags of all variables."""
    x = x0.reshape(-1)
    two_sided = kind != "forward"
    wanted = steps(x, relative, options.rel_step, options.abs_step, options.x_scale)
    if (not options.default or options.x_scale is not None) and not (wanted < 1e300).all():
        raise ValueError(f"`{options.named}` is too large: the step {np.max(wanted)} is not below 1e300")
    scale = np.maximum(np.abs(x), 1.0 if options.x_scale is None else options.x_scale)
    flags = np.zeros(x.size, np.intp)
    one_sided = np.full(x.size, not two_sided)
    with np.errstate(over="ignore"):
        if np.any(x + wanted == x):
            raise lost_step(x0, None, x, wanted, options)
        if limits is None:
            h = exact_steps(x, wanted, one_sided)
            return Steps(np.arange(x.size), x, h, one_sided, scale), h.copy(), flags
        lb, ub = limits
        below, above = x - lb, ub - x
        far, nearer = np.maximum(below, above), np.minimum(below, above)
        if two_sided:
            # A shorter step on both sides, until one side is better: a forward difference, at its best step.
            share = alone(wanted, scale)
            by_itself = (share if kind == "central" and options.default else 1.0) * wanted
            if kind == "richardson":
                far, nearer = 0.99 / LONGEST * far, 0.99 / LONGEST * nearer
            one_sided = nearer < share * wanted
            h = np.where(one_sided, by_itself, np.minimum(wanted, nearer))
        else:
            h = wanted
        intended = h
        h = np.where(one_sided, np.minimum(h, 0.5 * far), h)
        down = one_sided & (above < 2.0 * h) & (above < below)
        h = np.where(down, -h, h)
        # The room was rounded, and so is a step; where a point is outside, a step that is surely short enough.
        exact = exact_steps(x, h, one_sided)
        fits = inside(x, exact, True, one_sided, lb, ub)
        h = np.where(fits, exact, exact_steps(x, 0.75 * h, one_sided))
    found = Steps(np.arange(x.size), x, h, one_sided, scale, lb, ub)
    free = found.usable(h, one_sided)
    if two_sided:
        flags[one_sided] |= Flag.one_sided
        flags[~one_sided & (np.abs(h) < wanted * (1 - 1e-6))] |= Flag.shrunk
    flags[down & (not two_sided)] |= Flag.one_sided
    flags[one_sided & (np.abs(h) < intended * (1 - 1e-6))] |= Flag.shrunk
    flags[~free] = Flag.fixed
    return found.take(np.flatnonzero(free)), np.where(free, h, np.nan), flags


def exact_steps(x: Float, h: Float, one_sided: Mask) -> Float:
    """The step taken: away from 0, where floats are coarser, for a two-sided one, so that both sides are exact."""
    return taken(np.where(one_sided, x, np.copysign(x, h)), h)
