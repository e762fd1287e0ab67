"""Which columns of a sparse structure can be differenced together: colours, and the orders that lead to few of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _difference
from ._function import describe
from ._kernels_py import LARGEST_FIRST, SMALLEST_LAST
from ._sparse import is_sparse, stored_entries

Integers = NDArray[np.intp]

_KINDS: Final = {"largest-first": LARGEST_FIRST, "smallest-last": SMALLEST_LAST}
ORDERS: Final = ("best", "natural", *_KINDS, "saturation")


def kernels() -> Any:
    """Those of the backend."""
    return _difference.kernels


@dataclass
class Structure:
    """Where a matrix of this shape has entries: by rows, sorted and each once."""

    shape: tuple[int, int]
    row_begin: Integers  # of row i: columns[row_begin[i] : row_begin[i + 1]]
    columns: Integers
    source: Any = None  # the csr_array that it was, if any

    def indices(self) -> tuple[Any, Any]:
        """The columns and row_begin of a new csr_array."""
        if self.source is None:
            return self.columns, self.row_begin
        return self.source.indices.copy(), self.source.indptr.copy()

    @property
    def rows(self) -> Integers:
        """The row of each entry."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.row_begin))

    def by_columns(self) -> Structure:
        """The transpose."""
        m, n = self.shape
        if self.source is not None:
            other = self.source.tocsc()
            return Structure((n, m), other.indptr.astype(np.intp), other.indices.astype(np.intp))
        # Sorting pairs as one number is faster than a stable sort; the numbers come apart again.
        rows = np.sort(self.columns * m + self.rows)
        begin = np.zeros(n + 1, np.intp)
        np.cumsum(np.bincount(self.columns, minlength=n), out=begin[1:])
        return Structure((n, m), begin, rows % m if m else rows)

    @property
    def symmetric(self) -> bool:
        other = self.by_columns()
        return (
            self.shape == other.shape
            and np.array_equal(self.row_begin, other.row_begin)
            and np.array_equal(self.columns, other.columns)
        )


def as_structure(S: Any, name: str = "S") -> Structure:
    """A sparse or dense matrix as a structure; its nonzeros count."""
    if is_sparse(S):
        if S.ndim != 2:
            raise ValueError(f"`{name}` must be a matrix; it has {S.ndim} dimensions")
        matrix = stored_entries(S, name).tocsr()
        return Structure(matrix.shape, matrix.indptr.astype(np.intp), matrix.indices.astype(np.intp), matrix)
    array = np.asarray(S)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must be a sparse or dense matrix of numbers or bools; it is {describe(S)}")
    if array.ndim != 2:
        raise ValueError(f"`{name}` must be a matrix; it has {array.ndim} dimensions")
    rows, columns = np.nonzero(array)
    return Structure(array.shape, np.searchsorted(rows, np.arange(len(array) + 1)), np.ascontiguousarray(columns))


def color_columns(S: ArrayLike, *, order: str = "best", symmetric: bool = False) -> Integers:
    """Colour the columns of a sparse structure, so that those of one colour can be differenced together.

    Parameters
    ----------
    S : array_like or sparse array, shape (m, n)
        The structure; its nonzeros count.
    order : {"best", "natural", "largest-first", "smallest-last", "saturation"}
        The order in which columns take the least colour that fits; "saturation" takes next the one with the most
        colours beside it. "best" tries these and that of `group_columns`, until the colours are as few as the fullest
        row has entries.
    symmetric : bool
        A star colouring for a Hessian, which needs far fewer colours: S must be symmetric.

    Returns
    -------
    colors : ndarray of int, shape (n,)
        From 0 up. No two columns of one colour have a nonzero in the same row; or, with symmetric, every nonzero
        (i, j) is alone of its colour in row i, or (j, i) in row j.

    Raises
    ------
    TypeError
        S is no matrix of numbers.
    ValueError
        S is not 2-D, or not symmetric with symmetric=True; an unknown order.

    Notes
    -----
    "best" never takes more colours than `group_columns` (with its default order). Time: a few times the sum of the
    squares of the row lengths. A. Curtis, M. Powell and J. Reid, J. Inst. Math. Appl. 13 (1974) 117-119; T. Coleman
    and J. Moré, SIAM J. Numer. Anal. 20 (1983) 187-209; D. Brélaz, Commun. ACM 22 (1979)
    251-256; A. Gebremedhin, F. Manne and A. Pothen, SIAM Review 47 (2005) 629-705.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> tridiagonal = np.eye(6) + np.eye(6, k=1) + np.eye(6, k=-1)
    >>> numdiff.color_columns(tridiagonal)
    array([0, 1, 2, 0, 1, 2])
    >>> arrow = np.eye(6)
    >>> arrow[0] = arrow[:, 0] = 1
    >>> numdiff.color_columns(arrow, symmetric=True)
    array([0, 1, 1, 1, 1, 1])
    """
    if order not in ORDERS:
        raise ValueError(f"`order` must be one of {', '.join(map(repr, ORDERS))}; it is {order!r}")
    structure = as_structure(S)
    if symmetric and not structure.symmetric:
        raise ValueError(f"`S` must be symmetric for a symmetric colouring; it has shape {structure.shape}")
    return colors_of(structure, order, symmetric)


def colors_of(structure: Structure, order: str = "best", symmetric: bool = False) -> Integers:
    """The colours of a structure that has been checked."""
    n = structure.shape[1]
    lengths = np.diff(structure.row_begin)
    if not structure.columns.size:
        return np.zeros(n, np.intp)
    fullest = int(lengths.max())
    if not symmetric and fullest == n:
        return np.arange(n)
    coloring = _Coloring(structure, symmetric)
    if order != "best":
        return coloring.by(order)[1]
    fewest = min(fullest, 3) if symmetric else fullest
    count, colors = coloring.by("natural")
    for kind in ("largest-first",) if symmetric else ("saturation", *_KINDS, "random"):
        if count <= fewest:
            break
        found = coloring.by(kind)
        count, colors = min((count, colors), found, key=lambda pair: pair[0])
    return colors


class _Coloring:
    """Greedy colourings of one structure: (number of colours, colours)."""

    def __init__(self, structure: Structure, symmetric: bool) -> None:
        transposed = structure if symmetric else structure.by_columns()
        self.symmetric = symmetric
        self.n = structure.shape[1]
        self.rows = structure.row_begin, structure.columns
        self.columns = transposed.row_begin, transposed.columns

    def by(self, order: str) -> tuple[int, Integers]:
        saturated = order == "saturation"
        sequence = self._sequence("largest-first" if saturated else order)
        colors = np.empty(self.n, np.intp)
        if self.symmetric:
            return kernels().color_star(*self.rows, sequence, colors), colors
        return kernels().color_columns(*self.columns, *self.rows, sequence, saturated, colors), colors

    def _sequence(self, order: str) -> Integers | None:
        if order == "natural":
            return None
        if order == "random":  # that of group_columns
            return np.random.RandomState(0).permutation(self.n).astype(np.intp)
        if (
            self.symmetric and order == "largest-first"
        ):  # by neighbours in the graph: those of the columns are theirs too
            return np.argsort(-np.diff(self.rows[0]), kind="stable")
        found = np.empty(self.n, np.intp)
        kernels().order_columns(*self.columns, *self.rows, _KINDS[order], found)
        return found
