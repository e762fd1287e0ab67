"""Richardson extrapolation: central differences at shrinking steps, their limit, and how far to trust it.

Three things decide for each component by itself.

1. *Reference*: the default central difference, at a small step, with the second difference of the same points.
2. *Search*: a candidate step, large at first, is taken only if its first and second differences agree with those of
   the reference. Poles, kinks, the edge of a domain and fast oscillation (aliasing) show as disagreement, and the step
   shrinks. If the reference is the one that is wrong, by noise or by a structure finer than its step, that shows in
   its second difference.
3. *Extrapolation*: from there steps are halved, and the differences extrapolated to h = 0, until rounding is all that is
   left of the error.

Sources: C. Ridders, Advances in Engineering Software 4 (1982) 75-76, for the scheme and its error estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _difference
from ._difference import Run
from ._kernels_py import LEVELS
from ._plan import Plan
from ._result import Flag
from ._stencils import CENTRAL, FORWARD
from ._steps import EPS, taken

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

FIRST = 0.0107  # of max(|x|, x_scale): the first step of the search. Not dyadic: no alias of a period that is
_APART = 7.3  # reference steps: at least so long
_LENGTH = 0.02  # of the scale that the second difference tells
_AGREE = 0.02  # of the slope: how far the differences at two steps may be apart
_TARGET = 0.003  # the disagreement aimed at
_CLOSE = 16.0  # steps nearer than that: if they disagree, the smaller one is suspect
_REFERENCE = 0.0153  # a suspect reference shrinks by that
_REFERENCES = 5  # so often
_ROUNDS = 40
_MAX_LEVELS = 7
_MAX_LEVELS_ONE_SIDED = LEVELS - 1
_FINE = 5e-13  # of the slope: steps that leave more rounding than that may grow
_AGREE_GROWING = 0.1
_GROWTH, _GROWTHS = 4.0, 4
_LONGEST = 0.5  # of max(|x|, x_scale)
_NOISY = 1e3  # times the rounding of fun's values


@dataclass
class Sample:
    """Differences at one step for each component: (count,) and (count, m) arrays."""

    h: Float
    slope: Float  # the first difference
    bend: Float  # the second difference, f(x+h) - 2 f(x) + f(x-h); 0 where one-sided
    steepest: Float  # the larger of the slopes to both sides
    noise: Float  # how far rounding may move the values of fun

    def __getitem__(self, chosen: Any) -> Sample:
        return Sample(*(array[chosen] for array in vars(self).values()))

    def __setitem__(self, chosen: Any, other: Sample) -> None:
        for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True):
            mine[chosen] = theirs

    def copy(self) -> Sample:
        return Sample(*(array.copy() for array in vars(self).values()))


class Richardson:
    """The refinement of central differences, changed in place: rows, error, steps and flags, all (count, m)."""

    def __init__(self, run: Run, plan: Plan, scale: Float, one_sided: Mask, m: int) -> None:
        self.run, self.plan, self.scale, self.one_sided = run, plan, scale, one_sided
        self.coordinates = plan.coordinates
        count = plan.x.size
        self.error = np.full((count, m), np.inf)
        self.flags = np.zeros((count, m), np.intp)
        self.scatter = np.zeros((count, m))  # of fun's values, where it is seen to be more than rounding

    def measure(self, chosen: NDArray[np.intp], h: Float, slope: Float, kept: Float) -> Sample:
        """A sample from the values that a difference kept: (count, 2, m) for central, (count, 1, m) for one-sided."""
        f0 = self.run.f0
        with np.errstate(all="ignore"):
            first, last = kept[:, 0], kept[:, -1]
            up, down = last - f0, first - f0
            if kept.shape[1] == 1:
                bend, steepest = np.zeros_like(slope), np.abs(slope)
            else:
                bend, steepest = up + down, np.maximum(np.abs(up), np.abs(down)) / np.abs(h)[:, None]
            # Rounding of the values, and of x before anything is done with it.
            size = np.maximum(np.maximum(np.abs(first), np.abs(last)), np.abs(f0))
            noise = (self.run.eps or EPS) * size + EPS * np.abs(self.plan.x[chosen])[:, None] * steepest
        return Sample(h, slope, bend, steepest, noise)

    def start(self, every: NDArray[np.intp], h: Float, slope: Float, kept: Float, again: NDArray[np.intp]) -> None:
        """Take the differences at hand for references, but for those to be evaluated again."""
        self.reference = self.measure(every, h, slope, kept)
        if again.size:
            self.reference[again] = self.sample(again, h[again])
        self.live = np.isfinite(self.reference.slope)
        self.value = self.reference.slope.copy()
        self.steps = np.repeat(h[:, None], slope.shape[1], axis=1)

    def sample(self, chosen: NDArray[np.intp], h: Float) -> Sample:
        """Evaluate with these steps; signed for one-sided components."""
        run = self.run
        m = run.m or 0
        count = chosen.size
        one_sided = self.one_sided[chosen]
        if not one_sided.any():
            kept = np.empty((count, 2, m))
            slope, _ = run.difference(self.coordinates[chosen], h, CENTRAL, None, kept)
            return self.measure(chosen, h, slope, kept)
        slope, bend, steepest, noise = (np.empty((count, m)) for _ in range(4))
        found = Sample(h, slope, bend, steepest, noise)
        for part, stencil in ((np.flatnonzero(~one_sided), CENTRAL), (np.flatnonzero(one_sided), FORWARD)):
            if part.size:
                kept = np.empty((part.size, 2 if stencil is CENTRAL else 1, m))
                rows, _ = run.difference(self.coordinates[chosen[part]], h[part], stencil, None, kept)
                found[part] = self.measure(chosen[part], h[part], rows, kept)
        return found

    def longest(self) -> Float:
        """The longest steps that the bounds allow."""
        plan = self.plan
        if plan.lb is None:
            return np.full(plan.x.size, np.inf)
        with np.errstate(over="ignore"):
            below, above = plan.x - plan.lb, plan.ub - plan.x
        room = np.where(self.one_sided, np.where(self.reference.h > 0, above, below), np.minimum(below, above))
        return np.asarray(room * (1 - 1e-9))

    def _exact(self, chosen: NDArray[np.intp], h: Float) -> Float:
        """Steps of few digits, so that x + h, x + h / 2, ... lose little, and the same."""
        significand, exponent = np.frexp(h)
        return taken(self.plan.x[chosen], np.ldexp(np.trunc(4096 * significand) / 4096, exponent))

    def refine(self) -> None:
        with np.errstate(all="ignore"):
            chosen = np.flatnonzero(self.live.any(axis=1))
            if chosen.size:
                self._search(chosen)

    def _search(self, chosen: NDArray[np.intp]) -> None:
        reference = self.reference
        first = FIRST * 2.0 ** np.rint(np.log2(self.scale))
        # Where the second difference tells of a shorter scale than that: |f'/f''| or sqrt|f/f''|.
        bend = np.maximum(np.abs(reference.bend) - 8 * reference.noise, 0) / reference.h[:, None] ** 2
        length = np.maximum(np.abs(reference.slope) / bend, np.sqrt(np.abs(self.run.f0) / bend))
        length = np.where(self.live & (length > 0), length, np.inf).min(axis=1)
        first = np.minimum(np.maximum(first, _APART * np.abs(reference.h)), self.longest())
        h = np.minimum(first, np.maximum(_LENGTH * length, _APART * np.abs(reference.h)))
        short = h < 0.5 * first
        first, h = np.copysign(first, reference.h), np.copysign(h, reference.h)
        h = self._exact(np.arange(h.size), h)
        before: Any = None  # the candidate before this one
        had_before = np.zeros(h.size, bool)
        references = np.zeros(h.size, np.intp)
        for _ in range(_ROUNDS):
            if not chosen.size:
                return
            now = self.sample(chosen, h[chosen])
            finite = (np.isfinite(now.slope) | ~self.live[chosen]).all(axis=1)
            ref = reference[chosen]
            apart, suspect = self._compare(chosen, now, ref)
            good = finite & (apart <= _AGREE)
            if before is None:
                before = now.copy() if chosen.size == h.size else self._spread(now, chosen, h.size)
                longest = before.copy()
            unknown = np.flatnonzero(~np.isfinite(longest.slope[chosen]).all(axis=1))
            if unknown.size:
                longest[chosen[unknown]] = now[unknown]
            noisy = finite & ~good & suspect & had_before[chosen]
            if noisy.any():
                between, _ = self._compare(chosen, before[chosen], now)
                noisy &= between <= _AGREE
            structure = np.zeros(chosen.size, bool)
            if noisy.any():
                probed = np.flatnonzero(noisy)
                structure[probed] = self._structure(chosen[probed], now[probed])
                noisy &= ~structure
            taken_up = good | noisy
            if taken_up.any():
                self._extrapolate(chosen[taken_up], self._grow(chosen[taken_up], now[taken_up]))
            rest = np.flatnonzero(~taken_up)
            if not rest.size:
                return
            chosen, now, finite, apart, suspect, ref = (
                chosen[rest], now[rest], finite[rest], apart[rest], suspect[rest], ref[rest]
            )
            structure = structure[rest]
            ratio = np.abs(now.h / ref.h)
            close = finite & (ratio <= _CLOSE) 
            factor = np.where(
                suspect & finite & ~had_before[chosen], 0.25,
                np.where(apart < 1, np.clip(np.sqrt(_TARGET / apart), 1 / 32, 1 / 4), np.clip(1 / np.sqrt(ratio), 1 / 64, 1 / 4)),
            )
            had_before[chosen] = finite
            before[chosen] = now
            # Scatter makes the scale that the second difference tells too short.
            too_short = suspect & short[chosen] & finite & ~structure
            had_before[chosen[too_short]] = False
            longest.slope[chosen[too_short]] = np.nan
            short[chosen] = False
            new = np.where(structure, ref.h, np.where(ratio * factor < 2, 2 * ref.h, factor * now.h))
            new = np.where(too_short, first[chosen], new)
            # where they are close already, the reference itself is the candidate, and gets another reference
            lower = np.flatnonzero((close | (ratio <= 2)) & ~structure & ~too_short)
            if lower.size:
                which = chosen[lower]
                smaller = taken(self.plan.x[which], _REFERENCE * ref.h[lower])
                # A reference of rounding alone agrees with everything.
                blind = ref.noise[lower] > 1e-3 * np.abs(smaller)[:, None] * ref.steepest[lower]
                exhausted = (references[which] >= _REFERENCES) | (blind & self.live[which]).any(axis=1)
                if exhausted.any():
                    self._give_up(which[exhausted], now[lower[exhausted]], longest)
                    new[lower[exhausted]] = 0
                lower, which = lower[~exhausted], which[~exhausted]
                if lower.size:
                    references[which] += 1
                    reference[which] = self.sample(which, smaller[~exhausted])
                    # the old reference is evaluated again as candidate: simple, and rare
                    new[lower] = ref.h[lower]
                    had_before[which] = False
            keep = new != 0
            chosen = chosen[keep]
            h[chosen] = self._exact(chosen, new[keep])
        self._give_up(chosen, now[keep], longest)

    def _spread(self, now: Sample, chosen: NDArray[np.intp], count: int) -> Sample:
        m = now.slope.shape[1]
        full = Sample(np.zeros(count), *(np.zeros((count, m)) for _ in range(4)))
        full[chosen] = now
        return full

    def _compare(self, chosen: NDArray[np.intp], long: Sample, short: Sample) -> tuple[Float, Mask]:
        """How far apart the differences at two steps are, of the slope, beyond rounding; and whether the shorter one
        is to be suspected, as its second difference is off as well."""
        live, scatter = self.live[chosen], self.scatter[chosen]
        far, near = np.abs(long.h)[:, None], np.abs(short.h)[:, None]
        slope = np.maximum(long.steepest, short.steepest)
        first = np.abs(long.slope - short.slope)
        by_near, by_far = np.maximum(short.noise, scatter) / near, np.maximum(long.noise, scatter) / far
        first_beyond = np.maximum(first - 4 * (by_near + by_far), 0)
        second = np.abs(long.bend / far**2 - short.bend / near**2)
        second_beyond = np.maximum(second - 8 * (by_near / near + by_far / far), 0)
        apart = np.where(first_beyond > 0, first_beyond / slope, 0)
        apart = np.maximum(apart, np.where(second_beyond > 0, second_beyond * far / slope, 0))
        apart = np.where(live, apart, 0)
        suspect = live & (second_beyond * near**2 >= 0.05 * first_beyond * near) & (second_beyond > 0)
        return apart.max(axis=1), suspect.any(axis=1)

    def _structure(self, chosen: NDArray[np.intp], now: Sample) -> Mask:
        """Where the reference disagrees with longer steps because of a structure too fine for them, not by scatter.

        A much shorter step decides: there, scatter is as large as it was, and a structure is smooth. It becomes the
        reference in the latter case; in the former it helps to tell how large the scatter is.
        """
        ref = self.reference[chosen]
        probe = self.sample(chosen, taken(self.plan.x[chosen], _REFERENCE * ref.h))
        seen = self._seen(ref, now)
        again = self._seen(probe, now)
        structure = ((again < 0.1 * seen) & self.live[chosen]).any(axis=1)
        self.reference[chosen[structure]] = probe[structure]
        scatter = ~structure
        self.scatter[chosen[scatter]] = 2 * np.fmax(seen, again)[scatter]
        self.flags[chosen[scatter]] |= int(Flag.noisy)
        return np.asarray(structure)

    @staticmethod
    def _seen(ref: Sample, now: Sample) -> Float:
        """How far the values at the shorter steps are from those that the longer ones foretell."""
        near, far = np.abs(ref.h)[:, None], np.abs(now.h)[:, None]
        bend = np.abs(ref.bend - now.bend * (near / far) ** 2) / 2
        return np.asarray(np.maximum(np.abs(ref.slope - now.slope) * near, bend))

    def _grow(self, chosen: NDArray[np.intp], first: Sample) -> Sample:
        """Longer steps where rounding is large beside the slope, as long as they agree with the shorter ones."""
        longest = np.minimum(_LONGEST * self.scale, self.longest())
        growing = np.arange(chosen.size)
        for _ in range(_GROWTHS):
            now = first[growing]
            h = self._exact(chosen[growing], _GROWTH * now.h)
            noise = np.maximum(now.noise, self.scatter[chosen[growing]])
            limited = (noise > _FINE * np.abs(now.h)[:, None] * now.steepest) & (now.steepest > 0)
            limited = (limited & self.live[chosen[growing]]).any(axis=1) & (np.abs(h) <= longest[chosen[growing]])
            growing, h = growing[limited], h[limited]
            if not growing.size:
                break
            longer = self.sample(chosen[growing], h)
            apart, _ = self._compare(chosen[growing], longer, first[growing])
            agree = (apart <= _AGREE_GROWING) & np.isfinite(longer.slope).all(axis=1)
            growing = growing[agree]
            first[growing] = longer[agree]
        return first

    def _give_up(self, chosen: NDArray[np.intp], now: Sample, longest: Sample) -> None:
        """No step was found at which fun is smooth; the error says so."""
        if not chosen.size:
            return
        ref, far = self.reference[chosen], longest[chosen]
        near = np.abs(ref.h)[:, None]
        jump = np.abs(ref.bend) / near
        # At a kink the slopes are what they are at longer steps; in a jump and in noise they grow.
        change = ref.steepest * near
        scatter = (ref.steepest > 4 * far.steepest) & np.isfinite(far.slope) & (change > 4 * ref.noise)
        slope = np.fmax(ref.steepest, far.steepest)
        kink = (jump > 0.3 * np.abs(now.bend) / np.abs(now.h)[:, None]) & (jump > 1e-3 * slope)
        kink = ~scatter & (kink | (np.abs(now.slope - ref.slope) > 0.1 * slope))
        self.value[chosen] = np.where(scatter, far.slope, ref.slope)
        error = np.abs(now.slope - ref.slope) + 0.5 * jump + ref.noise / near
        scattered = (np.abs(far.bend) + 2 * change) / np.abs(far.h)[:, None]
        self.error[chosen] = np.where(scatter, scattered, error)
        self.steps[chosen] = np.where(scatter, far.h[:, None], ref.h[:, None])
        self.flags[chosen] |= np.where(kink, int(Flag.kink), 0) | np.where(scatter, int(Flag.noisy), 0)

    def _extrapolate(self, chosen: NDArray[np.intp], first: Sample) -> None:
        """From the first sample on, halve the step until rounding is all that is left."""
        count, m = first.slope.shape
        one_sided = self.one_sided[chosen]
        levels = np.zeros(count, np.intp)
        zs = np.zeros((count, LEVELS))
        table, bars = np.zeros((count, LEVELS, m)), np.zeros((count, LEVELS, m))
        value, error, floor = self.value[chosen], np.full((count, m), np.inf), np.zeros((count, m))
        steps = self.steps[chosen]
        now, last, curvature = first, first.copy(), np.zeros((count, m))
        active = np.arange(count)
        stalled = np.zeros(count, np.intp)
        while True:
            h = np.abs(now.h)
            z = np.where(one_sided[active], h, h * h)
            bar = np.maximum(now.noise, self.scatter[chosen[active]]) / h[:, None]
            part = [array[active] for array in (levels, zs, table, bars)]
            best = [array[active] for array in (value, error, floor)]
            old = best[1].copy()
            _difference.kernels.extrapolate(*part, z, now.slope, bar, *best)
            for mine, theirs in zip((levels, zs, table, bars, value, error, floor), (*part, *best), strict=True):
                mine[active] = theirs
            improved = best[1] < old
            steps[active] = np.where(improved, now.h[:, None], steps[active])
            live = self.live[chosen[active]]
            done = (~live | (best[1] <= 2 * best[2])).all(axis=1)
            stalled[active] = np.where((live & (best[1] < 0.5 * old)).any(axis=1), 0, stalled[active] + 1)
            limit = np.where(one_sided[active], _MAX_LEVELS_ONE_SIDED, _MAX_LEVELS)
            done |= (levels[active] >= limit) | ((levels[active] >= 3) & (stalled[active] >= 1 + one_sided[active]))
            active = active[~done]
            if not active.size:
                break
            now = self.sample(chosen[active], 0.5 * now.h[~done])
            curvature[active] = last.bend[active] / last.h[active][:, None] ** 2
            last[active] = now
        # The reference has the shortest step, and so shows best how far fun's values scatter.
        ref = self.reference[chosen]
        near, far = np.abs(ref.h)[:, None], np.abs(last.h)[:, None]
        truncation = np.abs(last.slope - value) * np.where(one_sided[:, None], near / far, (near / far) ** 2)
        seen = np.maximum(np.abs(ref.slope - value) - 2 * truncation, 0) * near
        bend = np.abs(ref.bend - last.bend * (near / far) ** 2) / 2
        bend = np.maximum(bend - np.abs(curvature - last.bend / far**2) * near**2, 0)
        noise = np.maximum(last.noise, self.scatter[chosen])
        found = 2 * np.maximum(seen, bend)
        more = found > noise
        error = np.where(more, error - floor + floor * (found / noise), error)
        self.flags[chosen] |= np.where(found > _NOISY * noise, int(Flag.noisy), 0)
        self.value[chosen], self.error[chosen], self.steps[chosen] = value, error, steps


def refine(
    run: Run, plan: Plan, options_scale: Any, rows: Float, steps: Float, flags: NDArray[np.intp], kept: Float
) -> tuple[Float, Float, Float, NDArray[np.intp]]:
    """Better derivatives than the central rows, (count, m), with their errors, steps and flags.

    kept are the values of fun behind the rows, nan where a row came about in another way.
    """
    count, m = rows.shape
    error = np.where(np.isfinite(rows), np.inf, np.nan)
    with np.errstate(all="ignore"):
        size = np.abs(steps)
        size[~np.isfinite(rows)] = np.inf
        least = size.min(axis=1, initial=np.inf)
        free = np.flatnonzero(plan.free & np.isfinite(least))
    if not free.size:
        return rows, error, steps, flags
    if free.size < count:
        part = refine(run, plan.take(free), options_scale if np.ndim(options_scale) == 0 else options_scale[free],
                      rows[free], steps[free], flags[free], kept[free])
        for mine, theirs in zip((rows, error, steps, flags), part, strict=True):
            mine[free] = theirs
        return rows, error, steps, flags
    one_sided = (flags & Flag.one_sided != 0).any(axis=1)
    scale = np.maximum(np.abs(plan.x), options_scale)
    which = np.argmin(size, axis=1)
    h = steps[np.arange(count), which]
    again = ~np.isfinite(kept).all(axis=(1, 2)) | one_sided
    found = Richardson(run, plan, scale, one_sided, m)
    found.start(np.arange(count), h, rows, kept, np.flatnonzero(again))
    found.live &= np.isfinite(rows)
    found.refine()
    value = np.where(found.live, found.value, rows)
    return value, np.where(np.isfinite(value), found.error, np.nan), found.steps, flags | found.flags
