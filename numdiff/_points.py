"""The gradients of one function at many points, the columns of an array."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _difference
from ._bounds import as_bounds
from ._derivative import METHODS, derivative_of_points
from ._difference import CENTRAL_STEP
from ._differentiate import differentiate, method_of, order_of
from ._domain import NEAR_END
from ._elementwise import keep_freed_memory
from ._function import as_point, bind, describe, one_number
from ._native import Native
from ._plan import StepOptions
from ._result import DerivativeResult
from ._stencils import CENTRAL
from ._steps import EPS, default_step, eps_of
from ._vectorized import Columns, columns_of, witness

Float = NDArray[np.float64]

_PAGES = 1 << 17  # bytes: the system gives larger arrays back to itself
_BESIDE = 8  # numbers for each point that `derivative` holds beside a column


def gradients(
    fun: Any,
    x0: ArrayLike,
    method: str,
    order: int | None,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    vectorized: bool,
    max_bytes: int,
    full_output: bool,
) -> Any:
    """Those at the columns of x0 (n, k), as the columns of an array, or of those of a DerivativeResult."""
    kind = method_of(method, tuple(METHODS))
    order = order_of(order, kind)
    fun, args = bind(fun, args, kwargs)
    native = not vectorized and isinstance(fun, Native)
    if native:
        one_number(np.zeros(1 if fun.m is None else fun.m))
    if not vectorized and not (native and not args and fun.lowered(1, 1) is not None):
        raise ValueError(
            "`points` needs `vectorized=True`, where fun takes columns, or a native `fun` that C can call: with no "
            f"`args`, and float64 values; `fun` is {describe(fun)}"
        )
    steps = rel_step, abs_step, x_scale
    plain = kind == "central" and order == 2 and bounds is None and not full_output
    plain = plain and all(step is None for step in steps)
    if (
        native
        and plain
        and type(x0) is np.ndarray
        and x0.ndim == 2
        and x0.dtype == np.float64
        and x0.flags.c_contiguous
    ):
        found = _plain(fun, np.asarray(x0))
        if found is not None:
            return found
    points, moderate = as_point(x0)
    plain &= moderate
    if points.ndim != 2:
        raise ValueError(f"`x0` must have the shape (n, k) with `points`: k columns; it has {points.shape}")
    options = StepOptions.of_arguments(*steps, points.shape)
    limits = as_bounds(bounds, points, moderate)
    if not points.size:
        return _result(points, points, points, points.astype(np.intp), 0, kind, full_output)
    columns = Columns(_Each(fun), max_bytes) if native else columns_of(fun, max_bytes)
    of_steps = [_by_point(steps, points.shape) for steps in vars(options).values()]
    of_bounds = None if limits is None else [limit.reshape(points.shape) for limit in limits]
    width = columns.width(len(points) + _BESIDE)
    value, error, step = (np.empty(points.shape) for _ in range(3))
    flag = np.empty(points.shape, np.intp)
    for begin in range(0, points.shape[1], width):
        part = np.s_[:, begin : begin + width]
        block = _Block(columns, args, points[part].copy(), native)
        for i in range(len(points)):
            here = i, part[1]
            if plain and block.central(i, value[here]):
                continue
            own = (steps if steps is None or not steps.shape else steps[here] for steps in of_steps)
            sides = None if of_bounds is None else (of_bounds[0][here], of_bounds[1][here])
            rest = sides, None, (), None, True, full_output, np.inf  # as for single points, poles are not looked for
            arguments: Any = partial(block.along, i), points[here], 1, kind, order, *own, *rest
            found = derivative_of_points(*arguments)
            if full_output:
                value[here], error[here], step[here], flag[here] = found.value, found.error, found.step, found.flag
            else:
                value[here] = found
    nfev = columns.nfev
    if options.default and (kind != "central" or limits is not None):
        # One side alone is not far from the end of a domain where it looks so: that is for single points.
        for k in np.flatnonzero(_near_ends(points, order, options.x_scale, of_bounds)):
            column = np.s_[:, k]
            single = differentiate(
                fun, points[column], True, kind, order, with_error=full_output, args=args,
                x_scale=None if of_steps[2] is None else np.broadcast_to(of_steps[2], points.shape)[column],
                bounds=None if of_bounds is None else (of_bounds[0][column], of_bounds[1][column]),
                vectorized=not native, max_bytes=max_bytes,
            )  # fmt: skip
            found = single.gradient(None, full_output)
            if full_output:
                value[column], error[column], step[column] = found.value, found.error, found.step
                flag[column] = found.flag
            else:
                value[column] = found
            nfev += single.run.nfev
    return _result(value, error, step, flag, nfev, kind, full_output)


def _near_ends(points: Float, order: int, x_scale: Any, bounds: Any) -> NDArray[np.bool_]:
    """The points with a component that is near 0 or a bound, beside the step of a difference to one side."""
    scale = 1.0 if x_scale is None else x_scale.reshape(points.shape) if x_scale.shape else x_scale
    reach = default_step(EPS, order) * np.maximum(np.abs(points), scale) / NEAR_END
    near = np.abs(points) < reach
    if bounds is not None:
        near |= (points - bounds[0] < reach) | (bounds[1] - points < reach)
    return np.asarray(near.any(axis=0))


def _plain(fun: Native, points: Float) -> Float | None:
    """In one loop; None where that takes more care."""
    if not points.size:
        return None
    if points.nbytes > _PAGES:
        keep_freed_memory()
    found = np.empty(points.shape)
    status, _ = _kernels().gradients(fun, points, CENTRAL_STEP, 1.0, np.empty(len(points)), found)
    return found if status == 0 else None


def _result(value: Float, error: Float, step: Float, flag: Any, nfev: int, kind: str, full_output: bool) -> Any:
    return DerivativeResult(value, error, step, nfev, kind, flag) if full_output else value


def _by_point(steps: Float | None, shape: tuple[int, ...]) -> Float | None:
    return steps if steps is None or not steps.shape else steps.reshape(shape)


class _Block:
    """Some of the points, and fun there with one row of them moved: a function of one variable for each point."""

    def __init__(self, columns: Columns, args: tuple[Any, ...], points: Float, apart: bool) -> None:
        self.columns, self.args, self.points = columns, args, points
        self.apart = apart  # whether its columns are known not to depend on one another
        self.f0: Float | None = None

    def along(self, i: int, t: Float) -> NDArray[Any]:
        """fun where row i is t; at the points themselves it is called but once for all rows."""
        at_points = np.array_equal(t, self.points[i])
        if at_points and self.f0 is not None:
            return self.f0
        values = self._moved(i, t)
        if at_points:
            self.f0 = values
        return values

    def central(self, i: int, out: Float) -> bool:
        """Central differences by row i with default steps, into out; False where it takes more care."""
        x, sides = self.points[i], []
        for offset in CENTRAL[0]:
            t = np.empty_like(x)
            _kernels().move(x, CENTRAL_STEP, 1.0, offset, t)
            values = self._moved(i, t)
            if eps_of(values.dtype) > EPS:
                return False
            sides.append(values.astype(np.float64))
        remarks: int = _kernels().quotient(x, CENTRAL_STEP, 1.0, CENTRAL, np.inf, *sides, sides[0])
        out[:] = sides[0]
        return remarks == 0

    def _moved(self, i: int, t: Float) -> NDArray[Any]:
        block = self.points.copy()
        block[i] = t
        k = t.size
        # Where fun lets other columns into one, that may not show at one of them: the largest has the maximum of all.
        places = () if self.apart else {0, witness(k)}
        columns = {place: block[:, place : place + 1].copy() for place in places}
        alone = {place: one_number(self.columns(column[:, 0].copy(), *self.args)) for place, column in columns.items()}
        values = self.columns.block(self.args, block, 1)[:, 0].copy()  # fun may return the same array the next time
        self.apart = True
        for place, value in alone.items():
            beside = values[:, None].astype(np.float64)
            self.columns.check(self.args, columns[place].copy, place, np.array([value]), beside, place)
        return values


def _kernels() -> Any:
    return vars(_difference)["kernels"]


class _Each:
    """A native fun of one point as a function of columns."""

    def __init__(self, fun: Native) -> None:
        self.fun = fun

    def __call__(self, block: Float) -> Float:
        found = np.empty(block.shape[1])
        _kernels().columns(self.fun, block, np.empty(len(block)), found)
        return found
