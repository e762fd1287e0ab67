"""The kernels in pure Python: the reference, and what runs where no extension is there.

Twin of src/*.c behind src/_kernels_c.pyx: same names, same order of operations, same bits, same counts. numdiff.h is
the contract of both. Arguments are trusted: the layer above has checked them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice, pairwise, repeat
from math import copysign, frexp, inf, isfinite, ldexp, nan, sqrt, trunc
from sys import getrefcount
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._stencils import Stencil

EPS = float(np.finfo(np.float64).eps)  # DBL_EPSILON

# Remarks (bits of a status of 0 or more) and stops, as in numdiff.h.
NONFINITE, INVALID, OVERFLOW, SUSPECT = 1, 2, 4, 8
WRITTEN, NO_STEP = -2, -3

BLOCK_BYTES = 8 * 64  # compared in one look
MANY_BLOCKS = 64  # beyond, the expected bytes are not kept: they would be one more copy of x0


def combine(stencil: Stencil, values: Sequence[Any], span: Any) -> Any:
    """The formula of a stencil, for arrays of any dtype; difference() has it in line for floats.

    For an n-th derivative the n-th power of h takes the place of span.
    """
    _, weights, scale = stencil
    if weights == (-1.0, 1.0):
        return (values[1] - values[0]) / (scale * span)  # also of values that cannot be multiplied: bool, datetime64
    total = weights[0] * values[0]
    for j in range(1, len(weights)):
        total = total + weights[j] * values[j]
    return total / (scale * span)


def _bytes(array: Any) -> memoryview:
    return memoryview(array).cast("B")


def _floats(array: Any) -> Any:
    """The numbers of a contiguous array of any shape, to read and write one by one without NumPy's overhead."""
    return _bytes(array).cast("d")


def _remarks(results: Any, values: list[Any], span: float) -> int:
    """What to say of results that are not all finite; values are those of fun behind them."""
    remarks = NONFINITE
    for test, remark in ((np.isnan, INVALID), (np.isinf, OVERFLOW)):
        if np.any(test(results)) and not any(np.any(test(value)) for value in [*values, span]):
            remarks |= remark
    return remarks


class _Shared:
    """The array that fun sees, and its coordinates in blocks beside what they should be."""

    __slots__ = ("blocks", "coordinates", "x", "x0")

    def __init__(self, x: NDArray[np.float64], x0: NDArray[np.float64]) -> None:
        self.x = x
        self.x0 = x0
        found, expected, size = _bytes(x), _bytes(x0), BLOCK_BYTES
        self.coordinates: Any = found.cast("d")
        self.blocks = [(found, expected)]
        if len(found) > size:
            self.blocks = [(found[b : b + size], expected[b : b + size]) for b in range(0, len(found), size)]

    def looks(self, call: int) -> Iterator[tuple[memoryview, bytes]]:
        """The block to look at after each call from number `call` (from 0) on, and the bytes it should have."""
        blocks = self.blocks
        if len(blocks) == 1:
            return repeat((blocks[0][0], blocks[0][1].tobytes()))
        if len(blocks) <= MANY_BLOCKS:
            turns: Iterator[tuple[memoryview, bytes]] = cycle([(found, want.tobytes()) for found, want in blocks])
        else:
            turns = ((found, want.tobytes()) for found, want in cycle(blocks))
        return islice(turns, call % len(blocks), None)

    def reshaped(self) -> bool:
        """Whether fun has given x another shape, dtype or flags, in place."""
        x, x0 = self.x, self.x0
        return x.shape != x0.shape or x.dtype != x0.dtype or not x.flags.c_contiguous or not x.flags.writeable

    def intact(self) -> bool:
        """Whether all of x equals x0 to the bit, and is the array that was shared."""
        if self.reshaped():
            return False
        for found, expected in self.blocks:  # noqa: SIM110  (half the time of all())
            if found.tobytes() != expected.tobytes():
                return False
        return True


def _call(fun: Callable[..., Any], args: tuple[Any, ...], first: Any) -> Callable[[Any], Any]:
    """fun of x alone; if `first` is known, the first call is that and none of fun."""
    if first is not None:
        pending = [first]
        return lambda x: pending.pop() if pending else fun(x, *args)
    return (lambda x: fun(x, *args)) if args else fun


def difference(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    m: int,
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    stencil: Stencil,
    f0: Any,
    first: Any,
    out: NDArray[np.float64],
    kept: NDArray[np.float64] | None,
) -> tuple[int, int]:
    """First derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_difference.

    fun(x, *args) is called with an array of x0's shape; `values` turns what it returns, where that is no float, into
    a float (m = 1) or a new float64 array of m. h has the shape of x0, or of index; out a row for each step. `first`
    is the value of the first call, if known; kept (count, calls for each, m), if wanted, takes the values of all calls.
    Returns (status, calls of fun).
    """
    moved = x0 if index is None else x0.reshape(-1)[index]
    if np.count_nonzero(moved + h == moved):
        return NO_STEP, 0

    offsets, weights, scale = stencil
    left, right = offsets[0], offsets[-1]
    known = [f0] if 0.0 in offsets else []  # the values that need no call
    start = weights[0] * f0 if known and m == 1 else -0.0  # -0 adds nothing to a sum, not even a sign
    moves = [(offset, weight, False) for offset, weight in zip(offsets, weights, strict=True) if offset != 0.0]
    moves[-1] = (*moves[-1][:2], True)

    xs, hs, results = _floats(moved), _floats(h), _floats(out) if m == 1 else out
    indices: Any = index
    indices = range(len(xs)) if index is None else memoryview(indices)
    each: Iterator[Any]
    if len(moves) == 1:
        each = zip(indices, xs, hs, *map(repeat, moves[0]))  # noqa: B905  (repeat has no end)
    else:
        each = ((i, xi, hi, *move) for i, xi, hi in zip(indices, xs, hs, strict=True) for move in moves)

    prefetched = first is not None
    call = _call(fun, args, first)
    plain, scalar = (float, np.float64) if m == 1 else (None, None)  # types of fun's values that are floats

    shared = _Shared(x0.copy(), x0)
    x, coordinates, look = shared.x, shared.coordinates, shared.looks(0).__next__
    many = len(shared.blocks) > 1
    references = getrefcount(x)
    calls = remarks = k = 0
    total = start
    earlier: list[Any] = []  # the values of this coordinate before the last
    # Every line of this loop counts: it is most of the time of a gradient.
    for i, xi, hi, offset, weight, last in each:
        if coordinates[i] != xi and xi == xi:
            return WRITTEN, calls - prefetched
        to = xi + offset * hi
        coordinates[i] = to
        fx = call(x)
        calls += 1
        if calls <= 2 and shared.reshaped():
            return WRITTEN, calls - prefetched
        kind = type(fx)
        if kind is not plain:
            fx = float(fx) if kind is scalar else values(fx)
        if getrefcount(x) != references:
            # fun has kept x: that array is fun's from now on, and the next call gets another
            shared = _Shared(x.copy(), x0)
            x, coordinates, look = shared.x, shared.coordinates, shared.looks(calls - 1).__next__
            references = getrefcount(x)
        if coordinates[i] != to and to == to:  # before restoring, which would heal it
            return WRITTEN, calls - prefetched
        coordinates[i] = xi
        found, expected = look()
        if found.tobytes() != expected or (calls <= 2 and many and not shared.intact()):
            return WRITTEN, calls - prefetched
        if m == 1:
            total += weight * fx
        if not last:
            earlier.append(fx)
            continue
        span = (xi + right * hi) - (xi + left * hi)
        if m == 1:
            total /= scale * span
            results[k] = total
            if total - total != 0.0:
                remarks |= _remarks(total, [*known, *earlier, fx], span)
            total = start
        else:
            row = [*known, *earlier, fx]
            with np.errstate(all="ignore"):
                results[k] = combine(stencil, row, span)
            if not np.isfinite(results[k]).all():
                remarks |= _remarks(results[k], row, span)
        if kept is not None:
            kept[k, :-1] = np.reshape(earlier, (-1, m))
            kept[k, -1] = fx
        k += 1
        if earlier:
            earlier.clear()
    return remarks if shared.intact() else WRITTEN, calls - prefetched


LEVELS = 10
KINK, NOISY = 8, 16
CAUTION, LEAST, APART, LENGTH, AGREE, TARGET = 64.0, 1.0 / 4096.0, 7.3, 0.02, 0.02, 0.003
CLOSE, LOWER, FINE, GROWTH, AGREE_GROWING, SCATTER = 16.0, 0.0153, 5e-13, 4.0, 0.1, 1e3
GROWTHS, REFERENCES, ROUNDS = 4, 5, 40


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


def extrapolate(
    levels: NDArray[np.intp],
    zs: NDArray[np.float64],
    table: NDArray[np.float64],
    bars: NDArray[np.float64],
    z: NDArray[np.float64],
    d: NDArray[np.float64],
    bar: NDArray[np.float64],
    value: NDArray[np.float64],
    error: NDArray[np.float64],
    floor: NDArray[np.float64],
) -> None:
    """One more row of Neville's scheme for each sequence, in place: nd_extrapolate."""
    count, m = d.shape
    for k in range(count):
        level, z_new = int(levels[k]), float(z[k])
        z_old = zs[k].tolist()
        for r in range(m):
            t, b = table[k, :, r].tolist(), bars[k, :, r].tolist()
            best = [float(value[k, r]), float(error[k, r]), float(floor[k, r])]
            _add_row(level, z_old, z_new, float(d[k, r]), float(bar[k, r]), t, b, best)
            table[k, :, r], bars[k, :, r] = t, b
            value[k, r], error[k, r], floor[k, r] = best
        zs[k, 1 : level + 1] = z_old[:level]
        zs[k, 0] = z_new
        levels[k] = level + 1


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
        self.levels = self.rounds = self.references = self.growths = self.stalled = 0
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

    def ask(self, why: Callable[[], float], h: float) -> float:
        self.ask_why, self.h[NOW] = why, h
        return h

    def done(self) -> float:
        return self.ask(self.done, 0.0)

    def give_up(self) -> float:
        near, now_h, far_h = abs(self.h[REFERENCE]), abs(self.h[NOW]), abs(self.h[LONGEST])
        for limit in self.live:
            slope, bend, steepest, noise = limit.sample[REFERENCE]
            now_slope, now_bend = limit.sample[NOW][:2]
            far_slope, far_bend, far_steepest = limit.sample[LONGEST][:3]
            jump, change, apart = abs(bend) / near, steepest * near, abs(now_slope - slope)
            # At a kink the slopes are what they are at longer steps; in a jump and in noise they grow.
            if far_h > 0.0 and steepest > 4.0 * far_steepest and isfinite(far_slope) and change > 4.0 * noise:
                limit.best[:2] = far_slope, (abs(far_bend) + 2.0 * change) / far_h
                limit.step = self.h[LONGEST]
                limit.remarks |= NOISY
                continue
            steep = far_steepest if far_h > 0.0 and far_steepest > steepest else steepest
            limit.best[:2] = slope, (apart if apart == apart else 0.0) + 0.5 * jump + noise / near
            limit.step = self.h[REFERENCE]
            if (jump > 0.3 * (abs(now_bend) / now_h) and jump > 1e-3 * steep) or apart > 0.1 * steep:
                limit.remarks |= KINK
        return self.done()

    def push(self) -> None:
        h = abs(self.h[NOW])
        z = h if self.one_sided else h * h
        for limit in self.limits:
            slope, _, _, noise = limit.sample[NOW]
            least = limit.best[1]
            bar = _larger(noise, limit.scatter) / h
            _add_row(self.levels, self.zs, z, slope, bar, limit.table, limit.bars, limit.best)
            if limit.best[1] < least:
                limit.step = self.h[NOW]
        self.zs[1 : self.levels + 1] = self.zs[: self.levels]
        self.zs[0] = z
        self.levels += 1

    def finish(self) -> float:
        near, far = abs(self.h[REFERENCE]), abs(self.h[NOW])
        ratio, before_h = near / far, abs(self.h[BEFORE])
        for limit in self.live:
            value, _, floor = limit.best
            slope, bend = limit.sample[REFERENCE][:2]
            now_slope, now_bend, _, now_noise = limit.sample[NOW]
            truncation = abs(now_slope - value) * (ratio if self.one_sided else ratio * ratio)
            by_slope = _beyond(abs(slope - value), 2.0 * truncation) * near
            curvature = now_bend / far / far
            change = limit.sample[BEFORE][1] / before_h / before_h - curvature
            by_bend = _beyond(0.5 * abs(bend - curvature * near * near), abs(change) * near * near)
            scatter, noise = 2.0 * _larger(by_slope, by_bend), _larger(now_noise, limit.scatter)
            if scatter > noise:
                limit.best[1] += floor * (scatter / noise - 1.0) if noise > 0.0 else scatter / far
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

    def accept(self) -> float:
        h = abs(self.h[CANDIDATE])
        limited = False
        for limit in self.live:
            _, _, steepest, noise = limit.sample[CANDIDATE]
            limited |= _larger(noise, limit.scatter) > FINE * h * steepest and steepest > 0.0
        if limited and self.growths < GROWTHS and GROWTH * h <= self.longest:
            self.growths += 1
            return self.ask(self.grow, self.exact(GROWTH * self.h[CANDIDATE]))
        self.copy(NOW, CANDIDATE)
        for limit in self.limits:
            limit.best[1] = inf
        return self.descend()

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
                blind |= noise > 1e-3 * abs(lower) * steepest
            if blind or self.references >= REFERENCES:
                return self.give_up()
            self.references += 1
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
        structure = False
        for limit in self.live:
            structure |= self.seen(limit, NOW, CANDIDATE) < 0.1 * self.seen(limit, REFERENCE, CANDIDATE)
        self.has_before = False
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
            limit.best[:] = slope, inf if limit.live else nan, 0.0
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


def noise_table(values: NDArray[np.float64]) -> tuple[list[float], list[bool]]:
    """The noise level of each order of difference, and whether these differences change sign: nd_noise_table.

    values are m + 1 finite float64 at equally spaced points; both lists have m entries.
    """
    differences = values.tolist()
    levels, changes = [], []
    gamma = 1.0  # (k!)^2 / (2k)!
    for k in range(1, len(differences)):
        gamma *= k / (4 * k - 2)
        differences = [right - left for left, right in pairwise(differences)]
        total = 0.0
        for difference in differences:
            total += difference * difference
        levels.append(sqrt(gamma * (total / len(differences))))
        changes.append(min(differences) < 0.0 < max(differences))
    return levels, changes


NEAR = 32  # steps: so near to 0, quotients above `steepest` are suspect
PIECE = 8192  # points in one go: what NumPy's passes over them need stays in the cache


def _pieces(x: NDArray[np.float64], relative: float, x_scale: float) -> Iterator[tuple[slice, Any, Any]]:
    """x in pieces: (where, x there, the steps there). The next piece takes the place of the steps."""
    flat = x.reshape(-1)
    h = np.empty(min(PIECE, flat.size))
    for start in range(0, flat.size, PIECE):
        where = slice(start, start + PIECE)
        xs = flat[where]
        hs = h[: xs.size]
        np.abs(xs, out=hs)
        np.maximum(hs, x_scale, out=hs)
        hs *= relative
        bits = hs.view(np.int64)
        bits += 1 << 51
        bits &= ~((1 << 52) - 1)
        yield where, xs, hs


def move(x: NDArray[np.float64], relative: float, x_scale: float, offset: float, out: NDArray[np.float64]) -> int:
    """out = x + offset h, of one shape and contiguous: nd_move."""
    to = out.reshape(-1)
    remarks = 0
    with np.errstate(all="ignore"):
        for where, xs, h in _pieces(x, relative, x_scale):
            if not (xs.max() <= 1e300 and xs.min() >= -1e300):
                remarks = OVERFLOW
            h *= offset
            np.add(xs, h, out=to[where])
    return remarks


def quotient(
    x: NDArray[np.float64],
    relative: float,
    x_scale: float,
    stencil: Stencil,
    steepest: float,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """The quotients of a stencil of two points for a first derivative: nd_quotient."""
    (begin, end), _, scale = stencil
    lefts, rights, to = left.reshape(-1), right.reshape(-1), out.reshape(-1)
    remarks = 0
    with np.errstate(all="ignore"):
        for where, xs, h in _pieces(x, relative, x_scale):
            quotients = rights[where] - lefts[where]
            quotients /= scale * ((xs + end * h) - (xs + begin * h))
            if not (quotients.max() <= steepest and quotients.min() >= -steepest):
                finite = np.isfinite(quotients)
                if not finite.all():
                    remarks |= NONFINITE
                odd = (np.signbit(lefts[where]) != np.signbit(rights[where])) | (np.abs(xs) < NEAR * h)
                if np.any(odd & finite & (np.abs(quotients) > steepest)):
                    remarks |= SUSPECT
            to[where] = quotients
    return remarks


class _WrittenError(Exception):
    """fun has written into its argument; never leaves the kernels."""


class _Point:
    """nd_point for functions of one value: what fun sees, with one coordinate moved or two."""

    __slots__ = ("_call", "_look", "_many", "_shared", "_values", "_x0", "calls")

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        values: Callable[[Any], Any],
        x0: NDArray[np.float64],
        first: Any = None,
    ) -> None:
        self._call = _call(fun, args, first)
        self._values = values
        self._x0 = x0
        self._shared = _Shared(x0.copy(), x0)
        self._look = self._shared.looks(0).__next__
        self._many = len(self._shared.blocks) > 1
        self.calls = 0

    def evaluate(self, i: int, xi: float, to_i: float, j: int, xj: float, to_j: float) -> float:
        """fun at x0 with coordinate i at to_i, not xi, and j at to_j, not xj: nd_evaluate_pair."""
        shared = self._shared
        x, coordinates = shared.x, shared.coordinates
        if (coordinates[i] != xi and xi == xi) or (coordinates[j] != xj and xj == xj):
            raise _WrittenError
        coordinates[i] = to_i
        coordinates[j] = to_j
        references = getrefcount(x)
        fx = self._call(x)
        self.calls += 1
        if self.calls <= 2 and shared.reshaped():
            raise _WrittenError
        kind = type(fx)
        if kind is not float:
            fx = float(fx) if kind is np.float64 else self._values(fx)
        if getrefcount(x) != references:
            # fun has kept x: that array is fun's from now on, and the next call gets another
            self._shared = shared = _Shared(x.copy(), self._x0)
            coordinates = shared.coordinates
            self._look = shared.looks(self.calls - 1).__next__
        written = (coordinates[i] != to_i and to_i == to_i) or (coordinates[j] != to_j and to_j == to_j)
        coordinates[i] = xi  # by value, before anything else is looked at
        coordinates[j] = xj
        found, expected = self._look()
        if written or found.tobytes() != expected or (self.calls <= 2 and self._many and not shared.intact()):
            raise _WrittenError
        return fx  # type: ignore[no-any-return]

    def intact(self) -> bool:
        return self._shared.intact()


def _quotient(change: float, step: float) -> float:
    """change / step as in C, where a division by zero does not stop."""
    return change / step if step else float(np.float64(change) / np.float64(step))


def hessian_diagonal(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    first: Any,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """Second derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_hessian_diagonal.

    `near` gets the values at x + h and x - h (x + 2h where one_sided), 2 for each step; `first` is the value of the
    first call, if known. The rest as in `difference` with m = 1.
    """
    moved = x0.reshape(-1) if index is None else x0.reshape(-1)[index]
    if np.count_nonzero(moved + h == moved):
        return NO_STEP, 0
    point = _Point(fun, args, values, x0, first)
    prefetched = first is not None
    indices = range(moved.size) if index is None else index.tolist()
    sided: Any = repeat(False) if one_sided is None else one_sided.tolist()
    nears, results = _floats(near), _floats(out)
    evaluate, remarks, k = point.evaluate, 0, 0
    try:
        for i, x, hi, one in zip(indices, moved.tolist(), h.tolist(), sided):  # noqa: B905  (repeat has no end)
            to = x + hi
            nears[2 * k] = fx = evaluate(i, x, to, i, x, to)
            step = to - x
            slope = (fx - f0) / step
            to = x + 2.0 * hi if one else x - hi
            nears[2 * k + 1] = fx = evaluate(i, x, to, i, x, to)
            other = to - x
            results[k] = result = _quotient(slope - _quotient(fx - f0, other), 0.5 * (step - other))
            if result - result != 0.0:
                remarks = NONFINITE
            k += 1
    except _WrittenError:
        return WRITTEN, point.calls - prefetched
    return remarks if point.intact() else WRITTEN, point.calls - prefetched


def hessian_mixed(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """The mixed second derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_hessian_mixed.

    `near` is what hessian_diagonal gave for the same steps. out (count, count) is symmetric where it is written.
    """
    point = _Point(fun, args, values, x0)
    xs = (x0.reshape(-1) if index is None else x0.reshape(-1)[index]).tolist()
    count = len(xs)
    indices = range(count) if index is None else index.tolist()
    hs, nears = h.tolist(), near.reshape(-1).tolist()
    sided = [False] * count if one_sided is None else one_sided.tolist()
    results = _floats(out)
    evaluate, remarks = point.evaluate, 0
    try:
        for k in range(count):
            i, xi, hi, i_one = indices[k], xs[k], hs[k], sided[k]
            # The points of this coordinate, its steps and how far f goes: first the side of h, then the other.
            plus_i = xi + hi
            plus_step_i, plus_change_i = plus_i - xi, nears[2 * k] - f0
            minus_i, minus_step_i, minus_change_i = plus_i, plus_step_i, plus_change_i
            if not i_one:
                minus_i = xi - hi
                minus_step_i, minus_change_i = minus_i - xi, nears[2 * k + 1] - f0
            for l in range(k + 1, count):
                j, xj, hj, j_one = indices[l], xs[l], hs[l], sided[l]
                to_j = xj + hj
                fx = evaluate(i, xi, plus_i, j, xj, to_j)
                mixed = ((fx - nears[2 * l]) - plus_change_i) / plus_step_i / (to_j - xj)
                if not (i_one and j_one):
                    to_j = to_j if j_one else xj - hj
                    fx = evaluate(i, xi, minus_i, j, xj, to_j)
                    change = (fx - nears[2 * l if j_one else 2 * l + 1]) - minus_change_i
                    mixed = 0.5 * (mixed + _quotient(_quotient(change, minus_step_i), to_j - xj))
                results[k * count + l] = results[l * count + k] = mixed
                if mixed - mixed != 0.0:
                    remarks = NONFINITE
    except _WrittenError:
        return WRITTEN, point.calls
    return remarks if point.intact() else WRITTEN, point.calls
