"""jvp: the derivative along a direction, the Jacobian times a vector, without the Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._difference import Run
from ._differentiate import method_of
from ._function import as_point, as_vector, bind
from ._plan import StepOptions
from ._result import DerivativeResult, Flag
from ._stencils import CENTRAL, FORWARD, ONE_SIDED, Stencil
from ._steps import EPS, default_step

Float = NDArray[np.float64]

METHODS: Final = ("central", "forward", "backward")

_CLEAR: Final = 0.03  # of the distance of a component to 0: a step that keeps clear of the end of a domain
_ROUNDS: Final = 12
_ROUNDS_ONE_SIDED: Final = 4


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
    args, kwargs : tuple, dict
        Further arguments of fun.
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead; the step is t, and there is no
        error.

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
    than float64. Where fun is not finite at a point, the step is shrunk, or one side is taken, or the values are nan;
    flags say so.
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
    own = vars(StepOptions.of_arguments(rel_step, abs_step, x_scale, point.shape))
    limits = as_bounds(bounds, point, moderate)
    line = _Line(Run(fun, args, point, False, f0), point, direction, limits)
    run = line.run

    value, t, flags = line.difference(method, own)
    number = line.number if f0 is None or run.nfev else np.ndim(f0) == 0
    if line.eps > EPS:
        flags |= Flag.low_precision
    if not full_output:
        return float(value[0]) if number else value
    if number:
        return DerivativeResult(float(value[0]), None, float(t[0]), run.nfev, method, int(flags[0]))
    return DerivativeResult(value, None, t, run.nfev, method, flags)


class _Line:
    """fun on the line x0 + t v."""

    def __init__(self, run: Run, point: Float, v: Float, limits: tuple[Float, Float] | None) -> None:
        self.run = run
        self.shape = point.shape
        self.x = point.reshape(-1)
        self.v = v
        self.moves = v != 0
        self.limits = limits
        self.first: tuple[float, Float] | None = None  # t and the value of a call made ahead
        self.number = False  # whether fun returns a number rather than an array
        own = run.fun

        def noting(x: Any, *args: Any) -> Any:
            value = own(x, *args)
            self.number = np.ndim(value) == 0
            return value

        run.fun = noting

    def at(self, t: float) -> Float:
        """fun at x0 + t v as an array; rounding is kept from carrying the point past a bound."""
        if self.first is not None and self.first[0] == t:
            value, self.first = self.first[1], None
            return value
        with np.errstate(all="ignore"):
            x = self.x + t * self.v
        if self.limits is not None:
            np.clip(x, *self.limits, out=x)
        return np.atleast_1d(self.run.evaluate(x.reshape(self.shape)))

    @property
    def eps(self) -> float:
        return self.run.eps or EPS

    def f0(self) -> Float:
        return np.atleast_1d(self.run.need_f0())

    def rooms(self) -> tuple[float, float]:
        """How far t may go down and up."""
        if self.limits is None:
            return np.inf, np.inf
        x, v = self.x[self.moves], self.v[self.moves]
        lb, ub = (bound[self.moves] for bound in self.limits)
        with np.errstate(all="ignore"):
            to_lb, to_ub = (x - lb) / np.abs(v), (ub - x) / np.abs(v)
        up, down = np.where(v > 0, to_ub, to_lb), np.where(v > 0, to_lb, to_ub)
        return float(np.min(down, initial=np.inf)), float(np.min(up, initial=np.inf))

    def wanted(self, method: str, own: Mapping[str, Any]) -> float:
        """The longest t with t |v_i| <= h_i."""
        x, v = np.abs(self.x), np.abs(self.v)
        relative = default_step(self.eps, 2 if method == "central" else 1)
        named = next((name for name in ("abs_step", "rel_step") if own[name] is not None), None)
        with np.errstate(all="ignore"):
            size = np.maximum(x, 1.0 if own["x_scale"] is None else own["x_scale"])
            if own["abs_step"] is not None:
                h = np.broadcast_to(own["abs_step"], x.shape)
            else:
                h = size * (relative if own["rel_step"] is None else own["rel_step"])
            t = float(np.min((h / v)[self.moves]))
        if named is None:
            t = float(2.0 ** np.clip(np.round(np.log2(t)), -1000, 1000)) if 0 < t < np.inf else t
        if not 0 < t < np.inf:
            raise ValueError(f"`v` is too long or too short: the step along it is {t}")
        if not self.felt(t) and named is not None:
            raise ValueError(f"`{named}` is too small: the step {t} along `v` is lost in rounding at `x0`")
        return t

    def felt(self, t: float) -> bool:
        with np.errstate(all="ignore"):
            return bool(np.any(self.x + t * self.v != self.x))

    def quotient(self, t: float, stencil: Stencil) -> Float:
        offsets, weights, scale = stencil
        total = np.zeros(0)
        for j, (offset, weight) in enumerate(zip(offsets, weights, strict=True)):
            value = self.at(offset * t) if offset else self.f0()
            with np.errstate(all="ignore"):
                total = weight * value if j == 0 else total + weight * value
        with np.errstate(all="ignore"):
            return np.asarray(total / (scale * ((offsets[-1] - offsets[0]) * t)))

    def difference(self, method: str, own: Mapping[str, Any]) -> tuple[Float, Float, NDArray[np.intp]]:
        """J v, the steps and the flags, all (m,)."""
        run = self.run
        if not self.moves.any():
            m = self.f0().size
            return np.zeros(m), np.full(m, np.nan), np.zeros(m, np.intp)
        default = own["rel_step"] is None and own["abs_step"] is None
        for _ in range(2):
            t, stencil, flag = self.fit(method, self.wanted(method, own))
            if not flag & Flag.fixed and run.eps is None:
                first = next(offset for offset in stencil[0] if offset or run.f0 is None)
                if first:
                    self.first = first * t, self.at(first * t)
                else:
                    self.f0()
                if self.eps > EPS and default:
                    self.first = None
                    continue  # once more, with the steps of that precision
            if not flag & Flag.fixed:
                quotient = self.quotient(t, stencil)
            break
        if flag & Flag.fixed:
            m = run.m if run.m is not None else self.f0().size
            return np.full(m, np.nan), np.full(m, np.nan), np.full(m, int(flag), np.intp)
        ts, flags = np.full(quotient.size, t), np.full(quotient.size, int(flag), np.intp)
        if not np.isfinite(quotient).all():
            self._search(quotient, ts, flags, stencil, method)
        return quotient, ts, flags

    def fit(self, method: str, t: float) -> tuple[float, Stencil, Flag]:
        """A signed step within the bounds, its stencil and what had to be done for it."""
        down, up = self.rooms()
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

    def _search(self, quotient: Float, ts: Float, flags: NDArray[np.intp], stencil: Stencil, method: str) -> None:
        """Where values are not finite: smaller steps until they are, and once more; then one side; then nan."""
        with np.errstate(all="ignore"):
            hopeless = ~np.isfinite(quotient) & ~np.isfinite(self.f0())
            t = float(ts[0])
            clear = np.abs(self.x / self.v)[self.moves & (self.x != 0)]
            smaller = min(0.1 * abs(t), _CLEAR * float(np.min(clear, initial=np.inf)))
            pending = ~np.isfinite(quotient) & ~hopeless
            side = ONE_SIDED if method == "central" else FORWARD
            tries = [(np.copysign(smaller, t), stencil, Flag.shrunk, _ROUNDS)]
            tries += [(s * abs(t), side, Flag.one_sided, _ROUNDS_ONE_SIDED) for s in (1.0, -1.0)]
            down, up = self.rooms()
            for start, rule, flag, rounds in tries:
                step, seen = start, np.zeros_like(pending)
                for round_ in range(rounds):
                    if not pending.any():
                        break
                    step = float(np.copysign(2.0 ** np.floor(np.log2(abs(step))), step))
                    reach = (rule[0][0] * step, rule[0][-1] * step)
                    if -down <= min(reach) and max(reach) <= up and self.felt(step):
                        new = self.quotient(step, rule)
                        take = pending & np.isfinite(new)
                        quotient[take], ts[take] = new[take], step
                        flags[take] |= int(flag | (Flag.shrunk if round_ else Flag.ok))
                        # One more, as a step that just fits is too long for a function that ends there.
                        pending &= ~(take & (seen | (rule is side and round_ == 0)))
                        seen |= take
                    step *= 0.1
                pending &= ~np.isfinite(quotient)
        lost = ~np.isfinite(quotient)
        quotient[lost], ts[lost] = np.nan, np.nan
        flags[lost] |= Flag.nonfinite
