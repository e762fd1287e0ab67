"""Where fun is not finite at a stencil point, or the step reaches far beyond |x|: smaller steps, one side, or nan.

The singularity that is met most is at 0, so the first smaller step is 0.03 |x| where that is smaller; then tenths,
until all points are finite, and once more, because a step that just fits is too long for a function that ends there.
A step that f does not feel, because the rest of f is too large beside the change, is no step. If none is left, one side
only; then nan in that component alone. Each leaves a flag.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._plan import Plan
from ._result import Flag
from ._stencils import FORWARD, ONE_SIDED, Stencil
from ._steps import EPS

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_NEAR = 0.03  # of |x|: a step that keeps clear of a singularity at 0
_ROUNDS = 12  # from eps^(1/3) |x| in tenths to the spacing of floats at x


def suspect(run: Run, plan: Plan, rows: Float) -> Mask | None:
    """Where a default step, long beside a tiny x, changed f by more than 0.1 %: log at 1e-9, from one side.

    Known only where f(x0) is: central differences, whose points are on both sides, meet the end of a domain anyway.
    """
    if run.f0 is None or plan.longest_at_0 is None:
        return None
    near = np.abs(plan.x) < plan.longest_at_0 / _NEAR
    if not np.count_nonzero(near):
        return None
    near = np.flatnonzero(near & (plan.x != 0) & plan.free)
    near = near[np.abs(plan.x[near]) < np.abs(plan.h[near]) / _NEAR]
    with np.errstate(all="ignore"):
        change = np.abs(rows[near] * (2.0 if plan.kind == "central" else 1.0) * plan.h[near, None])
        size = np.maximum(np.abs(run.f0), change)
    found = np.zeros(rows.shape, bool)
    found[near] = (change > 1e-3 * size) & np.isfinite(rows[near])
    return found if found.any() else None


class Rescue:
    """The search for better derivatives; rows, steps and flags (count, m) are changed in place."""

    def __init__(self, run: Run, plan: Plan, rows: Float, steps: Float, flags: NDArray[np.intp]) -> None:
        self.run, self.plan = run, plan
        self.rows, self.steps, self.flags = rows, steps, flags

    def search(self, suspects: Mask | None) -> None:
        """Mend what is not finite; try smaller steps for the suspects, which keep what they have if that fails."""
        plan, rows = self.plan, self.rows
        pending = ~np.isfinite(rows) & plan.free[:, None]
        hopeless = np.zeros_like(pending)
        if pending.any():
            hopeless = pending & ~np.isfinite(self.run.need_f0())
            pending &= ~hopeless

        before = self.rows.copy(), self.steps.copy(), self.flags.copy()
        h, size = plan.h, np.abs(plan.x)
        jump = np.where(size > 0, _NEAR * size, np.inf)
        smaller = np.copysign(np.minimum(0.1 * np.abs(h), jump), h)
        for chosen, stencil in plan.groups():
            here = np.zeros_like(pending)
            here[chosen] = (pending if suspects is None else pending | suspects)[chosen]
            pending &= ~here | self._shrink(here.copy(), smaller, stencil, Flag.shrunk)
        if suspects is not None:  # where both steps agree, the longer one has less rounding in it
            agree = suspects & (np.abs(self.rows - before[0]) <= 1e-3 * np.abs(before[0]))
            for now, then in zip((self.rows, self.steps, self.flags), before, strict=True):
                now[agree] = then[agree]

        one_sided = ONE_SIDED if plan.kind == "central" else FORWARD
        for side in (1.0, -1.0):
            if pending.any():
                pending = self._shrink(pending, side * np.abs(h), one_sided, Flag.one_sided)
        rows[pending | hopeless] = np.nan
        self.flags[pending | hopeless] |= Flag.nonfinite

    def _felt(self, new: Float, h: Float, stencil: Stencil) -> Mask:
        """Where f changes over the stencil by so much more than its rounding that the quotient is right to 1 %."""
        width = stencil[0][-1] - stencil[0][0]
        with np.errstate(all="ignore"):
            change = np.abs(new * (width * h)[:, None])
            return np.asarray(change > 100 * (self.run.eps or EPS) * np.abs(self.run.f0))

    def _shrink(self, pending: Mask, h: Float, stencil: Stencil, flag: Flag) -> Mask:
        """Try h, h / 10, ...: what is still pending after that. A first step of one side only needs no smaller one."""
        seen = np.zeros_like(pending)
        for round_ in range(_ROUNDS):
            inside = self.plan.inside(h, stencil)
            todo = np.flatnonzero(pending.any(axis=1) & inside)
            if todo.size:
                new, _ = self.run.difference(self.plan.coordinates[todo], h[todo], stencil)
                finite = pending[todo] & np.isfinite(new) & self._felt(new, h[todo], stencil)
                self.rows[todo] = np.where(finite, new, self.rows[todo])
                self.steps[todo] = np.where(finite, h[todo, None], self.steps[todo])
                flags = flag | (Flag.shrunk if round_ else Flag.ok)
                self.flags[todo] = np.where(finite, self.flags[todo] | flags, self.flags[todo])
                done = seen[todo] | (finite & (flag == Flag.one_sided and round_ == 0))
                pending[todo] &= ~done
                seen[todo] |= finite
            h = 0.1 * h
        return pending & ~seen
