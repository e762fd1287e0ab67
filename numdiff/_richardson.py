"""Richardson extrapolation: rounds of differences, steps chosen by the kernels for each component.

How the steps are chosen is told in numdiff.h. Source of the scheme and its error estimate: C. Ridders, Advances in
Engineering Software 4 (1982) 75-76.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _difference
from ._difference import Run
from ._kernels_py import APART, KINK, NOISY
from ._plan import Plan, StepOptions
from ._result import Flag
from ._stencils import CENTRAL, FORWARD
from ._steps import EPS, default_step
from ._steps import steps as steps_of

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FIRST = 0.0107  # of max(|x|, x_scale): the first candidate. Not dyadic, so that no period is hit
_LONGEST = 0.5  # of max(|x|, x_scale): any step
_NOISE = 2.0  # standard deviations
_AT_ONCE = 1 << 16  # derivatives: the kernels hold about 600 bytes for each


def reference_step(run: Run, first: Float, x_scale: Any) -> Float:
    """The steps of the references, where the first candidates are asked to be that long."""
    scale = np.maximum(np.abs(run.x0.reshape(-1)), 1.0 if x_scale is None else x_scale)
    longest = np.minimum(default_step(EPS, 2) * scale, first / APART)
    return np.asarray(2.0 ** np.floor(np.log2(longest)))


def refine(
    run: Run, plan: Plan, options: StepOptions, rows: Float, steps: Float, flags: NDArray[np.intp], kept: Float
) -> tuple[Float, Float]:
    """Make the central rows better, (count, m), and flag them: their errors and steps.

    kept are the values of fun behind the rows, (count, 2, m); nan where a row came about in another way.
    """
    nowhere = plan.free[:, None] & ~np.isfinite(_at_x0(run))  # a pole may have finite values on both sides of it
    rows[nowhere] = np.nan
    flags[nowhere] |= Flag.nonfinite
    error = np.full(rows.shape, np.nan)
    steps = np.array(np.broadcast_to(steps if steps.ndim == 2 else steps[:, None], rows.shape))
    found = np.isfinite(rows)
    free = np.flatnonzero(plan.free & found.any(axis=1))
    size = max(1, _AT_ONCE // max(1, rows.shape[1]))
    for begin in range(0, free.size, size):
        chosen = free[begin : begin + size]
        part = plan if chosen.size == len(rows) else plan.take(chosen)
        shortest = np.where(found[chosen], np.abs(steps[chosen]), np.inf).argmin(axis=1)
        h = steps[chosen, shortest]
        one_sided = (flags[chosen, shortest] & Flag.one_sided) != 0
        value, bar, step, remarks = _refine(run, part, _first(plan, options)[chosen], h, one_sided, kept[chosen])
        here = found[chosen] & np.isfinite(value)
        rows[chosen] = np.where(here, value, rows[chosen])
        error[chosen] = np.where(here, bar, np.nan)
        steps[chosen] = np.where(here, step, steps[chosen])
        flags[chosen] |= np.where(here, _FLAGS[remarks // KINK], 0)
    return error, steps


def _first(plan: Plan, options: StepOptions) -> Float:
    """The first candidates, and how far they may grow, (count, 2)."""
    scale = plan.scale(options.x_scale)
    if options.default:
        return np.stack([_FIRST * 2.0 ** np.rint(np.log2(scale)), _LONGEST * scale], axis=1)
    first = steps_of(plan.x, 0.0, options.rel_step, options.abs_step, options.x_scale)
    return np.stack([first, first], axis=1)


_FLAGS = np.array([0, int(Flag.kink), int(Flag.noisy), int(Flag.kink | Flag.noisy)])
assert (KINK, NOISY) == (8, 16)


def _refine(
    run: Run, plan: Plan, first: Float, h: Float, one_sided: Mask, kept: Float
) -> tuple[Float, Float, Float, NDArray[np.intp]]:
    assert run.m is not None
    f0 = _at_x0(run)
    longest = first[:, 1]
    if plan.lb is not None:
        with np.errstate(over="ignore"):
            below, above = plan.x - plan.lb, plan.ub - plan.x
        room = np.where(one_sided, np.where(h > 0, above, below), np.minimum(below, above))
        longest = np.minimum(longest, room * (1 - 1e-9))
    components = _difference.kernels.Richardson(
        plan.x, h, first[:, 0].copy(), longest.copy(), one_sided, run.eps or EPS, _NOISE * run.noise, run.m
    )
    active = np.arange(h.size)
    values = kept
    again = np.flatnonzero(one_sided | ~np.isfinite(kept).all(axis=(1, 2)))
    if again.size:
        values[again] = _values(run, plan.coordinates[again], h[again], one_sided[again])
    while active.size:
        h = np.empty(active.size)
        components.next(active, values, f0, h)
        if not h.all():
            going = h != 0
            active, h = active[going], h[going]
        if active.size:
            values = _values(run, plan.coordinates[active], h, one_sided[active])
    value, error, step = (np.empty((plan.x.size, run.m)) for _ in range(3))
    remarks = np.empty((plan.x.size, run.m), np.intp)
    components.results(value, error, step, remarks)
    return value, error, step, remarks


def _at_x0(run: Run) -> Float:
    return np.atleast_1d(np.asarray(run.f0, np.float64))


def _values(run: Run, coordinates: NDArray[np.intp], h: Float, one_sided: Mask) -> Float:
    """fun at x - h and x + h, (count, 2, m); at x + h alone where one-sided."""
    assert run.m is not None
    if not one_sided.any():
        kept = np.empty((h.size, 2, run.m))
        run.difference(coordinates, h, CENTRAL, None, kept)
        return kept
    values = np.full((h.size, 2, run.m), np.nan)
    for part, stencil in ((np.flatnonzero(~one_sided), CENTRAL), (np.flatnonzero(one_sided), FORWARD)):
        if part.size:
            kept = np.empty((part.size, 2 if stencil is CENTRAL else 1, run.m))
            run.difference(coordinates[part], h[part], stencil, None, kept)
            values[part, -kept.shape[1] :] = kept
    return values
