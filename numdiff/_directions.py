"""Checks along random directions, and the search that names the wrong components by halving.

A direction moves every component of a block by w_i, sign at random: as far as its scale, but less where its share
|a_i| w_i would be above that of the block's small ones, so that every component weighs about the same. The error of the
gradient along it is one number. Halving: that of one half of the suspects is measured, that of the other half is what
remains.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._differentiate import differentiate
from ._ladder import NEARBY, OTHER_STEP, Ladder
from ._steps import EPS
from ._verdict import AGREE, BAR, DISAGREE, INCONCLUSIVE, SMALL, judge

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

_LEAST: Final = 0.05  # the share of a block's components that may weigh less than the others
_REACH: Final = 1e-3  # of the median |x| of the block: how far each x moves at least, or the small ones go unseen
_FLOOR: Final = 1e-8  # of |fun|: shares below drown in rounding
_CLOSER: Final = 1e-4  # of the scale of x: where Richardson begins a second time, if the first tells too little
_MARGINAL: Final = 100.0  # times the tolerance: a disagreement so small is measured again
_STEPS: Final = (1e-2, 1e-3, 1e-4, 1e-5)  # of the scale of x: to choose from for halving
_SHORTER: Final = (1e-6, 1e-7)  # where a bound leaves one side only
_CLEAR: Final = 8.0  # times the error of a central difference
_LEFT: Final = 1e-3  # of the error that is searched for: less is left to the next round
_SETS: Final = 32  # so many sets with an error: they are everywhere
_SAMPLE: Final = 12
_ROUNDS: Final = 4
SMALL_BLOCK: Final = 32  # components: checked one by one


@dataclass
class Direction:
    """The derivative along one direction, by the gradient and by differences: (m,)."""

    name: str
    block: int
    v: Float
    a: Float
    n: Float
    bar: Float
    tolerance: Float
    step: float
    verdict: int
    again: bool = False  # after components were set right


class Directions:
    """Directional checks on what the ladder knows."""

    def __init__(self, ladder: Ladder, rng: np.random.Generator) -> None:
        self.ladder, self.rng = ladder, rng
        self.found: list[Direction] = []
        self.corrected = ladder.a  # the gradient, the components that were found wrong set right
        self.one_sided = False  # the differences of the halving
        self.everywhere: list[int] = []  # blocks with more wrong components than were named
        self.size = float(np.abs(ladder.f0).max(initial=0.0))

    def weights(self, block: slice) -> Float:
        ladder = self.ladder
        w = np.zeros(ladder.x.size)
        scale = np.maximum(ladder.scale[block], _REACH * float(np.median(np.abs(ladder.x[block]))))
        with np.errstate(all="ignore"):
            share = np.sqrt((ladder.a[block] ** 2).sum(axis=1)) * scale
            some = share[np.isfinite(share) & (share > 0)]
            part = scale.copy()
            if some.size:
                level = max(float(np.quantile(some, _LEAST)), _FLOOR * self.size)
                part *= np.where(share > level, level / share, 1.0)
        if ladder.limits is not None:
            lb, ub = (limit[block] for limit in ladder.limits)
            part = np.minimum(part, np.maximum(ladder.x[block] - lb, ub - ladder.x[block]))
        w[block] = part
        return w

    def random(self, block: slice) -> Float:
        """A new direction within a block."""
        ladder, w = self.ladder, self.weights(block)
        v = w * self.rng.choice([-1.0, 1.0], w.size) * self.rng.uniform(0.75, 1.0, w.size)
        if ladder.limits is not None:
            below, above = ladder.x - ladder.limits[0], ladder.limits[1] - ladder.x
            near = np.minimum(below, above) < 0.1 * np.abs(v)
            v = np.where(near, np.where(above >= below, np.abs(v), -np.abs(v)), v)
        return np.asarray(v)

    def _line(self, v: Float) -> Any:
        run = self.ladder.run
        x, shape, fun = self.ladder.x, run.x0.shape, run.fun
        limits = self.ladder.limits

        def on_line(t: Any, *args: Any) -> Any:
            at = x + float(t) * v
            if limits is not None:
                np.clip(at, *limits, out=at)
            return fun(at.reshape(shape), *args)

        return on_line

    def _room(self, v: Float) -> tuple[float, float] | None:
        if self.ladder.limits is None:
            return None
        moved = v != 0
        below, above = self.ladder.x - self.ladder.limits[0], self.ladder.limits[1] - self.ladder.x
        with np.errstate(all="ignore"):
            up = np.where(v > 0, above, below)[moved] / np.abs(v[moved])
            down = np.where(v > 0, below, above)[moved] / np.abs(v[moved])
        return -float(np.min(down, initial=np.inf)), float(np.min(up, initial=np.inf))

    def _derivative(self, v: Float, rel_step: float | None = None) -> tuple[Float, Float, float]:
        """That of fun along v by Richardson, with its bar."""
        ladder = self.ladder
        run = ladder.run
        found = differentiate(
            self._line(v), 0.0, False, "richardson", None, rel_step, None, None, self._room(v), run.f0, None,
            ladder.noise or None, run.args, with_error=True,
        )  # fmt: skip
        run.nfev += found.run.nfev
        n, step = found.rows[0], np.abs(np.broadcast_to(found.steps, found.rows.shape)[0])
        error = np.full(n.shape, np.nan) if found.error is None else found.error[0]
        with np.errstate(all="ignore"):
            moved = np.where(v != 0, ladder.x, 0.0)
            by_x = EPS * np.sqrt(((moved[:, None] * ladder.a) ** 2).sum(axis=0)) / step  # rounding of x + t v
            return n, self.ladder.bold * error + by_x, float(step[0])

    def measure(self, v: Float, name: str, block: int) -> Direction:
        """The verdict along v, for the gradient as corrected so far."""
        a, ladder = self.corrected, self.ladder
        with np.errstate(all="ignore"):
            shares = a * v[:, None]
            along = shares.sum(axis=0)
            norm = np.sqrt((shares**2).sum(axis=0))
            typical = norm / math.sqrt(max(1, int(np.count_nonzero(v))))
        n, bar, step = self._derivative(v)
        for rel_step in (_CLOSER, OTHER_STEP):
            allowed = bar + ladder.rtol * norm
            marginal = (np.abs(along - n) > allowed) & ~(np.abs(along - n) > _MARGINAL * allowed)
            if rel_step == _CLOSER and not (~(bar <= 1e-3 * typical) & ~((norm == 0) & (n == 0))).any():
                continue
            if rel_step == OTHER_STEP and not marginal.any():
                continue
            other, other_bar, other_step = self._derivative(v, rel_step)
            with np.errstate(all="ignore"):
                if rel_step == OTHER_STEP:
                    bar = np.fmax(np.fmax(bar, other_bar), self.ladder.bold * np.abs(other - n))
                else:
                    better = ~(other_bar >= bar)
                    n, bar = np.where(better, other, n), np.where(better, other_bar, bar)
                    step = other_step if better.all() else step
        if (np.abs(along - n) > bar + ladder.rtol * norm).any():
            bar = bar + self._rounding_of_x(v, step)
        size = typical
        with np.errstate(all="ignore"):
            if not (bar <= BAR * typical).all():
                size = np.fmax(typical, SMALL * self._steep(v))
            # the differences of a sum of components, each within rtol
            allowed = bar + ladder.rtol * norm if ladder.atol is None else ladder.atol + ladder.rtol * norm
            verdict = judge(along, n, np.where(np.isfinite(allowed), bar, np.nan), size, 0.0, None)
            verdict[(verdict == DISAGREE) & (np.abs(along - n) <= allowed)] = AGREE
            verdict[(verdict == AGREE) & ~(bar <= BAR * size) & ~((along == 0) & (n == 0))] = INCONCLUSIVE
        found = Direction(name, block, v, along, n, bar, allowed, step, int(verdict.max(initial=AGREE)))
        self.found.append(found)
        return found

    def _steep(self, v: Float) -> Any:
        """How steep fun is a little away from x0 along v, over the root of its components."""
        with np.errstate(all="ignore"):
            steep = np.abs(self._values(v, NEARBY) - self.ladder.f0) / NEARBY / math.sqrt(np.count_nonzero(v))
        return np.where(np.isfinite(steep), steep, 0.0)

    def _rounding_of_x(self, v: Float, step: float) -> Any:
        """What rounding of x + t v makes of the derivative where that of fun is 0 at x0, but steep beside it."""
        with np.errstate(all="ignore"):
            change = np.abs(self._values(v, step) - self.ladder.f0) / step
            size = float(np.linalg.norm(np.where(v != 0, self.ladder.x, 0.0)) / np.linalg.norm(v))
            return 2 * EPS * size * change / step

    # --- who is it? ---

    def culprits(self, failed: Direction) -> Integers:
        """Components that are likely wrong: to be checked one by one."""
        suspects = np.flatnonzero(failed.v)
        if suspects.size <= SMALL_BLOCK:
            return suspects
        v = failed.v
        t, error = self._step(failed)
        r0 = float(np.max(np.abs(failed.a - failed.n)))
        least = max(_CLEAR * error, _LEFT * r0)
        if r0 <= least:
            return suspects[:0]
        # Sets in the order of their error, the largest first.
        heap: list[tuple[float, int, Integers, Float]] = [(-r0, 0, suspects, failed.a - failed.n)]
        named: list[int] = []
        count = 0
        while heap and len(named) < _SETS:
            if len(heap) + len(named) >= _SETS and len(named) < 4:
                self.everywhere.append(failed.block)
                order = self.rng.permutation(len(heap))[:_SAMPLE]
                named += [int(self.rng.choice(heap[k][2])) for k in order]
                break
            _, _, members, r = heapq.heappop(heap)
            if members.size == 1:
                named.append(int(members[0]))
                continue
            first, second = members[: members.size // 2], members[members.size // 2 :]
            part = np.zeros(v.size)
            part[first] = v[first]
            with np.errstate(all="ignore"):
                r1 = (self.corrected[first] * v[first, None]).sum(axis=0) - self._quotient(part, t)
            for half, remaining in ((first, r1), (second, r - r1)):
                size = float(np.max(np.abs(remaining)))
                if size > least:
                    count += 1
                    heapq.heappush(heap, (-size, count, half, remaining))
        else:
            if heap:
                self.everywhere.append(failed.block)
        return np.array(sorted(set(named)), np.intp)

    def _quotient(self, v: Float, t: float) -> Float:
        if self.one_sided:
            return np.asarray((self._values(v, t) - self.ladder.f0) / t)
        return np.asarray((self._values(v, t) - self._values(v, -t)) / (2 * t))

    def _values(self, v: Float, t: float) -> Float:
        """fun at x0 + t v, (m,)."""
        run = self.ladder.run
        value = self._line(v)(t, *run.args)
        run.nfev += 1
        return np.reshape(np.asarray(run.values(value), np.float64), -1)

    def _step(self, failed: Direction) -> tuple[float, float]:
        """The step for halving whose central difference comes closest to Richardson's, and how close."""
        best = (_STEPS[0], math.inf)
        room = self._room(failed.v)
        self.one_sided = room is not None and -room[0] < _STEPS[0]
        for t in _STEPS + _SHORTER if self.one_sided else _STEPS:
            if room is not None and not t <= room[1]:
                continue
            with np.errstate(all="ignore"):
                apart = float(np.max(np.abs(self._quotient(failed.v, t) - failed.n)))
            error = max(apart, 4 * max((self.ladder.run.eps or EPS) * self.size, self.ladder.noise) / t)
            if error < best[1]:
                best = (t, error)
        return best

    def name_the_wrong(self, failed: Direction) -> None:
        """Halve, check, set right, and look again along a new direction, until it agrees."""
        ladder = self.ladder
        for _ in range(_ROUNDS):
            suspects = self.culprits(failed)
            if suspects.size:
                ladder.check(suspects)
            wrong = suspects[(ladder.verdict[suspects] == DISAGREE).any(axis=1)] if suspects.size else suspects
            if failed.block in self.everywhere:
                return
            if not wrong.size:  # who cried wolf?
                again = self.measure(self.random(ladder.blocks[failed.block]), f"{failed.name}, again", failed.block)
                if again.verdict != DISAGREE:
                    failed.verdict = INCONCLUSIVE
                return
            if self.corrected is ladder.a:
                self.corrected = ladder.a.copy()
            self.corrected[wrong] = ladder.n[wrong]
            name = failed.name if failed.again else f"{failed.name}, set right"
            failed = self.measure(self.random(ladder.blocks[failed.block]), name, failed.block)
            failed.again = True
            if failed.verdict != DISAGREE:
                return
        self.everywhere.append(failed.block)
