"""Richardson extrapolation, twin of src/richardson.c."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, frexp, inf, isfinite, ldexp, log, sqrt, trunc
from typing import Any, TypeAlias

import numpy as np

EPS = float(np.finfo(np.float64).eps)  # DBL_EPSILON

LEVELS = 10
KINK, NOISY = 8, 16
CAUTION, LEAST, APART, LENGTH, AGREE, TARGET = 64.0, 1.0 / 4096.0, 7.3, 0.02, 0.02, 0.003
CLOSE, LOWER, FINE, GROWTH, AGREE_GROWING, SCATTER = 16.0, 0.0153, 5e-13, 4.0, 0.1, 1e3
CLEAR, ALIKE, SMOOTH, POWER = 32.0, 0.1, 0.05, 0.25
GROWTHS, REFERENCES, ROUNDS, EDGES = 4, 5, 40, 5


def _larger(a: float, b: float) -> float:
    return a if a > b else b


def _smaller(a: float, b: float) -> float:
    return a if a < b else b


def _beyond(a: float, b: float) -> float:
    """a - b, but at least 0; nan stays."""
    return 0.0 if a < b else a - b


def _add_row(level: int, z_old: Any, z: float, d: float, bar: float, t: Any, b: Any, best: list[float]) -> None:
    """One row of Neville's scheme; best is [value, error, floor]."""
    t_old, b_old = t[0], b[0]  # of the row before, one column to the left
    t[0] = t_new = d
    b[0] = b_new = bar
    before = 0.0  # the correction made in the column before
    for j in range(1, level + 1):
        factor = z_old[j - 1] / z - 1.0
        t_next = t_new + (t_new - t_old) / factor
        b_next = b_new + (b_new + b_old) / abs(factor)
        correction = abs(t_next - t_new)
        estimate = _larger(correction, abs(t_next - t_old))
        # Where the corrections shrink fast, the next one is as much smaller again.
        if CAUTION * correction < before:
            estimate *= _larger(CAUTION * correction / before, LEAST)
        if estimate + b_next < best[1]:
            best[:] = t_next, estimate + b_next, b_next
        t_old, b_old = t[j], b[j]
        t[j] = t_new = t_next
        b[j] = b_new = b_next
        before = correction


Sample: TypeAlias = tuple[float, float, float, float]  # slope, bend, steepest, noise
NOW, REFERENCE, CANDIDATE, BEFORE, LONGEST = range(5)


class _Limit:
    """One value of fun at one component: nd_limit."""

    __slots__ = ("bars", "best", "live", "remarks", "sample", "scatter", "step", "table")

    def __init__(self) -> None:
        self.best = [0.0, 0.0, 0.0]  # value, error, floor
        self.step = self.scatter = 0.0
        self.remarks = 0
        self.live = False
        self.table, self.bars = [0.0] * LEVELS, [0.0] * LEVELS
        self.sample: list[Sample] = [(0.0, 0.0, 0.0, 0.0)] * 5


class _Component:
    """One component of x: nd_richardson. The methods are the functions of src/richardson.c."""

    def __init__(
        self, x: float, h: float, first: float, longest: float, one_sided: bool, eps: float, noise: float, m: int
    ) -> None:
        self.x, self.first, self.longest, self.one_sided, self.eps, self.noise = (
            x,
            first,
            longest,
            one_sided,
            eps,
            noise,
        )
        self.limits = [_Limit() for _ in range(m)]
        self.live: list[_Limit] = []
        self.ask_why: Callable[[], float] = self.start
        self.levels = self.rounds = self.references = self.growths = self.edges = self.stalled = 0
        self.flat = 0.0
        self.has_before = self.is_short = False
        self.h = [h, 0.0, 0.0, 0.0, 0.0]
        self.zs = [0.0] * LEVELS
        self.f0: list[float] = []

    def next(self, values: list[list[float]], f0: list[float]) -> float:
        self.f0 = f0
        for limit, at_x, first, last in zip(self.limits, f0, *values, strict=True):
            limit.sample[NOW] = self.measure(at_x, first, last)
        return self.ask_why()

    def exact(self, h: float) -> float:
        significand, exponent = frexp(h)
        return (self.x + ldexp(trunc(4096.0 * significand) / 4096.0, exponent)) - self.x

    def measure(self, f0: float, first: float, last: float) -> Sample:
        h, x = self.h[NOW], self.x
        up, down = last - f0, first - f0
        if self.one_sided:
            down, first = up, last
            slope, bend = up / ((x + h) - x), 0.0
            steepest = abs(slope)
        else:
            slope, bend = (last - first) / ((x + h) - (x - h)), up + down
            steepest = _larger(abs(up), abs(down)) / abs(h)
        size = _larger(_larger(abs(first), abs(last)), abs(f0))
        return slope, bend, steepest, _larger(self.eps * size + EPS * abs(x) * steepest, self.noise)

    def copy(self, to: int, source: int) -> None:
        self.h[to] = self.h[source]
        for limit in self.limits:
            limit.sample[to] = limit.sample[source]

    def finite(self) -> bool:
        return all(isfinite(limit.sample[NOW][0]) for limit in self.live)

    def compare(self, longer: int, shorter: int) -> tuple[float, bool]:
        far, near, most, suspect = abs(self.h[longer]), abs(self.h[shorter]), 0.0, False
        for limit in self.live:
            a_slope, a_bend, a_steepest, a_noise = limit.sample[longer]
            b_slope, b_bend, b_steepest, b_noise = limit.sample[shorter]
            slope = _larger(a_steepest, b_steepest)
            by_far, by_near = _larger(a_noise, limit.scatter) / far, _larger(b_noise, limit.scatter) / near
            first = _beyond(abs(a_slope - b_slope), 4.0 * (by_far + by_near))
            second = _beyond(abs(a_bend / far / far - b_bend / near / near), 8.0 * (by_far / far + by_near / near))
            apart = _larger(first, second * far)
            if apart != apart:
                most = inf
            elif apart > 0.0:
                most = _larger(most, apart / slope if slope > 0.0 else inf)
            if second > 0.0 and second * near >= 0.05 * first:
                suspect = True
        return most, suspect

    def seen(self, limit: _Limit, shorter: int, longer: int) -> float:
        a, b = limit.sample[longer], limit.sample[shorter]
        near = abs(self.h[shorter])
        ratio = near / abs(self.h[longer])
        return _larger(abs(b[0] - a[0]) * near, 0.5 * abs(b[1] - a[1] * ratio * ratio))

    def corner(self, limit: _Limit, shorter: int, longer: int) -> float:
        near, (_, bend, _, noise) = abs(self.h[shorter]), limit.sample[shorter]
        jump, apart = abs(bend) / near, abs(bend / near - limit.sample[longer][1] / abs(self.h[longer]))
        return jump if abs(bend) > CLEAR * noise and apart <= ALIKE * jump else 0.0

    def ask(self, why: Callable[[], float], h: float) -> float:
        self.ask_why, self.h[NOW] = why, h
        return h

    def done(self) -> float:
        return self.ask(self.done, 0.0)

    def settle(self, limit: _Limit, change: float) -> None:
        slope, bend = limit.sample[LONGEST][:2]
        limit.best[:2] = slope, (abs(bend) + 2.0 * change) / abs(self.h[LONGEST])
        limit.step = self.h[LONGEST]
        limit.remarks |= NOISY
        limit.live = False

    def power(self, limit: _Limit, shorter: int, longer: int) -> float:
        near, far = abs(self.h[shorter]), abs(self.h[longer])
        less, more = limit.sample[shorter][2] * near, limit.sample[longer][2] * far
        return log(more / less) / log(far / near) if far > near and more > less > 0.0 else 0.0

    def is_steep(self, limit: _Limit) -> bool:
        first, following = self.power(limit, REFERENCE, NOW), self.power(limit, NOW, BEFORE)
        overall = self.power(limit, REFERENCE, LONGEST)
        return overall > POWER and abs(first - overall) <= ALIKE and abs(following - overall) <= ALIKE

    def give_up(self) -> float:
        near, now_h, far_h = abs(self.h[REFERENCE]), abs(self.h[NOW]), abs(self.h[LONGEST])
        for limit in self.live:
            slope, bend, steepest, noise = limit.sample[REFERENCE]
            now_slope, now_bend = limit.sample[NOW][:2]
            far_slope, _, far_steepest, _ = limit.sample[LONGEST]
            jump, change, apart = abs(bend) / near, steepest * near, abs(now_slope - slope)
            # At a kink the slopes are what they are at longer steps; in a jump and in noise they grow as 1 / h, and
            # less where the slope is infinite.
            if far_h > 0.0 and steepest > 4.0 * far_steepest and isfinite(far_slope) and change > 4.0 * noise:
                self.settle(limit, change)
                if self.is_steep(limit):
                    limit.best[1] = _larger(limit.best[1], steepest)
                continue
            steep = far_steepest if far_h > 0.0 and far_steepest > steepest else steepest
            limit.best[:2] = slope, (apart if apart == apart else 0.0) + 0.5 * jump + noise / near
            limit.step = self.h[REFERENCE]
            bent = jump > 0.3 * (abs(now_bend) / now_h) and jump > 1e-3 * steep
            if bent or self.corner(limit, REFERENCE, NOW) > 0.0 or apart > 0.1 * steep:
                limit.remarks |= KINK
        return self.done()

    def push(self) -> None:
        h = abs(self.h[NOW])
        z = h if self.one_sided else h * h
        for limit in self.live:
            slope, _, _, noise = limit.sample[NOW]
            least = limit.best[1]
            bar = _larger(noise, limit.scatter) / h
            _add_row(self.levels, self.zs, z, slope, bar, limit.table, limit.bars, limit.best)
            if limit.best[1] < least:
                limit.step = self.h[NOW]
        self.zs[1 : self.levels + 1] = self.zs[: self.levels]
        self.zs[0] = z
        self.levels += 1

    def jump_of(self, limit: _Limit, shorter: int, longer: int) -> float:
        a, b = abs(self.h[shorter]), abs(self.h[longer])
        return (limit.sample[shorter][1] / a * b - limit.sample[longer][1] / b * a) / (b - a)

    def kink(self, limit: _Limit) -> float:
        shortest, middle, longest = REFERENCE, NOW, BEFORE
        if abs(self.h[REFERENCE]) > 0.5 * abs(self.h[NOW]):
            if self.levels < 3:
                return self.corner(limit, NOW, BEFORE)
            shortest, middle, longest = NOW, BEFORE, CANDIDATE
        jump, again = self.jump_of(limit, shortest, middle), self.jump_of(limit, middle, longest)
        noise = _larger(limit.sample[shortest][3], limit.scatter) / abs(self.h[shortest])
        return abs(jump) if abs(jump) > CLEAR * noise and abs(jump - again) <= ALIKE * abs(jump) else 0.0

    def finish(self) -> float:
        near, far = abs(self.h[REFERENCE]), abs(self.h[NOW])
        ratio, before_h = near / far, abs(self.h[BEFORE])
        for limit in self.live:
            value, _, floor = limit.best
            slope, bend = limit.sample[REFERENCE][:2]
            now_slope, now_bend, _, now_noise = limit.sample[NOW]
            truncation = abs(now_slope - value) * (ratio if self.one_sided else ratio * ratio)
            by_slope = _beyond(abs(slope - value), 2.0 * truncation) * near
            jump = self.kink(limit)
            if 0.5 * jump > limit.best[1] and by_slope <= ALIKE * jump * near:
                limit.best[1] = 0.5 * jump
                limit.remarks |= KINK
                continue
            curvature = now_bend / far / far
            change = limit.sample[BEFORE][1] / before_h / before_h - curvature
            by_bend = _beyond(0.5 * abs(bend - curvature * near * near), abs(change) * near * near)
            scatter, noise = 2.0 * _larger(by_slope, by_bend), _larger(now_noise, limit.scatter)
            if scatter > noise:
                limit.best[1] += floor * (scatter / noise - 1.0) if noise > 0.0 else scatter / far
                # Of noise, the second difference would tell as well: this is a kink or another structure beside x.
                if by_slope > CLEAR * noise and by_bend < SMOOTH * by_slope:
                    limit.best[1] = _larger(limit.best[1], by_slope / near)
                if scatter > SCATTER * noise:
                    limit.remarks |= NOISY
        return self.done()

    def descend(self) -> float:
        before = [limit.best[1] for limit in self.live]
        self.push()
        converged = all(limit.best[1] <= 2.0 * limit.best[2] for limit in self.live)
        improved = any(limit.best[1] < 0.5 * least for limit, least in zip(self.live, before, strict=True))
        self.stalled = 0 if improved else self.stalled + 1
        most = LEVELS - 1 if self.one_sided else 7
        if converged or self.levels >= most or (self.levels >= 3 and self.stalled > self.one_sided):
            return self.finish()
        self.copy(BEFORE, NOW)
        return self.ask(self.descend, 0.5 * self.h[NOW])

    def flats(self) -> list[_Limit]:
        return [limit for limit in self.live if limit.sample[CANDIDATE][2] == 0.0 and limit.sample[BEFORE][2] > 0.0]

    def edge(self) -> float:
        far_h, beyond_it, flat, wanted = abs(self.h[LONGEST]), abs(self.h[BEFORE]), abs(self.flat), False
        for limit in self.flats():
            _, _, steepest, noise = limit.sample[BEFORE]
            far_steepest, change, wide = limit.sample[LONGEST][2], steepest * beyond_it, far_h - beyond_it
            steepest = _larger(far_steepest, (far_steepest * far_h - change) / wide) if wide > 0.0 else inf
            if change > CLEAR * noise and change > 4.0 * steepest * (beyond_it - flat):
                self.settle(limit, change)
            else:
                wanted = True
        self.live = [limit for limit in self.live if limit.live]
        if wanted:
            self.edges += 1
        return self.exact(copysign(sqrt(flat * beyond_it), self.h[BEFORE])) if wanted and self.edges <= EDGES else 0.0

    def at_edge(self) -> float:
        if not self.finite():
            self.edges = EDGES
        elif any(limit.sample[NOW][2] != 0.0 for limit in self.flats()):
            self.copy(BEFORE, NOW)
        else:
            self.flat = self.h[NOW]
        return self.accept()

    def accept(self) -> float:
        if self.growths == 0:
            if self.edges == 0:
                self.flat = self.h[CANDIDATE]
                for limit in self.live:
                    slopes = [sample[2] for sample in limit.sample]
                    if slopes[CANDIDATE] == 0.0 and slopes[BEFORE] == 0.0 and slopes[LONGEST] > 0.0:
                        self.copy(BEFORE, LONGEST)  # BEFORE was too long for another value alone
            following = self.edge()
            if following != 0.0:
                return self.ask(self.at_edge, following)
        h = abs(self.h[CANDIDATE])
        limited = False
        for limit in self.live:
            _, _, steepest, noise = limit.sample[CANDIDATE]
            limited |= _larger(noise, limit.scatter) > FINE * h * steepest and steepest > 0.0
        if limited and self.growths < GROWTHS and GROWTH * h <= self.longest:
            self.growths += 1
            return self.ask(self.grow, self.exact(GROWTH * self.h[CANDIDATE]))
        self.copy(NOW, CANDIDATE)
        for limit in self.live:
            limit.best[1] = inf
        return self.descend() if self.live else self.done()

    def grow(self) -> float:
        if self.finite() and self.compare(NOW, CANDIDATE)[0] <= AGREE_GROWING:
            self.copy(CANDIDATE, NOW)
        else:
            self.growths = GROWTHS
        return self.accept()

    def search(self) -> float:
        is_finite = self.finite()
        apart, suspect = self.compare(NOW, REFERENCE) if is_finite else (inf, False)
        if apart <= AGREE:
            self.copy(CANDIDATE, NOW)
            return self.accept()
        if is_finite and suspect and self.has_before and self.compare(BEFORE, NOW)[0] <= AGREE:
            self.copy(CANDIDATE, NOW)
            return self.ask(self.probe, self.exact(LOWER * self.h[REFERENCE]))
        self.rounds += 1
        if self.rounds > ROUNDS:
            return self.give_up()
        was_short, self.is_short = self.is_short, False
        if is_finite and suspect and was_short:
            # Scatter makes the scale that the second difference tells too short.
            return self.ask(self.search, self.exact(self.first))
        h, ref_h = self.h[NOW], self.h[REFERENCE]
        ratio = abs(h / ref_h)
        if is_finite and self.h[LONGEST] == 0.0:
            self.copy(LONGEST, NOW)
        if ratio <= 2.0 or (is_finite and ratio <= CLOSE):
            # The reference is the next candidate, and gets another reference; one of rounding alone agrees with
            # everything.
            lower = self.exact(LOWER * ref_h)
            blind = lower == 0.0
            for limit in self.live:
                _, _, steepest, noise = limit.sample[REFERENCE]
                steep = self.corner(limit, REFERENCE, NOW) if is_finite else 0.0
                blind |= noise > 1e-3 * abs(lower) * (steep if steep > 0.0 else steepest)
            if blind or self.references >= REFERENCES:
                return self.give_up()
            self.references += 1
            if is_finite:
                self.copy(BEFORE, NOW)
            self.copy(CANDIDATE, REFERENCE)
            return self.ask(self.lower, lower)
        factor = 0.25
        if not (is_finite and suspect and not self.has_before):
            if apart < 1.0:
                factor = _smaller(_larger(sqrt(TARGET / apart), 1.0 / 32.0), 0.25)
            else:
                factor = _smaller(_larger(1.0 / sqrt(ratio), 1.0 / 64.0), 0.25)
        if is_finite:
            self.copy(BEFORE, NOW)
        self.has_before = is_finite
        return self.ask(self.search, self.exact(2.0 * ref_h if ratio * factor < 2.0 else factor * h))

    def lower(self) -> float:
        self.copy(REFERENCE, NOW)
        self.copy(NOW, CANDIDATE)
        self.has_before = False
        return self.search()

    def probe(self) -> float:
        structure = is_kink = False
        for limit in self.live:
            structure |= self.seen(limit, NOW, CANDIDATE) < 0.1 * self.seen(limit, REFERENCE, CANDIDATE)
            is_kink |= self.corner(limit, NOW, REFERENCE) > 0.0
        self.has_before = False
        if is_kink:
            return self.accept()
        if structure:
            self.copy(CANDIDATE, REFERENCE)
            self.copy(REFERENCE, NOW)
            self.copy(NOW, CANDIDATE)
            return self.search()
        for limit in self.limits:
            by_reference, by_probe = self.seen(limit, REFERENCE, CANDIDATE), self.seen(limit, NOW, CANDIDATE)
            limit.scatter = 2.0 * (by_probe if by_probe > by_reference else by_reference)
            limit.remarks |= NOISY
        return self.accept()

    def start(self) -> float:
        length, near = inf, abs(self.h[NOW])
        self.copy(REFERENCE, NOW)
        for limit, f0 in zip(self.limits, self.f0, strict=True):
            slope, bend, _, noise = limit.sample[REFERENCE]
            limit.live = isfinite(slope) and isfinite(f0)
            limit.best[:] = slope, inf, 0.0
            limit.step = self.h[NOW]
            bend = _beyond(abs(bend), 8.0 * noise) / near / near
            scale = _larger(abs(slope) / bend, sqrt(abs(f0) / bend)) if bend > 0.0 else inf
            if limit.live and scale > 0.0:
                length = _smaller(length, scale)
        self.live = [limit for limit in self.limits if limit.live]
        if not self.live:
            return self.done()
        least = APART * near
        first = _smaller(_larger(abs(self.first), least), self.longest)
        h = _smaller(first, _larger(LENGTH * length, least))
        self.is_short = h < 0.5 * first
        self.first = copysign(first, self.h[NOW])
        return self.ask(self.search, self.exact(copysign(h, self.h[NOW])))


class Richardson:
    """The components of a Richardson extrapolation, one by one."""

    def __init__(
        self, x: Any, h: Any, first: Any, longest: Any, one_sided: Any, eps: float, noise: float, m: int
    ) -> None:
        numbers = (array.tolist() for array in (x, h, first, longest, one_sided))
        self.components = [_Component(a, b, c, d, e, eps, noise, m) for a, b, c, d, e in zip(*numbers, strict=True)]

    def next(self, index: Any, values: Any, f0: Any, out: Any) -> None:
        """Take fun's values at the steps returned last, (index, 2, m); put the next steps into out, 0 where done."""
        at_x = f0.tolist()
        out[:] = [self.components[i].next(rows, at_x) for i, rows in zip(index.tolist(), values.tolist(), strict=True)]

    def results(self, value: Any, error: Any, step: Any, remarks: Any) -> None:
        for k, component in enumerate(self.components):
            for r, limit in enumerate(component.limits):
                value[k, r], error[k, r] = limit.best[:2]
                step[k, r], remarks[k, r] = limit.step, limit.remarks
