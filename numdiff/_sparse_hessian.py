"""Sparse Hessians from values: the diagonal, and then the pairs of the structure, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _missing_pair
from ._bounds import as_bounds
from ._coloring import Structure, as_structure
from ._differentiate import method_of
from ._function import as_point
from ._plan import StepOptions
from ._result import DerivativeResult, Flag
from ._second import SecondRun, diagonal_search
from ._sparse import require_scipy, split_pair

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

METHODS = ("forward", "central")


def hessian_from_values(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    x0: ArrayLike,
    sparsity: Any,
    check_sparsity: bool,
    method: str,
    steps: tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None],
    bounds: Any,
    f0: ArrayLike | None,
    full_output: bool,
) -> Any:
    """The Hessian as csr_array; groups do not help, as one value cannot tell the columns apart."""
    sparse = require_scipy("a sparse Hessian")
    kind = method_of(method, METHODS)
    point, moderate = as_point(x0)
    options = StepOptions.of_arguments(*steps, point.shape)
    limits = as_bounds(bounds, point, moderate)
    structure = symmetric_structure(sparsity, point.size)
    run = SecondRun(fun, args, point, True, f0)
    search, all_steps, flags = diagonal_search(run, kind, options, limits)
    data = np.full(structure.columns.size, np.nan)
    if search is not None and search.plan.index.size:
        _fill(data, structure, search)
        if check_sparsity:
            _missing_pair.check(structure, data, search)

    def matrix(entries: Any) -> Any:
        return sparse.csr_array((entries, *structure.indices()), shape=structure.shape)

    if not full_output:
        return matrix(data)
    rows, columns = structure.rows, structure.columns
    entry_flags = flags[rows] | flags[columns] | (Flag.low_precision if run.coarse else 0)
    entry_flags[np.isnan(data) & (entry_flags & Flag.fixed == 0)] |= Flag.nonfinite
    error = np.full(data.size, np.nan)
    steps_taken = all_steps.reshape(point.shape)
    return DerivativeResult(matrix(data), matrix(error), steps_taken, run.nfev, kind, matrix(entry_flags))


def symmetric_structure(sparsity: Any, n: int) -> Structure:
    """`sparsity` as the structure of a Hessian, checked; its groups are not needed."""
    structure = as_structure(split_pair(sparsity)[0], "sparsity")
    if structure.shape != (n, n):
        raise ValueError(f"`sparsity` must have the Hessian's shape, {(n, n)}; it has {structure.shape}")
    if not structure.symmetric:
        raise ValueError(f"`sparsity` must be symmetric for a Hessian; that of shape {structure.shape} is not")
    return structure


def _fill(data: Float, structure: Structure, search: Any) -> None:
    """The entries of the variables that have steps."""
    run, plan = search.run, search.plan
    rows, columns = structure.rows, structure.columns
    place = np.full(structure.shape[0], -1)
    place[plan.index] = np.arange(plan.index.size)
    k, l = place[rows], place[columns]
    known = (k >= 0) & (l >= 0)
    on = known & (rows == columns)
    data[on] = search.second[k[on]]
    for entry in np.flatnonzero(known & (rows < columns)).tolist():
        pair = [k[entry], l[entry]]
        mixed = run.mixed(plan.index[pair], plan.h[pair], plan.one_sided[pair], search.near[pair])
        data[entry] = mixed[0, 1]
    below = rows > columns
    data[below] = data[np.argsort(columns, kind="stable")][below]
