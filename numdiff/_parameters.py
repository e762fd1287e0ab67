"""The point of a gradient check: an array or a tree of them, what jac returns for it, and the components' names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._function import as_array, as_point, component, describe
from ._leaves import Leaf, is_tree, leaves, rebuild

Float = NDArray[np.float64]

_FLOAT64 = np.dtype(np.float64)


class Parameters:
    """x0 as one float64 array, `point`, and as the user has it."""

    def __init__(self, x0: Any) -> None:
        self.tree = x0 if is_tree(x0) else None
        if self.tree is None:
            self.point, self.moderate = as_point(x0)
            self.leaves = [Leaf("", 0, self.point.shape)]
            return
        parts, begin = [], 0
        self.leaves, self.moderate = [], True
        for path, value in leaves(x0):
            part, moderate = as_point(value)
            self.moderate &= moderate
            self.leaves.append(Leaf(path, begin, part.shape))
            parts.append(part.reshape(-1))
            begin += part.size
        self.point = np.concatenate(parts) if parts else np.zeros(0)

    def unflatten(self, x: Float) -> Any:
        """A point as the user has it; of views, for a tree."""
        if self.tree is None:
            return x
        flat = x.reshape(-1)
        return rebuild(self.tree, iter([flat[leaf.begin : leaf.end].reshape(leaf.shape) for leaf in self.leaves]))

    @property
    def blocks(self) -> list[tuple[str, slice]]:
        """The arrays that have components: path and place."""
        return [(leaf.path, slice(leaf.begin, leaf.end)) for leaf in self.leaves if leaf.size]

    def rows(self, value: Any, m: int, scalar: bool) -> Float | tuple[str, str]:
        """What jac returned as (n, m), a private copy; or the shape that it has and the one that is due."""
        if self.tree is None:
            return _rows(value, self.point.shape, m, scalar)
        given = dict(leaves(value)) if is_tree(value) else {"": value}
        paths = [leaf.path for leaf in self.leaves]
        if set(given) != set(paths):
            found = f"({', '.join(given)})" if is_tree(value) else f"{np.shape(value)}, not a tree,"
            return found, f"({', '.join(paths)})"
        parts = []
        for leaf in self.leaves:
            part = _rows(given[leaf.path], leaf.shape, m, scalar)
            if isinstance(part, tuple):
                return f"{part[0]} in {leaf.path}", part[1]
            parts.append(part)
        return np.concatenate(parts) if parts else np.zeros((0, m))

    def index(self, i: int) -> Any:
        """How report.wrong names a component: an int, a tuple, a path."""
        if self.tree is not None:
            return self.name(i)
        shape = self.point.shape
        where = tuple(int(k) for k in np.unravel_index(i, shape)) if shape else ()
        return where[0] if len(where) == 1 else where

    def name(self, i: int) -> str:
        """How the table names it."""
        if self.tree is None:
            return component("x", i, self.point.shape)
        return next(leaf for leaf in self.leaves if leaf.begin <= i < leaf.end).name(i)


def _rows(value: Any, shape: tuple[int, ...], m: int, scalar: bool) -> Float | tuple[str, str]:
    """What jac returned for one array of x0: (size, m); or its shape and the one that is due."""
    if type(value) is np.ndarray and value.dtype is _FLOAT64 and value.shape == shape and m == 1:  # nearly always
        return value.reshape(-1, 1).copy()
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
