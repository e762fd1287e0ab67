"""Sparse Jacobians from grouped columns, and the Jacobian as a linear operator; the results are SciPy's.

Source: A. Curtis, M. J. D. Powell and J. Reid, J. Inst. Math. Appl. 13 (1974) 117-119.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._extra import missing
from ._kernels_py import combine
from ._mapped import Map, Values, same_shape
from ._stencils import Stencil


def require_scipy(what: str) -> Any:
    """scipy.sparse (with its linalg), or an ImportError that names the extra."""
    try:
        import scipy.sparse
        import scipy.sparse.linalg
    except ImportError as error:
        raise missing(what, "SciPy", "sparse") from error
    return scipy.sparse


def is_sparse(array: Any) -> bool:
    # Without scipy.sparse in memory there can be no such array.
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(array))


def stored_entries(S: Any, name: str) -> Any:
    """The nonzeros of a sparse matrix as csr or csc, sorted and each once: S itself, if it is so, else a copy."""
    S = _undamaged(S, name)
    if S.format not in ("csr", "csc"):
        S = S.astype(bool).tocsr()  # which adds up what is stored twice: 1 and -1 are no entry less
    if S.indices.size > S.indptr[-1] or S.data.size > S.indptr[-1]:
        S = S.copy()
        S.prune()
    if not (S.has_canonical_format and np.count_nonzero(S.data) == S.nnz):
        S = S.astype(bool)
        S.sum_duplicates()
        S.eliminate_zeros()
    return S


def _undamaged(S: Any, name: str) -> Any:
    """S with arrays of indices, checked: SciPy and the kernels follow them wherever they lead."""
    if S.format in ("lil", "dok", "dia"):
        S = S.tocsr()

    def within(members: Any, limit: int) -> bool:
        return not members.size or bool(members.min() >= 0 and members.max() < limit)

    if S.format == "coo":
        good = S.row.size == S.col.size == S.data.size and within(S.row, S.shape[0]) and within(S.col, S.shape[1])
    else:
        size, limit = S.shape[::-1] if S.format == "csc" else S.shape
        if S.format == "bsr":
            size, limit = size // S.blocksize[0], limit // S.blocksize[1]
        begin = S.indptr
        good = begin.size == size + 1 and begin[0] == 0 and bool((begin[1:] >= begin[:-1]).all())
        good = good and begin[-1] <= min(S.indices.size, len(S.data)) and within(S.indices[: begin[-1]], limit)
    if not good:
        raise ValueError(f"`{name}` is a damaged sparse array: its indices lead out of it")
    return S


def group_columns(A: ArrayLike, order: ArrayLike | None = 0) -> NDArray[np.int64]:
    """Group the columns of a matrix so that no two of a group have a nonzero in the same row.

    One evaluation serves all columns of a group when a Jacobian with this structure is differenced. Groups are made
    greedily: each takes, in order, every column left that still fits.

    Parameters
    ----------
    A : array_like or sparse array, shape (m, n)
        The structure; its nonzeros count. 1-D is one row.
    order : int, None, or permutation of range(n), default 0
        The order in which columns are taken. An int or None seeds ``numpy.random.RandomState``, which shuffles them.

    Returns
    -------
    groups : ndarray of int, shape (n,)
        The group of each column, from 0 up.

    Raises
    ------
    ValueError
        A is not 2-D, or `order` is no permutation of range(n).

    Notes
    -----
    Same results as SciPy's function. After Curtis, Powell and Reid (1974), see the module.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.group_columns(np.eye(5) + np.eye(5, k=1), order=range(5))
    array([0, 1, 0, 1, 0])
    """
    if is_sparse(A):
        sparse: Any = A
        if sparse.ndim != 2:
            raise ValueError("`A` must be 2-dimensional.")
        columns = _undamaged(sparse, "A").tocsc()
        m, n = columns.shape
        indptr, indices = columns.indptr, columns.indices
    else:
        dense = np.atleast_2d(np.asarray(A))
        if dense.ndim != 2:
            raise ValueError("`A` must be 2-dimensional.")
        m, n = dense.shape
        of_column, indices = np.nonzero(dense.T != 0)
        indptr = np.searchsorted(of_column, np.arange(n + 1))
    if order is None or np.isscalar(order):
        order = np.random.RandomState(order).permutation(n)  # type: ignore[arg-type]
    else:
        order = np.asarray(order)
        if order.shape != (n,):
            raise ValueError("`order` has incorrect shape.")
        if not np.array_equal(np.sort(order), np.arange(n)):
            raise ValueError(f"`order` must be a permutation of range({n}); it is {order}")

    bounds, rows = indptr.tolist(), indices.tolist()
    groups = np.zeros(n, np.int64)
    taken_by = [-1] * m  # the last group with a nonzero in this row
    left = order.tolist()
    group = 0
    while left:
        passed_over = []
        for column in left:
            of_this = rows[bounds[column] : bounds[column + 1]]
            if any(taken_by[row] == group for row in of_this):
                passed_over.append(column)
            else:
                groups[column] = group
                for row in of_this:
                    taken_by[row] = group
        left = passed_over
        group += 1
    return groups


def split_pair(sparsity: Any) -> tuple[Any, Any]:
    """The argument `sparsity` as (structure, groups or None)."""
    # An array with two rows is a structure, not a pair.
    if (
        isinstance(sparsity, tuple | list)
        and len(sparsity) == 2
        and (isinstance(sparsity, tuple) or is_sparse(sparsity[0]) or np.ndim(sparsity[0]) == 2)
    ):
        structure, groups = sparsity
        return structure, groups
    return sparsity, None


def as_groups(groups: Any, n: int) -> NDArray[np.intp]:
    groups = np.atleast_1d(groups)
    # Before the cast, which makes negative numbers of large ones; each group costs evaluations, also an empty one.
    if groups.shape != (n,) or groups.dtype.kind not in "iu" or (n and not 0 <= groups.min() <= groups.max() < n):
        raise ValueError(
            f"`sparsity`: groups must be {n} integers from 0 to {n - 1}, one for each column; they are {groups!r}"
        )
    return groups.astype(np.intp)  # type: ignore[no-any-return]


def structure_and_groups(sparsity: Any, m: int, n: int) -> tuple[Any, NDArray[np.intp], type]:
    """The argument `sparsity` as (csc_array of shape (m, n), groups of shape (n,), class of the result); checked."""
    sparse = require_scipy("a sparse Jacobian")
    structure, groups = split_pair(sparsity)
    kind = sparse.csr_matrix if sparse.isspmatrix(structure) else sparse.csr_array
    if not is_sparse(structure):
        if np.ndim(structure) == 0:  # a number is a full structure; groups made for it (SciPy's tests do so) are not
            structure, groups = np.full((m, n), structure), None
        structure = np.atleast_2d(structure)
    if structure.shape != (m, n):
        raise ValueError(f"`sparsity` must be a structure of the Jacobian's shape, {(m, n)}; it has {structure.shape}")
    if is_sparse(structure):
        structure = stored_entries(structure, "sparsity")
    structure = sparse.csc_array(structure)
    return structure, as_groups(group_columns(structure) if groups is None else groups, n), kind


def difference(
    function: Values,
    x0: NDArray[Any],
    f0: NDArray[Any],
    h: NDArray[Any],
    stencils: list[Stencil] | None,
    sparsity: Any,
    mapper: Map,
) -> tuple[Any, int]:
    """The Jacobian as csr, and the number of calls; a stencil for each coordinate, or None for complex steps.

    All stencils need the same number of calls.
    """
    m, n = f0.size, x0.size
    structure, groups, kind = structure_and_groups(sparsity, m, n)
    entries = structure.tocoo()
    rows, cols = entries.row, entries.col
    by_group = np.argsort(groups[cols], kind="stable")
    rows, cols = rows[by_group], cols[by_group]
    n_groups = int(groups.max()) + 1 if n else 0
    cuts = np.searchsorted(groups[cols], np.arange(n_groups + 1))
    for group in range(n_groups):
        part = slice(cuts[group], cuts[group + 1])
        twice = np.flatnonzero(np.bincount(rows[part], minlength=m) > 1)
        if twice.size:
            clash = cols[part][rows[part] == twice[0]][:2]
            raise ValueError(
                f"`sparsity`: columns {clash[0]} and {clash[1]} are in group {group}, "
                f"but both have a nonzero in row {twice[0]}"
            )

    # The different stencils, which of them each coordinate has, and the offsets of each call, by coordinate or one for
    # all of them; complex steps are one call with the offset i.
    kinds: list[Stencil] = []
    offsets: Any = [1j]
    if stencils:
        _, first, which = np.unique(np.fromiter(map(id, stencils), np.intp, n), return_index=True, return_inverse=True)
        kinds = [stencils[i] for i in first]
        offsets = np.array([[offset for offset in stencil[0] if offset] for stencil in kinds])
        offsets = offsets[which].T if len(kinds) > 1 else offsets[0]
    size = len(offsets)

    def points() -> Iterator[NDArray[Any]]:
        for group in range(n_groups):
            step = np.where(groups == group, h, 0.0)
            for offset in offsets:
                x = x0 + offset * step
                yield x if stencils is None else x.astype(x0.dtype, copy=False)

    fractions = np.empty(len(rows))
    values, moved = iter(mapper(function, points())), points()
    for group in range(n_groups):
        fxs = [same_shape(f0, next(values)) for _ in range(size)]
        xs = [next(moved) for _ in range(size)]
        part = slice(cuts[group], cuts[group + 1])
        i, j = rows[part], cols[part]
        if stencils is None:
            fractions[part] = fxs[0][i].imag / h[j]
            continue
        for k, stencil in enumerate(kinds):
            mask = which[j] == k if len(kinds) > 1 else slice(None)
            f_here = [f0, *fxs] if stencil[0][0] == 0.0 else fxs
            x_here = [x0, *xs] if stencil[0][0] == 0.0 else xs
            span = x_here[-1][j[mask]] - x_here[0][j[mask]]
            fractions[part][mask] = combine(stencil, [f[i[mask]] for f in f_here], span)
    return kind((fractions, (rows, cols)), shape=(m, n)), size * n_groups


def linear_operator(function: Values, x0: NDArray[Any], f0: NDArray[Any], h: Any, method: str) -> Any:
    """J as a LinearOperator: J p by one (2-point, cs) or two (3-point) calls along p, with the step h / norm(p)."""

    def matvec(p: NDArray[Any]) -> Any:
        if not np.any(p):
            return np.zeros(f0.size)
        if method == "3-point":
            dx = 2 * h / np.linalg.norm(p)
            below, above = x0 - (dx / 2) * p, x0 + (dx / 2) * p
            return (function(above.astype(x0.dtype)) - function(below.astype(x0.dtype))) / dx
        dx = h / np.linalg.norm(p)
        if method == "2-point":
            x = x0 + dx * p
            return (function(x.astype(x0.dtype) if x.dtype.kind == "f" else x) - f0) / dx
        return function(x0 + dx * p * 1j).imag / dx

    return require_scipy("a linear operator").linalg.LinearOperator((f0.size, x0.size), matvec)
