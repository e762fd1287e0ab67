"""gradcheck: whether a hand-written gradient is right, who is wrong if not, and whether to believe it."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._diagnosis import Diagnosis
from ._difference import Run
from ._directions import SMALL_BLOCK, Direction, Directions
from ._forward import Forward, forward
from ._function import as_array, as_indices, as_noise, as_point, bind, component, describe
from ._ladder import METHODS, Ladder, scale_of
from ._report import GradientReport, Row, flag_text
from ._tree import Leaf, is_tree, leaves, rebuild
from ._verdict import DISAGREE, INCONCLUSIVE, NAMES, RTOL, tolerance

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

MODES: Final = ("auto", "full", "directional")
_MANY: Final = 256  # components: from here on "auto" takes directions first
_TOO_MANY: Final = 10_000  # beyond that what directions cannot tell is left at that
_SAMPLE: Final = 64
_DIRECTIONS: Final = 3
_CAUTION: Final = 1.5  # a standard deviation of ten values may be so much larger
_ROWS: Final = 5  # in the message of assert_gradient


class _BudgetSpentError(Exception):
    """max_nfev is reached; never leaves this module."""


def gradcheck(
    fun: Callable[..., Any],
    jac: Callable[..., Any],
    x0: Any,
    *,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
    names: Any = None,
    indices: ArrayLike | None = None,
    directions: int | ArrayLike | None = None,
    rng: Any = 0,
    noise: float | str | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    max_nfev: int | None = None,
    strict: bool = False,
    progress: bool | Callable[[int, int], None] | None = None,
) -> GradientReport:
    """Check a hand-written gradient or Jacobian against finite differences.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Returns one number, or a 1-D array of m.
    jac : callable ``jac(x, *args, **kwargs)``
        Its gradient, of x0's shape, or Jacobian, (m, n) or (m, *x0.shape). It may write into its argument and return
        the same array each time.
    x0 : array_like of any shape, number, or dict, list or tuple of arrays
        The point, real and finite. A dict (nested, if need be) is passed on as such, and jac returns one like it.
    args, kwargs : tuple, dict
        Further arguments of both.
    mode : {"auto", "full", "directional"}
        "full": every component. "directional": only random directions; finds that something is wrong, not what.
        "auto": "full" up to 256 components; beyond that directions first, and where one fails, a search that names the
        wrong components.
    rtol : float, default 1e-6
        The relative error that is let pass.
    atol : float, optional
        Takes the place of the error bar in the tolerance, error bar + rtol max(|analytic|, |numerical|).
    names : sequence of str, optional
        Of the components of the flat x0, for the table.
    indices : array of int, or mask of x0's shape, optional
        Check these components of the flat x0 only; always "full".
    directions : int or array (k, n), default 3
        How many random directions for each block (each array of a dict); or the directions themselves.
    rng : int or numpy.random.Generator, default 0
        Of the random directions.
    noise : float or "estimate", optional
        Standard deviation of the values of fun, if it is known to be more than rounding. Before anything but "agree" is
        said, it is estimated anyway.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside. Components with lb == ub are not checked.
    max_nfev : int, optional
        The most calls of fun; what is not reached stays "inconclusive".
    strict : bool
        At a kink any value between the two slopes passes as a subgradient; not if strict.
    progress : bool or callable ``progress(done, total)``, optional
        Called after every 64 components that took a closer look; True: a bar by tqdm, extra "progress".

    Returns
    -------
    GradientReport
        True only if the verdict is "agree". ``print`` shows the table.

    Raises
    ------
    TypeError, ValueError
        An argument that is not as above; fun or jac returning anything but real numbers.
    ImportError
        progress=True without tqdm.

    Warns
    -----
    RuntimeWarning
        fun returns different values at one point.

    Notes
    -----
    Calls of fun for a right gradient: n + 3, where forward differences settle it; 2 more for each component that needs
    a central difference, and about 10 more for each that needs Richardson's. By directions: about 10 for each, and the
    search takes 2 log2(n) for each wrong component. jac is called once; a few times more to diagnose a wrong one.

    A component agrees where |analytic - numerical| is within the tolerance and the error bar is below 1 % of its size
    (or of a thousandth of the largest derivative of its block); it disagrees where the best difference to be had,
    Richardson's, is further away than tolerance; else it is inconclusive. The verdict is the same for c fun, and for
    c x where no x is 0. C. Ridders, Advances in Engineering Software 4 (1982) 75-76, for the error bars; J. Moré and
    S. Wild, SIAM J. Sci. Comput. 33 (2011) 1292-1314, for the noise.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> report = numdiff.gradcheck(lambda x: x[0] ** 2 * x[1], lambda x: np.array([x[0] * x[1], x[0] ** 2]), [3.0, 2.0])
    >>> report.verdict, report.wrong, report.diagnosis
    ('disagree', [0], 'analytic is 1/2 times the derivative in the wrong components')
    """
    check = Check(fun, jac, x0, args, kwargs, bounds, max_nfev)
    check.options(mode, rtol, atol, names, indices, directions, rng, noise, strict, progress)
    return check.report()


def assert_gradient(fun: Callable[..., Any], jac: Callable[..., Any], x0: Any, **options: Any) -> None:
    """Raise an AssertionError with the top rows of the report unless the gradient is right.

    Parameters
    ----------
    fun, jac, x0, **options
        As in `gradcheck`.

    Raises
    ------
    AssertionError
        The verdict is "disagree" or "inconclusive".
    TypeError, ValueError, ImportError
        As `gradcheck`.

    Notes
    -----
    Calls and accuracy as `gradcheck`. pytest leaves this frame out of its traceback.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.assert_gradient(lambda x: np.sin(x).sum(), np.cos, [1.0, 2.0])
    """
    __tracebackhide__ = True
    report = gradcheck(fun, jac, x0, **options)
    if not report:
        raise AssertionError(report.text(_ROWS))


class Check:
    """One check: the arguments, the evidence, the report. begin() alone is what taylor_test needs of it."""

    def __init__(
        self,
        fun: Any,
        jac: Any,
        x0: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None,
        bounds: Any,
        max_nfev: int | None,
    ) -> None:
        bound, args = bind(fun, args, kwargs)
        if not callable(jac):
            raise TypeError(f"`jac` must be callable; it is {describe(jac)}")
        self.jac, self.args, self.kwargs, self.njev = jac, args, kwargs or {}, 0
        self.tree = x0 if is_tree(x0) else None
        if self.tree is None:
            point, moderate = as_point(x0)
            self.leaves = [Leaf("", 0, point.shape)]
        else:
            point, moderate = self._flatten(x0)
            inner = bound
            bound = lambda x, *rest: inner(self._unflatten(x), *rest)  # noqa: E731
        limits = as_bounds(bounds, point, moderate)
        if max_nfev is not None:
            bound, self.count_of = _limited(bound, max_nfev)
        self.run, self.limits = Run(bound, args, point, False, None), limits
        self.notes: list[str] = []
        self.settled: set[int] = set()  # blocks that directions could not settle, and were checked by component
        self.most = max_nfev
        self.directions: list[Direction] = []

    def options(
        self, mode: str, rtol: Any, atol: Any, names: Any, indices: Any, directions: Any, rng: Any, noise: Any,
        strict: bool, progress: Any,
    ) -> None:  # fmt: skip
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {', '.join(map(repr, MODES))}; it is {mode!r}")
        self.rtol = RTOL if rtol is None else _tolerance("rtol", rtol)
        self.atol = None if atol is None else _tolerance("atol", atol)
        x0, self.mode = self.run.x0, mode
        self.index = None if indices is None else as_indices(indices, x0.shape)
        if names is not None:
            names = [str(name) for name in np.asarray(names, object).reshape(-1)]
            if len(names) != x0.size:
                raise ValueError(
                    f"`names` must be as many as the components of `x0`, {x0.size}; there are {len(names)}"
                )
        self.names: list[str] | None = names
        self.asked = directions
        self.given: Float | None = None
        self.count = _DIRECTIONS
        if isinstance(directions, int | np.integer) and not isinstance(directions, bool):
            if directions < 1:
                raise ValueError(f"`directions` must be at least 1; it is {directions}")
            self.count = int(directions)
        elif directions is not None:
            given = as_array(directions)
            if given.dtype.kind not in "fiu" or given.size == 0 or given.size % max(1, x0.size):
                raise ValueError(
                    f"`directions` must be a number, or arrays of the shape of `x0`; it is {describe(directions)}"
                )
            self.given = given.astype(np.float64).reshape(-1, x0.size)
            if not np.isfinite(self.given).all() or not self.given.any(axis=1).all():
                raise ValueError("`directions` must be finite, and none of them all 0")
        self.seed = rng
        self.noise = 0.0 if noise is None else as_noise(noise)
        self.strict = bool(strict)
        self.tell = _progress(progress)

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    # --- points and trees ---

    def _flatten(self, x0: Any) -> tuple[Float, bool]:
        parts, begin = [], 0
        self.leaves = []
        moderate = True
        for path, value in leaves(x0):
            part, small = as_point(value)
            moderate &= small
            self.leaves.append(Leaf(path, begin, part.shape))
            parts.append(part.reshape(-1))
            begin += part.size
        return np.concatenate(parts) if parts else np.zeros(0), moderate

    def _unflatten(self, x: Float) -> Any:
        flat = x.reshape(-1)
        return rebuild(self.tree, iter([flat[leaf.begin : leaf.end].reshape(leaf.shape) for leaf in self.leaves]))

    @property
    def blocks(self) -> list[slice]:
        return [slice(leaf.begin, leaf.end) for leaf in self.leaves if leaf.size]

    # --- jac ---

    def _jac_at(self, x: Float) -> Any:
        self.njev += 1
        point = x.copy().reshape(self.run.x0.shape)
        self.last = self.jac(point if self.tree is None else self._unflatten(point), *self.args, **self.kwargs)
        return self.last

    def _analytic(self, value: Any) -> Float | tuple[str, str]:
        """What jac returned as (n, m), a private copy; or the shape that it has and the one that is due."""
        m = self.run.m or 1
        scalar = np.ndim(self.f0) == 0
        if self.tree is None:
            return _rows(value, self.run.x0.shape, m, scalar)
        given = dict(leaves(value)) if is_tree(value) else {"": value}
        paths = [leaf.path for leaf in self.leaves]
        if list(given) != paths and set(given) != set(paths):
            return f"({', '.join(given)})", f"({', '.join(paths)})"
        parts = []
        for leaf in self.leaves:
            part = _rows(given[leaf.path], leaf.shape, m, scalar)
            if isinstance(part, tuple):
                return f"{part[0]} in {leaf.path}", part[1]
            parts.append(part)
        return np.concatenate(parts) if parts else np.zeros((0, m))

    def _quiet_jac(self, flat: Float) -> Float | None:
        """jac at another point, for a guess at what is wrong with it; None where it cannot be had."""
        try:
            found = self._analytic(self._jac_at(flat))
        except Exception:  # it was fine at x0, and that is what is checked
            return None
        return None if isinstance(found, tuple) else found

    # --- the check ---

    def begin(self) -> Float | tuple[str, str]:
        """fun and jac at x0: the derivative as jac has it, (n, m), or the shape that it has and the one due."""
        run = self.run
        self.f0 = run.f0 = run.evaluate(run.x0.copy())
        return self._analytic(self._jac_at(run.x0))

    def report(self) -> GradientReport:
        run = self.run
        found = self.begin()
        again = run.evaluate(run.x0.copy())
        if not (again == self.f0 if isinstance(again, float) else np.array_equal(again, self.f0, equal_nan=True)):
            self._random(again)
        if isinstance(found, tuple):
            return self._wrong_shape(*found)
        directional = self.mode == "directional" or (
            self.mode == "auto" and self.index is None and (run.x0.size > _MANY or self.asked is not None)
        )
        self.a = found
        begun = None
        if not directional and self.index is None and self.limits is None and self.most is None and self.noise == 0.0:
            flat = run.x0.reshape(-1)
            begun = forward(run, found, None, flat, scale_of(flat), self.rtol)
            if begun.doubtful is None and not begun.noise:  # the most common end, and no more than that is done for it
                self.begun = begun
                return GradientReport("agree", [], None, "", self.notes, "full", run.nfev, self.njev, self._rows)
        ladder = self.ladder
        if self.noise is None:
            ladder.noise = ladder.estimate()
        try:
            if directional:
                self._by_directions()
            else:
                ladder.check(self._affordable(), begun)
        except _BudgetSpentError:
            self.spent = True
        if self.spent:
            self.notes.append("`max_nfev` was reached before all was checked")
            run.nfev = min(self.count_of(), self.most or 0)
        return self._conclude(directional)

    @cached_property
    def ladder(self) -> Ladder:
        return Ladder(
            self.run, self.a, self.limits, self.rtol, self.atol, self.noise or 0.0, self.blocks, self.tell, self.strict
        )

    begun: Forward | None = None
    everywhere = False
    spent = False

    def _affordable(self) -> Integers | None:
        """The components to check: as many as max_nfev has room for."""
        count = self.run.x0.size if self.index is None else self.index.size
        if self.most is None or count + self.run.nfev + 1 <= self.most:
            return self.index
        self.spent = True
        index = np.arange(count) if self.index is None else self.index
        return index[: max(0, self.most - self.run.nfev - 1)]

    def _random(self, again: Any) -> None:
        """fun differs at one point: measure by how much."""
        values = [np.reshape(self.f0, -1), np.reshape(again, -1)]
        if not np.isfinite(values).all():
            return  # nothing can be told here anyway
        values += [np.reshape(self.run.evaluate(self.run.x0.copy()), -1) for _ in range(8)]
        with np.errstate(all="ignore"):
            scatter = _CAUTION * float(np.nanmax(np.std(values, axis=0), initial=0.0))
        self.f0 = self.run.f0 = np.mean(values, axis=0) if self.run.m != 1 else float(np.mean(values))
        self.noise = max(self.noise or 0.0, scatter)
        size = f"standard deviation {scatter / _CAUTION:.2g}"
        text = f"fun returns different values at one point ({size}): seed it, if it is random"
        self.notes.append(text)
        warnings.warn(text, RuntimeWarning, stacklevel=5)

    def _by_directions(self) -> None:
        ladder = self.ladder
        search = self.search = Directions(ladder, self.rng)
        self.directions = search.found
        if self.given is not None:
            for k, v in enumerate(self.given):
                with np.errstate(all="ignore"):
                    reach = float(np.max(np.abs(v) / ladder.scale))
                search.measure(v / reach, f"direction {k}", 0)
            if self.mode == "directional" or not any(d.verdict == DISAGREE for d in search.found):
                return
        for k, block in enumerate(ladder.blocks):
            size = block.stop - block.start
            if self.mode == "auto" and size <= SMALL_BLOCK:
                ladder.check(np.arange(block.start, block.stop))
                continue
            where = f" of {self.leaves[k].path}" if len(ladder.blocks) > 1 else ""
            for j in range(self.count):
                v = search.random(block)
                if not v.any():
                    break
                found = search.measure(v, f"direction {j}{where}", k)
                if found.verdict == DISAGREE and self.mode == "auto":
                    search.name_the_wrong(found)
                    break
                if found.verdict == INCONCLUSIVE and self.mode == "auto" and size <= _TOO_MANY:
                    self._one_by_one(k, block)  # too noisy for one among so many to be seen
                    break
                if self.tell:
                    self.tell(k * self.count + j + 1, len(ladder.blocks) * self.count)
        self.everywhere = bool(search.everywhere)

    def _one_by_one(self, k: int, block: slice) -> None:
        """All components of a block, if a sample of them can be told."""
        ladder, all_of_them = self.ladder, np.arange(block.start, block.stop)
        sample = np.sort(self.rng.permutation(all_of_them)[:_SAMPLE])
        ladder.check(sample)
        if not (ladder.verdict[sample] == INCONCLUSIVE).any():
            ladder.check(all_of_them)
            self.settled.add(k)

    # --- the end ---

    def _wrong_shape(self, found: str, due: str) -> GradientReport:
        """The verdict where shapes differ; what the numbers say about it."""
        text = f"jac returned shape {found} where {due} is due"
        run = self.run
        if run.x0.size <= _MANY and self.tree is None:
            returned = np.asarray(self.last).astype(np.float64)
            zero = np.zeros((run.x0.size, run.m or 1))
            ladder = Ladder(run, zero, self.limits, self.rtol, None, self.noise or 0.0, self.blocks, None, False)
            ladder.begin()
            ladder.raw(np.arange(run.x0.size))
            n, m = zero.shape

            def close(one: Any, other: Any) -> bool:
                return np.shape(one) == np.shape(other) and np.allclose(
                    one, other, rtol=1e-5, atol=1e-8 * abs(ladder.n).max(initial=0.0)
                )

            totals = ladder.n.sum(axis=0)
            if returned.size in (1, m) and n > 1 and close(returned.reshape(-1), totals[: returned.size]):
                text += "; it is the derivative summed over its components"
            elif returned.shape == (n, m) and close(returned, ladder.n):
                text += "; it is the Jacobian transposed"
            elif returned.size == n * m and close(returned.reshape(-1), ladder.n.T.reshape(-1)):
                text += "; the numbers are right"
            elif returned.size == m and m > 1 and n > 1 and close(returned.reshape(-1), totals):
                text += "; it is the Jacobian summed over the components"
        kind = "summed" if "summed" in text else "transposed" if "transposed" in text else "shape"
        return GradientReport("disagree", [], kind, text, self.notes, "full", run.nfev, self.njev, list)

    def _conclude(self, directional: bool) -> GradientReport:
        ladder = self.ladder
        verdict, checked = ladder.verdict, ladder.checked
        wrong_at = np.argwhere((verdict == DISAGREE) & checked[:, None])
        first = [d for d in self.directions if "set right" not in d.name]
        unsure = bool(((verdict == INCONCLUSIVE) & checked[:, None]).any()) or self.spent
        unsure |= any(d.verdict == INCONCLUSIVE and d.block not in self.settled for d in self.directions)
        failed = any(d.verdict == DISAGREE for d in first)
        word = "disagree" if wrong_at.size or failed else "inconclusive" if unsure else "agree"
        if failed and not wrong_at.size and self.mode != "directional":
            self.notes.append("the gradient is wrong along a direction, but no single component stands out")
        if self.everywhere:
            self.notes.append("more components are wrong than are named: these are a sample")
        if ladder.noise and not any("different values" in note for note in self.notes):
            self.notes.append(f"fun is noisy: its values scatter by about {ladder.noise:.1g}")
        kind, diagnosis = None, ""
        if word == "disagree" and (wrong_at.size or failed):
            kind, diagnosis = self._diagnose() or (None, "")
        wrong = [self._index(int(i), int(r)) for i, r in wrong_at]
        how = "directional" if directional else "full"
        return GradientReport(word, wrong, kind, diagnosis, self.notes, how, self.run.nfev, self.njev, self._rows)

    def _diagnose(self) -> tuple[str, str] | None:
        blocks = [(leaf.path, slice(leaf.begin, leaf.end)) for leaf in self.leaves if leaf.size]
        everywhere = self.everywhere or not (self.ladder.checked.any())
        shape = self.run.x0.shape if self.tree is None else (self.run.x0.size,)
        try:
            return Diagnosis(
                self.ladder, self.directions, shape, blocks, self._name, self._quiet_jac, everywhere
            ).found()
        except _BudgetSpentError:
            return None

    def _index(self, i: int, r: int) -> Any:
        """How report.wrong names a component."""
        if self.tree is not None:
            path = self._leaf(i).name(i)
            return path if self.run.m == 1 else (r, path)
        shape = self.run.x0.shape
        where: Any = tuple(int(k) for k in np.unravel_index(i, shape)) if shape else ()
        if self._vector:
            return (r, *where)
        return where[0] if len(where) == 1 else where

    @property
    def _vector(self) -> bool:
        return np.ndim(self.f0) > 0 and self.run.m != 1

    def _leaf(self, i: int) -> Leaf:
        return next(leaf for leaf in self.leaves if leaf.begin <= i < leaf.end)

    def _name(self, i: int, r: int) -> str:
        if self.names is not None:
            own = self.names[i]
        elif self.tree is not None:
            own = self._leaf(i).name(i)
        else:
            own = component("x", i, self.run.x0.shape)
        return f"fun[{r}] by {own}" if self._vector else own

    def _rows(self) -> list[Row]:
        ladder = self.ladder
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
            ladder.check(None, self.begun)
        for i, r in itertools.product(np.flatnonzero(ladder.checked), range(ladder.a.shape[1])):
            a, n, bar = ladder.a[i, r], ladder.n[i, r], ladder.bar[i, r]
            with np.errstate(all="ignore"):
                allowed, apart = tolerance(a, n, bar, self.rtol, self.atol), abs(a - n)
            place = int(ladder.verdict[i, r])
            text = flag_text(place, int(ladder.flag[i, r]), ladder.left[i, r], ladder.right[i, r])
            rows.append(Row(
                self._name(int(i), r), self._index(int(i), r), float(a), float(n), float(apart), float(allowed),
                float(bar), float(ladder.step[i, r]), METHODS[ladder.rung[i, r]], NAMES[place], text,
            ))  # fmt: skip
        return rows


def _rows(value: Any, shape: tuple[int, ...], m: int, scalar: bool) -> Float | tuple[str, str]:
    """What jac returned for one array of x0: (size, m); or its shape and the one that is due."""
    if value is None:
        raise TypeError("`jac` returned None; did jac forget to return its value?")
    if hasattr(value, "toarray"):
        value = value.toarray()
    array = as_array(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`jac` must return real numbers; it returned {describe(value)}")
    size = math.prod(shape)
    own = np.array(array, dtype=np.float64)
    if m == 1 and (own.shape in (shape, (1, *shape), (1, size)) or (own.size == 1 == size)):
        return own.reshape(-1, 1)
    if m > 1 and (own.shape in ((m, *shape), (m, size)) or (size == 1 and own.shape == (m,))):
        return np.ascontiguousarray(own.reshape(m, size).T)
    return str(own.shape), str(shape if m == 1 and scalar else (m, *shape))


def _tolerance(name: str, value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, float | int | np.floating | np.integer)
        or not 0 <= value < math.inf
    ):
        raise ValueError(f"`{name}` must be a finite number >= 0; it is {value!r}")
    return float(value)


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


def _progress(progress: Any) -> Callable[[int, int], None] | None:
    if progress is None or progress is False:
        return None
    if progress is not True:
        if not callable(progress):
            raise TypeError(f"`progress` must be True, False or callable; it is {describe(progress)}")
        return progress  # type: ignore[no-any-return]
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install numdiff[progress]") from error
    bar = tqdm(desc="gradcheck")

    def show(done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.refresh()
        if done >= total:
            bar.close()

    return show
