"""Differences of an elementwise function, twin of src/elementwise.c."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stencils import Stencil
from .point import NONFINITE, OVERFLOW, SUSPECT

NEAR = 32  # steps: so near to 0, quotients above `steepest` are suspect
PIECE = 8192  # points in one go: what NumPy's passes over them need stays in the cache


def _pieces(x: NDArray[np.float64], relative: float, x_scale: float) -> Iterator[tuple[slice, Any, Any]]:
    """x in pieces: (where, x there, the steps there). The next piece takes the place of the steps."""
    flat = x.reshape(-1)
    h = np.empty(min(PIECE, flat.size))
    for start in range(0, flat.size, PIECE):
        where = slice(start, start + PIECE)
        xs = flat[where]
        hs = h[: xs.size]
        np.abs(xs, out=hs)
        np.maximum(hs, x_scale, out=hs)
        hs *= relative
        bits = hs.view(np.int64)
        bits += 1 << 51
        bits &= ~((1 << 52) - 1)
        yield where, xs, hs


def move(x: NDArray[np.float64], relative: float, x_scale: float, offset: float, out: NDArray[np.float64]) -> int:
    """out = x + offset h, of one shape and contiguous: nd_move."""
    to = out.reshape(-1)
    remarks = 0
    with np.errstate(all="ignore"):
        for where, xs, h in _pieces(x, relative, x_scale):
            if not (xs.max() <= 1e300 and xs.min() >= -1e300):
                remarks = OVERFLOW
            h *= offset
            np.add(xs, h, out=to[where])
    return remarks


def quotient(
    x: NDArray[np.float64],
    relative: float,
    x_scale: float,
    stencil: Stencil,
    steepest: float,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """The quotients of a stencil of two points for a first derivative: nd_quotient."""
    (begin, end), _, scale = stencil
    lefts, rights, to = left.reshape(-1), right.reshape(-1), out.reshape(-1)
    remarks = 0
    with np.errstate(all="ignore"):
        for where, xs, h in _pieces(x, relative, x_scale):
            quotients = rights[where] - lefts[where]
            quotients /= scale * ((xs + end * h) - (xs + begin * h))
            if not (quotients.max() <= steepest and quotients.min() >= -steepest):
                finite = np.isfinite(quotients)
                if not finite.all():
                    remarks |= NONFINITE
                odd = (np.signbit(lefts[where]) != np.signbit(rights[where])) | (np.abs(xs) < NEAR * h)
                if np.any(odd & finite & (np.abs(quotients) > steepest)):
                    remarks |= SUSPECT
            to[where] = quotients
    return remarks
