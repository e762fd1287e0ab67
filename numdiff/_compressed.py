"""Sparse Jacobians: the columns of one colour are differenced together, and a random direction checks the structure.

Source: A. Curtis, M. J. D. Powell and J. Reid, J. Inst. Math. Appl. 13 (1974) 117-119.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bars import bars
from ._bounds import as_bounds
from ._coloring import as_structure, colors_of, kernels
from ._difference import Run
from ._differentiate import differentiate, method_of, order_of
from ._domain import near_an_end
from ._function import as_point, bind
from ._missing import check
from ._plan import Plan, StepOptions, make_plan
from ._result import DerivativeResult, Flag
from ._sparse import as_groups, require_scipy, split_pair
from ._steps import EPS

Float = NDArray[np.float64]
Integers = NDArray[np.intp]
Mask = NDArray[np.bool_]

METHODS = ("forward", "backward", "central")
_AT_ONCE = 1 << 22  # values of fun that are held


def jacobian(
    fun: Any,
    x0: ArrayLike,
    sparsity: Any,
    check_sparsity: bool,
    method: str,
    order: int | None,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    f0: ArrayLike | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    full_output: bool,
    symmetric: bool = False,
) -> Any:
    """The Jacobian as csr_array; where it is symmetric, by a star colouring."""
    sparse = require_scipy("a sparse Jacobian")
    fun, args = bind(fun, args, kwargs)
    found = Compressed(fun, x0, sparsity, method, order, (rel_step, abs_step, x_scale), bounds, f0, args, symmetric)
    data = found.entries(full_output)
    structure = found.structure

    def matrix(entries: Any) -> Any:
        return sparse.csr_array((entries, *structure.indices()), shape=structure.shape)

    if check_sparsity:
        check(found, data)
    value = matrix(data)
    if not full_output:
        return value
    run, plan = found.run, found.plan
    flags = found.flags | (Flag.low_precision if found.eps > EPS else 0)
    steps = np.where(plan.free, plan.h, np.nan).reshape(run.x0.shape)
    return DerivativeResult(value, matrix(found.error), steps, run.nfev, plan.kind, matrix(flags))


class Compressed:
    """A sparse Jacobian on its way; entries are those of the structure, by rows."""

    def __init__(
        self,
        fun: Callable[..., Any],
        x0: ArrayLike,
        sparsity: Any,
        method: str,
        order: int | None,
        steps: tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None],
        bounds: Any,
        f0: ArrayLike | None,
        args: tuple[Any, ...],
        symmetric: bool,
    ) -> None:
        self.kind = method_of(method, METHODS)
        self.order = order_of(order, self.kind)
        self.symmetric = symmetric
        self.steps, self.bounds = steps, bounds
        point, moderate = as_point(x0)
        self.options = StepOptions.of_arguments(*steps, point.shape)
        self.limits = as_bounds(bounds, point, moderate)
        pattern, groups = split_pair(sparsity)
        self.structure = as_structure(pattern, "sparsity")
        n = self.structure.shape[1]
        if n != point.size:
            raise ValueError(
                f"`sparsity` must have a column for each component of `x0`, {point.size}; it has shape "
                f"{self.structure.shape}"
            )
        if symmetric and not self.structure.symmetric:
            raise ValueError(f"`sparsity` must be symmetric for a Hessian; it has shape {self.structure.shape}")
        self.given = groups is not None
        self.groups = as_groups(groups, n) if self.given else colors_of(self.structure, symmetric=symmetric)
        self.run = Run(fun, args, point, False, None)
        if f0 is not None:
            self.run.f0 = self._checked(np.atleast_1d(Run(fun, args, point, False, f0).f0))
        self.plan = self._make_plan(EPS)
        self.flags: Any = 0  # of all entries

    @property
    def eps(self) -> float:
        return self.run.eps or EPS

    def f0(self) -> Float:
        """fun(x0)."""
        if self.run.f0 is None:
            self.run.f0 = self.value(self.run.x0.reshape(-1).copy())
        return np.asarray(self.run.f0)

    def value(self, x: Float) -> Float:
        """fun at the flat x, an array that nobody else uses: m values, which the next call does not change."""
        return self._checked(np.atleast_1d(self.run.evaluate(x.reshape(self.run.x0.shape))))

    def _checked(self, value: Float) -> Float:
        if value.size != self.structure.shape[0]:
            raise ValueError(
                f"`sparsity` must have a row for each value of `fun`, {value.size}; it has shape {self.structure.shape}"
            )
        return value

    def _make_plan(self, eps: float) -> Plan:
        return make_plan(self.kind, self.order, self.run.x0, None, self.options, self.limits, eps)

    def entries(self, with_error: bool) -> Float:
        """The entries; error and flags are left in self."""
        first = None
        if self.plan.kind != "central" or self.plan.one_sided is not None or with_error:
            self.f0()
        if self.run.eps is None and self.plan.any_free:
            first = self.value(next(self._points(self.groups, 0)))
        if self.eps > EPS:  # fun is coarser than float64: longer steps
            self.plan, first = self._make_plan(self.eps), None
            if self.plan.one_sided is not None:
                self.f0()
        if self.plan.flags is not None:
            self.flags = self.plan.flags[self.structure.columns]
        elif with_error:
            self.flags = np.zeros(self.structure.columns.size, np.intp)
        self.error = np.full(self.structure.columns.size if with_error else 0, np.nan)
        known = self._alone(self.groups)
        data = self._by_groups(self.groups, first, with_error)
        if self.symmetric:
            return self._fold(data, self._mend_pairs(data, known))
        wanting = self._wanting(data)
        if wanting is not None:
            self._mend(data, wanting)
        return data

    def _by_groups(self, groups: Integers, first: Any, with_error: bool) -> Float:
        """The entries by the differences of these groups; nan where the bounds leave no room."""
        data = np.empty(self.structure.columns.size)
        self.finite = self.plan.not_free is None
        if not self.finite:
            data.fill(np.nan)
        offsets = self._offsets()
        size = max(1, _AT_ONCE // max(1, self.structure.shape[0] * len(offsets)))
        count = int(groups.max(initial=-1)) + 1
        for begin in range(0, count, size):
            block = range(begin, min(begin + size, count))
            values = np.empty((len(block), len(offsets), self.structure.shape[0]))
            for k, group in enumerate(block):
                for call, x in enumerate(self._points(groups, group)):
                    values[k, call] = self.value(x) if first is None else first
                    first = None
            if data.size:
                self._combine(groups, begin, values, data, with_error)
        return data

    def _combine(self, groups: Integers, begin: int, values: Float, data: Float, with_error: bool) -> None:
        """The entries of some groups from the values of fun, (group, call, m)."""
        plan, structure = self.plan, self.structure
        for free, stencil in plan.groups():
            chosen = None
            if free.size < plan.h.size:
                chosen = np.zeros(plan.h.size, bool)
                chosen[free] = True
            remarks = kernels().entries(
                structure.row_begin, structure.columns, groups, begin, stencil, chosen, plan.x, plan.h, self.run.f0,
                values, data,
            )  # fmt: skip
            self.finite &= not remarks
            if with_error:
                of_entry = groups[structure.columns] - begin
                here = (of_entry >= 0) & (of_entry < len(values))
                if chosen is not None:
                    here &= chosen[structure.columns]
                i, j = structure.rows[here], structure.columns[here]
                f = [values[of_entry[here], call, i, None] for call in range(values.shape[1])]
                self.error[here] = bars(
                    stencil, self.order, plan.x[j], plan.h[j, None], plan.scale(self.options.x_scale)[j],
                    data[here, None], f, self.f0()[i, None], self.eps, 0.0,
                )[:, 0]  # fmt: skip

    def _offsets(self) -> list[tuple[float, float]]:
        """The offsets of each call: those of the plan's stencil and, as many, of the one-sided one in its place."""
        two, one = ([offset for offset in stencil[0] if offset] for stencil in (self.plan.stencil, self.plan.side))
        return list(zip(two, one, strict=True))

    def _points(self, groups: Integers, group: int) -> Iterator[Float]:
        plan = self.plan
        moved = np.flatnonzero(groups == group)
        if plan.not_free is not None:
            moved = moved[~plan.not_free[moved]]
        for two, one in self._offsets():
            x = plan.x.copy()
            offset = two if plan.one_sided is None else np.where(plan.one_sided[moved], one, two)
            x[moved] += offset * plan.h[moved]
            yield x

    def _alone(self, groups: Integers) -> Mask:
        """Which entries are alone in their row and group; an error where the groups do not suit the structure."""
        structure, columns = self.structure, self.structure.columns
        alone = np.ones(columns.size, bool)
        if (self.given or self.symmetric) and columns.size:
            shared = kernels().entries_alone(structure.row_begin, columns, groups, alone)
            told = alone | alone[self._mirror] if self.symmetric and shared else alone
            if shared and not told.all():
                k = int(np.flatnonzero(~told)[0])
                i, group = structure.rows[k], groups[columns[k]]
                both = columns[(structure.rows == i) & (groups[columns] == group)][:2]
                raise ValueError(
                    f"`sparsity`: columns {both[0]} and {both[1]} are in group {group}, but both have a nonzero in "
                    f"row {i}"
                )
        return alone

    @cached_property
    def _mirror(self) -> Integers:
        """Of each entry (i, j) of a symmetric structure, the position of (j, i)."""
        return np.argsort(self.structure.columns, kind="stable")

    def _fold(self, data: Float, good: Mask) -> Float:
        """The symmetric part: of each pair of entries the good one, or the mean of two; so the errors."""
        other = self._mirror
        mean = good == good[other]

        def of_pairs(entries: Float) -> Float:
            return np.where(mean, 0.5 * (entries + entries[other]), np.where(good, entries, entries[other]))

        if self.plan.not_free is not None:  # nan in both
            for entries in (data, self.error) if self.error.size else (data,):
                entries[self.plan.not_free[self.structure.rows]] = np.nan
        if self.error.size:
            # Only a wrong jac, or an error of the differences, is not symmetric.
            unlike = np.where(mean, 0.5 * np.abs(data - data[other]), 0.0)
            self.error = np.maximum(of_pairs(self.error), unlike)
        if isinstance(self.flags, np.ndarray):
            self.flags = self.flags | self.flags[other]
        return of_pairs(data)

    def _wanting(self, data: Float) -> Mask | None:
        """The entries that are not finite, or suspect at an end of a domain, though there is room for a step."""
        plan, columns = self.plan, self.structure.columns
        near = near_an_end(plan)
        if near is None and self.finite:
            return None
        wanting = ~np.isfinite(data)
        wanting &= plan.free[columns]
        if near is not None and self.run.f0 is not None:
            width = plan.side[0][-1]
            with np.errstate(all="ignore"):
                change = np.abs(data * (width * plan.h)[columns])
                wanting |= near[columns] & (change > 1e-3 * np.maximum(np.abs(self.f0())[self.structure.rows], change))
        return wanting if wanting.any() else None

    def _mend_pairs(self, data: Float, known: Mask) -> Mask:
        """Mend what is wanting in both of a pair; the entries that are good then, and no worse than the mirrored."""
        wanting, near, other = self._wanting(data), near_an_end(self.plan), self._mirror
        good = known if wanting is None else known & ~wanting
        if wanting is not None:
            todo = known & wanting & ~good[other] & self.plan.free[self.structure.rows]
            if todo.any():
                self._mend(data, todo)
                good |= todo & np.isfinite(data)
        if near is not None:
            good &= ~(near[self.structure.columns] & ~near[self.structure.rows] & good[other])
        return good

    def _mend(self, data: Float, wanting: Mask) -> None:
        """The columns of these entries again, each by itself."""
        columns = self.structure.columns
        todo = np.unique(columns[wanting])
        self.flags = np.zeros(columns.size, np.intp) | self.flags
        size = max(1, _AT_ONCE // self.structure.shape[0])
        rel_step, abs_step, x_scale = self.steps
        for begin in range(0, todo.size, size):
            chosen = todo[begin : begin + size]
            found = differentiate(
                self.run.fun, self.run.x0, False, self.kind, self.order, rel_step, abs_step, x_scale, self.bounds,
                self.run.f0, chosen, args=self.run.args, with_error=True,
            )  # fmt: skip
            self.run.nfev += found.run.nfev
            here = np.flatnonzero(wanting & (columns >= chosen[0]) & (columns <= chosen[-1]))
            at = np.searchsorted(chosen, columns[here]), self.structure.rows[here]
            data[here] = found.rows[at]
            for own, new in ((self.error, found.error), (self.flags, found.flags)):
                if new is not None and own.size:
                    own[here] = new[at]
