"""Which components, how far, with which stencil: decided before the kernels run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._function import component
from ._result import Flag
from ._stencils import Stencil, central, forward
from ._steps import default_step, fit_to_bounds, inside, positive, steps, taken

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass
class StepOptions:
    """rel_step, abs_step and x_scale, checked, each None, a number or flat and of the size of x0."""

    rel_step: Float | None
    abs_step: Float | None
    x_scale: Float | None

    @classmethod
    def of_arguments(
        cls, rel_step: ArrayLike | None, abs_step: ArrayLike | None, x_scale: ArrayLike | None, shape: tuple[int, ...],
        point: str = "x0",
    ) -> StepOptions:  # fmt: skip
        """What the user gave, for a point of that shape and name."""
        if rel_step is not None and abs_step is not None:
            raise ValueError(f"give `rel_step` or `abs_step`, not both; they are {rel_step!r} and {abs_step!r}")
        return cls(
            positive("rel_step", rel_step, shape, point),
            positive("abs_step", abs_step, shape, point),
            positive("x_scale", x_scale, shape, point),
        )

    @property
    def default(self) -> bool:
        """Whether the relative step is numdiff's own choice."""
        return self.rel_step is None and self.abs_step is None

    @property
    def named(self) -> str:
        """The one that makes the step."""
        return "abs_step" if self.abs_step is not None else "rel_step" if self.rel_step is not None else "x_scale"

    def of(self, index: NDArray[np.intp] | None) -> StepOptions:
        """Those of the chosen components."""
        if index is None:
            return self
        return StepOptions(*(v if v is None or not v.shape else v[index] for v in vars(self).values()))


@dataclass
class Plan:
    """The components to differentiate by: (count,) arrays."""

    kind: str  # "forward", "backward" or "central"
    order: int  # of accuracy
    index: NDArray[np.intp] | None  # their coordinates in the flat x0; None: all
    x: Float
    h: Float  # signed
    longest_at_0: Any = None  # of the default steps, that for x much smaller than x_scale; None: not default steps
    lb: Any = None  # None: unbounded
    ub: Any = None
    one_sided: Mask | None = None  # central only: where the one-sided stencil takes its place
    not_free: Mask | None = None  # where the bounds leave no room
    flags: NDArray[np.intp] | None = None

    @property
    def stencil(self) -> Stencil:
        return central(self.order) if self.kind == "central" else self.side

    @property
    def side(self) -> Stencil:
        """The one-sided stencil of the same order."""
        return forward(self.order)

    @property
    def free(self) -> Mask:
        return np.ones(self.h.size, bool) if self.not_free is None else ~self.not_free

    @property
    def any_free(self) -> bool:
        return self.h.size > 0 and (self.not_free is None or not self.not_free.all())

    @property
    def coordinates(self) -> NDArray[np.intp]:
        return np.arange(self.x.size) if self.index is None else self.index

    def take(self, chosen: NDArray[np.intp]) -> Plan:
        """The plan of some of the components."""
        arrays: tuple[Any, ...] = (self.lb, self.ub, self.one_sided, self.not_free, self.flags)
        parts: list[Any] = [None if array is None else array[chosen] for array in arrays]
        names = "index", "x", "h", "lb", "ub", "one_sided", "not_free", "flags"
        own = self.coordinates[chosen], self.x[chosen], self.h[chosen]
        return replace(self, **dict(zip(names, (*own, *parts), strict=True)))

    def groups(self) -> Iterator[tuple[NDArray[np.intp], Stencil]]:
        """The free components by stencil."""
        if self.one_sided is None and self.not_free is None:
            if self.h.size:
                yield np.arange(self.h.size), self.stencil
            return
        one_sided = np.zeros(self.h.size, bool) if self.one_sided is None else self.one_sided
        for chosen, stencil in ((self.free & ~one_sided, self.stencil), (self.free & one_sided, self.side)):
            if chosen.any():
                yield np.flatnonzero(chosen), stencil

    def distance(self) -> Float:
        """How far x is from where a domain is likely to end: 0 and the bounds, but for those it is at."""
        far = [np.abs(self.x)]
        if self.lb is not None:
            with np.errstate(over="ignore"):
                far += [self.x - self.lb, self.ub - self.x]
        return np.min([np.where(distance > 0, distance, np.inf) for distance in far], axis=0)  # type: ignore[no-any-return]

    def scale(self, x_scale: Any) -> Float:
        """max(|x|, x_scale)."""
        return np.maximum(np.abs(self.x), 1.0 if x_scale is None else x_scale)

    def inside(self, h: Float, stencil: Stencil) -> Mask:
        """Where the steps h can be felt and their points are within the bounds."""
        with np.errstate(over="ignore"):
            points = [self.x + offset * h for offset in stencil[0]]
            inside = np.asarray(self.x + h != self.x)
        if self.lb is not None:
            for point in points:
                inside &= (point >= self.lb) & (point <= self.ub)
        return inside


def make_plan(
    kind: str,
    order: int,
    x0: Float,
    index: NDArray[np.intp] | None,
    options: StepOptions,
    limits: tuple[Float, Float] | None,
    eps: float,
) -> Plan:
    """Steps for the chosen components of x0, exact in floating point and within the bounds."""
    x = x0.reshape(-1)
    if index is not None:
        x = x[index]
        options = options.of(index)
    relative = default_step(eps, order)
    h = steps(x, relative, options.rel_step, options.abs_step, options.x_scale)
    longest = None
    if options.default:  # at most 1.5 times as long by the rounding to a power of two
        longest = 1.5 * relative * (1.0 if options.x_scale is None else float(np.max(options.x_scale, initial=0.0)))
    if (not options.default or options.x_scale is not None) and not (h < 1e300).all():
        raise ValueError(f"`{options.named}` is too large: the step {np.max(h)} is not below 1e300")
    if kind == "backward":
        np.negative(h, out=h)
    if limits is None:
        exact = taken(x, h)
        if np.count_nonzero(exact) < exact.size:
            raise lost_step(x0, index, x, h, options)
        return Plan(kind, order, index, x, exact, longest)

    lb, ub = limits if index is None else (limits[0][index], limits[1][index])
    wanted, two_sided = h, kind == "central"
    reach = order // 2 if two_sided else order
    with np.errstate(over="ignore"):
        if np.any(x + h == x):
            raise lost_step(x0, index, x, h, options)
        h, one_sided = fit_to_bounds(x, wanted, two_sided, lb, ub, reach, order)
        exact = taken(x, h)
        # Where the exact step is too long, one that is surely short enough: of a few ulps, it must be exact, as the
        # points of a one-sided difference are spaced evenly.
        h = np.where(inside(x, exact, two_sided, one_sided, lb, ub, reach, order), exact, taken(x, 0.75 * h))
        not_free = x + h == x
        if order > 1:
            not_free |= one_sided & (x + 2 * h == x + h)
        not_free |= ~inside(x, h, two_sided, one_sided, lb, ub, reach, order)
    flags = np.zeros(x.size, np.intp)
    if kind == "central":
        flags[one_sided] |= Flag.one_sided
    else:
        flags[np.sign(h) != np.sign(wanted)] |= Flag.one_sided
    flags[np.abs(h) < np.abs(wanted) * (1 - 1e-6)] |= Flag.shrunk
    flags[not_free] = Flag.fixed
    return Plan(
        kind, order, index, x, h, longest, lb, ub,
        one_sided if kind == "central" and one_sided.any() else None,
        not_free if not_free.any() else None,
        flags if flags.any() else None,
    )  # fmt: skip


def lost_step(
    x0: Float, index: NDArray[np.intp] | None, x: Float, h: Float, options: StepOptions, given: Float | None = None
) -> ValueError:
    """The error for a step that is lost in rounding; given: the steps asked for, of which h are made."""
    k = int(np.flatnonzero(x + h == x)[0])
    where = component("x0", k if index is None else int(index[k]), x0.shape)
    made = "" if given is None else f", or one that is made of it, {abs(h[k])},"
    step = abs(h[k]) if given is None else given[k]
    return ValueError(f"`{options.named}` is too small: the step {step}{made} is lost in rounding at {where} = {x[k]}")
