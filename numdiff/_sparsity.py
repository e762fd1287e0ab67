"""Detect where a Jacobian or a Hessian has entries: which values of fun change, to the bit, with which components.

Blocks of components are moved at random points, and halved where something depends on them. Blocks that no value can
depend on together, as is known from the blocks before, are moved at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._coloring import Structure, as_structure, colors_of
from ._difference import Run
from ._function import as_point, bind, recognise_gradient
from ._hessian import GradientCalls, check_jac
from ._sparse import require_scipy
from ._steps import positive

Float = NDArray[np.float64]
Integers = NDArray[np.intp]
Block = tuple[int, int]  # components begin to end

_REACH = 0.01  # of max(|x|, x_scale): how far components are moved
_REACH_SECOND = 0.1
_SHRINKS = 12  # tenths, where fun is not finite
_CHECKS = 8
_ROUNDS = 3
_ROUNDING = 64.0  # rounding errors of f: mixed changes below are none


def jacobian_sparsity(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    probes: int = 2,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Where the Jacobian of a function of an array has entries near x0.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        As in `jacobian`, and without noise: a value that changes in its last bit counts.
    x0 : array_like of any shape, or number
        The point, real and finite. Structures are those of its neighbourhood, so also of entries that vanish at x0.
    probes : int, default 2
        At how many random points to look; their structures are put together.
    x_scale : float or array of x0's shape, default 1
        The size of x where |x0| is smaller; components are moved by about a hundredth of max(|x0|, x_scale).
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside.
    args, kwargs : tuple, dict
        Further arguments of fun.

    Returns
    -------
    csr_array of bool, shape (m, n)
        For ``jacobian(..., sparsity=S)``. It may have more entries than are needed, as where fun is not finite.

    Raises
    ------
    TypeError, ValueError
        As `jacobian`; ValueError where fun is not finite at any point near x0 that was tried, or probes is below 1.
    RuntimeError
        The probes do not agree with the checks, so fun is noisy, or jumps.

    Notes
    -----
    Calls of fun: for each probe about 2 c log2(n) for a band or a grid that needs c colours, never more than
    3n + 2; then 10 for the checks. An entry is missed if in every probe its effect is below rounding beside the others
    of its value, or if it belongs to a branch that fun does not take within a hundredth of x0. Each of 8 checks, which
    move a random set of components and look at the values that must not change, sees a missed entry of a row with s
    entries with a chance of 1 / (e (s + 1)); what is seen leads to another probe.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.jacobian_sparsity(lambda x: [x[0] * x[1], x[2], x[1] ** 2], np.zeros(3)).toarray().astype(int)
    array([[1, 1, 0],
           [0, 0, 1],
           [0, 1, 0]])
    """
    sparse = require_scipy("a sparse structure")
    fun, args = bind(fun, args, kwargs)
    near = _Neighbourhood(fun, args, x0, x_scale, bounds, False, probes)
    found: Any = None
    for _ in range(probes):
        found = near.probe() if found is None else found + near.probe()
    for _ in range(_ROUNDS):
        if near.agrees(found):
            return sparse.csr_array(found)
        found = found + near.probe()
    raise RuntimeError(
        "the values of `fun` do not depend on `x0` in the same way at every point: it is noisy, or jumps"
    )


def hessian_sparsity(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    *,
    jac: Callable[..., Any] | None = None,
    probes: int = 2,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Where the Hessian of a function of an array that returns one number has entries near x0.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``, or None where jac is given
        As in `hessian`, without noise.
    jac : callable ``jac(x, *args, **kwargs)``, optional
        The gradient of fun. Far fewer calls, and safer, than from values.
    x0, probes, x_scale, bounds, args, kwargs
        As in `jacobian_sparsity`. From values, components are moved by about a tenth of max(|x0|, x_scale).

    Returns
    -------
    csr_array of bool, shape (n, n), symmetric
        For ``hessian(..., sparsity=S)``. From values, the diagonal is always full.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As `jacobian_sparsity` and `hessian`.

    Notes
    -----
    With jac, calls and risk are those of `jacobian_sparsity`. From values, each probe takes about 2n calls, and 4 or so
    for each pair of the structure; a mixed derivative is missed if in every probe its effect, about a hundredth of it,
    is below 64 rounding errors of fun; more where fun adds up large parts that cancel. There is no check but that of
    `hessian` itself.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hessian_sparsity(lambda x: x[0] * x[1] + x[2] ** 2, np.zeros(3)).toarray().astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 1]])
    """
    sparse = require_scipy("a sparse structure")
    jac = recognise_gradient(jac, x0)
    check_jac(jac)
    if jac is not None:
        bound, args = bind(jac, args, kwargs)
        found = jacobian_sparsity(
            GradientCalls(bound, np.shape(x0)), x0, probes=probes, x_scale=x_scale, bounds=bounds, args=args
        )
        return sparse.csr_array(found + found.T)
    fun, args = bind(fun, args, kwargs)
    near = _Neighbourhood(fun, args, x0, x_scale, bounds, True, probes)
    pairs = np.concatenate([near.probe_pairs() for _ in range(probes)])
    n = near.x.size
    i, j = np.concatenate([pairs, np.stack([np.arange(n)] * 2, axis=1)]).T
    upper = sparse.coo_array((np.ones(i.size, bool), (i, j)), shape=(n, n)).tocsr()
    return sparse.csr_array(upper + upper.T)


class _Neighbourhood:
    """Random points near x0, and what moves there."""

    def __init__(
        self, fun: Any, args: tuple[Any, ...], x0: ArrayLike, x_scale: Any, bounds: Any, scalar: bool, probes: Any
    ) -> None:
        if isinstance(probes, bool) or not isinstance(probes, int | np.integer) or probes < 1:
            raise ValueError(f"`probes` must be an integer of at least 1; it is {probes!r}")
        point, moderate = as_point(x0)
        limits = as_bounds(bounds, point, moderate)
        self.x = point.reshape(-1)
        scale = positive("x_scale", x_scale, point.shape)
        self.reach = (_REACH_SECOND if scalar else _REACH) * np.maximum(np.abs(self.x), 1.0 if scale is None else scale)
        infinite: Float = np.full(self.x.size, np.inf)
        self.lb: Float = -infinite if limits is None else limits[0]
        self.ub: Float = infinite if limits is None else limits[1]
        self.run = Run(fun, args, point, scalar, None)
        self.rng = np.random.default_rng(0)

    def values(self, x: Float) -> Float:
        return np.atleast_1d(self.run.evaluate(x.reshape(self.run.x0.shape)))

    def start(self) -> tuple[Float, Float, Float]:
        """A random point within the bounds, how far to move there, and fun."""
        n = self.x.size
        for shrink in range(_SHRINKS):
            reach = self.reach * 0.1**shrink
            x = np.clip(self.x + reach * self.rng.uniform(-1.0, 1.0, n), self.lb, self.ub)
            step = reach * self.rng.uniform(0.5, 1.0, n) * self.rng.choice([-1.0, 1.0], n)
            # To the other side at a bound; between two, to the farther one.
            step = np.where((x + step < self.lb) | (x + step > self.ub), -step, step)
            far = np.where(self.ub - x > x - self.lb, self.ub, self.lb)
            step = np.where((x + step < self.lb) | (x + step > self.ub), far - x, step)
            fx = self.values(x.copy())
            if np.isfinite(fx).all() and np.isfinite(self.values(x + step)).all():
                return x, x + step, fx
        raise ValueError("`fun` must be finite near `x0`; it is not at any random point that was tried")

    def probe(self) -> Any:
        """The structure at one random point."""
        sparse = require_scipy("a sparse structure")
        x, to, fx = self.start()
        m, n = fx.size, x.size
        edges = np.array([0, n])
        blocks = sparse.csr_array(np.ones((m, min(n, 1)), bool))  # which values depend on which blocks
        while n and np.diff(edges).max() > 1:
            parent = np.repeat(np.arange(edges.size - 1), np.minimum(np.diff(edges), 2))
            edges = np.union1d(edges, (edges[:-1] + edges[1:]) // 2)
            candidates = as_structure(blocks.tocsc()[:, parent].tocsr())
            blocks = self._refine(candidates, edges, x, to, fx)
        return blocks if n != 1 else self._refine(as_structure(np.ones((m, 1))), edges, x, to, fx)

    def _refine(self, candidates: Structure, edges: Integers, x: Float, to: Float, fx: Float) -> Any:
        """Which of the candidates are true, by moving the blocks of one colour at once."""
        sparse = require_scipy("a sparse structure")
        colors = colors_of(candidates)
        rows, columns = candidates.rows, candidates.columns
        of_entry = colors[columns]
        block_of = np.repeat(np.arange(edges.size - 1), np.diff(edges))
        kept = np.zeros(columns.size, bool)
        more: list[tuple[Integers, Integers]] = []
        for color in range(int(colors.max(initial=-1)) + 1):
            value = self.values(np.where(colors[block_of] == color, to, x))
            changed = ~(value == fx)  # also where it is nan
            here = np.flatnonzero(of_entry == color)
            kept[here] = changed[rows[here]]
            changed[rows[here]] = False
            if changed.any():  # hidden so far, as by rounding: any block of this colour
                moved = np.flatnonzero(colors == color)
                late = np.flatnonzero(changed)
                more.append((np.repeat(late, moved.size), np.tile(moved, late.size)))
        i, j = (np.concatenate(parts) for parts in zip((rows[kept], columns[kept]), *more, strict=True))
        return sparse.coo_array((np.ones(i.size, bool), (i, j)), shape=candidates.shape).tocsr()

    def agrees(self, found: Any) -> bool:
        """Whether no value changes with random components that it is said not to depend on."""
        x, to, fx = self.start()
        share = found.shape[0] / max(1, found.shape[0] + found.nnz)
        for _ in range(_CHECKS):
            moved = self.rng.uniform(size=x.size) < share
            value = self.values(np.where(moved, to, x))
            if ((value != fx) & ((found @ moved.astype(float)) == 0)).any():
                return False
        return True

    def probe_pairs(self) -> Integers:
        """The pairs i < j with a mixed derivative at one random point."""
        x, to, fx = self.start()
        n, eps = x.size, self.run.eps
        f0 = largest = float(fx[0])

        def f(*blocks: Block) -> float:
            nonlocal largest
            at = x.copy()
            for begin, end in blocks:
                at[begin:end] = to[begin:end]
            value = float(self.values(at)[0])
            largest = max(largest, abs(value))
            return value

        largest = abs(f0)
        single = {(0, n): 0.0}
        alone = [(0, n)]
        together: list[tuple[Block, ...]] = []
        found: list[tuple[Block, ...]] = []
        while alone or together:
            halves = {block: _halves(block) for block in single}
            single = {part: f(part) - f0 for parts in halves.values() for part in parts}
            pairs = [parts for block in alone if len(parts := halves[block]) == 2]
            pairs += [(a, b) for one, other in together for a in halves[one] for b in halves[other]]
            mixed = [f(a, b) - f0 - single[a] - single[b] for a, b in pairs]
            allowed = _ROUNDING * (eps or 0.0) * largest
            together = []
            for pair, value in zip(pairs, mixed, strict=True):
                if not abs(value) <= allowed:  # also where it is nan
                    (together if any(_size(block) > 1 for block in pair) else found).append(pair)
            alone = [part for block in alone for part in halves[block] if _size(part) > 1]
            needed = {*alone, *(block for pair in together for block in pair)}
            single = {block: change for block, change in single.items() if block in needed}
        return np.array([(a[0], b[0]) for a, b in found], np.intp).reshape(-1, 2)


def _size(block: Block) -> int:
    return block[1] - block[0]


def _halves(block: Block) -> tuple[Block, ...]:
    """The halves of a block; one component stays what it is."""
    begin, end = block
    middle = (begin + end) // 2
    return ((begin, middle), (middle, end)) if end - begin > 1 else (block,)
