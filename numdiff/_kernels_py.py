"""The kernels in pure Python: the reference, and what runs where no extension is there.

Twin of src/*.c behind src/_kernels_c.pyx: same names, same order of operations, same bits, same counts. numdiff.h is
the contract of both. Arguments are trusted: the layer above has checked them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice, repeat
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._stencils import Stencil

# Remarks (bits of a status of 0 or more) and stops, as in numdiff.h.
NONFINITE, INVALID, OVERFLOW = 1, 2, 4
WRITTEN, NO_STEP = -2, -3

BLOCK_BYTES = 8 * 64  # compared in one look
MANY_BLOCKS = 64  # beyond, the expected bytes are not kept: they would be one more copy of x0


def combine(stencil: Stencil, values: Sequence[Any], span: Any) -> Any:
    """The formula of a stencil, for arrays of any dtype; difference() has it in line for floats.

    For an n-th derivative the n-th power of h takes the place of span.
    """
    _, weights, scale = stencil
    if weights == (-1.0, 1.0):
        return (values[1] - values[0]) / (scale * span)  # also of values that cannot be multiplied: bool, datetime64
    total = weights[0] * values[0]
    for j in range(1, len(weights)):
        total = total + weights[j] * values[j]
    return total / (scale * span)


def _bytes(array: Any) -> memoryview:
    return memoryview(array).cast("B")


def _floats(array: Any) -> Any:
    """The numbers of a contiguous array of any shape, to read and write one by one without NumPy's overhead."""
    return _bytes(array).cast("d")


def _remarks(results: Any, values: list[Any], span: float) -> int:
    """What to say of results that are not all finite; values are those of fun behind them."""
    remarks = NONFINITE
    for test, remark in ((np.isnan, INVALID), (np.isinf, OVERFLOW)):
        if np.any(test(results)) and not any(np.any(test(value)) for value in [*values, span]):
            remarks |= remark
    return remarks


class _Shared:
    """The array that fun sees, and its coordinates in blocks beside what they should be."""

    __slots__ = ("blocks", "coordinates", "x", "x0")

    def __init__(self, x: NDArray[np.float64], x0: NDArray[np.float64]) -> None:
        self.x = x
        self.x0 = x0
        found, expected, size = _bytes(x), _bytes(x0), BLOCK_BYTES
        self.coordinates: Any = found.cast("d")
        self.blocks = [(found, expected)]
        if len(found) > size:
            self.blocks = [(found[b : b + size], expected[b : b + size]) for b in range(0, len(found), size)]

    def looks(self, call: int) -> Iterator[tuple[memoryview, bytes]]:
        """The block to look at after each call from number `call` (from 0) on, and the bytes it should have."""
        blocks = self.blocks
        if len(blocks) == 1:
            return repeat((blocks[0][0], blocks[0][1].tobytes()))
        if len(blocks) <= MANY_BLOCKS:
            turns: Iterator[tuple[memoryview, bytes]] = cycle([(found, want.tobytes()) for found, want in blocks])
        else:
            turns = ((found, want.tobytes()) for found, want in cycle(blocks))
        return islice(turns, call % len(blocks), None)

    def reshaped(self) -> bool:
        """Whether fun has given x another shape, dtype or flags, in place."""
        x, x0 = self.x, self.x0
        return x.shape != x0.shape or x.dtype != x0.dtype or not x.flags.c_contiguous or not x.flags.writeable

    def intact(self) -> bool:
        """Whether all of x equals x0 to the bit, and is the array that was shared."""
        if self.reshaped():
            return False
        for found, expected in self.blocks:  # noqa: SIM110  (half the time of all())
            if found.tobytes() != expected.tobytes():
                return False
        return True


def _call(fun: Callable[..., Any], args: tuple[Any, ...], first: Any) -> Callable[[Any], Any]:
    """fun of x alone; if `first` is known, the first call is that and none of fun."""
    if first is not None:
        pending = [first]
        return lambda x: pending.pop() if pending else fun(x, *args)
    return (lambda x: fun(x, *args)) if args else fun


def difference(
    fun: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    m: int,
    x0: NDArray[np.float64],
    index: NDArray[np.intp] | None,
    h: NDArray[np.float64],
    stencil: Stencil,
    f0: Any,
    first: Any,
    out: NDArray[np.float64],
) -> tuple[int, int]:
    """First derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_difference.

    fun(x, *args) is called with an array of x0's shape; `values` turns what it returns, where that is no float, into
    a float (m = 1) or a new float64 array of m. h has the shape of x0, or of index; out a row for each step. `first`
    is the value of the first call, if known. Returns (status, calls of fun).
    """
    moved = x0 if index is None else x0.reshape(-1)[index]
    if np.count_nonzero(moved + h == moved):
        return NO_STEP, 0

    offsets, weights, scale = stencil
    left, right = offsets[0], offsets[-1]
    known = [f0] if 0.0 in offsets else []  # the values that need no call
    start = weights[0] * f0 if known and m == 1 else -0.0  # -0 adds nothing to a sum, not even a sign
    moves = [(offset, weight, False) for offset, weight in zip(offsets, weights, strict=True) if offset != 0.0]
    moves[-1] = (*moves[-1][:2], True)

    xs, hs, results = _floats(moved), _floats(h), _floats(out) if m == 1 else out
    indices: Any = index
    indices = range(len(xs)) if index is None else memoryview(indices)
    each: Iterator[Any]
    if len(moves) == 1:
        each = zip(indices, xs, hs, *map(repeat, moves[0]))  # noqa: B905  (repeat has no end)
    else:
        each = ((i, xi, hi, *move) for i, xi, hi in zip(indices, xs, hs, strict=True) for move in moves)

    prefetched = first is not None
    call = _call(fun, args, first)
    plain, scalar = (float, np.float64) if m == 1 else (None, None)  # types of fun's values that are floats

    shared = _Shared(x0.copy(), x0)
    x, coordinates, look = shared.x, shared.coordinates, shared.looks(0).__next__
    many = len(shared.blocks) > 1
    references = getrefcount(x)
    calls = remarks = k = 0
    total = start
    earlier: list[Any] = []  # the values of this coordinate before the last
    # Every line of this loop counts: it is most of the time of a gradient.
    for i, xi, hi, offset, weight, last in each:
        if coordinates[i] != xi and xi == xi:
            return WRITTEN, calls - prefetched
        to = xi + offset * hi
        coordinates[i] = to
        fx = call(x)
        calls += 1
        if calls <= 2 and shared.reshaped():
            return WRITTEN, calls - prefetched
        kind = type(fx)
        if kind is not plain:
            fx = float(fx) if kind is scalar else values(fx)
        if getrefcount(x) != references:
            # fun has kept x: that array is fun's from now on, and the next call gets another
            shared = _Shared(x.copy(), x0)
            x, coordinates, look = shared.x, shared.coordinates, shared.looks(calls - 1).__next__
            references = getrefcount(x)
        if coordinates[i] != to and to == to:  # before restoring, which would heal it
            return WRITTEN, calls - prefetched
        coordinates[i] = xi
        found, expected = look()
        if found.tobytes() != expected or (calls <= 2 and many and not shared.intact()):
            return WRITTEN, calls - prefetched
        if m == 1:
            total += weight * fx
        if not last:
            earlier.append(fx)
            continue
        span = (xi + right * hi) - (xi + left * hi)
        if m == 1:
            total /= scale * span
            results[k] = total
            if total - total != 0.0:
                remarks |= _remarks(total, [*known, *earlier, fx], span)
            total = start
        else:
            row = [*known, *earlier, fx]
            with np.errstate(all="ignore"):
                results[k] = combine(stencil, row, span)
            if not np.isfinite(results[k]).all():
                remarks |= _remarks(results[k], row, span)
        k += 1
        if earlier:
            earlier.clear()
    return remarks if shared.intact() else WRITTEN, calls - prefetched


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
        self._call = _call(fun, args, first)
        self._values = values
        self._x0 = x0
        self._shared = _Shared(x0.copy(), x0)
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
            self._shared = shared = _Shared(x.copy(), self._x0)
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
    nears, results = _floats(near), _floats(out)
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
) -> tuple[int, int]:
    """The mixed second derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_hessian_mixed.

    `near` is what hessian_diagonal gave for the same steps. out (count, count) is symmetric where it is written.
    """
    point = _Point(fun, args, values, x0)
    xs = (x0.reshape(-1) if index is None else x0.reshape(-1)[index]).tolist()
    count = len(xs)
    indices = range(count) if index is None else index.tolist()
    hs, nears = h.tolist(), near.reshape(-1).tolist()
    sided = [False] * count if one_sided is None else one_sided.tolist()
    results = _floats(out)
    evaluate, remarks = point.evaluate, 0
    try:
        for k in range(count):
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
