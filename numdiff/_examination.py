"""How a gradient check flows: fun and jac at x0, the evidence, the verdict, the report."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._bounds import as_bounds
from ._check_options import Options
from ._diagnosis import Diagnosis
from ._difference import Run
from ._directions import SMALL_BLOCK, Direction, Directions
from ._forward import Forward, forward, scale_of
from ._function import bind, describe
from ._kernels_py import FINEST
from ._ladder import METHODS, Ladder
from ._native import Native, is_native, recognise
from ._parameters import Parameters
from ._report import GradientReport, Row, flag_text
from ._verdict import DISAGREE, INCONCLUSIVE, NAMES, NOT_CHECKED, tolerance

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

_MANY: Final = 256  # components: from here on "auto" takes directions first
_TOO_MANY: Final = 10_000  # beyond that what directions cannot tell is left at that
_SAMPLE: Final = 64
_CAUTION: Final = 1.5  # a standard deviation of ten values may be so much larger


class _BudgetSpentError(Exception):
    """max_nfev is reached; never leaves this module."""


class Examination:
    """One check: the evidence, the verdict. begin() alone is what taylor_test needs of it."""

    everywhere = spent = False
    begun: Forward | None = None
    ladder: Ladder
    kind: str | None = None  # these two only where the shape is wrong
    text: str | None = None

    def __init__(
        self,
        fun: Any,
        jac: Any,
        x0: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None,
        bounds: Any = None,
        max_nfev: int | None = None,
    ) -> None:
        bound, args = bind(fun, args, kwargs)
        if not callable(jac) and not is_native(jac, "jac"):
            raise TypeError(f"`jac` must be callable; it is {describe(jac)}")
        self.jac, self.args, self.kwargs, self.njev = jac, args, kwargs or {}, 0
        self.parameters = parameters = Parameters(x0)
        self.limits = as_bounds(bounds, parameters.point, parameters.moderate)
        if parameters.tree is not None:
            inner = bound
            bound = lambda x, *rest: inner(parameters.unflatten(x), *rest)  # noqa: E731
        if max_nfev is not None:
            bound, self.calls = _limited(bound, max_nfev)
        self.run, self.most = Run(bound, args, parameters.point, False, None), max_nfev
        self.notes: list[str] = []
        self.settled: set[int] = set()  # blocks that directions could not settle, and were checked by component
        self.directions: list[Direction] = []

    # --- fun and jac ---

    def begin(self) -> Float | tuple[str, str]:
        """fun and jac at x0: the derivative as jac has it, (n, m), or the shape that it has and the one due."""
        run = self.run
        self.f0 = run.f0 = run.evaluate(run.x0.copy())
        if run.m == 0:
            raise ValueError("`fun` must return at least one value; it returned an empty array")
        self.jac = recognise(self.jac, "jac", (run.m or 1) * run.x0.size)
        return self._jac_at(run.x0.copy())

    def _jac_at(self, x: Float) -> Float | tuple[str, str]:
        """jac at x, an array that nobody else uses."""
        self.njev += 1
        self.last = self.jac(self.parameters.unflatten(x), *self.args, **self.kwargs)
        m, scalar = self.run.m or 1, isinstance(self.f0, float)
        if type(self.jac) is Native and self.jac.m == m * x.size:  # it is flat
            self.last = np.reshape(self.last, x.shape if scalar else (m, *x.shape))
        return self.parameters.rows(self.last, m, scalar)

    def _quiet_jac(self, flat: Float) -> Float | None:
        """jac at another point, for a guess at what is wrong with it; None where it cannot be had."""
        try:
            found = self._jac_at(flat.copy().reshape(self.run.x0.shape))
        except Exception:  # it was fine at x0, and that is what is checked
            return None
        return None if isinstance(found, tuple) else found

    # --- the check ---

    def report(self, options: Options) -> GradientReport:
        self.options, run = options, self.run
        self.noise = options.noise
        self.directional = options.mode == "directional" or (
            options.mode == "auto" and options.index is None and (run.x0.size > _MANY or options.asked is not None)
        )
        try:
            done = self._examine()
            if options.tell:
                count = run.x0.size if options.index is None else options.index.size
                options.tell(count, count)
        except _BudgetSpentError:
            self.spent = done = True
        finally:
            options.close()
        if done is False:  # the most common end, and no more than that is done for it
            return GradientReport("agree", [], None, "", self.notes, "full", run.nfev, self.njev, self._rows)
        if self.spent:
            self.notes.append("`max_nfev` was reached before all was checked")
            run.nfev = self.calls()
        return self._conclude()

    def _examine(self) -> bool:
        """Collect the evidence; False where forward differences settled all."""
        run, options = self.run, self.options
        found = self.begin()
        again = run.evaluate(run.x0.copy())
        if not (again == self.f0 if isinstance(again, float) else np.array_equal(again, self.f0, equal_nan=True)):
            self._random(again)
        if isinstance(found, tuple):
            self.kind, self.text = "shape", f"jac returned shape {found[0]} where {found[1]} is due"
            self._about_the_shape()
            return True
        self.a = found
        begun = None
        by_forward = options.atol is None and options.rtol >= FINEST and options.tell is None
        plain = by_forward and options.index is None and self.limits is None and self.most is None and self.noise == 0.0
        if plain and not self.directional:
            flat = run.x0.reshape(-1)
            scale = None if np.count_nonzero(flat) == flat.size else scale_of(flat)
            begun = forward(run, found, None, flat, scale, options.rtol)
            if begun.doubtful is None and not begun.noise:
                self.begun = begun
                return False
        ladder = self.ladder = self._ladder(found)
        if self.noise is None:
            ladder.noise = ladder.estimate()
        if self.directional:
            self._by_directions()
        else:
            ladder.check(self._affordable(), begun)
        return True

    def _ladder(self, a: Float) -> Ladder:
        options = self.options
        blocks = [block for _, block in self.parameters.blocks]
        return Ladder(
            self.run, a, self.limits, options.rtol, options.atol, self.noise or 0.0, blocks, options.tell,
            options.strict,
        )  # fmt: skip

    def _affordable(self) -> Integers | None:
        """The components to check: as many as max_nfev has room for."""
        count = self.run.x0.size if self.options.index is None else self.options.index.size
        if self.most is None or count + self.run.nfev + 1 <= self.most:
            return self.options.index
        self.spent = True
        index = np.arange(count) if self.options.index is None else self.options.index
        return index[: max(0, self.most - self.run.nfev - 1)]

    def _random(self, again: Any) -> None:
        """fun differs at one point: measure by how much."""
        values = [np.reshape(self.f0, -1), np.reshape(again, -1)]
        if not np.isfinite(values).all():
            if not np.array_equal(values[0], values[1], equal_nan=True):
                self._differs("not finite, now and then")
            return
        values += [np.reshape(self.run.evaluate(self.run.x0.copy()), -1) for _ in range(8)]
        with np.errstate(all="ignore"):
            scatter = _CAUTION * float(np.nanmax(np.std(values, axis=0), initial=0.0))
        self.f0 = self.run.f0 = np.mean(values, axis=0) if self.run.m != 1 else float(np.mean(values))
        self.noise = max(self.noise or 0.0, scatter)
        self._differs(f"standard deviation {scatter / _CAUTION:.2g}")

    def _differs(self, size: str) -> None:
        text = f"fun returns different values at one point ({size}): seed it, if it is random"
        self.notes.append(text)
        warnings.warn(text, RuntimeWarning, stacklevel=7)

    def _by_directions(self) -> None:
        ladder, options = self.ladder, self.options
        search = Directions(ladder, self.options.rng)
        self.directions = search.found
        if options.given is not None:
            for k, v in enumerate(options.given):
                with np.errstate(all="ignore"):
                    reach = float(np.max(np.abs(v) / ladder.scale))
                search.measure(v / reach, f"direction {k}", 0)
            if options.mode == "directional" or not any(d.verdict == DISAGREE for d in search.found):
                return
        for k, (path, block) in enumerate(self.parameters.blocks):
            size = block.stop - block.start
            if options.mode == "auto" and size <= SMALL_BLOCK:
                ladder.check(np.arange(block.start, block.stop))
                continue
            where = f" of {path}" if len(ladder.blocks) > 1 else ""
            for j in range(options.count):
                v = search.random(block)
                if not v.any():
                    break
                found = search.measure(v, f"direction {j}{where}", k)
                if found.verdict == DISAGREE and options.mode == "auto":
                    search.name_the_wrong(found)
                    break
                if found.verdict == INCONCLUSIVE and options.mode == "auto" and size <= _TOO_MANY:
                    self._one_by_one(k, block)  # too noisy for one among so many to be seen
                    break
                if options.tell:
                    options.tell(k * options.count + j + 1, len(ladder.blocks) * options.count)
        self.everywhere = bool(search.everywhere)

    def _one_by_one(self, k: int, block: slice) -> None:
        """All components of a block, if a sample of them can be told."""
        ladder, all_of_them = self.ladder, np.arange(block.start, block.stop)
        sample = np.sort(self.options.rng.permutation(all_of_them)[:_SAMPLE])
        ladder.check(sample)
        if not (ladder.verdict[sample] == INCONCLUSIVE).any():
            ladder.check(all_of_them)
            self.settled.add(k)

    # --- the end ---

    def _about_the_shape(self) -> None:
        """What the numbers say where shapes differ."""
        run, m = self.run, self.run.m or 1
        n = run.x0.size
        if n > _MANY or self.parameters.tree is not None:
            return
        returned = np.asarray(self.last).astype(np.float64)
        ladder = self._ladder(np.zeros((n, m)))
        ladder.raw(np.arange(n))
        size = float(np.abs(ladder.n).max(initial=0.0))

        def close(one: Any, other: Any) -> bool:
            return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-5, atol=1e-8 * size)

        off_diagonal = float(np.abs(ladder.n - np.diag(np.diagonal(ladder.n))).max(initial=0.0)) if n == m else 0.0
        if n == m > 1 and close(returned.reshape(-1), np.diagonal(ladder.n)) and off_diagonal <= 1e-8 * size:
            self.kind, said = "shape", "it is the diagonal of the Jacobian: fun works elementwise"
        elif n > 1 and returned.size == m and close(returned.reshape(-1), ladder.n.sum(axis=0)):
            self.kind, said = "summed", "it is the derivative summed over its components"
        elif returned.shape == (n, m) and close(returned, ladder.n):
            self.kind, said = "transposed", "it is the Jacobian transposed"
        elif returned.size == n * m and close(returned.reshape(-1), ladder.n.T.reshape(-1)):
            said = "the numbers are right"
        else:
            return
        self.text = f"{self.text}; {said}"

    def _conclude(self) -> GradientReport:
        how = "directional" if self.directional else "full"
        if self.text is not None:
            return GradientReport(
                "disagree", [], self.kind, self.text, self.notes, "full", self.run.nfev, self.njev, list
            )
        if not hasattr(self, "ladder"):
            return GradientReport("inconclusive", [], None, "", self.notes, how, self.run.nfev, self.njev, list)
        ladder = self.ladder
        verdict, checked = ladder.verdict, ladder.checked
        wrong_at = np.argwhere((verdict == DISAGREE) & checked[:, None])
        unsure = bool(((verdict == INCONCLUSIVE) & checked[:, None]).any()) or self.spent
        unsure |= any(d.verdict == INCONCLUSIVE and d.block not in self.settled for d in self.directions)
        failed = any(d.verdict == DISAGREE and not d.again for d in self.directions)
        nothing = not (self.directions or (verdict[checked] != NOT_CHECKED).any()) and ladder.a.size > 0
        if nothing:
            self.notes.append("nothing was checked: `indices` is empty, or no component may move within `bounds`")
        if ladder.rippled:
            self.notes.append("fun ripples more finely than the steps: what they say is not its derivative")
        word = "disagree" if wrong_at.size or failed else "inconclusive" if unsure or nothing else "agree"
        if failed and not wrong_at.size and self.options.mode != "directional":
            self.notes.append("the gradient is wrong along a direction, but no single component stands out")
        if self.everywhere:
            self.notes.append("more components are wrong than are named: these are a sample")
        told = self.options.noise or 0.0
        if ladder.noisy and ladder.noise > told and not any("different values" in note for note in self.notes):
            self.notes.append(f"fun is noisy: its values scatter by about {ladder.noise:.1g}")
        kind, diagnosis = (self._diagnose() if word == "disagree" else None) or (None, "")
        wrong = [self._index(int(i), int(r)) for i, r in wrong_at]
        return GradientReport(word, wrong, kind, diagnosis, self.notes, how, self.run.nfev, self.njev, self._rows)

    def _diagnose(self) -> tuple[str, str] | None:
        everywhere = self.everywhere or not self.ladder.checked.any()
        shape = self.run.x0.shape if self.parameters.tree is None else (self.run.x0.size,)
        blocks = self.parameters.blocks
        diagnosis = Diagnosis(self.ladder, self.directions, shape, blocks, self._name, self._quiet_jac, everywhere)
        try:
            return diagnosis.found()
        except _BudgetSpentError:
            return None

    @property
    def _vector(self) -> bool:
        return np.ndim(self.f0) > 0 and self.run.m != 1

    def _index(self, i: int, r: int) -> Any:
        own = self.parameters.index(i)
        if not self._vector:
            return own
        return (r, *own) if isinstance(own, tuple) else (r, own)

    def _name(self, i: int, r: int) -> str:
        names = self.options.names
        own = self.parameters.name(i) if names is None else names[i]
        return f"fun[{r}] by {own}" if self._vector else own

    def _rows(self) -> list[Row]:
        rows = []
        for d in self.directions:
            for r in range(len(d.a)):
                apart = abs(d.a[r] - d.n[r])
                said = flag_text(d.verdict, 0, np.nan, np.nan)
                rows.append(Row(
                    d.name, d.name, float(d.a[r]), float(d.n[r]), float(apart), float(d.tolerance[r]),
                    float(d.bar[r]), d.step, "richardson", NAMES[d.verdict], said,
                ))  # fmt: skip
        if self.begun is not None:
            self.ladder = self._ladder(self.a)
            self.ladder.check(None, self.begun)
            self.begun = None
        ladder = self.ladder
        for i, r in itertools.product(np.flatnonzero(ladder.checked), range(ladder.a.shape[1])):
            a, n, bar = ladder.a[i, r], ladder.shown(int(i), r), ladder.bar[i, r]
            with np.errstate(all="ignore"):
                allowed, apart = tolerance(a, n, bar, self.options.rtol, self.options.atol), abs(a - n)
            place = int(ladder.verdict[i, r])
            text = flag_text(place, int(ladder.flag[i, r]), ladder.left[i, r], ladder.right[i, r])
            rows.append(Row(
                self._name(int(i), r), self._index(int(i), r), float(a), float(n), float(apart), float(allowed),
                float(bar), float(ladder.step[i, r]), METHODS[ladder.rung[i, r]], NAMES[place], text,
            ))  # fmt: skip
        return rows


def _limited(fun: Callable[..., Any], most: Any) -> tuple[Callable[..., Any], Callable[[], int]]:
    """fun, to be called so many times; and how often it was."""
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 2:
        raise ValueError(f"`max_nfev` must be an integer of at least 2; it is {most!r}")
    calls = 0

    def limited(x: Any, *args: Any) -> Any:
        nonlocal calls
        if calls >= most:
            raise _BudgetSpentError
        calls += 1
        return fun(x, *args)

    return limited, lambda: calls
