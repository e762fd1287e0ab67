"""What fun sees, twin of src/point.c: one shared array, watched for writes and for being kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, islice, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Remarks (bits of a status of 0 or more) and stops, as in numdiff.h.
NONFINITE, INVALID, OVERFLOW, SUSPECT = 1, 2, 4, 8
WRITTEN, NO_STEP = -2, -3


BLOCK_BYTES = 8 * 64  # compared in one look
MANY_BLOCKS = 64  # beyond, the expected bytes are not kept: they would be one more copy of x0


def bytes_of(array: Any) -> memoryview:
    return memoryview(array).cast("B")


def floats(array: Any) -> Any:
    """The numbers of a contiguous array of any shape, to read and write one by one without NumPy's overhead."""
    return bytes_of(array).cast("d")


class Shared:
    """The array that fun sees, and its coordinates in blocks beside what they should be."""

    __slots__ = ("blocks", "coordinates", "x", "x0")

    def __init__(self, x: NDArray[np.float64], x0: NDArray[np.float64]) -> None:
        self.x = x
        self.x0 = x0
        found, expected, size = bytes_of(x), bytes_of(x0), BLOCK_BYTES
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


def caller(fun: Any, args: tuple[Any, ...], first: Any) -> Callable[[Any], Any]:
    """fun of x alone; if `first` is known, the first call is that and none of fun.

    In place of fun may stand the values (calls, m) of its calls in their order.
    """
    if isinstance(fun, np.ndarray):
        known = iter(fun[:, 0].tolist() if fun.shape[1] == 1 else fun)
        return lambda x: next(known)
    if first is not None:
        pending = [first]
        return lambda x: pending.pop() if pending else fun(x, *args)
    return (lambda x: fun(x, *args)) if args else fun
