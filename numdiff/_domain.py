"""Where fun is not finite at a stencil point, or a one-sided step reaches far beyond an end of the domain.

Smaller steps, then one side only, then nan in that component alone; each leaves a flag. The ends of a domain that are
met most are 0 and the bounds, so the first smaller step is 0.03 of the distance to them where that is smaller; then
tenths, until all points are finite, and once more, because a step that just fits is too long for a function that ends
there. A step that f does not feel, because the rest of f or its noise is too large beside the change, is no better for
being short. Where one side is left, the slope may be infinite or f not smooth at x itself: a step of an eighth tells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._bars import CLOSER, error_by_closer
from ._difference import Run
from ._plan import Plan, StepOptions
from ._result import Flag
from ._stencils import Stencil
from ._steps import EPS, taken

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEAR_END = 0.03  # of the distance to an end: a step that keeps clear of it
_ROUNDS = 12  # from eps^(1/3) |x| in tenths to the spacing of floats at x
_ROUNDS_ONE_SIDED = 4
_FELT = 1e4  # rounding errors of f: a change so large gives a quotient right to 1e-4
_FELT_NOISE = 100.0  # standard deviations of noise, times the weights
_AGREE, _AGREE_NOISY = 1e-3, 0.1  # relative
_SUDDEN = 1e-3  # of f: no short step within a domain changes it by as much
_STEEP = 8.0  # a long step changes f by so much more than the step is of max(|x|, x_scale) only at an end


def near_an_end(plan: Plan) -> Mask | None:
    """Where a one-sided default step is long beside the distance to an end of the domain; None: nowhere.

    A central difference has points on both sides, and so meets the end itself.
    """
    if plan.longest_at_0 is None or (plan.kind == "central" and plan.one_sided is None):
        return None
    if plan.lb is None:  # the few that can be near an end, as n may be large
        chosen = np.flatnonzero(np.abs(plan.x) < plan.longest_at_0 / NEAR_END)
        if not chosen.size:
            return None
    else:
        chosen = np.arange(plan.x.size)
    part = plan.take(chosen)
    near = part.free & (part.distance() < np.abs(part.h) / NEAR_END)
    if part.one_sided is not None:
        near &= part.one_sided
    if not near.any():
        return None
    found = np.zeros(plan.x.size, bool)
    found[chosen] = near
    return found


def suspect(run: Run, plan: Plan, rows: Float, options: StepOptions) -> Mask | None:
    """Where a one-sided default step, long beside the distance to an end, changed f suddenly: log at 1e-9.

    options are those of the plan's components.
    """
    near = near_an_end(plan) if run.f0 is not None else None
    if near is None:
        return None
    chosen = np.flatnonzero(near)
    part = plan.take(chosen)
    width = part.side[0][-1] * np.abs(part.h)
    rows = rows[chosen]
    with np.errstate(all="ignore"):
        sudden = np.clip(_STEEP * width / part.scale(options.of(chosen).x_scale), _SUDDEN, 0.99)[:, None]
        change = np.abs(rows * width[:, None])
        far = np.isfinite(rows) & (change > sudden * np.maximum(np.abs(run.f0), change))
        far &= change > _noise_felt(run, part.side)
    if not far.any():
        return None
    found = np.zeros((plan.x.size, rows.shape[1]), bool)
    found[chosen] = far
    return found


def _smaller(plan: Plan) -> Float:
    """The first smaller steps, > 0."""
    distance = plan.distance()
    return np.minimum(0.1 * np.abs(plan.h), np.where(distance > 0, NEAR_END * distance, np.inf))


def mended_scale(plan: Plan, steps: Float, scale: Float) -> Float:
    """How far f can be taken to be the same function, (count, m), where a smaller step was taken: to the end it met.

    That is the end which is near where the first smaller step served, else within the last step that did not: half of
    it, to be cautious.
    """
    h, first = np.abs(steps), _smaller(plan)[:, None]
    with np.errstate(invalid="ignore"):
        end = np.where(h > 0.05 * first, np.minimum(0.5 * np.abs(plan.h), plan.distance())[:, None], 50.0 * h)
        return np.where(h < 0.9 * np.abs(plan.h)[:, None], np.minimum(scale, end), scale)


def _noise_felt(run: Run, stencil: Stencil) -> float:
    """The change of f over the stencil that stands out of its noise."""
    return _FELT_NOISE * run.noise * sum(map(abs, stencil[1])) / (2.0 * stencil[2])


class Rescue:
    """The search for better derivatives; rows, steps and flags (count, m) are changed in place."""

    def __init__(self, run: Run, plan: Plan, rows: Float, steps: Float, flags: NDArray[np.intp]) -> None:
        self.run, self.plan = run, plan
        self.rows, self.steps, self.flags = rows, steps, flags

    def search(self, suspects: Mask | None) -> None:
        """Mend what is not finite; replace a suspect where a smaller step gives quite another number."""
        plan, rows = self.plan, self.rows
        pending = ~np.isfinite(rows) & plan.free[:, None]
        hopeless = np.zeros_like(pending)
        if pending.any():
            hopeless = pending & ~np.isfinite(self.run.need_f0())
            pending &= ~hopeless

        before = rows.copy(), self.steps.copy(), self.flags.copy()
        h, smaller = plan.h, np.copysign(_smaller(plan), plan.h)
        for chosen, stencil in plan.groups():
            here = np.zeros_like(pending)
            here[chosen] = (pending if suspects is None else pending | suspects)[chosen]
            pending &= ~here | self._shrink(here.copy(), smaller, stencil, Flag.shrunk)
        if suspects is not None:
            # The longer step has less rounding and noise in it; near the end of a domain it is wrong by more than this.
            agree = _AGREE_NOISY if self.run.noise else _AGREE
            with np.errstate(all="ignore"):
                kept = suspects & ~(np.abs(rows - before[0]) > agree * np.abs(before[0]))
            for now, then in zip((rows, self.steps, self.flags), before, strict=True):
                now[kept] = then[kept]

        for side in (1.0, -1.0):
            if pending.any():
                pending = self._shrink(pending, side * np.abs(h), plan.side, Flag.one_sided)
        lost = (pending & ~np.isfinite(rows)) | hopeless
        rows[lost] = np.nan
        self.flags[lost] |= Flag.nonfinite

    def errors_at_ends(self, before: NDArray[np.intp]) -> Float:
        """What a step of an eighth tells of the errors, where f is finite on one side only; 0 elsewhere.

        before are the flags before the search. Where the slope is infinite, so is the error, and a flag says so.
        """
        plan, run = self.plan, self.run
        errors = np.zeros(self.rows.shape)
        alone = (self.flags & ~before & Flag.one_sided != 0) & np.isfinite(self.rows)
        todo = np.flatnonzero(alone.any(axis=1))
        if not todo.size:
            return errors
        h = CLOSER * self.steps[todo, alone[todo].argmax(axis=1)]
        fits = plan.take(todo).inside(h, plan.side)
        todo, h = todo[fits], h[fits]
        if not todo.size:
            return errors
        new, _ = run.difference(plan.coordinates[todo], h, plan.side)
        with np.errstate(all="ignore"):
            value = np.maximum((run.eps or EPS) * np.abs(run.f0), 2.0 * run.noise)
            rounding = value * sum(map(abs, plan.side[1])) / np.abs(plan.side[2] * plan.side[0][-1] * h[:, None])
            found = error_by_closer(self.rows[todo], new, rounding)
        same = alone[todo] & np.isclose(self.steps[todo], h[:, None] / CLOSER, rtol=1e-6, atol=0.0)
        errors[todo] = np.where(same, found, 0.0)
        self.flags[errors == np.inf] |= Flag.kink
        return errors

    def _felt(self, new: Float, h: Float, stencil: Stencil) -> Mask:
        """Where f changes over the stencil by so much more than its rounding and noise that it can be believed."""
        width = stencil[0][-1] - stencil[0][0]
        with np.errstate(all="ignore"):
            change = np.abs(new * (width * h)[:, None])
            rounding = _FELT * (self.run.eps or EPS) * np.abs(self.run.f0)
            return np.asarray(change > np.maximum(rounding, _noise_felt(self.run, stencil)))

    def _shrink(self, pending: Mask, h: Float, stencil: Stencil, flag: Flag) -> Mask:
        """Try h, h / 10, ...: what is still pending after that. One side is content with the first step that does.

        A finite value that f does not feel stands in until a better one is found, and ends the search of this kind.
        """
        seen = np.zeros_like(pending)
        search = pending.copy()
        one_sided = flag == Flag.one_sided
        for round_ in range(_ROUNDS_ONE_SIDED if one_sided else _ROUNDS):
            with np.errstate(over="ignore"):
                h = taken(self.plan.x, h)
            todo = np.flatnonzero(search.any(axis=1) & self.plan.inside(h, stencil))
            if todo.size:
                new, _ = self.run.difference(self.plan.coordinates[todo], h[todo], stencil)
                finite = search[todo] & np.isfinite(new)
                felt = finite & self._felt(new, h[todo], stencil)
                if one_sided and round_ == 0:
                    felt = finite  # no step is better than the default one
                take = felt | (finite & ~np.isfinite(self.rows[todo]))
                self.rows[todo] = np.where(take, new, self.rows[todo])
                self.steps[todo] = np.where(take, h[todo, None], self.steps[todo])
                flags = int(flag | (Flag.shrunk if round_ else Flag.ok))
                self.flags[todo] = np.where(take, self.flags[todo] | flags, self.flags[todo])
                search[todo] &= ~(seen[todo] | (finite & ~felt) | (felt & (one_sided and round_ == 0)))
                seen[todo] |= felt
            h = 0.1 * h
        return pending & ~seen
