"""Second derivatives from values: the kernels, and what to do where fun is not finite.

The diagonal comes first; it tells which steps are good. The mixed derivatives then cost their calls only once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _difference
from ._difference import NoStepError, Run
from ._even_odd import doubts, slopes
from ._kernels_py import NO_STEP, WRITTEN
from ._moves import Moves, of_diagonal, of_mixed
from ._neville import differ, limits
from ._plan import StepOptions
from ._ranges import in_ranges
from ._result import Flag
from ._second_steps import LONGEST, Steps, alone, default_relative, exact_steps, make_steps
from ._steps import EPS

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

# Of richardson's steps but the shortest, over that. Were they multiples of one another, some oscillations would look
# smooth at all of them: sin(200 x) at steps of 1/32, which is almost 2 pi / 200.
_RATIOS = (LONGEST, 4.127, 1.913)
NEAR = 0.03  # of the distance to an end of the domain: a step that keeps clear of it
_NEAR_ONE_SIDED = 0.005
_ROUNDS, _ROUNDS_ONE_SIDED, _ROUNDS_MIXED = 12, 4, 6
_FELT = 1e4  # rounding errors of f: a second difference so large is right to 1e-4
_FELT_NOISE = 100.0  # standard deviations of noise
_AGREE = 3e-3  # relative: then the longer step is kept, which has less rounding in it
_CAUTION = 0.3  # times the scale that the values tell: the one that error bars suppose
_REGULAR = 0.1  # how far from h^2 the change of a second derivative with its step may be
_AT_REST = 0.05  # of the step: at a minimum at 0, the values tell no scale
_MOST_NOISE = 0.1  # the longest relative step that noise asks for
_SHARE = {3: 0.3, 2: 0.03}  # of a slope, by the number of steps that are left: how far two of them may differ
_SMOOTH = 0.1  # of max(|x|, x_scale): error bars suppose that fun varies on this scale, not faster


class SecondRun(Run):
    """A function of one value being differenced twice."""

    @property
    def coarse(self) -> bool:
        """Whether fun was found to compute in less than float64."""
        return (self.eps or EPS) > EPS

    def _kernel(self, name: str, count: int, part: Callable[[int, int], tuple[Any, ...]]) -> None:
        """Run a kernel over all of range(count); part(begin, end) are its further arguments for a part of it."""
        kernel = getattr(vars(_difference)["kernels"], name)

        def in_part(fun: Any, begin: int, end: int) -> Any:
            return kernel(fun, self.args, self.values, self.x0, *part(begin, end))

        if self.workers is None:
            status, nfev = in_part(self.fun, 0, count)
        else:
            status, nfev = in_ranges(self.workers, self.fun, count, in_part)
        self.nfev += nfev
        if status == WRITTEN:
            # fun writes into its argument: start over, and from now on it has a copy of its own in every call
            fun = self.fun
            self.fun = lambda x, *args: fun(x.copy(), *args)
            status, nfev = in_part(self.fun, 0, count)
            self.nfev += nfev
        if status == NO_STEP:
            raise NoStepError

    def _by_engine(self, name: str, moves: Moves, first: Any, rest: tuple[Any, ...]) -> None:
        """Run a kernel with values that are there before; rest are its further arguments."""
        kernel = getattr(vars(_difference)["kernels"], name)
        kernel(self.beside(moves, first), (), self.values, self.x0, *rest)

    def diagonal(self, index: Index, h: Float, one_sided: Mask, first: Any = None) -> tuple[Float, Float]:
        """The second derivatives by the coordinates of index, (count,), and the values beside x0, (count, 2)."""
        near, out = np.empty((index.size, 2)), np.empty(index.size)
        if self.bar is not None:
            self.bar.expect(2 * index.size - (first is not None))
        if index.size and self.engine is not None:
            moves = of_diagonal(self.x0, index, h, one_sided)
            self._by_engine("hessian_diagonal", moves, first, (index, h, one_sided, self.f0, None, near, out))
        elif index.size:

            def part(begin: int, end: int) -> tuple[Any, ...]:
                own = slice(begin, end)
                one = None if begin else first
                return index[own], h[own], one_sided[own], self.f0, one, near[own], out[own]

            self._kernel("hessian_diagonal", index.size, part)
        return out, near

    def mixed(self, index: Index, h: Float, one_sided: Mask, near: Float) -> Float:
        """The mixed ones, (count, count); the diagonal is not filled."""
        out = np.empty((index.size, index.size))
        count, sides = index.size, int(np.count_nonzero(one_sided))
        if self.bar is not None:
            self.bar.expect(count * (count - 1) - sides * (sides - 1) // 2)
        rest = index, h, one_sided, self.f0, near, out
        if self.engine is not None:
            rows = self.engine.most(2 * max(1, count))
            for begin in range(0, count - 1, rows):
                end = min(begin + rows, count)
                moves = of_mixed(self.x0, index, h, one_sided, begin, end)
                self._by_engine("hessian_mixed", moves, None, (*rest, begin, end))
        elif count > 1:
            self._kernel("hessian_mixed", count, lambda begin, end: (*rest, begin, end))
        return out


@dataclass
class Second:
    """Second derivatives, (n, n) or for the diagonal alone (n,), with errors and flags; the steps are (n,)."""

    run: Run
    kind: str
    value: Float
    error: Float | None  # None: not asked for
    steps: Float
    flags: Index


def second_derivatives(
    run: SecondRun,
    kind: str,
    options: StepOptions,
    limits: tuple[Float, Float] | None,
    mixed: bool,
    bars: bool,
) -> Second:
    """The Hessian by differences of values, or its diagonal alone; without bars, the errors may be left out."""
    n = run.x0.size
    if kind == "richardson":  # the steps asked for are the longest
        shortest = (h if h is None else h / LONGEST for h in (options.rel_step, options.abs_step))
        options = StepOptions(*shortest, x_scale=options.x_scale)  # type: ignore[misc]
    plan, all_steps, all_flags, first = _first_steps(run, kind, options, limits)

    def flags_of_entries() -> Index:
        return all_flags[:, None] | all_flags if mixed else all_flags

    if not plan.index.size or not np.isfinite(run.f0):
        flags = flags_of_entries()
        if plan.index.size:
            flags[(flags & Flag.fixed) == 0] |= Flag.nonfinite
        nothing = np.full(flags.shape, np.nan)
        return Second(run, kind, nothing, nothing.copy(), all_steps, flags)

    search = _Search(run, kind, plan, options.default)
    search.diagonal(first)
    found, errors, entry_flags = search.richardson(mixed) if kind == "richardson" else search.plain(mixed, bars)
    kept = search.plan
    if not search.flags.any():
        all_steps[kept.index] = kept.h  # noise may have changed them
        if kept.index.size == n:
            flags = flags_of_entries() | entry_flags if all_flags.any() else entry_flags
            return Second(run, kind, found, errors, all_steps, flags)
    all_flags[plan.index] |= search.flags
    all_steps[plan.index] = np.nan
    all_steps[kept.index] = kept.h
    flags = flags_of_entries()
    value, error = np.full(flags.shape, np.nan), None
    where = np.ix_(kept.index, kept.index) if mixed else kept.index
    value[where] = found
    if errors is not None:
        error = np.full(flags.shape, np.nan)
        error[where] = errors
    flags[where] |= entry_flags
    return Second(run, kind, value, error, all_steps, flags)


def _first_steps(
    run: SecondRun, kind: str, options: StepOptions, limits: tuple[Float, Float] | None
) -> tuple[Steps, Float, Index, Any]:
    """Steps that suit the precision and the noise of fun, and what was learnt with them.

    That is: the free variables; the steps and flags of all variables; and fun at the first point, if it is known. Where
    a variable is free, f0 is known.
    """
    plan, all_steps, all_flags = make_steps(kind, run.x0, options, limits, default_relative(kind, EPS))
    first = None
    if not plan.index.size:
        return plan, all_steps, all_flags, first
    run.need_f0()
    if run.eps is None:  # f0 was given: the first call tells the precision of fun
        x = run.x0.copy()
        x.reshape(-1)[plan.index[0]] += plan.h[0]
        first = run.evaluate(x)
    if run.eps is not None and (run.eps > EPS or run.noise):
        relative = default_relative(kind, run.eps)
        if run.noise:
            power = 3 if kind == "forward" else 4
            level = run.noise / max(abs(run.f0), run.noise) if np.isfinite(run.f0) else 0.0
            relative = max(relative, min(level ** (1 / power), _MOST_NOISE))
        again, all_steps, all_flags = make_steps(kind, run.x0, options, limits, relative)
        first = first if again.h[0] == plan.h[0] else None
        plan = again
    return plan, all_steps, all_flags, first


def diagonal_search(
    run: SecondRun, kind: str, options: StepOptions, limits: tuple[Float, Float] | None
) -> tuple[_Search | None, Float, Index]:
    """The diagonal with the values beside x0, for single mixed derivatives; the steps and flags of all variables.

    None where there is no diagonal.
    """
    plan, all_steps, all_flags, first = _first_steps(run, kind, options, limits)
    if not plan.index.size:
        return None, all_steps, all_flags
    if not np.isfinite(run.f0):
        all_flags[plan.index] |= Flag.nonfinite
        return None, all_steps, all_flags
    search = _Search(run, kind, plan, options.default)
    search.diagonal(first)
    all_flags[plan.index] |= search.flags
    all_steps[plan.index] = np.nan
    all_steps[search.plan.index] = search.plan.h
    return search, all_steps, all_flags


class _Search:
    """The search for steps at which fun is finite, and the derivatives there."""

    def __init__(self, run: SecondRun, kind: str, plan: Steps, default: bool) -> None:
        self.run, self.kind, self.plan, self.noise, self.default = run, kind, plan, run.noise, default
        self.eps = run.eps or EPS
        self.flags = np.zeros(plan.index.size, np.intp)  # of the plan at first, with those that are lost

    def diagonal(self, first: Any = None) -> None:
        """The diagonal by the plan's steps, or by better ones; the plan is left with the variables that have any."""
        plan = self.plan
        self.second, self.near = self.run.diagonal(plan.index, plan.h, plan.one_sided, first)
        if self.noise and self.default:
            self._widen()
        bad = ~np.isfinite(self.second)
        watched = self.default and self.kind != "richardson"  # which looks closer itself
        suspects = self._suspects() if watched else np.zeros_like(bad)
        if not (bad.any() or suspects.any()):
            return
        self._mend(bad, suspects)
        lost = ~np.isfinite(self.second)
        self.flags[lost] |= Flag.nonfinite
        kept = np.flatnonzero(~lost)
        self.plan = plan.take(kept)
        self.second, self.near = self.second[kept], self.near[kept]

    def _suspects(self) -> Mask:
        """Where the end of a domain may be within the step, or little beyond, and f changes by much over it.

        A function that ends at 0 or at a bound, as log does, is far from a parabola there though it is finite.
        """
        plan, h = self.plan, np.abs(self.plan.h)
        distance = plan.distance()
        # Where a two-sided difference reaches beyond 0, f does not end there.
        with np.errstate(over="ignore"):
            near = (distance < h / np.where(plan.one_sided, _NEAR_ONE_SIDED, NEAR)) & (plan.one_sided | (distance >= h))
        if not near.any():
            return near
        with np.errstate(all="ignore"):
            change = np.abs(self.second * h * h)
            sharp = np.where(plan.one_sided, 5e3, 1e3) * (h / plan.scale) ** 2
            much = np.maximum(sharp * np.maximum(abs(self.run.f0), change), _FELT_NOISE * self.noise)
            return np.asarray(near & np.isfinite(self.second) & (change > much))

    def _widen(self) -> None:
        """Other steps where the curvature measured against the noise says that those of |f0| are far from good."""
        plan, power = self.plan, 3 if self.kind == "forward" else 4
        for _ in range(2):
            with np.errstate(all="ignore"):
                curvature = np.abs(self.second)
                known = curvature * plan.h * plan.h > 10 * self.noise
                best = np.where(known, self.noise / (curvature * plan.scale**2), np.inf) ** (1 / power)
            wanted = plan.scale * np.clip(best, default_relative("central", self.eps), _MOST_NOISE)
            wanted = np.copysign(2.0 ** np.round(np.log2(wanted)), plan.h)
            wrong = (wanted > 3 * np.abs(plan.h)) | (np.abs(plan.h) > 3 * wanted)
            wanted = exact_steps(plan.x, wanted, plan.one_sided)
            redo = np.flatnonzero(wrong & plan.usable(wanted, plan.one_sided) & np.isfinite(self.second))
            if not redo.size:
                return
            self._take(redo, wanted, plan.one_sided)

    def _take(self, chosen: Index, h: Float, one_sided: Mask) -> None:
        """Let the chosen variables have these steps, whatever comes out."""
        plan = self.plan
        self.second[chosen], self.near[chosen] = self.run.diagonal(plan.index[chosen], h[chosen], one_sided[chosen])
        plan.h = plan.h.copy()
        plan.one_sided = plan.one_sided.copy()
        plan.h[chosen], plan.one_sided[chosen] = h[chosen], one_sided[chosen]

    def _mend(self, bad: Mask, suspects: Mask) -> None:
        """Smaller steps, then one side only."""
        plan = self.plan
        distance = plan.distance()
        h = np.abs(plan.h)
        smaller = np.minimum(0.1 * h, np.where(distance > 0, NEAR * distance, np.inf))
        before = self.second.copy(), self.near.copy(), plan.h.copy(), plan.one_sided.copy(), self.flags.copy()
        pending = bad & ~self._shrink(bad | suspects, np.copysign(smaller, plan.h), plan.one_sided, Flag.shrunk)
        with np.errstate(all="ignore"):
            kept = suspects & ~(np.abs(self.second - before[0]) > _AGREE * np.abs(before[0]))
        for now, then in zip((self.second, self.near, plan.h, plan.one_sided, self.flags), before, strict=True):
            now[kept] = then[kept]
        h = (alone(h, plan.scale) if self.kind == "central" and self.default else 1.0) * h
        for side in (1.0, -1.0):
            if pending.any():
                pending &= ~self._shrink(pending, side * h, np.ones_like(bad), Flag.one_sided)

    def _shrink(self, search: Mask, h: Float, one_sided: Mask, flag: Flag) -> Mask:
        """Try h, h / 10, ...: where a finite value was found that f feels.

        Two-sided, once more by 10 after the first, as a step that just fits is too long for a function that ends
        there. A finite value that f does not feel stands in until a better one is found, and ends the search.
        """
        search, seen, f0 = search.copy(), np.zeros_like(search), abs(self.run.f0)
        shrinks = flag == Flag.shrunk
        for round_ in range(_ROUNDS if shrinks else _ROUNDS_ONE_SIDED):
            with np.errstate(over="ignore"):
                h = exact_steps(self.plan.x, h, one_sided)
            todo = np.flatnonzero(search & self.plan.usable(h, one_sided))
            if todo.size:
                new, near = self.run.diagonal(self.plan.index[todo], h[todo], one_sided[todo])
                with np.errstate(all="ignore"):
                    finite = np.isfinite(new)
                    change = np.abs(new * h[todo] * h[todo])
                    felt = finite & (change > max(_FELT * self.eps * f0, _FELT_NOISE * self.noise))
                if not shrinks and round_ == 0:
                    felt = finite  # no step is better than the default one
                take = felt | (finite & ~np.isfinite(self.second[todo]))
                into = todo[take]
                self.second[into], self.near[into] = new[take], near[take]
                self.plan.h[into], self.plan.one_sided[into] = h[into], one_sided[into]
                self.flags[into] |= int(flag | (Flag.shrunk if round_ else Flag.ok))
                search[todo] &= ~(seen[todo] | (finite & ~felt) | (felt & (not shrinks)))
                seen[todo] |= felt
            h = 0.1 * h
        return seen

    def plain(self, mixed: bool, bars: bool) -> tuple[Float, Float | None, Index]:
        """The derivatives at the plan's steps, their error bars, if wanted, and flags."""
        plan = self.plan
        flags = np.zeros((plan.index.size,) * (2 if mixed else 1), np.intp)
        found = self.second
        if mixed:
            found = self.run.mixed(plan.index, plan.h, plan.one_sided, self.near)
            found.reshape(-1)[:: found.shape[0] + 1] = self.second
            self._mend_mixed(found, flags)
        return found, self._bars(found) if bars else None, flags

    def _mend_mixed(self, found: Float, flags: Index) -> None:
        """Smaller steps for the pairs at whose points fun is not finite, then one side only, then nan."""
        bad = ~np.isfinite(found)
        if not bad.any():
            return
        concerned = np.flatnonzero(bad.any(axis=1))
        plan = self.plan.take(concerned)
        distance = plan.distance()
        all_sides = np.ones_like(plan.one_sided)
        shrunk = np.minimum(0.1 * np.abs(plan.h), np.where(distance > 0, NEAR * distance, np.inf))
        trials = [(np.copysign(shrunk * 0.1**k, plan.h), plan.one_sided, Flag.shrunk) for k in range(_ROUNDS_MIXED)]
        trials += [(s * np.abs(plan.h), all_sides, Flag.one_sided) for s in (1.0, -1.0)]
        where = np.ix_(concerned, concerned)
        for h, one_sided, flag in trials:
            h = exact_steps(plan.x, h, one_sided)
            good = np.flatnonzero(plan.usable(h, one_sided))
            _, near = self.run.diagonal(plan.index[good], h[good], one_sided[good])
            new = np.full((concerned.size, concerned.size), np.nan)
            new[np.ix_(good, good)] = self.run.mixed(plan.index[good], h[good], one_sided[good], near)
            mended = bad[where] & np.isfinite(new)
            found[where] = np.where(mended, new, found[where])
            flags[where] |= np.where(mended, int(flag), 0)
            bad[where] &= ~mended
            if not bad.any():
                return
        found[bad] = np.nan
        flags[bad] |= Flag.nonfinite

    def _rounding(self, h: Float, near: Float, mixed: bool) -> Float:
        """What rounding and noise in the values can do to the derivatives: the weights sum up to 4."""
        with np.errstate(all="ignore"):
            largest = max(abs(self.run.f0), float(np.max(np.abs(near), initial=0.0, where=np.isfinite(near))))
            h = np.abs(h)
            level = 4.0 * (self.eps * largest + 2.0 * self.noise)
            return np.asarray(level / h[:, None] / h if mixed else level / h / h)

    def _bars(self, found: Float) -> Float:
        """Error bars without further calls: rounding, and truncation.

        fun is taken to vary on the scale that its value and slope tell beside its curvature, or on x / 10.
        """
        plan, mixed = self.plan, found.ndim == 2
        with np.errstate(all="ignore"):
            h = np.abs(plan.h)
            length = np.maximum(np.abs(self._slope() / self.second), np.sqrt(np.abs(self.run.f0 / self.second)))
            scale = _SMOOTH * plan.scale
            scale = np.where(length > _AT_REST * h, np.fmin(scale, _CAUTION * length), scale)
            reach = np.minimum(h / scale, 3.0)
            reach = np.where(self._shrunk(), np.maximum(reach, NEAR), reach)
            own = np.maximum(np.abs(self.second), np.abs(self.near[:, 0] - self.run.f0) / np.abs(plan.h) / scale)
            truncation = own * np.where(plan.one_sided, reach, reach**2 / 12)
            if mixed:
                diagonal = truncation
                one = np.where(plan.one_sided, 0.5 * reach, 0.0)
                both = (reach[:, None] + reach) ** 2 / 6
                root = np.sqrt(own)
                truncation = np.maximum(np.abs(found), root[:, None] * root) * (one[:, None] + one + both)
                np.fill_diagonal(truncation, diagonal)
            bars = truncation + self._rounding(plan.h, self.near, mixed)
            bars[~np.isfinite(found)] = np.nan
            return np.asarray(bars)

    def _slope(self) -> Float:
        ends = self.near - self.run.f0
        difference = np.where(self.plan.one_sided, ends[:, 0], 0.5 * (ends[:, 0] - ends[:, 1]))
        return np.asarray(difference / self.plan.h)

    def _shrunk(self) -> Mask:
        """Whose steps the end of a domain has made short."""
        return np.abs(self.plan.h) < 0.01 * default_relative(self.kind, self.eps) * self.plan.scale

    def richardson(self, mixed: bool) -> tuple[Float, Float, Index]:
        """Central differences at the plan's steps and at three others, extrapolated to h = 0.

        The plan's are the shortest of four. The longest come next; where they tell something else, f varies faster
        than they can see, and much shorter ones follow.
        """
        n = self.plan.index.size
        # Four steps are 4 (n^2 + n) + 1 calls, and what was shortened has no more.
        known, shortened = self._shorten(n * n if mixed else _ROUNDS * n)
        plan, flags = self.plan, None
        values, used, rounding, beside = [], [], [], []
        steps = 4 if not shortened else 3 if not mixed or 2 * shortened <= n * n - n else 2
        for ratio in (1.0, *_RATIOS)[:steps]:
            h = self._times(ratio)
            if flags is None:
                found, _, flags = self.plain(mixed, False)
                near = self.near
            else:
                found, near = known[ratio] if ratio in known else self.run.diagonal(plan.index, h, plan.one_sided)
                if mixed:
                    diagonal, found = found, self.run.mixed(plan.index, h, plan.one_sided, near)
                    np.fill_diagonal(found, diagonal)
            values.append(found)
            used.append(np.abs(h))
            beside.append(near)
            rounding.append(self._rounding(h, near, mixed))
        best, error, apart, vague = limits(np.array(values), np.array(used), np.array(rounding), plan.one_sided)
        assert flags is not None
        flags |= np.where(vague, int(Flag.noisy), 0)
        with np.errstate(over="ignore"):
            error = error + self._doubts(np.array(values), np.array(beside), np.array(used), apart, flags)
        unknown = ~np.isfinite(error)  # something overflowed
        error[unknown] = np.inf
        flags[unknown] |= Flag.noisy
        lost = ~np.isfinite(best)
        best[lost] = error[lost] = np.nan
        flags[lost] |= Flag.nonfinite
        return best, error, flags

    def _doubts(self, values: Float, near: Float, h: Float, apart: Mask, flags: Index) -> Float:
        """What the values on the diagonal tell and extrapolation does not see: to be added to the errors; flags.

        A jump of the second derivative across a surface is of rank one, as fun and its slope have none. Where the
        steps tell different things, fun may vary as much on the scale of the next shorter one.
        """
        plan, mixed = self.plan, apart.ndim == 2
        with np.errstate(all="ignore"):
            second = np.array([np.diag(found) for found in values]) if mixed else values
            level = np.array([self._rounding(*pair, False) for pair in zip(h, near, strict=True)])
            slope = slopes(self.run.f0, near, h)
            jump, scatter, at_x0 = doubts(second, slope, h, level)
            jump[plan.one_sided] = scatter[plan.one_sided] = 0.0
            scatter = np.maximum(scatter, np.where(at_x0, self.unfelt, np.maximum(jump, self.unfelt)))
            jump = np.where(at_x0, 0.5 * jump, 0.0)

            turn = np.abs(slope[1] - slope[0])
            if len(h) in _SHARE:
                bend, steep = (np.max(np.abs(pair[:2]), axis=0) for pair in (second, slope))
                unlike = turn - np.maximum(bend * h[1], _SHARE[len(h)] * steep)
                oscillates = ~plan.one_sided & ~(unlike <= 4.0 * level[0] * h[0])
                apart = apart | (oscillates[:, None] | oscillates if mixed else oscillates)
            bends = np.abs(second[:2]) * h[:2] ** 2
            amplitude = np.fmax(bends.max(axis=0, initial=0.0, where=np.isfinite(bends)), turn * h[0])
            wild = LONGEST**2 * amplitude / h[0] ** 2

            jumps, scatters = _pairs(jump, mixed), _pairs(scatter, mixed)
            flags |= np.where(jumps > 0, int(Flag.kink), 0) | np.where((scatters > 0) | apart, int(Flag.noisy), 0)
            return np.asarray(jumps + scatters + np.where(apart, _pairs(wild, mixed), 0.0))

    def _shorten(self, most: int) -> tuple[dict[float, tuple[Float, Float]], int]:
        """Divide the steps by 9.51 where longer ones tell something else; the diagonals at longer ones, by the ratio.

        The longest become those that were the shortest, so that no call is lost but the discarded. Two ratios must
        agree at first: of one, oscillations may make a fool. Where all do, both are returned, else that of the longest;
        and how many steps were shortened, at most `most`. Where fun is not finite at a shorter step, the longer stays.
        """
        plan = self.plan
        everyone = np.arange(plan.index.size)
        known = {ratio: self.run.diagonal(plan.index, self._times(ratio), plan.one_sided) for ratio in _RATIOS[:2]}
        (long, near), (middle, _) = known.values()
        with np.errstate(all="ignore"):
            # Second derivatives near 0 do not agree, but their differences are as those of the squares of the steps.
            power = np.where(plan.one_sided, 1.0, 2.0)
            expected = (LONGEST**power - 1.0) / (_RATIOS[1] ** power - 1.0)
            apart = np.abs(long - self.second)
            regular = np.abs((long - self.second) / (middle - self.second) / expected - 1.0) < _REGULAR
        active = everyone[~(self._alike(everyone, long) & self._alike(everyone, middle) | regular)]
        shortened = 0
        self.unfelt = np.zeros(plan.index.size)  # second derivatives at longer steps, where shorter ones tell 0
        largest = np.fmax(np.fmax(np.abs(long), np.abs(middle)), np.abs(self.second))
        if not active.size:
            return known, shortened
        for _ in range(_ROUNDS):
            h = self._times(1.0 / LONGEST)
            active = active[self.plan.usable(h, plan.one_sided)[active]]
            if not active.size or shortened + active.size > most:
                break
            shortened += active.size
            second_before, near_before, h_before = self.second.copy(), self.near.copy(), plan.h
            self._take(active, h, plan.one_sided)
            finite = np.isfinite(self.second[active])
            lost, active = active[~finite], active[finite]
            self.second[lost], self.near[lost], plan.h[lost] = second_before[lost], near_before[lost], h_before[lost]
            long[active], near[active] = second_before[active], near_before[active]
            before, apart = apart, np.abs(long - self.second)
            with np.errstate(all="ignore"):
                settles = apart[active] < before[active] / 30.0
                flat = np.abs(self.second[active]) <= self._rounding(plan.h[active], self.near[active], False)
            self.unfelt[active] = np.where(flat, largest[active], 0.0)
            largest = np.fmax(largest, np.abs(self.second))
            active = active[~(self._alike(active, long[active]) | settles)]
        return {LONGEST: (long, near)}, shortened

    def _times(self, ratio: float) -> Float:
        """The plan's steps times ratio, where such can be used."""
        plan = self.plan
        h = exact_steps(plan.x, ratio * plan.h, plan.one_sided)
        return np.where(plan.usable(h, plan.one_sided), h, plan.h)

    def _alike(self, chosen: Index, long: Float) -> Mask:
        """Where the second derivatives at longer steps are those at the plan's, as far as rounding lets one see."""
        rounding = self._rounding(self.plan.h[chosen], self.near[chosen], False)
        with np.errstate(all="ignore"):
            return np.asarray(differ(self.second[chosen], long) <= 4.0 * rounding)


def _pairs(each: Float, mixed: bool) -> Float:
    """Of the variables, for their pairs."""
    root = np.sqrt(each)
    return np.asarray(root[:, None] * root if mixed else each)
