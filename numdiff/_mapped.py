"""SciPy's differences one point at a time, in NumPy: what the kernels do not take.

That is: workers= (a pool or a map-like callable), dtypes other than float64, complex steps, and values of fun that are
no real numbers. Every point is an array of its own, as in SciPy. The formula is the kernels' `combine`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._function import at_most_1d, changed_shape
from ._kernels_py import combine
from ._pool import forget_start_method, process_context, start_method
from ._stencils import Stencil

Map = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]
Values = Callable[[Any], NDArray[Any]]


@dataclass
class Function:
    """fun(x, *args, **kwargs) with its value as a new array, at least 1-D; can be pickled if fun can."""

    fun: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return at_most_1d(self.fun(x, *self.args, **self.kwargs))


def in_turn(workers: Any) -> bool:
    """Whether `workers` stands for no more than the built-in map, as SciPy's wrapper around it does too."""
    if workers is None or workers is map or (isinstance(workers, int | np.integer) and workers in (0, 1)):
        return True
    wrapper = getattr(sys.modules.get("scipy._lib._util"), "MapWrapper", None)
    return wrapper is not None and isinstance(workers, wrapper) and workers._mapfunc is map


@contextmanager
def as_map(workers: Any) -> Iterator[Map]:
    """The map that `workers` stands for: itself if callable, a process pool of that size for an int (-1: all cores)."""
    if not workers or in_turn(workers):
        yield map
        return
    if callable(workers):

        def checked(fun: Callable[..., Any], points: Iterable[Any]) -> Any:
            try:
                return workers(fun, points)
            except TypeError as error:
                raise TypeError("The map-like callable must be of the form f(func, iterable)") from error

        yield checked
        return
    number = int(workers)
    if number == 1:
        yield map
        return
    if number < -1 or number == 0:
        raise RuntimeError("Number of workers specified must be -1, an int >= 1, or an object with a 'map' method")
    before = start_method()
    with process_context().Pool(None if number == -1 else number) as pool:
        forget_start_method(before)
        yield pool.map


def difference(
    function: Values,
    x0: NDArray[Any],
    f0: NDArray[Any],
    h: NDArray[Any],
    stencils: list[Stencil],
    mapper: Map,
) -> tuple[NDArray[np.float64], int]:
    """The transposed Jacobian (n, m), a stencil for each coordinate, and the number of calls."""

    def targets(i: int) -> list[Any]:
        return [x0.dtype.type(x0[i] + offset * h[i]) if offset else x0[i] for offset in stencils[i][0]]

    def points() -> Iterator[NDArray[Any]]:
        for i in range(x0.size):
            for offset, target in zip(stencils[i][0], targets(i), strict=True):
                if offset:
                    x = x0.copy()
                    x[i] = target
                    yield x

    jacobian_t = np.empty((x0.size, f0.size))
    values = iter(mapper(function, points()))
    nfev = 0
    for i, stencil in enumerate(stencils):
        row = [same_shape(f0, next(values)) if offset else f0 for offset in stencil[0]]
        nfev += sum(offset != 0.0 for offset in stencil[0])
        reached = targets(i)
        jacobian_t[i] = combine(stencil, row, reached[-1] - reached[0])
    return jacobian_t, nfev


def complex_step(
    function: Values, x0: NDArray[Any], m: int, h: NDArray[Any], mapper: Map
) -> tuple[NDArray[np.float64], int]:
    """The transposed Jacobian (n, m) by f' = Im f(x + ih) / h, and the number of calls."""

    def points() -> Iterator[NDArray[Any]]:
        for i in range(x0.size):
            x = x0.astype(complex)
            x[i] += h[i] * 1j
            yield x

    jacobian_t = np.empty((x0.size, m))
    for i, value in enumerate(mapper(function, points())):
        jacobian_t[i] = same_shape(jacobian_t[i], value).imag / h[i]
    return jacobian_t, x0.size


def same_shape(f0: NDArray[Any], value: Any) -> NDArray[Any]:
    """A value that came back from a map, as an array of f0's shape."""
    value = np.atleast_1d(value)
    if value.shape != f0.shape:
        raise changed_shape(f0.size, value.size)
    return np.asarray(value)
