"""hvp: the Hessian times a vector, without the Hessian."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._difference import Run, first_point
from ._function import as_point, as_vector, bind, recognise_gradient
from ._hessian import check_jac, gradient_calls
from ._result import DerivativeResult, Flag
from ._second import SecondRun
from ._stencils import CENTRAL
from ._steps import EPS, default_step, positive, steps

Float = NDArray[np.float64]

_NEAR = 0.03  # of the distance to an end of the domain
_SMOOTH = 0.1  # of max(|x|, x_scale): error bars suppose that fun varies on this scale, not faster
_ATTEMPTS = 5  # of hvp, with ever smaller steps, where the result is not finite


def hvp(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    v: ArrayLike,
    *,
    jac: Callable[..., Any] | None = None,
    x_scale: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    full_output: bool = False,
) -> Any:
    """The Hessian of fun times a vector, without the Hessian.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``, or None where jac is given
        As in `hessian`.
    x0 : array_like of any shape, or number
        The point, real and finite.
    v : array_like of x0's shape
        The vector, real and finite. Its length does not matter; zeros give zeros without a call.
    jac : callable ``jac(x, *args, **kwargs)``, optional
        The gradient of fun, of x0's shape or flat.
    x_scale : float or array of x0's shape, default 1
        The size of x where |x0| is smaller.
    args, kwargs : tuple, dict
        Further arguments of fun and jac.
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead; the step is t. error is a bound on
        rounding, and a guess of truncation for a fun that varies on a tenth of max(|x0|, x_scale), not faster.

    Returns
    -------
    ndarray of x0's shape, or a float for a number, or DerivativeResult
        nan where fun or jac is not finite at any of the steps that were tried.

    Raises
    ------
    TypeError
        x0 or v that is no real number; fun or jac is not callable or returns no real number; jac=True.
    ValueError
        x0 or v with nan or inf; v of another shape than x0; fun returns more than one number; jac another shape.

    Notes
    -----
    Two calls of jac, at x0 + t v and x0 - t v; or 4n calls of fun: a central difference along v of central gradients.
    t is eps^(1/3) or from values eps^(1/4) of that step which moves some component by its max(|x0|, x_scale), rounded
    to a power of two. Where the result is not finite, smaller steps are tried, with as many calls each time; once where
    a component moves by more than 0.03 of its distance to 0, for a function that ends there. One call more where fun
    is coarser than float64. full_output costs no call. Order of accuracy: 2. Relative errors
    for a smooth function of size 1: 1e-11 and 1e-8. Nocedal and Wright, Numerical Optimization, section 8.1.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hvp(lambda x: x[0] ** 2 * x[1], [3.0, 2.0], [1.0, 1.0]).round(6)
    array([10.,  6.])
    """
    jac = recognise_gradient(jac, x0)
    check_jac(jac)
    fun, args = bind(fun if jac is None else jac, args, kwargs)
    point, _ = as_point(x0)
    vector = as_vector(v, point.shape).reshape(point.shape)
    size: Any = positive("x_scale", 1.0 if x_scale is None else x_scale, point.shape)
    scale = np.asarray(np.maximum(np.abs(point), size.reshape(point.shape if size.size > 1 else ())))
    along = np.abs(vector)
    # A power of two makes v about as long as 1, exactly: in the units of scale, whatever its length was.
    exponent = int(np.max(np.frexp(along)[1] - np.frexp(scale)[1], initial=-5000, where=along > 0))
    if exponent == -5000:
        zeros = np.zeros(point.shape)
        nothing = zeros.astype(np.intp)
        return (
            DerivativeResult(zeros[()], zeros[()], zeros[()] * np.nan, 0, "central", nothing[()])
            if full_output
            else zeros[()]
        )
    vector = np.ldexp(vector, -exponent)
    along = np.abs(vector) / scale
    run = SecondRun(fun if jac is None else gradient_calls(fun, point.shape), args, point, jac is None, None)
    with np.errstate(divide="ignore", over="ignore"):
        # to where a component of x is 0, an end of the domain as likely as any
        room = np.min(np.where((vector != 0) & (point != 0), np.abs(point) / np.abs(vector), np.inf))

    def attempt(shorter: float | None) -> tuple[Float, Float, float]:
        eps = run.eps or EPS
        t = float(default_step(eps, 2, 1 if jac is not None else 2)) / float(np.max(along))
        if shorter is not None:
            t = min(t, _NEAR * room) * shorter
        t = float(2.0 ** np.round(np.log2(t)))
        if jac is not None:
            return *_along(run, vector, t, None), t
        h = steps(scale.reshape(-1), default_step(eps, 2, 2), None, None, None).reshape(point.shape)
        if shorter is not None:
            h = np.asarray(np.minimum(h, np.where(point != 0, _NEAR * np.abs(point), np.inf)) * shorter)
        return *_along(run, vector, t, h), t

    result, error, step = np.full((3, point.size), np.nan)
    flags = np.zeros(point.size, np.intp)
    for shorter in (None, *(0.1**k for k in range(_ATTEMPTS))):
        eps_before = run.eps or EPS
        new, rounding, t = attempt(shorter)
        if (run.eps or EPS) > eps_before:  # fun turned out to be coarser than float64: again, with longer steps
            new, rounding, t = attempt(shorter)
        with np.errstate(all="ignore"):
            reach = t * np.max(along) / _SMOOTH
            truncation = reach**2 / 3.0 if shorter is None else max(reach**2 / 3.0, (2.0 * _NEAR) ** 2)
            bar = rounding + np.abs(new) * truncation
            # The longer step has less rounding in it; at the end of a domain it is wrong by much more than this.
            other = np.abs(new - result) > np.maximum(0.1 * np.abs(result), 10.0 * rounding)
        take = np.isfinite(new) & (np.isnan(result) | (other if shorter == 1.0 else False))
        result[take], error[take], step[take] = new[take], bar[take], t
        flags[take] = Flag.ok if shorter is None else Flag.shrunk
        if np.isfinite(result).all() and (shorter is not None or t <= _NEAR * room):
            break
    flags[np.isnan(result)] = Flag.nonfinite
    with np.errstate(over="ignore", under="ignore"):
        value = np.ldexp(result, exponent).reshape(point.shape)[()]
        if not full_output:
            return value
        errors, ts = (np.ldexp(v, e).reshape(point.shape)[()] for v, e in ((error, exponent), (step, -exponent)))
    if run.coarse:
        flags |= Flag.low_precision
    return DerivativeResult(value, errors, ts, run.nfev, "central", flags.reshape(point.shape)[()])


def _along(run: SecondRun, vector: Float, t: float, h: Float | None) -> tuple[Float, Float]:
    """The change of the gradient from x0 - t v to x0 + t v over 2t, and its rounding; from values where h is given."""
    gradients, level = [], np.zeros(vector.size)
    for sign in (1.0, -1.0):
        x = np.array(run.x0 + sign * t * vector)
        if h is None:
            gradients.append(np.atleast_1d(run.evaluate(x)))
            level = np.maximum(level, np.abs(gradients[-1]))
            continue
        first = None
        if run.eps is None:
            first = run.evaluate(first_point(x, 0, h.reshape(-1)[0], CENTRAL))
            if run.coarse:
                return np.full((2, x.size), np.nan)  # type: ignore[return-value]
        beside = Run(run.fun, run.args, x, True, None)
        kept = np.empty((x.size, 2, 1))
        rows, _ = beside.difference(None, h, CENTRAL, first, kept)
        run.nfev += beside.nfev
        gradients.append(rows[:, 0])
        level = np.maximum(level, np.abs(kept).max(axis=(1, 2)) / h.reshape(-1))
    with np.errstate(all="ignore"):
        rounding = 2.0 * (run.eps or EPS) * level / t
        return np.asarray((gradients[0] - gradients[1]) / (2.0 * t)), np.asarray(rounding)
