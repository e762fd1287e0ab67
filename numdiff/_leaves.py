"""Points that are dicts, lists or tuples of arrays, nested: one flat array, and the way back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._function import component


@dataclass(slots=True)
class Leaf:
    """An array of the tree: its path ("w", "layers[0].b"; "" for a plain array) and its place in the flat array."""

    path: str
    begin: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        return self.begin + self.size

    def name(self, flat_index: int) -> str:
        """How a component is called: w[3, 2]."""
        return component(self.path, flat_index - self.begin, self.shape)


def is_tree(x: Any) -> bool:
    """A list or tuple is a tree if arrays or dicts are in it; one of numbers is an array."""
    if isinstance(x, np.ndarray):
        return False
    if isinstance(x, Mapping):
        return True
    return isinstance(x, list | tuple) and any(
        isinstance(part, Mapping) or np.ndim(part if isinstance(part, np.ndarray) else 0) > 0 or is_tree(part)
        for part in x
    )


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays of a tree with their paths, in the order of the dicts and lists."""
    if isinstance(tree, Mapping):
        for key, part in tree.items():
            yield from leaves(part, f"{path}.{key}" if path else str(key))
    elif is_tree(tree):
        for k, part in enumerate(tree):
            yield from leaves(part, f"{path}[{k}]")
    else:
        yield path, tree


def rebuild(tree: Any, parts: Iterator[Any]) -> Any:
    """A tree like this one of other arrays; they are taken in the order of `leaves`."""
    if isinstance(tree, Mapping):
        return {key: rebuild(part, parts) for key, part in tree.items()}
    if is_tree(tree):
        made = [rebuild(part, parts) for part in tree]
        if isinstance(tree, tuple):
            return type(tree)(*made) if hasattr(tree, "_fields") else tuple(made)
        return made
    return next(parts)
