"""derivative: the n-th derivative of a function of one variable, at one point or at many."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import factorial
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._difference import Run
from ._differentiate import method_of, noise_level, noisy_precision
from ._elementwise import CoarseError, Elementwise, Sweep
from ._elementwise_domain import Search, quotient_of_rounding
from ._function import as_array, bind, component, describe
from ._layout import Layout, fit
from ._plan import StepOptions
from ._progress import counted
from ._result import DerivativeResult, Flag
from ._stencils import CENTRAL_ORDERS, ONE_SIDED_ORDERS, Stencil, central, forward
from ._steps import EPS, default_step, steps, taken

Float = NDArray[np.float64]

DERIVATIVES: Final = (1, 2, 3, 4, 5, 6)

# Method: its usual order, and the orders it can have.
METHODS: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "central": (2, CENTRAL_ORDERS),
    "forward": (1, ONE_SIDED_ORDERS),
    "backward": (1, ONE_SIDED_ORDERS),
}

_BACKWARD: Final[Stencil] = ((-1.0, 0.0), (-1.0, 1.0), 1.0)  # forward(1) with h < 0
_STEEP: Final = 40.0  # a derivative above 40 n! / x_scale^n is looked at, where it may be one across a pole


def derivative(
    fun: Callable[..., Any],
    x: ArrayLike,
    *,
    n: int = 1,
    method: str = "central",
    order: int | None = None,
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    noise: float | str | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    vectorized: bool = True,
    progress: bool = False,
    full_output: bool = False,
) -> Any:
    """The n-th derivative of a function of one variable, at one point or at each element of an array.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Elementwise, as NumPy's functions are: gets a float64 array of x's shape and returns an array of that shape,
        whose i-th entry depends on the i-th of x only. It may write into its argument, keep it or return it.
    x : array_like of any shape, or number
        Where; real and finite.
    n : {1, 2, 3, 4, 5, 6}
        Which derivative.
    method : {"central", "forward", "backward"}
        On which side of x the points are.
    order : int, optional
        Order of accuracy: the error falls with h^order. Central: 2 (default), 4, 6, 8. Forward and backward: 1
        (default), 2, 3, 4.
    rel_step : float or array of x's shape, optional
        h = rel_step max(|x|, x_scale). Default: eps^(1/(order + n)), and h rounded to a power of two; eps is that of
        fun's dtype if it is coarser than float64.
    abs_step : float or array of x's shape, optional
        h itself, in the units of x. Not together with rel_step.
    x_scale : float or array of x's shape, default 1
        The size of x where |x| is smaller, in the units of x.
    bounds : (lb, ub), numbers or arrays of x's shape, optional
        fun is never called outside. Differences become one-sided near a bound. lb == ub gives nan there.
    noise : float or "estimate", optional
        The standard deviation of fun's values, in their units, one for all elements: steps and errors are made for it.
        "estimate" calls `estimate_noise` (the root mean square of the elements).
    args, kwargs : tuple, dict
        Further arguments of fun.
    vectorized : bool, default True
        False: fun takes one Python float and returns one number (``math.sin``), and is called point by point.
        Otherwise each call is for all of x, as fun may hold parameters of its shape: there are no blocks.
    progress : bool
        Show a bar of the calls of fun, at most ten times a second. Needs tqdm (the extra "progress").
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead.

    Returns
    -------
    ndarray of x's shape (a float for a number), or DerivativeResult
        In units of fun's values over the n-th power of those of x. The error is a cheap bound from the values at hand:
        their rounding, and the truncation of a function that varies on a tenth of the scale max(|x|, x_scale).

    Raises
    ------
    TypeError
        x, a step or a bound that is no real number; fun returns None, a bool, text or a complex number; n or order no
        integer.
    ValueError
        fun returns another shape than x's (a number for an array, too); n, order or method unknown; x with nan or inf,
        or outside the bounds by more than rounding; steps not positive, or too small to be felt.

    Notes
    -----
    Calls of fun: one for each point of the stencil, whatever the size of x (vectorized=False: for each element). With
    n = 1: order (central), order + 1 (forward, backward); n > 1: see `numdiff._stencils`. More calls, counted in nfev:

    - the first again, where it shows that fun is coarser than float64;
    - one at x with noise;
    - those of the one-sided stencil, where bounds are near to some elements;
    - where fun is not finite at a point of the stencil: at x, and with smaller steps, then to one side; where that does
      not help, that element is nan. Flags say so;
    - at x, for elements with a derivative above 40 n! / x_scale^n where fun changes sign: 1/x at 0 is nan;
    - with smaller steps, for elements with such a derivative that are within 32 h of 0 or of a bound: ln at 1e-5;
    - with full_output, the stencil once more with h / 8, for elements with such a derivative at 0 or at a bound, or
      where fun is finite on one side only: what that changes is in the error. Where the derivative grows by more than a
      fifth, it may be infinite, as that of sqrt and cbrt at 0 is: the error is inf, and the flag says kink.

    In these last calls the other elements stay at x, and NumPy's warnings are silenced: nobody asked for those points.
    In all others fun's warnings are its own. A central difference does not evaluate fun at x: of a pole with one sign
    (1/x^2 at 0), a kink or a jump it knows nothing.

    Only the shape of what fun returns is checked: of a fun that keeps it but is not elementwise (numpy.cumsum,
    x - x.mean()) the result is the derivative along (1, ..., 1), nearly; take numdiff.jvp or numdiff.jacobian for it.

    Relative errors for a smooth function of size 1: about eps^(order / (order + n)). Where |x| is far below x_scale
    and fun varies on the scale of x, give x_scale. Weights: Fornberg, Mathematics of Computation 51 (1988) 699-706;
    steps: Nocedal and Wright, Numerical Optimization, section 8.1.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.derivative(np.sin, [0.0, 1.0]).round(9)
    array([1.        , 0.54030231])
    >>> round(numdiff.derivative(lambda p: p**7 * (1 - p) ** 3, 0.5, n=2, order=6), 9)
    0.0234375
    """
    if progress is not False:
        with counted(fun, progress) as fun:
            return derivative(
                fun, x, n=n, method=method, order=order, rel_step=rel_step, abs_step=abs_step, x_scale=x_scale,
                bounds=bounds, noise=noise, args=args, kwargs=kwargs, vectorized=vectorized, full_output=full_output,
            )  # fmt: skip
    options = rel_step, abs_step, x_scale, bounds, noise, args, kwargs, vectorized, full_output
    return derivative_of_points(fun, x, n, method, order, *options, _STEEP)


def derivative_of_points(
    fun: Any,
    x: ArrayLike,
    n: int,
    method: str,
    order: int | None,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    noise: float | str | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    vectorized: bool,
    full_output: bool,
    steep: float,
) -> Any:
    """`derivative`; steep: above how much times n! / x_scale^n a derivative may be one across a pole."""
    rule = _rule(n, method, order)
    fun, args = bind(fun, args, kwargs, of_array=bool(vectorized))
    point = _as_points(x)
    shape = point.shape
    checked = vars(StepOptions.of_arguments(rel_step, abs_step, x_scale, shape, "x"))
    scale = checked["x_scale"]
    default = rel_step is None and abs_step is None
    function = Elementwise(fun, args, point, bool(vectorized))
    relative = default_step(EPS, rule.order, rule.n)

    limits, sweep = None, None
    function.redo_if_coarse = default
    x_scale_ = 1.0 if scale is None else float(scale) if not scale.shape else np.inf
    if (
        rule.quick is not None
        and default
        and bounds is None
        and noise is None
        and vectorized
        and not full_output
        and 1e-200 < x_scale_ < 1e200
        and point.size
    ):
        try:
            found, remarks, sweep = function.quick(relative, x_scale_, rule.quick, steep / x_scale_)
        except CoarseError:
            pass
        else:
            if not remarks:
                return found if shape else float(found)
    if sweep is None:
        moderate = _check_finite(point)
        if bounds is not None or not moderate:
            point = point.copy()
            limits = as_bounds(bounds, point, moderate, "x")
            function.x = point.reshape(-1)

    if noise is not None:
        function.noise = _noise_level(noise, function, point, limits)
    if function.noise:
        function.redo_if_coarse = False  # there are no steps yet
        size, power = np.abs(function.need_f0()), rule.order + rule.n
        relative = default_step(noisy_precision(function.eps or EPS, function.noise, size, power), rule.order, rule.n)
    else:
        relative = default_step(function.eps or EPS, rule.order, rule.n)
    layout = _lay_out(function, rule, checked, relative, limits, shape)
    if sweep is None:
        try:
            sweep = _first_sweep(function, layout)
        except CoarseError:
            relative = default_step(function.eps, rule.order, rule.n)
            layout = _lay_out(function, rule, checked, relative, limits, shape)
            sweep = _first_sweep(function, layout)
    flags = np.zeros(point.size, np.intp) if layout.flags is None else layout.flags
    search = Search(function, layout, sweep, flags)
    steepest = steep * factorial(rule.n) / (1.0 if scale is None else scale) ** rule.n
    search.run(relative, steepest, default)

    value = search.quotient.reshape(shape)
    if not full_output:
        return value if shape else float(value)
    error = _error(function, rule, search, 1.0 if scale is None else scale)
    if default:
        error = np.maximum(error, search.error_at_ends(steepest, rule.method == "central"))
    error = error.reshape(shape)
    if function.coarse:
        flags |= Flag.low_precision
    step = np.where(np.isfinite(search.quotient), search.h, np.nan).reshape(shape)
    flag = flags.reshape(shape)
    if not shape:
        return DerivativeResult(float(value), float(error), float(step), function.nfev, rule.method, int(flag))
    return DerivativeResult(value, error, step, function.nfev, rule.method, flag)


def _noise_level(noise: float | str, function: Elementwise, point: Float, limits: Any) -> float:
    def flat(x: Float) -> Float:
        return function.at(x.reshape(-1), np.ones(x.size, bool)).copy()

    run = Run(flat, (), point.copy(), False, None)
    function.redo_if_coarse, redo = False, function.redo_if_coarse
    level = noise_level(noise, run, limits)
    function.redo_if_coarse = redo
    return level


@dataclass
class _Rule:
    """A method with its order, for the n-th derivative."""

    n: int
    method: str
    order: int
    main: Stencil
    side: Stencil
    quick: Stencil | None  # of two points, with steps of positive sign


def _rule(n: Any, method: Any, order: Any) -> _Rule:
    n = _integer("n", n, DERIVATIVES)
    method = method_of(method, tuple(METHODS))
    usual, orders = METHODS[method]
    order = usual if order is None else _integer("order", order, orders, f" for method={method!r}")
    if method == "central":
        quick = central(2) if n == 1 and order == 2 else None
        return _Rule(n, method, order, central(order, n), forward(order, n), quick)
    quick = (forward(1) if method == "forward" else _BACKWARD) if n == order == 1 else None
    return _Rule(n, method, order, forward(order, n), forward(order, n), quick)


def _integer(name: str, value: Any, allowed: tuple[int, ...], when: str = "") -> int:
    listed = ", ".join(map(str, allowed))
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be an integer, one of {listed}{when}; it is {describe(value)}")
    if number not in allowed:
        raise ValueError(f"`{name}` must be one of {listed}{when}; it is {number}")
    return number


def _as_points(x: ArrayLike) -> Float:
    """x as a contiguous float64 array: itself, where it is one, as a copy of a long one would take time."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise ValueError("`x` is a masked array with masked entries; fill them or leave them out")
    array = as_array(x)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"`x` must be a real number or an array of them; it is {describe(x)}")
    with np.errstate(over="ignore"):  # longdouble
        return np.asarray(array, dtype=np.float64, order="C")


def _check_finite(x: Float) -> bool:
    """Whether all of x is far from overflow; an error if it is not finite."""
    if x.size == 0 or (x.max() < 1e300 and x.min() > -1e300):
        return True
    flat = x.reshape(-1)
    bad = np.flatnonzero(~np.isfinite(flat))
    if bad.size:
        raise ValueError(f"`x` must be finite; {component('x', int(bad[0]), x.shape)} is {flat[bad[0]]}")
    return False


def _lay_out(
    function: Elementwise,
    rule: _Rule,
    options: Mapping[str, Any],
    relative: Any,
    limits: tuple[Float, Float] | None,
    shape: tuple[int, ...],
) -> Layout:
    """The steps, exact in floating point and within the bounds."""
    x = function.x
    h = steps(x, relative, options["rel_step"], options["abs_step"], options["x_scale"])
    own = options["rel_step"] is not None or options["abs_step"] is not None
    named = next((name for name in ("abs_step", "rel_step", "x_scale") if options[name] is not None), "x_scale")
    if not (h < 1e300).all() and (own or options["x_scale"] is not None):
        raise ValueError(f"`{named}` is too large: the step {np.max(h)} is not below 1e300")
    if own and limits is None:
        exact = taken(x, h)
        if not exact.all():
            k = int(np.flatnonzero(exact == 0)[0])
            where = component("x", k, shape)
            raise ValueError(f"`{named}` is too small: the step {h[k]} is lost in rounding at {where} = {x[k]}")
        h = exact
    if rule.method == "backward":
        h = -h
    layout = Layout(rule.n, rule.main, rule.side, h)
    if limits is not None:
        layout.lb, layout.ub = limits
        fit(layout, x, rule.method == "central")
    return layout


def _first_sweep(function: Elementwise, layout: Layout) -> Sweep:
    """All elements with the steps of the layout."""
    nan = np.full(function.x.size, np.nan)
    sweep = Sweep(nan, nan.copy(), nan.copy(), None if 0.0 in layout.main[0] else np.zeros(nan.size, bool))
    if not nan.size:
        return sweep
    for mask, stencil in layout.groups():
        part = function.sweep(layout.h, stencil, layout.n, mask)
        if mask is None and stencil is layout.main:
            return part
        chosen = slice(None) if mask is None else mask
        for own, new in ((sweep.quotient, part.quotient), (sweep.low, part.low), (sweep.high, part.high)):
            own[chosen] = new[chosen]
        if sweep.opposite is not None and part.opposite is not None:
            sweep.opposite[chosen] = part.opposite[chosen]
    return sweep


def _error(function: Elementwise, rule: _Rule, search: Search, x_scale: Any) -> Float:
    """A cheap bound: no evaluations beyond those of the derivative itself.

    The rounding of fun's values and of its argument, and the first term that the stencil neglects, for a function that
    varies on a tenth of the scale of x as much as its derivative tells, and on the scale of x as much as its values and
    their slope do.
    """
    n, p, x = rule.n, rule.order, function.x
    one_sided = (search.flags & Flag.one_sided).astype(bool) if rule.method == "central" else np.zeros(x.size, bool)
    values = Sweep(search.quotient, search.low, search.high, None)
    size = np.maximum(np.abs(x), x_scale)
    shrunk = (search.flags & Flag.shrunk).astype(bool)  # fun varies faster here: the end of its domain is near
    size = np.where(shrunk, np.minimum(size, search.layout.distance(x)), size)
    error = np.empty(x.size)
    with np.errstate(all="ignore"):
        h = np.abs(search.h)
        spread = search.high - search.low
        largest = np.maximum(np.abs(search.low), np.abs(search.high))
        for where, stencil in ((~one_sided, rule.main), (one_sided, rule.side)):
            offsets, weights, scale = stencil
            width = offsets[-1] - offsets[0]
            per_value = quotient_of_rounding(values, h, stencil, n, function)
            # The argument is off by eps |x| in the middle of fun, say: as much in the value as the slope makes of it.
            per_argument = per_value * np.abs(x) * spread / (width * h * largest)
            neglected = abs(sum(w * o ** (n + p) for o, w in zip(offsets, weights, strict=True)))
            constant = neglected / (factorial(n + p) * scale * (width if n == 1 else 1.0))
            by_slope = np.abs(search.quotient) * (10.0 * h / size) ** p
            by_values = (largest + spread * size / (width * h)) * (h / size) ** p / size**n
            bound = per_value + np.where(largest > 0, per_argument, 0.0) + constant * (by_slope + by_values)
            error[where] = bound[where]
    error[~np.isfinite(search.quotient)] = np.nan
    return error
