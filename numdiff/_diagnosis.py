"""What kind of wrong a gradient is: guesses, each tested against all that was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._differentiate import differentiate
from ._directions import Direction
from ._forward import away, in_float16
from ._ladder import Ladder
from ._verdict import DISAGREE

Float = NDArray[np.float64]

_RTOL: Final = 1e-5  # how well a guess must fit
_LARGEST: Final = 40  # components: for what takes a linear system
_BESIDE: Final = 0.05  # of the scale of x: another point
_SHIFTS: Final = 3  # of a large gradient
_FEW: Final = 0.1

Found = tuple[str, str]  # the kind and the sentence


class Diagnosis:
    """The evidence: components that were checked, and directions; a guess must explain all of it."""

    def __init__(
        self,
        ladder: Ladder,
        directions: list[Direction],
        shape: tuple[int, ...],
        blocks: list[tuple[str, slice]],
        name: Callable[[int, int], str],
        jac: Callable[[Float], Float | None],
        everywhere: bool,
    ) -> None:
        self.ladder, self.a, self.n, self.shape, self.blocks = ladder, ladder.a, ladder.n, shape, blocks
        self.name, self.jac = name, jac
        self.directions = [d for d in directions if not d.again]
        self.checked = ladder.checked[:, None] & np.isfinite(ladder.n)
        self.wrong = ladder.verdict == DISAGREE
        self.complete = bool(self.checked.all())
        self.everywhere = everywhere
        self.bad = np.ones(self.a.shape, bool) if everywhere else self.wrong
        with np.errstate(all="ignore"):
            self.measurable = self.wrong & (np.abs(self.n) > 10 * ladder.bar) & np.isfinite(self.a)

    def explains(self, guess: Float) -> bool:
        """Whether this would be the derivative, as far as anything is known."""
        n, bar = self.n, self.ladder.bar
        with np.errstate(all="ignore"):
            near = np.abs(guess - n) <= 2 * bar + _RTOL * np.fmax(np.abs(guess), np.abs(n))
        if not near[self.checked].all():
            return False
        for d in self.directions:
            with np.errstate(all="ignore"):
                shares = guess * d.v[:, None]
                allowed = 2 * d.bar + _RTOL * np.sqrt((shares**2).sum(axis=0))
                if not (np.abs(shares.sum(axis=0) - d.n) <= allowed).all():
                    return False
        return True

    def changed(self, part: Any) -> Float:
        """The gradient with its wrong components replaced."""
        return np.where(self.bad, part, self.a)

    def found(self) -> Found | None:
        if np.isnan(self.a[self.bad]).any():
            return "nonfinite", "jac returned nan"
        at_kinks = np.isfinite(self.ladder.left)
        if self.wrong.any() and at_kinks[self.wrong].all():
            i, r = np.argwhere(self.wrong)[0]
            return "kink", f"fun has a kink at {self.name(int(i), int(r))}: there is no derivative"
        for guess in (
            self._rows_permuted, self._factor, self._transposed, self._summed, self._moved, self._missing,
            self._regulariser, self._stale,
        ):  # fmt: skip
            for kind, text, candidate in guess():
                if candidate is None or self.explains(candidate):
                    return kind, text
        count = int(self.wrong.any(axis=1).sum())
        if not self.everywhere and 0 < count <= max(3, _FEW * len(self.a)):
            names = [self.name(int(i), int(r)) for i, r in np.argwhere(self.wrong)[:3]]
            more = "" if self.wrong.sum() <= 3 else " and others"
            only = "only one component is" if self.wrong.sum() == 1 else "only a few components are"
            return "isolated", f"{only} wrong: {', '.join(names)}{more}"
        return None

    def _where(self) -> str:
        return "" if self.bad.all() else " in the wrong components"

    def _factor(self) -> Iterator[tuple[str, str, Float]]:
        n_vars, m = self.a.shape
        with np.errstate(all="ignore"):
            ratios = (self.a / self.n)[self.measurable]
        found = [float(np.median(ratios))] if ratios.size else []
        known = {-1.0: "", 2.0: "2", 0.5: "1/2"}
        if ratios.size == 1 and self.wrong.size > 2:
            known = {-1.0: ""}  # one number is any factor
        elif n_vars > 2:
            known |= {float(n_vars): f"n = {n_vars}", 1 / n_vars: f"1/n = 1/{n_vars}"}
        if m > 1 and ratios.size > 1:
            known |= {float(m): f"m = {m}", 1 / m: f"1/m = 1/{m}"}
        for value, text in known.items():
            if any(abs(ratio - value) <= 1e-3 * abs(value) for ratio in found) and value != 1.0:
                if value == -1.0:
                    yield "sign", f"the sign is flipped{self._where()}", self.changed(-self.a)
                else:
                    yield (
                        "factor",
                        f"analytic is {text} times the derivative{self._where()}",
                        self.changed(self.a / value),
                    )
        for ratio in found:
            if ratios.size > 1 and ratio not in (0.0, 1.0) and math.isfinite(ratio):
                refined = self._best_factor(ratio)
                text = f"analytic is {refined:.6g} times the derivative{self._where()}"
                yield "factor", text, self.changed(self.a / refined)

    def _best_factor(self, ratio: float) -> float:
        weight = np.where(self.measurable, self.n, 0.0)
        return float((weight * np.where(self.measurable, self.a, 0.0)).sum() / (weight * weight).sum()) or ratio

    def _transposed(self) -> Iterator[tuple[str, str, Float]]:
        n, m = self.a.shape
        if n == m and n > 1 and not np.array_equal(self.a, self.a.T):
            yield "transposed", "the Jacobian is transposed", self.a.T
        if m == 1 and len(self.shape) == 2:
            rows, columns = self.shape
            if rows > 1 and columns > 1:
                flat = self.a[:, 0]
                if rows == columns:
                    yield "transposed", "the gradient is transposed", flat.reshape(self.shape).T.reshape(-1, 1)
                other = flat.reshape(columns, rows).T.reshape(-1, 1)
                yield "transposed", "the gradient is that of x0 transposed, in another order", other

    def _summed(self) -> Iterator[tuple[str, str, None]]:
        if self.complete and len(self.a) > 1:
            with np.errstate(all="ignore"):
                total, bar = self.n.sum(axis=0), self.ladder.bar.sum(axis=0)
                for what, value in (("sum", total), ("mean", total / len(self.a))):
                    size = np.fmax(np.abs(self.a), np.abs(value))
                    if (np.abs(self.a - value) <= 2 * bar + _RTOL * size).all() and not np.allclose(self.n, value):
                        yield "summed", f"every component is the {what} of the derivative over its components", None

    def _moved(self) -> Iterator[tuple[str, str, Float | None]]:
        n = len(self.a)
        if n == 1:
            return
        shifts = [s for k in range(1, n if n <= 1000 else _SHIFTS + 1) for s in (k, -k) if k <= n // 2]
        if self.complete and n > _SHIFTS * 2:  # most cannot be: the first component tells
            target = self.a[:1]
            with np.errstate(all="ignore"):
                fits = np.abs(self.n - target) <= 2 * self.ladder.bar + 10 * _RTOL * np.abs(self.n)
            places = set(np.flatnonzero(fits.all(axis=1)).tolist())
            shifts = [s for s in shifts if (-s) % n in places or abs(s) <= 1]
        for shift in shifts:
            text = f"the components are shifted by {shift}" if n > 2 else "the two components are exchanged"
            yield "shifted" if n > 2 else "permuted", text, np.roll(self.a, -shift, axis=0)
        for axis in range(len(self.shape) if len(self.shape) > 1 else 0):
            for shift in (1, -1):
                moved = np.roll(self.a.reshape(*self.shape, -1), -shift, axis=axis).reshape(self.a.shape)
                yield "shifted", f"the components are shifted by {shift} along axis {axis}", moved
            flipped = np.flip(self.a.reshape(*self.shape, -1), axis=axis).reshape(self.a.shape)
            yield "permuted", f"the components are in reverse order along axis {axis}", flipped
        yield "permuted", "the components are in reverse order", self.a[::-1]
        if self.a.shape[1] > 1:
            for shift in (1, -1):
                yield "shifted", f"the rows are shifted by {shift}", np.roll(self.a, -shift, axis=1)
            yield "permuted", "the rows are in reverse order", self.a[:, ::-1]
        wrong = np.flatnonzero(self.wrong.any(axis=1))
        if len(wrong) > 1 and np.isfinite(self.a[wrong]).all() and (self.complete or not self.everywhere):
            for r in range(self.a.shape[1]):
                ours, theirs = self.a[wrong, r], self.n[wrong, r]
                by_a, by_n = np.argsort(ours), np.argsort(theirs)
                bar = 2 * self.ladder.bar[wrong, r][by_n] + 10 * _RTOL * np.abs(theirs[by_n])
                if not (np.abs(ours[by_a] - theirs[by_n]) <= bar).all():
                    return
            if np.unique(self.a[wrong]).size > 1:
                yield "permuted", "the components are permuted: the values are right, the places are not", None

    def _rows_permuted(self) -> Iterator[tuple[str, str, Float]]:
        """Of a Jacobian: some rows in each other's places."""
        rows = np.flatnonzero(self.wrong.any(axis=0))
        if not self.complete or not 2 <= rows.size <= _LARGEST:
            return
        places: list[int] = []
        for r in rows:
            with np.errstate(all="ignore"):
                apart = np.abs(self.a[:, rows] - self.n[:, r, None])
                size = np.fmax(np.abs(self.a[:, rows]), np.abs(self.n[:, r, None]))
                fits = (apart <= 2 * self.ladder.bar[:, r, None] + _RTOL * size).all(axis=0)
            free = [int(k) for k in np.flatnonzero(fits) if int(rows[k]) not in places]
            if not free:
                return
            places.append(int(rows[free[0]]))
        guess = self.a.copy()
        guess[:, rows] = self.a[:, places]
        if places == rows[::-1].tolist() and rows.size == 2:
            yield "permuted", f"rows {rows[0]} and {rows[1]} are exchanged", guess
        yield "permuted", f"the rows {', '.join(map(str, rows))} are permuted", guess

    def _missing(self) -> Iterator[tuple[str, str, None]]:
        wrong = self.wrong
        if wrong.any() and not self.a[wrong].any():
            for name, block in self.blocks:
                inside = np.zeros(len(wrong), bool)
                inside[block] = True
                if len(self.blocks) > 1 and not wrong[~inside].any():
                    yield "missing", f"the block {name} is missing: its derivative is not 0", None
            rows = np.flatnonzero(wrong.any(axis=1))
            if wrong.any(axis=1).all() or self.everywhere:
                yield "missing", "jac is 0 where the derivative is not", None
            elif len(rows) > 1:
                together = len(rows) == rows[-1] - rows[0] + 1
                what = f"components {rows[0]} to {rows[-1]} of the gradient are" if together else "a part is"
                yield "missing", f"{what} missing: 0 where the derivative is not", None
            else:
                yield (
                    "missing",
                    f"{self.name(int(rows[0]), int(np.flatnonzero(wrong[rows[0]])[0]))} is missing: 0",
                    None,
                )

    def _regulariser(self) -> Iterator[tuple[str, str, Float]]:
        x = self.ladder.x[:, None]
        wrong = self.wrong & np.isfinite(self.a)
        for text, term in (
            ("x: a forgotten (or doubled) L2 regulariser?", x),
            ("sign(x): a forgotten L1 regulariser?", np.sign(x)),
        ):
            term = np.where(wrong, term, 0.0)
            if np.count_nonzero(term) < 2:
                continue
            missing = np.where(wrong, self.n - self.a, 0.0)
            factor = float((missing * term).sum() / (term * term).sum())
            whole = np.broadcast_to(x if "L2" in text else np.sign(x), self.a.shape)
            for block_name, guess in self._over_blocks(self.a + factor * whole):
                yield "missing", f"a term is missing{block_name}: {factor:.6g} times {text}", guess
        missing = np.where(wrong, self.n - self.a, 0.0)
        if np.count_nonzero(wrong) > 2:
            constant = float(np.median(missing[wrong]))
            guess = self.changed(self.a + constant)
            yield "missing", f"a constant is missing{self._where()}: {constant:.6g}", guess

    def _over_blocks(self, guess: Float) -> Iterator[tuple[str, Float]]:
        yield "", guess
        yield self._where(), np.where(self.bad, guess, self.a)
        for name, block in self.blocks if len(self.blocks) > 1 else []:
            part = self.a.copy()
            part[block] = guess[block]
            yield f" in {name}", part

    # --- stale: of another point ---

    def _stale(self) -> Iterator[tuple[str, str, None]]:
        again = self.jac(self.ladder.x)
        if again is None:
            return
        if not np.array_equal(again, self.a, equal_nan=True) and self.explains(again):
            yield "stale", "jac returned the gradient of an earlier point: called again at x0 it is right", None
        if not self.everywhere and self.wrong.sum() < 0.5 * self.wrong.size:
            return
        step = 1e-6 * self.ladder.scale * away(len(self.a))
        beside = self.jac(self._inside(self.ladder.x + step))
        if beside is None:
            return
        if np.array_equal(beside, self.a) and self.a.any() and self._bends():
            farther = self.jac(self._inside(self.ladder.x + _BESIDE * self.ladder.scale * away(len(self.a))))
            if farther is not None and np.array_equal(farther, self.a):
                yield "stale", "jac is that of another point: it does not change with x", None
            elif not in_float16(self.a):  # numbers so short cannot change with x
                yield "stale", "jac is that of another point: it changes with x only in jumps", None
            return
        small = self.a.shape[1] == 1 and len(self.a) <= _LARGEST and self.ladder.limits is None
        if self.complete and small and self._shifted_point():
            yield "stale", "jac is the gradient of another point: it fits after a shift of x", None

    def _bends(self) -> bool:
        """Whether fun's derivative changes with x: that of a linear function does not, right or wrong."""
        ladder = self.ladder
        run, step = ladder.run, _BESIDE * ladder.scale * away(len(self.a))
        right, left = (
            np.asarray(run.evaluate(self._inside(ladder.x + way * step).reshape(run.x0.shape))) for way in (1, -1)
        )
        up, down = right - np.asarray(run.f0), left - np.asarray(run.f0)
        return bool(np.abs(up + down).max() > 1e-6 * max(np.abs(up).max(), np.abs(down).max()))

    def _inside(self, x: Float) -> Float:
        limits = self.ladder.limits
        return x if limits is None else np.clip(x, *limits)

    def _shifted_point(self) -> bool:
        """Whether jac(x) = g(x + s) for one s: solved for at x0, tested at another point."""
        ladder = self.ladder
        x, target = ladder.x, self.n[:, 0]
        at, value = x.copy(), self.a[:, 0]
        size = float(np.abs(target).max())
        for _ in range(8):
            columns = []
            for i in range(x.size):
                h = 1e-6 * ladder.scale[i]
                to = at.copy()
                to[i] += h
                beside = self.jac(to)
                if beside is None:
                    return False
                columns.append((beside[:, 0] - value) / h)
            slope = np.array(columns).T
            if not np.isfinite(slope).all():
                return False
            at = at - np.linalg.lstsq(slope, value - target, rcond=1e-10)[0]
            found = self.jac(at)
            if found is None or not np.isfinite(found).all():
                return False
            value = found[:, 0]
            if np.abs(value - target).max() <= 1e-8 * size:
                break
        else:
            return False
        other = x + _BESIDE * ladder.scale * away(x.size)
        there = self.jac(other + (at - x))
        run = ladder.run
        shape = run.x0.shape
        if there is None:
            return False
        scale = ladder.scale.reshape(shape)
        expected = differentiate(run.fun, other.reshape(shape), False, x_scale=scale, args=run.args)
        run.nfev += expected.run.nfev
        return bool(np.abs(there - expected.rows).max() <= 1e-4 * np.abs(expected.rows).max())
