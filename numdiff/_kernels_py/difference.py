"""Differences by a stencil, twin of src/difference.c."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stencils import Stencil
from .point import INVALID, NO_STEP, NONFINITE, OVERFLOW, WRITTEN, Shared, caller, floats


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


def _remarks(results: Any, values: list[Any], span: float) -> int:
    """What to say of results that are not all finite; values are those of fun behind them."""
    remarks = NONFINITE
    for test, remark in ((np.isnan, INVALID), (np.isinf, OVERFLOW)):
        if np.any(test(results)) and not any(np.any(test(value)) for value in [*values, span]):
            remarks |= remark
    return remarks


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
    kept: NDArray[np.float64] | None,
) -> tuple[int, int]:
    """First derivatives of fun by the coordinates `index` (None: all) with the steps h: nd_difference.

    fun(x, *args) is called with an array of x0's shape; `values` turns what it returns, where that is no float, into
    a float (m = 1) or a new float64 array of m. h has the shape of x0, or of index; out a row for each step. `first`
    is the value of the first call, if known; kept (count, calls for each, m), if wanted, takes the values of all calls.
    Returns (status, calls of fun).
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

    xs, hs, results = floats(moved), floats(h), floats(out) if m == 1 else out
    indices: Any = index
    indices = range(len(xs)) if index is None else memoryview(indices)
    each: Iterator[Any]
    if len(moves) == 1:
        each = zip(indices, xs, hs, *map(repeat, moves[0]))  # noqa: B905  (repeat has no end)
    else:
        each = ((i, xi, hi, *move) for i, xi, hi in zip(indices, xs, hs, strict=True) for move in moves)

    keep = floats(kept) if kept is not None and m == 1 else None
    prefetched = first is not None
    call = caller(fun, args, first)
    plain, scalar = (float, np.float64) if m == 1 else (None, None)  # types of fun's values that are floats

    shared = Shared(x0.copy(), x0)
    x, coordinates, look = shared.x, shared.coordinates, shared.looks(0).__next__
    many = len(shared.blocks) > 1
    references = getrefcount(x)
    calls = remarks = k = at = 0
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
            shared = Shared(x.copy(), x0)
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
        if keep is not None:
            for value in earlier:
                keep[at] = value
                at += 1
            keep[at] = fx
            at += 1
        elif kept is not None:
            kept[k, :-1] = np.reshape(earlier, (len(earlier), m))
            kept[k, -1] = fx
        k += 1
        if earlier:
            earlier.clear()
    return remarks if shared.intact() else WRITTEN, calls - prefetched
