"""jvp: the derivative along a direction, the Jacobian times a vector, without the Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bars import bars
from ._bounds import as_bounds
from ._difference import Run
from ._differentiate import method_of, noise_level, precision
from ._domain import Rescue, mended_scale, suspect
from ._function import as_point, as_vector, bind
from ._plan import Plan, StepOptions
from ._result import DerivativeResult, Flag
from ._stencils import CENTRAL, FORWARD, ONE_SIDED, Stencil
from ._steps import EPS, default_step

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

METHODS: Final = ("central", "forward", "backward")


def jvp(
    fun: Callable[..., Any],
    x0: ArrayLike,
    v: ArrayLike,
    *,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    noise: float | str | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    full_output: bool = False,
) -> Any:
    """The directional derivative of a function of an array: its Jacobian times v.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Gets a float64 array of x0's shape, a new one in each call. Returns a real number or a 1-D array of m.
    x0 : array_like of any shape, or number
        The point, real and finite.
    v : array_like of x0's shape
        The direction, real and finite, of any length; in the units of x0, if the answer is to be in those of fun.
    method : {"central", "forward", "backward"}
        On which side of x0, along v, the points are.
    rel_step, abs_step, x_scale : float or array of x0's shape, optional
        As in `gradient`: h_i, the farthest that x_i may move. The step along v is the longest t with t |v_i| <= h_i for
        all i; a power of two by default.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside; the difference becomes shorter or one-sided near a bound. nan where v leads out of
        the bounds both ways.
    f0 : float or array_like of shape (m,), optional
        fun(x0), if known; saves one call where it is needed.
    noise : float or "estimate", optional
        The standard deviation of fun's values, in their units, as in `gradient`: a longer step.
    args, kwargs : tuple, dict
        Further arguments of fun.
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead; the step is t, and the error a
        cheap bound, as that of `gradient`.

    Returns
    -------
    float where fun returns a number, ndarray (m,) where it returns an array, or DerivativeResult
        sum_i J[:, i] v_i, linear in v.

    Raises
    ------
    TypeError
        x0, v, a step or a bound that is no real number; fun returns None, a bool, text or a complex number.
    ValueError
        v of another shape than x0; x0 or v with nan or inf; x0 outside the bounds by more than rounding; steps not
        positive, or too small to be felt; fun returns more than one dimension, or a changing number of values.

    Notes
    -----
    Calls of fun: 2; one for forward and backward with f0; one where v is 0, with zeros as the answer (none with f0).
    Three at a bound that makes a central difference one-sided, and one more where the first value shows a coarser dtype
    than float64; with noise one for f0. Where fun is not finite at a point, or a one-sided step changes it suddenly
    near 0 or a bound, the step is shrunk, or one side is taken, or the values are nan; flags say so.
    Order of accuracy: 2 (central), 1.
    The component for which |v_i| / max(|x_i|, x_scale_i) is largest limits the step: where they differ wildly, the
    others move little beside their size, and their share suffers from the rounding of x_i + t v_i, eps |x_i| / t. If
    that matters, give x_scale, or add two calls: J v = J v' + J v'' for v = v' + v''.
    Nocedal and Wright, Numerical Optimization, section 8.1.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.jvp(lambda x: np.array([x[0] * x[1], x[0] ** 2]), [3.0, 2.0], [1.0, -1.0])
    array([-1.,  6.])
    """
    method = method_of(method, METHODS)
    fun, args = bind(fun, args, kwargs)
    point, moderate = as_point(x0)
    direction = as_vector(v, point.shape)
    options = StepOptions.of_arguments(rel_step, abs_step, x_scale, point.shape)
    limits = as_bounds(bounds, point, moderate)
    run = _Line(fun, args, point, direction, f0, options, limits)
    if noise is not None:
        run.noise = noise_level(noise, run, limits)

    value, t, flags, error = run.along(method, full_output)
    number = run.number if f0 is None or run.nfev else np.ndim(f0) == 0
    if run.precise > EPS:
        flags |= Flag.low_precision
    if not full_output:
        return float(value[0]) if number else value
    if number:
        return DerivativeResult(float(value[0]), float(error[0]), float(t[0]), run.nfev, method, int(flags[0]))
    return DerivativeResult(value, error, t, run.nfev, method, flags)


class _Line(Run):
    """fun on the line x0 + t v: a function of the one variable t, at 0."""

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        point: Float,
        v: Float,
        f0: Any,
        options: StepOptions,
        limits: tuple[Float, Float] | None,
    ) -> None:
        self.number = False  # whether fun returns a number rather than an array

        def noting(x: Any, *args: Any) -> Any:
            value = fun(x, *args)
            self.number = np.ndim(value) == 0
            return value

        super().__init__(noting, args, point, False, f0)
        self.x = point.reshape(-1)
        self.v = v
        self.moves = v != 0
        self.limits = limits
        self.options = options
        self.first: tuple[float, Float] | None = None  # t and the value of a call made ahead
        self.down, self.up = self._rooms()

    def at(self, t: float) -> Float:
        """fun at x0 + t v as an array; rounding is kept from carrying the point past a bound."""
        if self.first is not None and self.first[0] == t:
            value, self.first = self.first[1], None
            return value
        with np.errstate(all="ignore"):
            x = self.x + t * self.v
        if self.limits is not None:
            np.clip(x, *self.limits, out=x)
        return np.atleast_1d(self.evaluate(x.reshape(self.x0.shape)))

    @property
    def precise(self) -> float:
        return self.eps or EPS

    def _rooms(self) -> tuple[float, float]:
        """How far t may go down and up."""
        if self.limits is None:
            return np.inf, np.inf
        x, v = self.x[self.moves], self.v[self.moves]
        lb, ub = (bound[self.moves] for bound in self.limits)
        with np.errstate(all="ignore"):
            to_lb, to_ub = (x - lb) / np.abs(v), (ub - x) / np.abs(v)
        up, down = np.where(v > 0, to_ub, to_lb), np.where(v > 0, to_lb, to_ub)
        return float(np.min(down, initial=np.inf)), float(np.min(up, initial=np.inf))

    def sizes(self) -> Float:
        """How far t may go until a component has moved by max(|x|, x_scale): of those that move."""
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(self.x), 1.0 if self.options.x_scale is None else self.options.x_scale)
            return np.asarray((size / np.abs(self.v))[self.moves])

    def distance(self) -> float:
        """How far 0 is from where the domain of t is likely to end: where a component is 0, and the bounds."""
        with np.errstate(all="ignore"):
            ends = np.abs(self.x[self.moves] / self.v[self.moves])
        nearest = float(np.min(ends, initial=np.inf, where=ends > 0))
        return min([nearest, *(room for room in (self.down, self.up) if room > 0)])

    def wanted(self, order: int) -> float:
        """The longest t with t |v_i| <= h_i."""
        options = self.options
        relative = default_step(precision(self, order), order)
        with np.errstate(all="ignore"):
            if options.abs_step is not None:
                t = float(np.min((options.abs_step / np.abs(self.v))[self.moves]))
            else:
                part = (
                    relative
                    if options.rel_step is None
                    else np.broadcast_to(options.rel_step, self.x.shape)[self.moves]
                )
                t = float(np.min(self.sizes() * part))
        if options.default:
            t = float(2.0 ** np.clip(np.round(np.log2(t)), -1000, 1000)) if 0 < t < np.inf else t
        if not 0 < t < np.inf:
            raise ValueError(f"`v` is too long or too short: the step along it is {t}")
        if not self.felt(t) and not options.default:
            raise ValueError(f"`{options.named}` is too small: the step {t} along `v` is lost in rounding at `x0`")
        return t

    def felt(self, t: float) -> bool:
        with np.errstate(all="ignore"):
            return bool(np.any(self.x + t * self.v != self.x))

    def difference(
        self, index: Any, h: Float, stencil: Stencil, first: Any = None, kept: Float | None = None
    ) -> tuple[Float, int]:
        """The quotients (1, m) with the step h, (1,); kept, (1, calls, m), takes fun's values."""
        offsets, weights, scale = stencil
        t = float(h[0])
        total, calls = np.zeros(0), 0
        for j, (offset, weight) in enumerate(zip(offsets, weights, strict=True)):
            value = self.at(offset * t) if offset else np.atleast_1d(self.need_f0())
            if offset and kept is not None:
                kept[0, calls] = value
                calls += 1
            with np.errstate(all="ignore"):
                total = weight * value if j == 0 else total + weight * value
        with np.errstate(all="ignore"):
            return np.asarray(total / (scale * ((offsets[-1] - offsets[0]) * t)))[None], 0

    def along(self, method: str, with_error: bool) -> tuple[Float, Float, NDArray[np.intp], Float]:
        """J v, the steps, the flags and the errors, all (m,); the errors are nan unless asked for."""
        order = 2 if method == "central" else 1
        if not self.moves.any():
            m = np.atleast_1d(self.need_f0()).size
            return np.zeros(m), np.full(m, np.nan), np.zeros(m, np.intp), np.zeros(m)
        for _ in range(2):
            t, stencil, flag = self.fit(method, self.wanted(order))
            if not flag & Flag.fixed and self.eps is None:
                first = next(offset for offset in stencil[0] if offset or self.f0 is None)
                if first:
                    self.first = first * t, self.at(first * t)
                else:
                    self.need_f0()
                if self.precise > EPS and self.options.default:
                    self.first = None
                    continue  # once more, with the steps of that precision
            break
        if flag & Flag.fixed:
            m = self.m if self.m is not None else np.atleast_1d(self.need_f0()).size
            return np.full(m, np.nan), np.full(m, np.nan), np.full(m, int(flag), np.intp), np.full(m, np.nan)
        assert self.m is not None
        plan = _LinePlan(method, order, None, np.zeros(1), np.array([t]), abs(t) if self.options.default else None)
        plan.one_sided = np.ones(1, bool) if stencil is ONE_SIDED else None
        plan.line = self
        kept = np.empty((1, sum(offset != 0.0 for offset in stencil[0]), self.m))
        rows, _ = self.difference(None, plan.h, stencil, None, kept)
        steps, flags = np.full(rows.shape, t), np.full(rows.shape, int(flag), np.intp)
        at_ends = np.zeros(rows.shape)
        suspects = suspect(self, plan, rows, self.options)
        if suspects is not None or not np.isfinite(rows).all():
            rescue = Rescue(self, plan, rows.copy(), steps, flags)
            rescue.search(suspects)
            if with_error:
                at_ends = rescue.errors_at_ends(np.full(rows.shape, int(flag), np.intp))
            kept = np.where((rescue.rows != rows)[:, None], np.nan, kept)
            rows = rescue.rows
        error = np.full(rows.shape, np.nan)
        if with_error:
            values = [kept[:, j] for j in range(kept.shape[1])]
            scale = mended_scale(plan, steps, plan.scale(None)[:, None])
            with np.errstate(all="ignore"):
                x = np.max(np.abs(self.x / self.v)[self.moves], keepdims=True)
            error = bars(stencil, order, x, steps, scale, rows, values, self.f0, self.precise, self.noise)
            error = np.maximum(error, at_ends)
        steps[~np.isfinite(rows)] = np.nan
        return rows[0], steps[0], flags[0], np.where(np.isfinite(rows), error, np.nan)[0]

    def fit(self, method: str, t: float) -> tuple[float, Stencil, Flag]:
        """A signed step within the bounds, its stencil and what had to be done for it."""
        down, up = self.down, self.up
        flag = Flag.ok
        stencil = CENTRAL if method == "central" else FORWARD
        sign = 1.0 if up >= down else -1.0
        if method == "central":
            fitted = t
            if min(down, up) < t:
                one_side = min(t, 0.5 * max(down, up))
                fitted = min(down, up)
                if one_side > fitted:
                    fitted, stencil, flag = sign * one_side, ONE_SIDED, Flag.one_sided
        else:
            wanted = 1.0 if method == "forward" else -1.0
            ahead, behind = (up, down) if wanted > 0 else (down, up)
            if ahead >= t:
                fitted = wanted * t
            elif behind >= t:
                fitted, flag = -wanted * t, Flag.one_sided
            else:
                fitted = sign * max(down, up)
                flag = Flag.ok if sign == wanted else Flag.one_sided
        if abs(fitted) < t:
            flag |= Flag.shrunk
        if fitted == 0 or not self.felt(fitted):
            return fitted, stencil, Flag.fixed
        return fitted, stencil, flag


@dataclass
class _LinePlan(Plan):
    """A plan for the one variable t at 0, whose ends are those of x."""

    line: Any = None

    def distance(self) -> Float:
        return np.array([self.line.distance()])

    def scale(self, x_scale: Any) -> Float:
        return np.array([np.min(self.line.sizes())])

    def inside(self, h: Float, stencil: Stencil) -> Mask:
        t, (offsets, _, _) = float(h[0]), stencil
        reach = offsets[0] * t, offsets[-1] * t
        return np.array([-self.line.down <= min(reach) and max(reach) <= self.line.up and self.line.felt(t)])
