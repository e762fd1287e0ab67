"""hessian, hess, hessian_diagonal and hvp: second derivatives from the user's arguments down and up again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._difference import Run, first_point
from ._differentiate import differentiate
from ._function import as_array, as_gradient, as_point, bind, check_kwargs, component, describe
from ._plan import StepOptions
from ._result import DerivativeResult, Flag
from ._second import FIRST_RICHARDSON, SMOOTH, Second, SecondRun, extrapolate, second_derivatives
from ._stencils import CENTRAL
from ._steps import EPS, default_step, positive, steps
from ._tree import as_tree

Float = NDArray[np.float64]

_NEAR = 0.03  # of the distance to an end of the domain
_ATTEMPTS = 5  # of hvp, with ever smaller steps, where the result is not finite

METHODS: Final = {
    "forward": "forward",
    "2-point": "forward",
    "central": "central",
    "3-point": "central",
    "richardson": "richardson",
}


def hessian(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    *,
    jac: Callable[..., Any] | None = None,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    noise: float | None = None,
    full_output: bool = False,
) -> Any:
    """The Hessian of a function of an array that returns one number, exactly symmetric.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``, or None where jac is given
        Gets a float64 array of x0's shape, and may write into it, keep it or return it. Returns a real number.
    x0 : array_like of any shape, or number, or a dict, list or tuple of arrays
        The point, real and finite. A tree, as in `gradient`: fun (and jac) get x0's structure.
    jac : callable ``jac(x, *args, **kwargs)``, optional
        The gradient of fun, of x0's shape (or structure) or flat. The Hessian is then the symmetric part of its
        Jacobian: more accurate, and in 2n calls of jac; fun is not called.
    method : {"central", "forward", "richardson"}
        "richardson" extrapolates central differences at up to four steps to h = 0. Its steps are long where fun is
        smooth, and short where they show that it varies fast.
    rel_step : float or array of x0's shape, optional
        h = rel_step max(|x0|, x_scale). Default: eps^(1/4) for central, eps^(1/3) for forward (with jac eps^(1/3) and
        eps^(1/2)), with h rounded to a power of two; eps is that of fun's dtype if it is coarser than float64. For
        richardson the longest of its steps; default 9/64.
    abs_step : float or array of x0's shape, optional
        h itself, in the units of x0. Not together with rel_step.
    x_scale : float or array of x0's shape, default 1
        The size of x where |x0| is smaller. Give it where variables live on a scale far from 1.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside. Differences become shorter or one-sided near a bound. lb == ub fixes a variable:
        nan in its row and column.
    f0 : float, optional
        fun(x0), if known; saves one call. Not used with jac.
    args, kwargs : tuple, dict
        Further arguments of fun and jac.
    noise : float, optional
        The standard deviation of the errors in fun's values, where it is more than rounding. Widens the steps to
        (noise / |f0|)^(1/4) max(|x0|, x_scale) or, where that turns out to be far from good, to what the measured
        curvature asks for instead of |f0|; at most to a tenth of max(|x0|, x_scale). Not with jac.
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead; step is that of each variable,
        for richardson that from which it goes to longer ones.

    Returns
    -------
    ndarray of shape (n, n), or DerivativeResult
        Rows and columns are the components of x0, flat in C order. A float for a number. For a tree also (n, n), by its
        flat vector: dicts in the order of their sorted keys; step is flat too.

    Raises
    ------
    TypeError
        x0, a step or a bound that is no real number; fun or jac is not callable or returns no real number; jac=True.
    ValueError
        x0 with nan or inf, or outside the bounds by more than rounding; steps or noise that are not positive, or too
        small to be felt; fun returns more than one number; jac another shape; an unknown method.
    ImportError
        x0 is a tree, and optree is not installed.

    Notes
    -----
    Calls of fun, for n free variables: n^2 + n + 1 (central), n (n + 1) / 2 + n + 1 (forward), at most 4 (n^2 + n) + 1
    (richardson); of jac: 2n, n + 1, 8n. One less with f0. More only where something is wrong: where fun is not
    finite at a point or seems to end near x0 (smaller steps are tried, then one side, then nan in that row and column;
    flags say so), where fun writes into its argument, and up to 4n with noise. A coarser dtype costs no call.
    Order of accuracy: 2, 1, and up to 8. Relative errors for a smooth function of size 1: 1e-8, 1e-5, 1e-12; with jac
    1e-11, 1e-8, 1e-13.

    `error` is a bound on the errors of rounding and noise, and for central and forward a guess of that of truncation
    which costs no calls: it supposes that fun varies on the scale of a tenth of max(|x0|, x_scale), not faster. For
    richardson it is estimated from the extrapolation.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 25.3.23-27; Ridders, Advances in Engineering Software 4
    (1982) 75-76.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hessian(lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1], [1.0, 3.0]).round(6)
    array([[ 4., -1.],
           [-1.,  6.]])
    """
    tree = as_tree(x0)
    if tree is not None:
        _check_jac(jac)
        x0, (rel_step, abs_step, x_scale, bounds) = tree.x0, tree.options(rel_step, abs_step, x_scale, bounds)
        fun, jac = (tree.wrap(fun), None) if jac is None else (None, tree.wrap_gradient(jac))
    options = (method, rel_step, abs_step, x_scale, bounds)
    if jac is not None:
        level = _noise(noise)
        if level is not None:
            raise ValueError(f"`noise` is that of the values of `fun` and cannot be given with `jac`; it is {noise!r}")
        found, shape = _from_gradient(jac, x0, *options, args, kwargs)
    else:
        found, shape = _from_values(fun, x0, *options, f0, args, kwargs, noise, True, full_output)
    return _answer(found, () if shape == () else found.value.shape, shape, full_output)


def hess(fun: Callable[..., Any] | None, **options: Any) -> Callable[..., Any]:
    """A callable H(x, *args) that returns the Hessian of fun, for ``scipy.optimize.minimize(..., hess=H)``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``, or None where jac is given
        As in `hessian`.
    **options
        Those of `hessian`, but f0, args and full_output.

    Returns
    -------
    callable ``H(x, *args, **kwargs)``
        Returns (n, n).

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `hessian`, when H is called.

    Notes
    -----
    Calls of fun in each call of H, and accuracy: as `hessian`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> H = numdiff.hess(lambda x, a: a * x[0] * x[1])
    >>> H(np.array([1.0, 2.0]), 3.0).round(6)
    array([[0., 3.],
           [3., 0.]])
    """
    allowed = ("jac", "method", "rel_step", "abs_step", "x_scale", "bounds", "noise", "kwargs")
    for name in options:
        if name not in allowed:
            raise TypeError(f"unknown option `{name}`; allowed are {', '.join(allowed)}")
    _method(options.get("method", "central"))
    check_kwargs(options.get("kwargs"))

    def hessian_at(x: ArrayLike, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            return hessian(fun, x, args=args, **{**options, "kwargs": {**(options.get("kwargs") or {}), **kwargs}})
        return hessian(fun, x, args=args, **options)

    return hessian_at


def hessian_diagonal(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    noise: float | None = None,
    full_output: bool = False,
) -> Any:
    """The diagonal of the Hessian: the second derivative by each component of x0.

    Parameters
    ----------
    x0 : array_like of any shape, or number
        The point, real and finite; no tree.
    fun, method, rel_step, abs_step, x_scale, bounds, f0, args, kwargs, noise, full_output
        As in `hessian`.

    Returns
    -------
    ndarray of x0's shape (a float for a number), or DerivativeResult

    Raises
    ------
    TypeError, ValueError
        As `hessian`.

    Notes
    -----
    Calls of fun, for n free variables: 2n + 1 (central, forward), 8n + 1 (richardson); one less with f0. For central
    and forward the numbers are the diagonal of `hessian` to the bit. Accuracy and source as in `hessian`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hessian_diagonal(lambda x: (x**3).sum(), [1.0, 2.0]).round(6)
    array([ 6., 12.])
    """
    options = (method, rel_step, abs_step, x_scale, bounds)
    found, shape = _from_values(fun, x0, *options, f0, args, kwargs, noise, False, full_output)
    return _answer(found, shape, shape, full_output)


def hvp(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    v: ArrayLike,
    *,
    jac: Callable[..., Any] | None = None,
    x_scale: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
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

    Returns
    -------
    ndarray of x0's shape, or a float for a number
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
    to a power of two. Where the result is not finite, smaller steps are tried. Order of accuracy: 2. Relative errors
    for a smooth function of size 1: 1e-11 and 1e-8. Nocedal and Wright, Numerical Optimization, section 8.1.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hvp(lambda x: x[0] ** 2 * x[1], [3.0, 2.0], [1.0, 1.0]).round(6)
    array([10.,  6.])
    """
    _check_jac(jac)
    fun, args = bind(fun if jac is None else jac, args, kwargs)
    point, _ = as_point(x0)
    vector = _vector(v, point)
    size: Any = positive("x_scale", 1.0 if x_scale is None else x_scale, point.shape)
    scale = np.asarray(np.maximum(np.abs(point), size.reshape(point.shape if size.size > 1 else ())))
    along = np.abs(vector) / scale
    if not along.any():
        return np.zeros(point.shape)[()]
    run = SecondRun(fun if jac is None else _Gradient(fun, point.shape), args, point, jac is None, None)
    with np.errstate(divide="ignore"):
        # to where a component of x is 0, an end of the domain as likely as any
        room = np.min(np.where((vector != 0) & (point != 0), np.abs(point) / np.abs(vector), np.inf))

    def attempt(shorter: float | None) -> Float:
        eps = run.eps or EPS
        t = float(default_step(eps, 2, 1 if jac is not None else 2)) / float(np.max(along))
        if shorter is not None:
            t = min(t, _NEAR * room) * shorter
        t = float(2.0 ** np.round(np.log2(t)))
        if jac is not None:
            return _along(run, vector, t, None)
        h = steps(scale.reshape(-1), default_step(eps, 2, 2), None, None, None).reshape(point.shape)
        if shorter is not None:
            h = np.asarray(np.minimum(h, np.where(point != 0, _NEAR * np.abs(point), np.inf)) * shorter)
        return _along(run, vector, t, h)

    result = np.full(point.size, np.nan)
    for shorter in (None, *(0.1**k for k in range(_ATTEMPTS))):
        eps_before = run.eps or EPS
        new = attempt(shorter)
        if (run.eps or EPS) > eps_before:  # fun turned out to be coarser than float64: again, with longer steps
            new = attempt(shorter)
        result = np.where(np.isnan(result) & np.isfinite(new), new, result)
        if np.isfinite(result).all():
            break
    return result.reshape(point.shape)[()]


def _along(run: SecondRun, vector: Float, t: float, h: Float | None) -> Float:
    """The change of the gradient from x0 - t v to x0 + t v over 2t; from values where h is given."""
    gradients = []
    for sign in (1.0, -1.0):
        x = np.array(run.x0 + sign * t * vector)
        if h is None:
            gradients.append(np.atleast_1d(run.evaluate(x)))
            continue
        first = None
        if run.eps is None:
            first = run.evaluate(first_point(x, 0, h.reshape(-1)[0], CENTRAL))
            if run.coarse:
                return np.full(x.size, np.nan)
        beside = Run(run.fun, run.args, x, True, None)
        rows, _ = beside.difference(None, h, CENTRAL, first)
        run.nfev += beside.nfev
        gradients.append(rows[:, 0])
    with np.errstate(all="ignore"):
        return np.asarray((gradients[0] - gradients[1]) / (2.0 * t))


def _vector(v: ArrayLike, point: Float) -> Float:
    array = as_array(v)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`v` must be a real number or an array of them; it is {describe(v)}")
    if array.shape != point.shape:
        raise ValueError(f"`v` must have the shape of `x0`, {point.shape}; it has {array.shape}")
    vector = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        where = component("v", int(bad[0]), vector.shape)
        raise ValueError(f"`v` must be finite; {where} is {vector.reshape(-1)[bad[0]]}")
    return vector


def _method(method: Any) -> str:
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"`method` must be 'forward', 'central' or 'richardson' (or '2-point', '3-point'); it is {method!r}"
        )
    return METHODS[method]


def _noise(noise: Any) -> float | None:
    if noise is None:
        return None
    array = as_array(noise)
    if array.dtype.kind not in "fiu" or array.shape != ():
        raise TypeError(
            f"`noise` must be a positive number, the standard deviation of the values; it is {describe(noise)}"
        )
    if not 0.0 < float(array) < np.inf:
        raise ValueError(f"`noise` must be positive and finite; it is {noise!r}")
    return float(array)


def _check_jac(jac: Any) -> None:
    if jac is not None and not callable(jac):
        more = ": fun that returns its value and gradient is not taken here" if jac is True else ""
        raise TypeError(f"`jac` must be callable or None; it is {describe(jac)}{more}")


def _options(
    x0: Float, rel_step: ArrayLike | None, abs_step: ArrayLike | None, x_scale: ArrayLike | None
) -> StepOptions:
    if rel_step is not None and abs_step is not None:
        raise ValueError(f"give `rel_step` or `abs_step`, not both; they are {rel_step!r} and {abs_step!r}")
    found = [
        positive(name, value, x0.shape)
        for name, value in (("rel_step", rel_step), ("abs_step", abs_step), ("x_scale", x_scale))
    ]
    return StepOptions(*(v if v is None or not v.shape else v.reshape(-1) for v in found))


def _from_values(
    fun: Any,
    x0: ArrayLike,
    method: str,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    f0: ArrayLike | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    noise: float | None,
    mixed: bool,
    bars: bool,
) -> tuple[Second, tuple[int, ...]]:
    kind = _method(method)
    level = _noise(noise)
    fun, args = bind(fun, args, kwargs)
    point, moderate = as_point(x0)
    options = _options(point, rel_step, abs_step, x_scale)
    limits = as_bounds(bounds, point, moderate)
    run = SecondRun(fun, args, point, True, f0)
    return second_derivatives(run, kind, options, limits, level, mixed, bars), point.shape


class _Gradient:
    """jac with its value as a flat array, or an error that names it; remembers the largest values."""

    def __init__(self, jac: Callable[..., Any], shape: tuple[int, ...]) -> None:
        self.jac, self.shape = jac, shape
        self.largest = np.zeros(math.prod(shape))

    def __call__(self, x: Float, *args: Any) -> NDArray[Any]:
        array = as_gradient(self.jac(x, *args), self.shape)
        np.fmax(self.largest, np.abs(array), out=self.largest, where=np.isfinite(array), casting="unsafe")
        return array


def _from_gradient(
    jac: Any,
    x0: ArrayLike,
    method: str,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
) -> tuple[Second, tuple[int, ...]]:
    """The symmetric part of the Jacobian of jac."""
    kind = _method(method)
    _check_jac(jac)
    bound, args = bind(jac, args, kwargs)
    point, _ = as_point(x0)
    options = _options(point, rel_step, abs_step, x_scale)
    gradient = _Gradient(bound, point.shape)
    if kind != "richardson":
        found = differentiate(
            gradient, x0, False, kind, rel_step=rel_step, abs_step=abs_step, x_scale=x_scale, bounds=bounds, args=args
        )
        return _symmetric(found, kind, gradient.largest, options.x_scale, point), point.shape

    h0 = steps(point.reshape(-1), FIRST_RICHARDSON, options.rel_step, options.abs_step, options.x_scale)
    levels = []
    for level in range(4):
        h = (h0 * 0.5**level).reshape(point.shape)
        found = differentiate(gradient, x0, False, "central", abs_step=h, bounds=bounds, args=args)
        levels.append(_symmetric(found, kind, gradient.largest, options.x_scale, point))
    last = levels[-1]
    last.run.nfev = sum(one.run.nfev for one in levels)
    along = np.abs([one.steps for one in levels])
    rounding = np.array([_rounding(last.run, gradient.largest, h) for h in along])
    with np.errstate(all="ignore"):
        ratio = along / along[0]
        z = ratio[:, :, None] * ratio[:, None, :]
    value, error = extrapolate(np.array([one.value for one in levels]), z, rounding)
    error[np.isnan(value)] = np.nan
    return Second(last.run, kind, value, error, last.steps, last.flags), point.shape


def _rounding(run: Run, largest: Float, h: Float) -> Float:
    """What rounding in the values of jac can do to the symmetric part of its Jacobian."""
    with np.errstate(all="ignore"):
        bar = (run.eps or EPS) * largest / np.abs(h)[:, None]
        return np.asarray(0.5 * (bar + bar.T))


def _symmetric(found: Any, kind: str, largest: Float, x_scale: Any, point: Float) -> Second:
    """The symmetric part of a Jacobian, the steps of the variables, the flags of both rows, and error bars."""
    rows, n = found.rows, len(found.rows)
    h = found.steps if found.steps.ndim == 1 else found.steps[:, 0]
    flags = np.zeros((n, n), np.intp) if found.flags is None else found.flags
    value = 0.5 * (rows + rows.T)
    with np.errstate(all="ignore"):
        reach = np.abs(h) / (SMOOTH * np.maximum(np.abs(point.reshape(-1)), 1.0 if x_scale is None else x_scale))
        truncation = 0.5 * reach if kind == "forward" else reach**2 / 6
        root = np.sqrt(np.abs(np.diag(value)))
        bars = np.maximum(np.abs(value), root[:, None] * root) * np.maximum(truncation[:, None], truncation)
        # Only a wrong jac, or rounding, is not symmetric.
        error = bars + _rounding(found.run, largest, h) + 0.5 * np.abs(rows - rows.T)
    return Second(found.run, kind, value, error, h, flags | flags.T)


def _answer(found: Second, shape: tuple[int, ...], x_shape: tuple[int, ...], full_output: bool) -> Any:
    value = found.value.reshape(shape)[()]
    if not full_output:
        return value
    flags = found.flags.reshape(shape)
    if (found.run.eps or EPS) > EPS:
        flags = flags | Flag.low_precision
    step = found.steps.reshape(x_shape if shape == x_shape else -1)[()]
    return DerivativeResult(value, found.error.reshape(shape)[()], step, found.run.nfev, found.kind, flags[()])
