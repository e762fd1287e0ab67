"""SciPy's names: approx_fprime and approx_derivative, with SciPy's signatures, steps, order of operations and bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _mapped, _sparse
from ._difference import NoStepError, difference
from ._engine import as_workers
from ._function import same_at_most_1d
from ._kernels_py import INVALID, OVERFLOW
from ._native import Native, recognise
from ._stencils import CENTRAL, FORWARD, ONE_SIDED, Stencil
from ._steps import default_step, fit_to_bounds

EPSILON: Final[Any] = np.sqrt(np.finfo(np.float64).eps)
_NO_BOUNDS: Final = (-np.inf, np.inf)
_BELOW, _ABOVE = np.float64(-np.inf).tobytes(), np.float64(np.inf).tobytes()
_ORDER: Final = {"2-point": 1, "3-point": 2, "cs": 1}  # h = eps ** (1 / (order + 1))

# Arrays: NumPy takes them faster than numbers.
_ZERO, _ONE = np.array(0.0), np.array(1.0)

_same_number = partial(same_at_most_1d, 1)


def approx_fprime(xk: ArrayLike, f: Callable[..., Any], epsilon: Any = EPSILON, *args: Any) -> NDArray[Any]:
    """Forward differences of a scalar or vector function, SciPy's name.

    Parameters
    ----------
    xk : array_like, shape (n,)
        The point. f sees float64 arrays of shape (n,), (1,) for a number.
    f : callable ``f(x, *args)``
        Returns a number or a 1-D array of shape (m,).
    epsilon : float or array_like of shape (n,), default sqrt(eps) = 1.49e-8
        Absolute steps, in the units of xk. None: sqrt(eps) max(1, |x_i|) with the sign of x_i. A step that is lost
        in rounding is replaced by that as well.
    *args : further arguments of f.

    Returns
    -------
    ndarray
        The gradient, shape (n,), or the Jacobian, shape (m, n) where m > 1.

    Raises
    ------
    ValueError
        xk has more than one dimension, or f returns arrays of different shapes.

    Notes
    -----
    n + 1 evaluations; first order: the error is about sqrt(eps) times the second derivative. The bits are those of
    ``scipy.optimize.approx_fprime``, except where that is wrong: f may write into its argument, may return the same
    array every time, and, with epsilon left at its default, may return float32 or float16.
    Formula: (f(x + h) - f(x)) / ((x + h) - x); Nocedal and Wright, Numerical Optimization, section 8.1.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.approx_fprime([2.0], lambda x: x[0] ** 2, 1e-6).round(9)
    array([4.000001])
    """
    f = recognise(f)
    x0 = np.asarray(xk, float)
    f0 = f(x0.copy(), *args)
    if isinstance(f0, float) and isinstance(epsilon, float) and x0.ndim == 1 and x0.size and isfinite(epsilon):
        # The common case, without approx_derivative's care: most of the time of a small gradient.
        h = np.empty(x0.shape)
        h.fill(epsilon)
        try:
            df, _, remarks = difference(f, args, _same_number, 1, x0.copy(), None, h, FORWARD, f0)
        except NoStepError:
            pass
        else:
            if remarks:
                _warn_as_numpy(remarks)
            return df
    if isinstance(epsilon, float) and epsilon == EPSILON and _is_coarse(f0):
        epsilon = None  # sqrt(eps) of float64 would be lost in the rounding of f
    return approx_derivative(f, x0, method="2-point", abs_step=epsilon, args=args, f0=f0)  # type: ignore[no-any-return]


def approx_derivative(
    fun: Callable[..., Any],
    x0: Any,
    method: str = "3-point",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    f0: Any = None,
    bounds: tuple[ArrayLike, ArrayLike] = _NO_BOUNDS,
    sparsity: Any = None,
    as_linear_operator: bool = False,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    full_output: bool = False,
    workers: Any = None,
) -> Any:
    """Finite differences of a vector function, the interface of SciPy's optimisers.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Takes an array of shape (n,), returns a number or an array of shape (m,).
    x0 : array_like, shape (n,), or number
        The point. fun sees its dtype if that is real floating, else float64.
    method : {"3-point", "2-point", "cs"}
        Central (second order; one-sided second order at a bound), forward (first order) or complex step (for
        analytic functions, which must take complex arguments; nothing is checked).
    rel_step : array_like, optional
        h = rel_step sign(x0) |x0|. Default: eps^(1/s) sign(x0) max(1, |x0|), with s = 3 for "3-point", else 2,
        and eps that of the coarser of x0's and fun's dtype. A step that is lost in rounding is replaced by the default.
    abs_step : array_like, optional
        h itself, in the units of x0; wins over rel_step. "3-point" ignores signs.
    f0 : array_like, optional
        fun(x0), if known.
    bounds : (lb, ub), numbers or arrays of shape (n,)
        fun is never evaluated outside; "cs" ignores them.
    sparsity : array, sparse array, or (structure, groups), optional
        The nonzeros of the Jacobian, shape (m, n), and the groups of its columns (default: `group_columns`).
    as_linear_operator : bool
        Return a LinearOperator for products J p instead.
    args, kwargs : tuple, dict
        Further arguments of fun.
    full_output : bool
        Return (J, {"nfev": number of evaluations}).
    workers : int or map-like callable, optional
        Evaluate by ``workers(fun, points)``, or in so many processes (-1: one for each core).

    Returns
    -------
    J : ndarray of shape (n,) if m is 1, else (m, n); csr_array or csr_matrix (m, n); or LinearOperator (m, n)

    Raises
    ------
    ValueError
        Unknown method; x0 with more than one dimension or out of bounds; bounds, f0 or sparsity that do not fit;
        values of fun of different shapes.
    RuntimeError
        fun returns more than one dimension; a wrong number of workers.
    ImportError
        sparsity or as_linear_operator without SciPy (the extra "sparse").

    Notes
    -----
    Evaluations, f0 included where it is not given: n + 1 ("2-point", "cs"), 2n + 1 ("3-point"); with sparsity the
    number of groups stands for n. Formulas as `approx_fprime`; (f(x + h) - f(x - h)) / ((x + h) - (x - h)); at a bound
    (-3 f(x) + 4 f(x + h) - f(x + 2h)) / ((x + 2h) - x); Fornberg, Math. Comp. 51 (1988). The bits are SciPy's, except
    where SciPy leaves the bounds, is misled by a fun that returns one buffer, or accepts an invalid sparsity.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> J = numdiff.approx_derivative(lambda x: [x[0] * x[1], np.sin(x[0])], [0.0, 3.0])
    >>> J.round(9) + 0.0
    array([[3., 0.],
           [1., 0.]])
    """
    if method not in tuple(_ORDER):  # not hashed: it may be anything
        raise ValueError(f"Unknown method '{method}'. ")
    x0 = np.array(x0, order="C", ndmin=1)  # a copy, also of a subclass an array
    if x0.dtype.kind != "f":
        x0 = x0.astype(np.float64)
    if x0.ndim > 1:
        raise ValueError("`x0` must have at most 1 dimension.")
    limits = _as_bounds(bounds, x0)
    if as_linear_operator and limits and not np.isinf(limits).all():
        raise ValueError("Bounds not supported when `as_linear_operator` is True.")
    function = _mapped.Function(recognise(fun), tuple(args), kwargs or {})
    nfev = 0
    if f0 is None:
        f0 = function(x0.copy())
        nfev = 1
    else:
        f0 = np.array(f0, ndmin=1)
        if f0.ndim > 1:
            raise ValueError("`f0` passed has more than 1 dimension.")
    if limits and np.count_nonzero((x0 < limits[0]) | (x0 > limits[1])):
        raise ValueError("`x0` violates bound constraints.")

    if as_linear_operator:
        h = _relative_default(x0, f0, method) if rel_step is None else rel_step
        J, calls = _sparse.linear_operator(function, x0, f0, h, method), 0
    else:
        h, one_sided = _steps(x0, f0, method, rel_step, abs_step), None
        if limits and method != "cs":
            h, one_sided = fit_to_bounds(x0, h, method == "3-point", *limits)
        elif method == "3-point":
            h = np.abs(h)
        J, calls = _difference(function, x0, f0, h, method, one_sided, sparsity, workers)
    return (J, {"nfev": nfev + calls}) if full_output else J


def _difference(
    function: _mapped.Function,
    x0: NDArray[Any],
    f0: NDArray[Any],
    h: NDArray[Any],
    method: str,
    one_sided: NDArray[np.bool_] | None,
    sparsity: Any,
    workers: Any,
) -> tuple[Any, int]:
    """J and the number of calls, by the kernels if they can, else one mapped point at a time."""
    stencil = FORWARD if method == "2-point" else CENTRAL
    mixed = method == "3-point" and one_sided is not None and bool(one_sided.any())
    threads = isinstance(function.fun, Native) and isinstance(workers, int) and (workers == -1 or workers > 1)
    in_kernel = (
        method != "cs"
        and sparsity is None
        and (_mapped.in_turn(workers) or threads)
        and x0.dtype == np.float64
        and f0.dtype.kind in "fiu"
        and f0.dtype.itemsize <= 8
        and h.dtype == np.float64
        and np.count_nonzero(np.isfinite(h)) == h.size
    )
    if in_kernel:
        try:
            jacobian_t, nfev = _kernel_difference(
                function, x0, f0, h, stencil, one_sided if mixed else None,
                as_workers(workers, function.fun)[0] if threads else None,
            )  # fmt: skip
            return (jacobian_t.reshape(-1) if f0.size == 1 else jacobian_t.T), nfev
        except NoStepError:
            pass  # a variable fixed by its bounds: NumPy gives nan and warns
    if method != "cs" and f0.dtype.kind not in "fiub":
        f0 - f0  # SciPy's error for values that cannot be subtracted
    stencils = None if method == "cs" else [stencil] * x0.size
    if stencils and mixed and one_sided is not None:
        stencils = [ONE_SIDED if side else stencil for side in one_sided]
    with _mapped.as_map(workers) as mapper:
        if sparsity is not None:
            return _sparse.difference(function, x0, f0, h, stencils, sparsity, mapper)
        if stencils is None:
            jacobian_t, nfev = _mapped.complex_step(function, x0, f0.size, h, mapper)
        else:
            jacobian_t, nfev = _mapped.difference(function, x0, f0, h, stencils, mapper)
    return (jacobian_t.reshape(-1) if f0.size == 1 else jacobian_t.T), nfev


def _kernel_difference(
    function: _mapped.Function,
    x0: NDArray[np.float64],
    f0: NDArray[Any],
    h: NDArray[np.float64],
    stencil: Stencil,
    one_sided: NDArray[np.bool_] | None,
    workers: Any,
) -> tuple[NDArray[np.float64], int]:
    """The transposed Jacobian and the number of calls; one_sided: where ONE_SIDED takes the place of stencil."""
    fun = partial(function.fun, **function.kwargs) if function.kwargs else function.fun
    m = f0.size
    values = _same_number if m == 1 else partial(same_at_most_1d, m)
    value = float(f0[0]) if m == 1 else f0.astype(np.float64, copy=False)
    if x0.size == 0:
        return np.empty((0, m)), 0
    h = np.ascontiguousarray(h)
    if one_sided is None:
        df, nfev, remarks = difference(fun, function.args, values, m, x0, None, h, stencil, value, workers=workers)
    else:
        df = np.empty(x0.size if m == 1 else (x0.size, m))
        nfev = remarks = 0
        for chosen, rule in ((np.flatnonzero(~one_sided), stencil), (np.flatnonzero(one_sided), ONE_SIDED)):
            if chosen.size:
                df[chosen], calls, said = difference(
                    fun, function.args, values, m, x0, chosen, h[chosen], rule, value, workers=workers
                )
                nfev += calls
                remarks |= said
    if remarks:
        _warn_as_numpy(remarks)
    return df, nfev


def _as_bounds(bounds: Any, x0: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The two bounds, each of x0's shape; None where nothing is bounded."""
    lower, upper = bounds
    if type(lower) is type(upper) is float and lower == -np.inf and upper == np.inf:
        return None
    lb, ub = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    if lb.ndim == 0 or ub.ndim == 0:
        lb, ub = (np.full(x0.shape, bound) if bound.ndim == 0 else bound for bound in (lb, ub))
    if lb.shape != x0.shape or ub.shape != x0.shape:
        raise ValueError("Inconsistent shapes between bounds and `x0`.")
    # As bytes: a fraction of the time of comparing numbers, and infinity has but one pattern of bits.
    if lb.tobytes() == _BELOW * lb.size and ub.tobytes() == _ABOVE * ub.size:
        return None
    return lb, ub


@lru_cache
def _relative(dtype: np.dtype[Any], method: str) -> Any:
    return default_step(np.finfo(dtype).eps, _ORDER[method])


def _relative_default(x0: NDArray[Any], f0: NDArray[Any], method: str) -> Any:
    """eps^(1/s), of the coarser of x0's and f0's dtype."""
    coarser = f0.dtype.kind in "fc" and f0.dtype.itemsize < x0.dtype.itemsize
    return _relative(f0.dtype if coarser else x0.dtype, method)


def _steps(
    x0: NDArray[Any], f0: NDArray[Any], method: str, rel_step: ArrayLike | None, abs_step: ArrayLike | None
) -> NDArray[Any]:
    """SciPy's absolute steps, before bounds; a new array."""
    if abs_step is not None:
        h = np.asarray(abs_step)
    elif rel_step is not None:
        h = np.asarray(rel_step) * np.where(x0 >= 0, 1.0, -1.0) * np.abs(x0)
    else:
        return _default_steps(x0, f0, method)
    taken = (x0 + h) - x0
    if h.ndim == 0 and h.dtype == np.float64 == taken.dtype and np.count_nonzero(taken) == taken.size:
        steps = np.empty(x0.shape)
        steps.fill(h)
        return steps
    h = np.where(taken == 0, _default_steps(x0, f0, method), h)
    if h.shape != x0.shape:
        name = "rel_step" if abs_step is None else "abs_step"
        raise ValueError(f"`{name}` must be a number or have the shape of `x0`, {x0.shape}; it has {np.shape(h)}")
    return h


def _default_steps(x0: NDArray[Any], f0: NDArray[Any], method: str) -> NDArray[Any]:
    """eps^(1/s) max(1, |x0|) with the sign of x0, at least in float64; a zero of either sign counts as positive."""
    x = x0 if x0.dtype.itemsize >= 8 else x0.astype(np.float64)
    h: NDArray[Any] = np.maximum(np.abs(x), _ONE)
    h *= _relative_default(x0, f0, method)
    np.copysign(h, x + _ZERO, out=h)  # not np.sign, which is 0 at 0
    return h


def _is_coarse(f0: Any) -> bool:
    """Whether fun computes in less than float64."""
    dtype = getattr(f0, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < 8


def _warn_as_numpy(remarks: int) -> None:
    """Warn (or raise, as np.errstate has it) where NumPy would have while differencing."""
    infinite = np.array([np.inf])
    if remarks & INVALID:
        np.subtract(infinite, infinite)
    if remarks & OVERFLOW:
        largest = np.array([np.finfo(np.float64).max])
        np.subtract(largest, -largest)
