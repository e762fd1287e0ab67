"""Second differences, twin of src/hessian.c."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .point import NO_STEP, NONFINITE, WRITTEN, Shared, caller, floats


class _WrittenError(Exception):
    """fun has written into its argument; never leaves the kernels."""


class _Point:
    """nd_point for functions of one value: what fun sees, with one coordinate moved or two."""

    __slots__ = ("_call", "_look", "_many", "_shared", "_values", "_x0", "calls")

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        values: Callable[[Any], Any],
        x0: NDArray[np.float64],
        first: Any = None,
    ) -> None:
        self._call = caller(fun, args, first)
        self._values = values
        self._x0 = x0
        self._shared = Shared(x0.copy(), x0)
        self._look = self._shared.looks(0).__next__
        self._many = len(self._shared.blocks) > 1
        self.calls = 0

    def evaluate(self, i: int, xi: float, to_i: float, j: int, xj: float, to_j: float) -> float:
        """fun at x0 with coordinate i at to_i, not xi, and j at to_j, not xj: nd_evaluate_pair."""
        shared = self._shared
        x, coordinates = shared.x, shared.coordinates
        if (coordinates[i] != xi and xi == xi) or (coordinates[j] != xj and xj == xj):
            raise _WrittenError
        coordinates[i] = to_i
        coordinates[j] = to_j
        references = getrefcount(x)
        fx = self._call(x)
        self.calls += 1
        if self.calls <= 2 and shared.reshaped():
            raise _WrittenError
        kind = type(fx)
        if kind is not float:
            fx = float(fx) if kind is np.float64 else self._values(fx)
        if getrefcount(x) != references:
            # fun has kept x: that array is fun's from now on, and the next call gets another
            self._shared = shared = Shared(x.copy(), self._x0)
            coordinates = shared.coordinates
            self._look = shared.looks(self.calls - 1).__next__
        written = (coordinates[i] != to_i and to_i == to_i) or (coordinates[j] != to_j and to_j == to_j)
        coordinates[i] = xi  # by value, before anything else is looked at
        coordinates[j] = xj
        found, expected = self._look()
        if written or found.tobytes() != expected or (self.calls <= 2 and self._many and not shared.intact()):
            raise _WrittenError
        return fx  # type: ignore[no-any-return]

    def intact(self) -> bool:
        return self._shared.intact()


def _quotient(change: float, step: float) -> float:
    """change / step as in C, where a division by zero does not stop."""
    return change / step if step else float(np.float64(change) / np.float64(step))


def hessian_diagonal(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    first: Any,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """Second derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_hessian_diagonal.

    `near` gets the values at x + h and x - h (x + 2h where one_sided), 2 for each step; `first` is the value of the
    first call, if known. The rest as in `difference` with m = 1.
    """
    moved = x0.reshape(-1) if index is None else x0.reshape(-1)[index]
    if np.count_nonzero(moved + h == moved):
        return NO_STEP, 0
    point = _Point(fun, args, values, x0, first)
    prefetched = first is not None
    indices = range(moved.size) if index is None else index.tolist()
    sided: Any = repeat(False) if one_sided is None else one_sided.tolist()
    nears, results = floats(near), floats(out)
    evaluate, remarks, k = point.evaluate, 0, 0
    try:
        for i, x, hi, one in zip(indices, moved.tolist(), h.tolist(), sided):  # noqa: B905  (repeat has no end)
            to = x + hi
            nears[2 * k] = fx = evaluate(i, x, to, i, x, to)
            step = to - x
            slope = (fx - f0) / step
            to = x + 2.0 * hi if one else x - hi
            nears[2 * k + 1] = fx = evaluate(i, x, to, i, x, to)
            other = to - x
            results[k] = result = _quotient(slope - _quotient(fx - f0, other), 0.5 * (step - other))
            if result - result != 0.0:
                remarks = NONFINITE
            k += 1
    except _WrittenError:
        return WRITTEN, point.calls - prefetched
    return remarks if point.intact() else WRITTEN, point.calls - prefetched


def hessian_mixed(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    one_sided: NDArray[np.bool_] | None,
    f0: float,
    near: NDArray[np.float64],
    out: NDArray[np.float64],
    begin: int,
    end: int,
) -> tuple[int, int]:
    """The mixed second derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_hessian_mixed.

    `near` is what hessian_diagonal gave for the same steps. out (count, count) is symmetric where it is written:
    in the rows, and columns, from begin to end.
    """
    point = _Point(fun, args, values, x0)
    xs = (x0.reshape(-1) if index is None else x0.reshape(-1)[index]).tolist()
    count = len(xs)
    indices = range(count) if index is None else index.tolist()
    hs, nears = h.tolist(), near.reshape(-1).tolist()
    sided = [False] * count if one_sided is None else one_sided.tolist()
    results = floats(out)
    evaluate, remarks = point.evaluate, 0
    try:
        for k in range(begin, end):
            i, xi, hi, i_one = indices[k], xs[k], hs[k], sided[k]
            # The points of this coordinate, its steps and how far f goes: first the side of h, then the other.
            plus_i = xi + hi
            plus_step_i, plus_change_i = plus_i - xi, nears[2 * k] - f0
            minus_i, minus_step_i, minus_change_i = plus_i, plus_step_i, plus_change_i
            if not i_one:
                minus_i = xi - hi
                minus_step_i, minus_change_i = minus_i - xi, nears[2 * k + 1] - f0
            for l in range(k + 1, count):
                j, xj, hj, j_one = indices[l], xs[l], hs[l], sided[l]
                to_j = xj + hj
                fx = evaluate(i, xi, plus_i, j, xj, to_j)
                mixed = ((fx - nears[2 * l]) - plus_change_i) / plus_step_i / (to_j - xj)
                if not (i_one and j_one):
                    to_j = to_j if j_one else xj - hj
                    fx = evaluate(i, xi, minus_i, j, xj, to_j)
                    change = (fx - nears[2 * l if j_one else 2 * l + 1]) - minus_change_i
                    mixed = 0.5 * (mixed + _quotient(_quotient(change, minus_step_i), to_j - xj))
                results[k * count + l] = results[l * count + k] = mixed
                if mixed - mixed != 0.0:
                    remarks = NONFINITE
    except _WrittenError:
        return WRITTEN, point.calls
    return remarks if point.intact() else WRITTEN, point.calls
