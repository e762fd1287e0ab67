"""The components of a check, one by one: forward differences, then central ones, then Richardson, then a closer look.

A component goes up only as far as it needs. The two lower rungs can only say "agree", and only where their cheap error
bars are far below what is asked for and nothing else is odd; "disagree" takes Richardson's word, and that of another
Richardson where nothing else bears it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._differentiate import Found, differentiate
from ._forward import FLOAT32, Forward, away, forward, in_float16, in_float32, scale_of
from ._kernels_py import FINEST
from ._kink import one_sided_slopes
from ._noise import OK, estimate_noise
from ._result import Flag
from ._ripple import ODD, ripple
from ._scatter import scatter_along
from ._stencils import CENTRAL
from ._steps import EPS, default_step, taken
from ._verdict import AGREE, DISAGREE, INCONCLUSIVE, NOT_CHECKED, judge, sizes, tolerance

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

METHODS: Final = ("", "forward", "central", "richardson", "one-sided")
FORWARD_RUNG, CENTRAL_RUNG, RICHARDSON_RUNG, KINK_RUNG = 1, 2, 3, 4

_FINE_CENTRAL: Final = 1e-5  # of the size
_FINE: Final = 10.0  # times rtol, of the size
_BOLD: Final = 2.0  # Richardson's bars hold in all but a few per cent of cases; twice that
_CLOSER: Final = 1e-5  # of the scale of x: where Richardson begins again, if the first tells too little
_LONGER: Final = (1e4, 1e8)  # times |x|: scales of x to try, up to 1, where |x| is so small that nothing can be told
OTHER_STEP: Final = 0.0031  # of the scale of x: where the second Richardson begins
_NOISE: Final = 2.0  # a noise that was measured may be twice as large
_NOISY_STEPS: Final = (0.02, 0.001)  # the same where fun is noisy
_MARGIN: Final = 3.0  # times the bar, where fun is noisy
_NOISY: Final = 30.0  # times the rounding of fun: noise worth the name
_KINK_STEP: Final = 1e-6  # of the scale of x: where a kink at x0 shows, and little else
NEARBY: Final = 0.01  # of the scale of x: how far away fun is asked how steep it is
_MICRO: Final = 1e-6  # of the scale of x: steps so short that they may see the inside of noise
_MICRO_TESTS: Final = 8
_SHARE: Final = 0.01  # of the scale of x: about Richardson's step
_AS_NOISE: Final = 1e-6  # of |fun|: ripples so small are noise
_AT_ONCE: Final = 64  # components to Richardson between two reports of progress


class Ladder:
    """What is known of the components; arrays are (n, m), those of the plain gradient (n, 1)."""

    def __init__(
        self,
        run: Run,
        a: Float,
        limits: tuple[Float, Float] | None,
        rtol: float,
        atol: float | None,
        noise: float,
        blocks: list[slice],
        tell: Callable[[int, int], None] | None,
        strict: bool,
    ) -> None:
        self.strict = strict
        self.run, self.a, self.limits, self.rtol, self.atol = run, a, limits, rtol, atol
        self.noise, self.blocks, self.tell = noise, blocks, tell
        self.x = run.x0.reshape(-1)
        self.scale = scale_of(self.x)
        self.f0 = np.reshape(np.asarray(run.f0, np.float64), -1)
        self.noise_sought = noise > 0
        self.straight, self.rippled = True, False
        self._begin()

    @property
    def bold(self) -> float:
        """How much longer to make Richardson's bars: those of noise are long enough."""
        return 1.0 if self.noise else _BOLD

    @property
    def noisy(self) -> bool:
        """Whether there is noise worth the name, more than rounding."""
        return self._worth(self.noise)

    def _worth(self, noise: float) -> bool:
        return noise > _NOISY * (self.run.eps or EPS) * float(np.abs(self.f0).max(initial=0.0))

    def shown(self, i: int, r: int) -> Any:
        """The numerical derivative for the table; at a kink the slope that is nearer to what jac says."""
        slopes = self.left[i, r], self.right[i, r]
        if np.isnan(slopes).any():
            return self.n[i, r]
        return min(slopes, key=lambda slope: abs(slope - self.a[i, r]))

    def _begin(self) -> None:
        shape = self.a.shape
        self.n, self.bar, self.step = (np.full(shape, np.nan) for _ in range(3))
        self.steep = np.zeros(shape)
        self.left, self.right = np.full(shape, np.nan), np.full(shape, np.nan)
        self.flag, self.rung = np.zeros(shape, np.intp), np.zeros(shape, np.int8)
        self.verdict = np.full(shape, INCONCLUSIVE, np.int8)
        self.checked = np.zeros(len(self.a), bool)

    def check(self, index: Integers | None, begun: Forward | None = None) -> None:
        """Climb as far as is needed; index None: all, for which the forward differences may be there."""
        chosen = np.arange(len(self.a)) if index is None else index
        chosen = chosen[~self.checked[chosen]]
        self.checked[chosen] = True
        total = chosen.size
        if chosen.size and not self.noise:
            if begun is not None:
                chosen = self.take_forward(chosen, begun)
            elif self.tell:
                parts = []
                for begin in range(0, total, _AT_ONCE):
                    parts.append(self._forward(chosen[begin : begin + _AT_ONCE]))
                    self.tell(min(begin + _AT_ONCE, total) - sum(part.size for part in parts), total)
                chosen = np.concatenate(parts)
            else:
                chosen = self._forward(chosen)
        if chosen.size and not self.noise:  # values in float32 were found out
            chosen = self._central(chosen)
        for begin in range(0, chosen.size, _AT_ONCE):
            self._richardson(chosen[begin : begin + _AT_ONCE])
            if self.tell:
                self.tell(total - chosen.size + min(begin + _AT_ONCE, chosen.size), total)
        if chosen.size:
            self._doubts(chosen)
            if not self.straight:
                self._doubt_ripples(chosen)

    # --- the two lower rungs ---

    def _forward(self, index: Integers) -> Integers:
        """Forward differences; the components that they do not settle."""
        if self.limits is not None:  # the doubts about one-sided differences are for the central ones
            self._take(index, self._differences("forward", index), FORWARD_RUNG)
            return index
        everything = index.size == len(self.a)
        x, a, scale = self.x, self.a, self.scale
        if not everything:
            x, a, scale = x[index], a[index], scale[index]
        return self.take_forward(index, forward(self.run, a, None if everything else index, x, scale, self.rtol))

    def take_forward(self, index: Integers, found: Forward) -> Integers:
        self.n[index], self.step[index], self.rung[index] = found.rows, found.h[:, None], FORWARD_RUNG
        self.bar[index] = found.bars(self.run)
        self.verdict[index] = AGREE
        self.noise, self.straight = max(self.noise, found.noise), self.straight and found.straight
        fine = self.atol is not None or self.rtol < FINEST
        doubtful = index if found.noise or fine else index[:0] if found.doubtful is None else index[found.doubtful]
        self.verdict[doubtful] = INCONCLUSIVE
        return doubtful

    def _central(self, index: Integers) -> Integers:
        before, before_bar = self.n[index].copy(), self.bar[index].copy()
        found = self._differences("central", index, None, ODD * default_step(self.run.eps or EPS, 2))
        self._take(index, found, CENTRAL_RUNG)
        n, bar, a = self.n[index], self.bar[index], self.a[index]
        with np.errstate(all="ignore"):
            size = self._sizes()[index]
            smooth = np.abs(before - n) <= 4 * before_bar + bar + 1e-5 * np.abs(n)
            near = np.abs(a - n) <= tolerance(a, n, bar, self.rtol, None)
            fine = bar <= min(_FINE_CENTRAL, _FINE * self.rtol) * size
        self.straight &= bool(smooth.all())
        settled = (smooth & near & fine & (self.flag[index] == 0)).all(axis=1)
        if self.atol is not None:
            settled[:] = False
        self.verdict[index[settled]] = AGREE
        return np.asarray(index[~settled])

    # --- Richardson ---

    def _richardson(self, index: Integers) -> None:
        before = self.n[index].copy()
        self._take(index, self._differences("richardson", index), RICHARDSON_RUNG)
        self._judge(index)
        alone = index[((self.verdict[index] == DISAGREE) & ~self._borne_out(index, before)).any(axis=1)]
        if alone.size:
            self._second_opinion(alone)

    def _borne_out(self, index: Integers, before: Float) -> NDArray[np.bool_]:
        """Where an earlier difference says about the same: then a disagreement is no failure of Richardson's."""
        with np.errstate(all="ignore"):
            return (self.noise == 0) & np.asarray(
                np.abs(before - self.n[index]) <= 0.1 * np.abs(self.a[index] - self.n[index])
            )

    def _second_opinion(self, index: Integers, x_scale: Float | None = None) -> None:
        """Richardson with other steps: the bars become what lies between the two."""
        a, n, bar = self.a[index], self.n[index].copy(), self.bar[index].copy()
        with np.errstate(all="ignore"):
            for rel_step in _NOISY_STEPS if self.noise else (OTHER_STEP,):
                found = self._differences("richardson", index, x_scale, rel_step)
                other = self.bold * _or_nan(found.error)
                apart = np.abs(n - found.rows)
                if self.noise:  # long steps hide the noise, but may be too long: the shorter ones have the last word
                    better = apart > 2 * (bar + other)
                    bar = np.where(better, other, bar)
                    if rel_step == _NOISY_STEPS[0]:
                        least = _MARGIN * other
                        unseen = ~(np.abs(a - found.rows) > tolerance(a, found.rows, least, self.rtol, None))
                        better |= unseen  # what the long steps say against jac, these do not
                        bar = np.where(unseen, least, bar)
                else:
                    better = other < bar
                    bar = np.where(np.isfinite(found.rows), np.fmax(np.fmax(bar, other), self.bold * apart), bar)
                n = np.where(better, found.rows, n)
        self.n[index], self.bar[index] = n, bar
        self._judge(index)

    def _improve(self, index: Integers, found: Found, smooth: bool) -> None:
        """Keep what has the smaller bar; smooth: only where fun is."""
        bar = self.bold * _or_nan(found.error)
        if smooth:
            bar = np.where(_flags(found), np.nan, bar)
        with np.errstate(all="ignore"):
            better = (bar < self.bar[index]) | (np.isnan(self.bar[index]) & np.isfinite(bar))
        for own, new in (
            (self.n, found.rows),
            (self.bar, bar),
            (self.step, _steps_of(found)),
            (self.flag, _flags(found)),
        ):
            own[index] = np.where(better, new, own[index])
        self._judge(index)

    def _doubts(self, index: Integers) -> None:
        """Before anything but "agree" is said: is fun noisy, is there a kink, is the derivative just small?"""
        self._from_zero(index)
        if self._open(index).size and not self.noise_sought:
            self.noise_sought = True
            self._again_if_noisy(index, max(self.estimate(), self._hidden_float32()))
        # Noise may look smooth to steps that are short enough.
        with np.errstate(all="ignore"):
            short = (self.verdict[index] == DISAGREE) & (self.step[index] < _MICRO * self.scale[index, None])
        for i in index[short.any(axis=1)][:_MICRO_TESTS]:
            self._again_if_noisy(index, _NOISE * scatter_along(self.run, int(i), float(self.scale[i]), self.limits))
        flagged = index[((self.flag[index] & Flag.kink) != 0).any(axis=1)]
        for i in np.unique(np.concatenate([flagged, self._unsure(index), self._bent(index)])):
            self._look_for_kink(int(i))
        unsure = self._unsure(index)
        if unsure.size:
            with np.errstate(all="ignore"):  # only a claim of 0, as at a minimum, needs another size than its own
                claimed_zero = np.abs(self.a[unsure]) <= self.bar[unsure]
            self.steep[unsure] = np.where(claimed_zero, self._steepness(unsure), 0.0)
            self._judge(unsure)
        self._elsewhere(index)

    def _bent(self, index: Integers) -> Integers:
        """The components of which a kink may be what is taken for a disagreement: central differences do not see it."""
        against = index[(self.verdict[index] == DISAGREE).any(axis=1)]
        x = self.x[against]
        h = taken(x, _KINK_STEP * self.scale[against])
        inside = h != 0
        if self.limits is not None:
            inside &= (x - h >= self.limits[0][against]) & (x + h <= self.limits[1][against])
        against, h = against[inside], h[inside]
        if not against.size:
            return np.asarray(against)
        kept = np.empty((against.size, 2, self.f0.size))
        self.run.difference(against, h, CENTRAL, None, kept)
        with np.errstate(all="ignore"):
            gap = np.abs(kept[:, 1] - self.f0 - (self.f0 - kept[:, 0])) / h[:, None]
            bent = (self.verdict[against] == DISAGREE) & (gap >= 0.5 * np.abs(self.a[against] - self.n[against]))
        return np.asarray(against[bent.any(axis=1)])

    def _again_if_noisy(self, index: Integers, noise: float) -> None:
        if noise > self.noise and self._worth(noise):
            self.noise = noise
            again = self._open(index)
            for begin in range(0, again.size, _AT_ONCE):
                self._richardson(again[begin : begin + _AT_ONCE])

    def _elsewhere(self, index: Integers) -> None:
        """Other steps, where the first ones tell nothing: shorter; as long as those of the largest |x|; up to 1."""
        largest = np.full(self.scale.size, self.scale.max(initial=0.0))
        attempts: list[tuple[Float | None, float | None]] = [(None, _CLOSER), (largest, None)]
        attempts += [(np.minimum(self.scale * longer, 1.0), None) for longer in _LONGER]
        flat = (self.a == 0) & (self.n == 0) & (self.verdict == INCONCLUSIVE)  # so far
        for k, (x_scale, rel_step) in enumerate(attempts):
            unsure = self._unsure(index)
            if x_scale is not None:
                unsure = unsure[self.scale[unsure] < 0.1 * x_scale[unsure]]
            if not unsure.size:
                continue
            found = self._differences("richardson", unsure, x_scale, rel_step)
            flat[unsure] &= found.rows == 0
            arrays: tuple[NDArray[Any], ...] = (self.n, self.bar, self.step, self.flag, self.verdict)
            before = [array[unsure].copy() for array in arrays]
            self._improve(unsure, found, smooth=k >= 1)
            against = (self.verdict[unsure] == DISAGREE).any(axis=1)
            if k < 2 and not self.noise and against.any():
                self._second_opinion(unsure[against], x_scale)
            elif against.any():  # a function that is fine beside x0 looks flat from so far away
                for array, old in zip(arrays, before, strict=True):
                    array[unsure[against]] = old[against]
        self.verdict[flat & (self.verdict == INCONCLUSIVE)] = AGREE  # both zero, wherever one looks

    def _from_zero(self, index: Integers) -> None:
        """An x of 0 has no scale of its own, and that of the others may be far too long: 1 may be better."""
        again = self._open(index)
        again = again[(self.x[again] == 0) & (self.scale[again] > 1)]
        if again.size:
            arrays: tuple[NDArray[Any], ...] = (self.n, self.bar, self.step, self.flag, self.rung, self.verdict)
            before = [array[again].copy() for array in arrays]
            self._take(again, self._differences("richardson", again, np.minimum(self.scale, 1.0)), RICHARDSON_RUNG)
            self._judge(again)
            verdict, old = self.verdict[again], before[-1]
            with np.errstate(all="ignore"):
                finer = self.bar[again] * np.abs(before[0]) < before[1] * np.abs(self.n[again])
            keep = (old == AGREE) | ((verdict == INCONCLUSIVE) & ~finer) | ((verdict == old) & ~finer)
            for array, value in zip(arrays, before, strict=True):
                array[again] = np.where(keep, value, array[again])
            self.scale[again[(verdict != INCONCLUSIVE).all(axis=1)]] = 1.0

    def _doubt_ripples(self, index: Integers) -> None:
        """Where forward differences saw that fun is not smooth, and nothing later has told why: ask once more.

        A ripple finer than the steps of the higher rungs, or of their period, is not in the differences of these.
        Steps to both sides along all components, of no power of two, must give what the differences say. If not, and
        the shortest of them agree on another slope, that is the derivative; where they do not agree it is noise.
        """
        known = (self.verdict[index] == AGREE) | (self.verdict[index] == DISAGREE)
        known = (known & ((self.flag[index] & Flag.kink) == 0)).any(axis=1)
        if self.limits is not None:
            reach = default_step(self.run.eps or EPS, 2) * self.scale[index]
            lb, ub = (limit[index] for limit in self.limits)
            known &= (self.x[index] - reach >= lb) & (self.x[index] + reach <= ub)
        some = index[known]
        if not some.size:
            return
        with np.errstate(all="ignore"):
            step = np.where(self.rung == RICHARDSON_RUNG, self.step, np.inf).min(axis=1)
            scale = np.fmin(self.scale, step / _SHARE)  # a borrowed scale may be far too long
        found = ripple(self.run, some, scale, self.n[some], self.bar[some])
        if found is None:
            return
        rippled, height = found
        if not self.noise:
            self.noise_sought = True
            self.noise = max(self.estimate(), self._hidden_float32())
        if height <= _AS_NOISE * float(np.abs(self.f0).max(initial=0.0)):  # so small that it is taken for noise
            rippled, self.noise = False, max(self.noise, height)
        self.rippled |= rippled
        if rippled or not self.noise:
            self.verdict[some] = INCONCLUSIVE

    def _unsure(self, index: Integers) -> Integers:
        return np.asarray(index[(self.verdict[index] == INCONCLUSIVE).any(axis=1)])

    def _open(self, index: Integers) -> Integers:
        open_ = (self.verdict[index] == INCONCLUSIVE) | (self.verdict[index] == DISAGREE)
        return np.asarray(index[open_.any(axis=1)])

    def estimate(self) -> float:
        """The standard deviation of fun's values near x0, in steps that fit the scale of x; 0: cannot be told."""
        run, scale = self.run, self.scale.reshape(self.run.x0.shape)
        signs = np.where(away(self.f0.size) > 0.75, 1.0, -1.0)

        def on_unit_scale(y: Float) -> float:
            value = np.reshape(np.asarray(run.evaluate(run.x0 + scale * y), np.float64), -1)
            return float((signs * value).sum()) / math.sqrt(value.size)

        room = None
        if self.limits is not None:
            with np.errstate(all="ignore"):
                room = tuple(((limit - self.x) / self.scale).reshape(run.x0.shape) for limit in self.limits)
        eps = run.eps
        found = estimate_noise(on_unit_scale, np.zeros(run.x0.shape), bounds=room)  # type: ignore[arg-type]
        run.eps = eps
        noise = _NOISE * found.noise if found.status == OK else 0.0
        return noise if math.isfinite(noise) else 0.0

    def _hidden_float32(self) -> float:
        """The noise of values in float32 that short steps do not change."""
        x = self._clipped(self.x + NEARBY * self.scale * away(self.x.size))
        value = np.reshape(np.asarray(self.run.evaluate(x.reshape(self.run.x0.shape)), np.float64), -1)
        coarse = in_float32(value) and in_float32(self.f0)
        # A short number, as 1.0, is no sign of float32.
        coarse = coarse and (bool((value != self.f0).any()) or not in_float16(self.f0))
        size = float(np.abs(value).max())
        return FLOAT32 * size if coarse and math.isfinite(size) else 0.0

    def _clipped(self, x: Float) -> Float:
        return x if self.limits is None else np.clip(x, *self.limits)

    def _look_for_kink(self, i: int) -> None:
        if self.limits is not None:  # both sides must be there
            room = min(self.x[i] - self.limits[0][i], self.limits[1][i] - self.x[i])
            if not room > 0.02 * self.scale[i]:
                return
        own, largest = float(self.scale[i]), float(self.scale.max())
        left, right, bar = one_sided_slopes(self.run, i, own, self.noise)
        if own < 1e-3 * largest and np.isnan(left).all() and self.limits is None:
            left, right, bar = one_sided_slopes(self.run, i, largest, self.noise)
        for r in np.flatnonzero(np.isfinite(left)):
            low, high, a = min(left[r], right[r]), max(left[r], right[r]), self.a[i, r]
            self.left[i, r], self.right[i, r] = left[r], right[r]
            self.n[i, r] = min(max(a, low), high) if a == a else 0.5 * (low + high)
            self.bar[i, r], self.rung[i, r] = bar[r], KINK_RUNG
            self.flag[i, r] |= Flag.kink
            apart = abs(a - self.n[i, r])
            within = apart <= tolerance(a, self.n[i, r], bar[r], self.rtol, self.atol)
            self.verdict[i, r] = AGREE if within and not self.strict else DISAGREE

    def _steepness(self, index: Integers) -> Float:
        """How steep fun is a little away from x0, to the steeper side, (count, m); 0 where that cannot be told."""
        x, f0 = self.x[index], self.f0
        h = taken(x, NEARBY * np.where(x == 0, np.minimum(self.scale[index], 1.0), self.scale[index]))
        steep = np.zeros((index.size, f0.size))
        inside = h != 0
        if self.limits is not None:
            inside &= (x - h >= self.limits[0][index]) & (x + h <= self.limits[1][index])
        chosen = np.flatnonzero(inside)
        if chosen.size:
            kept = np.empty((chosen.size, 2, f0.size))
            self.run.difference(index[chosen], h[chosen], CENTRAL, None, kept)
            with np.errstate(all="ignore"):
                steep[chosen] = np.abs(kept - f0).max(axis=1) / h[chosen, None]
        return np.where(np.isfinite(steep), steep, 0.0)

    # --- what all rungs share ---

    def raw(self, index: Integers) -> None:
        """Only the differences, by Richardson."""
        self._take(index, self._differences("richardson", index), RICHARDSON_RUNG)

    def _differences(
        self, method: str, index: Integers, x_scale: Float | None = None, rel_step: float | None = None
    ) -> Found:
        run, shape = self.run, self.run.x0.shape
        scale = self.scale if x_scale is None else x_scale
        bounds = None
        if self.limits is not None:
            bounds = self.limits[0].reshape(shape), self.limits[1].reshape(shape)
        found = differentiate(
            run.fun, run.x0, run.scalar, method, None, rel_step, None, scale.reshape(shape), bounds, run.f0, index,
            self.noise or None, run.args, with_error=True,
        )  # fmt: skip
        run.nfev += found.run.nfev
        return found

    def _take(self, index: Integers, found: Found, rung: int) -> None:
        bold = self.bold if rung == RICHARDSON_RUNG else 1.0
        self.n[index], self.bar[index] = found.rows, bold * _or_nan(found.error)
        self.step[index], self.flag[index], self.rung[index] = _steps_of(found), _flags(found), rung

    def _sizes(self) -> Float:
        return sizes(self.a, self.n, self.blocks, self.steep)

    def _judge(self, index: Integers) -> None:
        a, n, bar = self.a[index], self.n[index], self.bar[index]
        verdict = judge(a, n, bar, self._sizes()[index], self.rtol, self.atol)
        if self.noise:  # one in many may be just outside
            near = np.abs(a - n) <= tolerance(a, n, _MARGIN * bar, self.rtol, self.atol)
            verdict[near & (verdict == DISAGREE)] = INCONCLUSIVE
        verdict[np.isinf(a) & (self.flag[index] != 0)] = INCONCLUSIVE  # an infinite slope may be right
        verdict[(self.flag[index] & Flag.fixed) != 0] = NOT_CHECKED
        self.verdict[index] = verdict


def _or_nan(error: Float | None) -> Any:
    return np.nan if error is None else error


def _steps_of(found: Found) -> Float:
    return found.steps if found.steps.ndim == 2 else np.repeat(found.steps[:, None], found.rows.shape[1], axis=1)


def _flags(found: Found) -> Integers:
    return np.zeros(found.rows.shape, np.intp) if found.flags is None else found.flags
