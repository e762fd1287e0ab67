"""Functions of several arrays: x0 as a dict, list or tuple of arrays, as one flat vector and back.

How to use it, in a function of (fun, x0) that works on arrays::

    tree = as_tree(x0)  # None: x0 is an array
    if tree is not None:
        fun, x0 = tree.wrap(fun), tree.x0  # fun of a flat vector, and that vector
        jac = tree.wrap_gradient(jac)
    ...
    return tree.unflatten(x)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._extra import missing
from ._function import as_array, as_point, bind, describe
from ._native import Native

Float = NDArray[np.float64]


def is_tree(x0: Any) -> bool:
    """Whether x0 is a dict, or a list or tuple with a dict or an ndarray inside; else it is an array, as in NumPy.

    An ndarray of any shape makes a tree, () included; NumPy's scalars are numbers.
    """
    if isinstance(x0, np.ndarray):  # first, as it is the usual case
        return False
    if isinstance(x0, dict):
        return True
    if not isinstance(x0, list | tuple):
        return False
    types = set(map(type, x0))  # few, where the list is long
    if any(issubclass(kind, dict | np.ndarray) for kind in types):
        return True
    return any(issubclass(kind, list | tuple) for kind in types) and any(map(is_tree, x0))


def as_tree(x0: Any, unpack: bool = False) -> Tree | None:
    """x0 as a tree, or None where it is one array; with unpack a tuple of the arguments of fun, and fun(*x0).

    Raises
    ------
    TypeError, ValueError
        A leaf that `as_point` refuses, by its place: x0['w']; unpack where x0 is no tuple or list.
    ImportError
        Without optree; unpack of arrays and numbers does not need it.
    """
    if unpack:
        if not isinstance(x0, tuple | list):
            raise TypeError(
                f"`x0` must be a tuple of the arguments of `fun` where `unpack` is True; it is {describe(x0)}"
            )
        return Tree(tuple(x0), True)
    return Tree(x0, False) if is_tree(x0) else None


class Tree:
    """The structure of x0, and x0 as a flat float64 vector of its own.

    The leaves are arrays, numbers, and lists and tuples of plain numbers; dicts come in the order of their keys, sorted
    where they can be, whatever the order in which they were put in.
    """

    def __init__(self, x0: Any, unpack: bool) -> None:
        self.unpack = unpack
        leaves, names = self._open(x0)
        found = [as_point(leaf, name) for leaf, name in zip(leaves, names, strict=True)]
        points = [point for point, _ in found]
        self.moderate = all(moderate for _, moderate in found)
        self.names = names
        self.shapes = [point.shape for point in points]
        self.ends = np.cumsum([point.size for point in points], dtype=int).tolist()
        self.x0: Float = np.concatenate([np.empty(0), *(point.reshape(-1) for point in points)])

    def _open(self, x0: Any) -> tuple[list[Any], list[str]]:
        """The leaves and their names; sets how a list of leaves is put together, and a tree taken apart."""
        if self.unpack and not any(map(is_tree, x0)):
            self._spec: Any = None
            self._count = len(x0)
            return list(x0), [f"x0[{k}]" for k in range(len(x0))]
        try:
            import optree
        except ImportError as error:
            raise missing("`x0` as a dict, list or tuple of arrays", "optree", "pytree") from error
        leaves, spec = optree.tree_flatten(x0, is_leaf=_is_array)
        self._spec = spec  # and no method of it, as these cannot be pickled
        return list(leaves), [accessor.codify("x0") for accessor in spec.accessors()]

    def _build(self, leaves: list[Any]) -> Any:
        return tuple(leaves) if self._spec is None else self._spec.unflatten(leaves)

    def _take_apart(self, value: Any) -> list[Any]:
        return self._arguments(value) if self._spec is None else list(self._spec.flatten_up_to(value))

    def _arguments(self, value: Any) -> list[Any]:
        if not isinstance(value, tuple | list) or len(value) != self._count:
            raise ValueError(f"one entry for each of {self._count} arguments")
        return list(value)

    def _leaves(self, vector: NDArray[Any]) -> list[NDArray[Any]]:
        """Views of a flat vector, in the shapes of the leaves."""
        start, leaves = 0, []
        for end, shape in zip(self.ends, self.shapes, strict=True):
            leaves.append(vector[start:end].reshape(shape))
            start = end
        return leaves

    def unflatten(self, vector: NDArray[Any]) -> Any:
        """A flat vector in x0's structure: views of it, and numbers where a leaf is a number."""
        return self._build([leaf[()] for leaf in self._leaves(vector)])

    def flatten(self, value: Any, name: str, fill: bool = False) -> NDArray[Any]:
        """A value of x0's structure as a flat array; fill: a number stands for a whole leaf.

        Raises
        ------
        TypeError, ValueError
            An entry that is not real or of another shape than that of x0; another structure.
        """
        try:
            entries = self._take_apart(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{name}` must have the structure of `x0`: {error}") from None
        arrays = [np.empty(0)]
        for entry, shape, place in zip(entries, self.shapes, self.names, strict=True):
            array = as_array(entry)
            where = name + place.removeprefix("x0")
            if array.dtype.kind not in "fiu":
                raise TypeError(f"`{where}` must be a real number or an array of them; it is {describe(entry)}")
            if array.shape != shape and not (array.size == 1 and (fill or math.prod(shape) == 1)):
                raise ValueError(f"`{where}` must have the shape of `{place}`, {shape}; it has {array.shape}")
            arrays.append(np.broadcast_to(array.reshape(shape if array.shape == shape else ()), shape).reshape(-1))
        return np.concatenate(arrays)

    def wrap(self, fun: Any) -> Callable[..., Any]:
        """fun as a function of the flat vector. fun's leaves are views of that vector."""
        fun, _ = bind(fun, (), None)
        if type(fun) is Native:
            raise TypeError(
                f"a native `{fun.name}` takes one array of float64: `x0` can be no tree, and `unpack` not True"
            )
        return _OfVector(fun, self)

    def wrap_gradient(self, jac: Any) -> Callable[..., Any]:
        """jac, which returns a tree as x0 (or the flat vector), as a function from the flat vector to a flat one."""
        by_tree = self.wrap(jac)
        return lambda x, *args, **kwargs: self._flat_gradient(by_tree(x, *args, **kwargs))

    def wrap_both(self, fun: Any) -> Callable[..., Any]:
        """fun, which returns its value and its gradient, as a function of the flat vector that returns a flat one."""
        by_tree = self.wrap(fun)

        def value_and_flat_gradient(x: Float, *args: Any, **kwargs: Any) -> Any:
            both = by_tree(x, *args, **kwargs)
            if not isinstance(both, tuple | list) or len(both) != 2:
                return both  # for others to complain
            return both[0], self._flat_gradient(both[1])

        return value_and_flat_gradient

    def _flat_gradient(self, value: Any) -> Any:
        return value if value is None or isinstance(value, np.ndarray) else self.flatten(value, "jac")

    def option(self, name: str, value: Any) -> Any:
        """A step, scale or bound: a number, one flat array, or of x0's structure with numbers or arrays in it."""
        if not isinstance(value, dict | list | tuple):
            return value
        return self.flatten(value, name, fill=True)

    def options(self, rel_step: Any, abs_step: Any, x_scale: Any, bounds: Any) -> tuple[Any, Any, Any, Any]:
        """Those of a derivative, for the flat vector."""
        steps = (self.option("rel_step", rel_step), self.option("abs_step", abs_step), self.option("x_scale", x_scale))
        return (*steps, self.bounds(bounds))

    def bounds(self, bounds: Any) -> Any:
        """(lb, ub), each as an `option`."""
        if not isinstance(bounds, tuple | list) or len(bounds) != 2:
            return bounds
        return self.option("lb", bounds[0]), self.option("ub", bounds[1])


class _OfVector:
    """fun of a tree as a function of the flat vector; can be pickled if fun can."""

    def __init__(self, fun: Callable[..., Any], tree: Tree) -> None:
        self.fun, self.tree = fun, tree

    def __repr__(self) -> str:
        return repr(self.fun)

    def __call__(self, x: Float, *args: Any, **kwargs: Any) -> Any:
        point = self.tree._build(self.tree._leaves(x))
        return self.fun(*point, *args, **kwargs) if self.tree.unpack else self.fun(point, *args, **kwargs)


def _is_array(value: Any) -> bool:
    return isinstance(value, list | tuple) and not is_tree(value)
