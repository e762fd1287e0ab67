"""The points at which the kernels call fun, in that order, where fun is called beforehand and the kernels are given its
values: for a vectorised fun, and for one that other processes call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._function import component
from ._stencils import Stencil

Float = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass
class Moves:
    """Points beside x0: coordinate i of x0 goes to `to`, and where there is a j, coordinate j to `to_j`; (k,) each."""

    i: Index
    to: Float
    j: Index | None = None
    to_j: Float | None = None

    def __len__(self) -> int:
        return self.i.size

    def at(self, part: slice | Index) -> Moves:
        if self.j is None or self.to_j is None:
            return Moves(self.i[part], self.to[part])
        return Moves(self.i[part], self.to[part], self.j[part], self.to_j[part])

    def point(self, x0: Float, p: int) -> Float:
        """The point number p, a new array."""
        x = x0.copy()
        flat = x.reshape(-1)
        flat[self.i[p]] = self.to[p]
        if self.j is not None and self.to_j is not None:
            flat[self.j[p]] = self.to_j[p]
        return x

    def columns(self, x0: Float, long: bool = False) -> Float:
        """All points, a new array of x0's shape and one axis more; long columns are contiguous, else rows are."""
        k = self.i.size
        block = np.empty((k, x0.size)).T if long else np.empty((x0.size, k))
        block[:] = x0.reshape(-1, 1)
        every = np.arange(k)
        block[self.i, every] = self.to
        if self.j is not None:
            block[self.j, every] = self.to_j
        return (
            block.T.reshape(k, *x0.shape).transpose(*range(1, x0.ndim + 1), 0) if long else block.reshape(*x0.shape, k)
        )

    def describe(self, p: int, shape: tuple[int, ...]) -> str:
        """Which components are moved at point p."""
        names = component("x0", int(self.i[p]), shape)
        return names if self.j is None else f"{names} and {component('x0', int(self.j[p]), shape)}"


def of_difference(x0: Float, index: Index | None, h: Float, stencil: Stencil) -> Moves:
    """Those of kernels.difference: for each coordinate (None: all) the offsets but 0."""
    offsets = [offset for offset in stencil[0] if offset]
    x = x0.reshape(-1) if index is None else x0.reshape(-1)[index]
    to = np.empty((x.size, len(offsets)))
    with np.errstate(over="ignore"):
        for column, offset in enumerate(offsets):
            np.add(x, offset * h, out=to[:, column])
    return Moves((np.arange(x.size) if index is None else index).repeat(len(offsets)), to.reshape(-1))


def of_diagonal(x0: Float, index: Index, h: Float, one_sided: Mask) -> Moves:
    """Those of kernels.hessian_diagonal: two for each coordinate."""
    x, side = x0.reshape(-1)[index].repeat(2), np.tile([False, True], index.size)
    return Moves(index.repeat(2), _moved(x, h.repeat(2), one_sided.repeat(2), side))


def of_mixed(x0: Float, index: Index, h: Float, one_sided: Mask, begin: int, end: int) -> Moves:
    """Those of kernels.hessian_mixed: one or two for each pair k < l, begin <= k < end."""
    x, count = x0.reshape(-1)[index], index.size
    rows = np.arange(begin, end)
    k = rows.repeat(count - 1 - rows)
    later = np.concatenate([np.empty(0, np.intp), *(np.arange(row + 1, count) for row in rows)])
    corners = np.where(one_sided[k] & one_sided[later], 1, 2)
    first = np.cumsum(corners) - corners
    k, later = k.repeat(corners), later.repeat(corners)
    second = np.ones(k.size, bool)
    second[first] = False
    a, b = second & ~one_sided[k], second & ~one_sided[later]
    to, to_j = (_moved(x[c], h[c], one_sided[c], side) for c, side in ((k, a), (later, b)))
    return Moves(index[k], to, index[later], to_j)


def _moved(x: Float, h: Float, one_sided: Mask, side: Mask) -> Float:
    with np.errstate(over="ignore"):
        return np.where(side, np.where(one_sided, x + 2.0 * h, x - h), x + h)
