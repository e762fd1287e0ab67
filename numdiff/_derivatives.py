"""gradient and jacobian: from the user's arguments down to the kernels and up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _complex, _richardson
from ._bounds import as_bounds
from ._difference import Run, first_point
from ._domain import Rescue, suspect
from ._function import as_indices, as_point, bind, check_kwargs
from ._kernels_py import NONFINITE
from ._plan import Plan, StepOptions, make_plan
from ._result import DerivativeResult, Flag
from ._steps import EPS, positive, steps

Float = NDArray[np.float64]

METHODS: Final = {
    "forward": "forward",
    "2-point": "forward",
    "backward": "backward",
    "central": "central",
    "3-point": "central",
    "richardson": "richardson",
    "complex": "complex",
    "cs": "complex",
}

_COMPLEX_STEP: Final = 2.0**-66  # about 1e-20: nothing is subtracted, so nothing is lost, and h^2 vanishes


def gradient(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    indices: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    full_output: bool = False,
) -> Any:
    """The gradient of a function of an array that returns one number.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Gets a float64 array of x0's shape, and may write into it, keep it or return it. Returns a real number: 1.0, a
        NumPy scalar, or an array or list of one element.
    x0 : array_like of any shape, or number
        The point, real and finite.
    method : {"central", "forward", "backward", "complex"}
        Also by SciPy's names: "3-point", "2-point", "cs". "complex" is for analytic functions that take complex
        arrays; it is checked against a central difference along one direction.
    rel_step : float or array of x0's shape, optional
        h = rel_step max(|x0|, x_scale). Default: eps^(1/3) for central, eps^(1/2) for one-sided differences, and h
        rounded to a power of two; eps is that of fun's dtype if it is coarser than float64.
    abs_step : float or array of x0's shape, optional
        h itself, in the units of x0. Not together with rel_step.
    x_scale : float or array of x0's shape, default 1
        The size of x where |x0| is smaller. Give it where variables live on a scale far from 1.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside. Differences become one-sided near a bound. lb == ub fixes a component: nan.
    f0 : float, optional
        fun(x0), if known; saves one call where it is needed.
    indices : array of int, or mask of x0's shape, optional
        Differentiate by these components of the flat x0 only.
    args, kwargs : tuple, dict
        Further arguments of fun.
    full_output : bool
        Return a `DerivativeResult` (value, step, nfev, method, flag) instead.

    Returns
    -------
    ndarray of x0's shape (a float for a number; of the length of indices), or DerivativeResult

    Raises
    ------
    TypeError
        x0, a step or a bound that is no real number; fun returns None, a bool, text or a complex number.
    ValueError
        x0 with nan or inf, or outside the bounds by more than rounding; steps that are not positive, or too small to
        be felt; fun returns more than one number; "complex" where fun is not analytic; an unknown method.

    Notes
    -----
    Calls of fun, for n components: 2n (central), n + 1 or n with f0 (forward, backward), n + 2 (complex; n + 4 where
    its check needs a closer look, as at a minimum). One more where a bound makes a central difference one-sided, or
    where the first value shows a coarser dtype than float64.
    Where fun is not finite at a stencil point the step is shrunk, or one side is taken, or that component is nan; flags
    say so. Order of accuracy: 2, 1, 1; complex steps are exact to rounding. Relative errors for a smooth function of
    size 1: 1e-11, 1e-8, 1e-8, 1e-16. Nocedal and Wright, Numerical Optimization, section 8.1; Squire and Trapp, SIAM
    Review 40 (1998).

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.gradient(lambda x: x[0] ** 2 * x[1], [3.0, 2.0])
    array([12.,  9.])
    """
    found = _differentiate(fun, x0, True, method, rel_step, abs_step, x_scale, bounds, f0, indices, args, kwargs)
    shape = found.run.x0.shape if indices is None else (len(found.rows),)
    return found.answer(lambda rows: rows.reshape(shape), full_output)


def jacobian(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    indices: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    full_output: bool = False,
) -> Any:
    """The Jacobian of a function of an array that returns m numbers: always (m, n), also for m = 1.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Gets a float64 array of x0's shape. Returns a 1-D array of m real numbers, or one number (m = 1).
    x0, method, rel_step, abs_step, x_scale, bounds, indices, args, kwargs, full_output
        As in `gradient`.
    f0 : array_like of shape (m,), optional
        fun(x0), if known.

    Returns
    -------
    ndarray of shape (m, n), or DerivativeResult
        n is the number of components of x0, flat in C order (or the length of indices).

    Raises
    ------
    TypeError, ValueError
        As `gradient`; ValueError where fun returns more than one dimension, or first m values and then another number.

    Notes
    -----
    Calls, accuracy and sources as in `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.jacobian(lambda x: [x[0] + 2 * x[1], x[0] * x[1]], [3.0, 2.0])
    array([[1., 2.],
           [2., 3.]])
    """
    found = _differentiate(fun, x0, False, method, rel_step, abs_step, x_scale, bounds, f0, indices, args, kwargs)
    return found.answer(lambda rows: rows.T, full_output)


def grad(fun: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A callable g(x, *args) that returns the gradient of fun, for ``scipy.optimize.minimize(..., jac=g)``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `gradient`.
    **options
        Those of `gradient`, but f0, args and full_output.

    Returns
    -------
    callable ``g(x, *args, **kwargs)``

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `gradient`, when g is called.

    Notes
    -----
    Calls of fun in each call of g, and accuracy: as `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> g = numdiff.grad(lambda x, a: a * (x @ x), method="forward")
    >>> g(np.array([1.0, 2.0]), 3.0).round(6)
    array([ 6., 12.])
    """
    return _callable(gradient, fun, options)


def jac(fun: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A callable J(x, *args) that returns the Jacobian of fun, for ``least_squares``, ``root`` and the like.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `jacobian`. It is differentiated by its first argument; for ``solve_ivp(f, ...)``, where f(t, y), let
        ``J = numdiff.jac(lambda y, t: f(t, y))`` and pass ``jac=lambda t, y: J(y, t)``.
    **options
        Those of `jacobian`, but f0, args and full_output.

    Returns
    -------
    callable ``J(x, *args, **kwargs)``
        Returns (m, n).

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `jacobian`, when J is called.

    Notes
    -----
    Calls of fun in each call of J, and accuracy: as `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> J = numdiff.jac(lambda x: x * x)
    >>> J(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _callable(jacobian, fun, options)


def value_and_grad(fun: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A callable that returns (value, gradient) of fun, for ``scipy.optimize.minimize(..., jac=True)``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `gradient`.
    **options
        Those of `gradient`, but f0, args and full_output.

    Returns
    -------
    callable ``vg(x, *args, **kwargs)``
        Returns (float, ndarray).

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `gradient`, when it is called.

    Notes
    -----
    n + 1 calls of fun (forward, backward), of which one is the value; 2n + 1 (central); n + 3 (complex). Accuracy as
    `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.value_and_grad(lambda x: x @ x)(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    _check_options(options)

    def value_and_gradient(x: ArrayLike, *args: Any, **kwargs: Any) -> tuple[float, Any]:
        merged = {**options, "kwargs": {**(options.get("kwargs") or {}), **kwargs}}
        found = _differentiate(fun, x, True, args=args, with_value=True, **merged)
        shape = found.run.x0.shape if options.get("indices") is None else (len(found.rows),)
        return found.run.need_f0(), found.answer(lambda rows: rows.reshape(shape), False)

    return value_and_gradient


def _check_options(options: dict[str, Any]) -> None:
    """The options of grad, jac and value_and_grad, before anything is called."""
    allowed = ("method", "rel_step", "abs_step", "x_scale", "bounds", "indices", "kwargs")
    for name in options:
        if name not in allowed:
            raise TypeError(f"unknown option `{name}`; allowed are {', '.join(allowed)}")
    _method(options.get("method", "central"))
    check_kwargs(options.get("kwargs"))


def _callable(derivative: Callable[..., Any], fun: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    _check_options(options)

    def derivative_at(x: ArrayLike, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            return derivative(fun, x, args=args, **{**options, "kwargs": {**(options.get("kwargs") or {}), **kwargs}})
        return derivative(fun, x, args=args, **options)

    return derivative_at


def _method(method: Any) -> str:
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            "`method` must be 'forward', 'backward', 'central' or 'complex' (or '2-point', '3-point', 'cs'); "
            f"it is {method!r}"
        )
    return METHODS[method]


@dataclass
class _Found:
    """Derivatives by component (count, m), their steps (count,) or (count, m), and flags (count, m) or None."""

    run: Run
    kind: str
    rows: Float
    steps: Float
    flags: NDArray[np.intp] | None
    error: Float | None = None

    def answer(self, shaped: Callable[[Any], Any], full_output: bool) -> Any:
        value = shaped(self.rows)[()]
        if not full_output:
            return value
        steps = self.steps if self.steps.ndim == 2 else np.repeat(self.steps[:, None], self.rows.shape[1], axis=1)
        flags = np.zeros(self.rows.shape, np.intp) if self.flags is None else self.flags
        if (self.run.eps or EPS) > EPS:
            flags = flags | Flag.low_precision
        flag = shaped(flags)[()]
        error = None if self.error is None else shaped(self.error)[()]
        return DerivativeResult(value, error, shaped(steps)[()], self.run.nfev, self.kind, flag)


def _differentiate(
    fun: Any,
    x0: ArrayLike,
    scalar: bool,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: Any = None,
    f0: ArrayLike | None = None,
    indices: Any = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    with_value: bool = False,
) -> _Found:
    """The derivatives by the chosen components; with_value evaluates fun(x0) in any case."""
    kind = _method(method)
    fun, args = bind(fun, args, kwargs)
    point, moderate = as_point(x0)
    if rel_step is not None and abs_step is not None:
        raise ValueError(f"give `rel_step` or `abs_step`, not both; they are {rel_step!r} and {abs_step!r}")
    options = StepOptions(
        positive("rel_step", rel_step, point.shape),
        positive("abs_step", abs_step, point.shape),
        positive("x_scale", x_scale, point.shape),
    )
    limits = as_bounds(bounds, point, moderate)
    index = as_indices(indices, point.shape)
    run = Run(fun, args, point, scalar, f0)
    if with_value:
        run.need_f0()
    if kind == "complex":
        return _by_complex_step(run, index, options, limits)

    richardson = kind == "richardson"
    if richardson:
        kind = "central"
        run.need_f0()
    plan = make_plan(kind, point, index, options, limits, run.eps or EPS)
    first = _first_value(run, plan)
    if (run.eps or EPS) > EPS:  # fun is coarser than float64: longer steps, and a first point at the old ones is lost
        plan = make_plan(kind, point, index, options, limits, run.eps or EPS)
        first = None
        _first_value(run, plan)

    kept = np.full((plan.h.size, 2, _columns(run)), np.nan) if richardson else None
    if plan.one_sided is None and plan.not_free is None:
        h = plan.h.reshape(point.shape) if index is None else plan.h
        rows, remarks = (
            run.difference(index, h, plan.stencil, first, kept) if h.size else (np.empty((0, _columns(run))), 0)
        )
    else:
        rows, remarks = np.full((plan.h.size, _columns(run)), np.nan), 0
        for chosen, stencil in plan.groups():
            part = None if kept is None or stencil is not plan.stencil else kept[chosen]
            rows[chosen], said = run.difference(plan.coordinates[chosen], plan.h[chosen], stencil, first, part)
            if part is not None and kept is not None:
                kept[chosen] = part
            remarks |= said
            first = None
    steps: Float = plan.h
    if plan.not_free is not None:
        steps = np.where(plan.not_free, np.nan, steps)
    flags = None if plan.flags is None else np.repeat(plan.flags[:, None], rows.shape[1], axis=1)
    suspects = suspect(run, plan, rows)
    if remarks & NONFINITE or suspects is not None:
        steps = np.repeat(steps[:, None], rows.shape[1], axis=1)
        flags = np.zeros(rows.shape, np.intp) if flags is None else flags
        wanting = ~np.isfinite(rows) if suspects is None else ~np.isfinite(rows) | suspects
        chosen = np.flatnonzero(wanting.any(axis=1))
        rescue = Rescue(run, plan.take(chosen), rows[chosen], steps[chosen], flags[chosen])
        rescue.search(None if suspects is None else suspects[chosen])
        rows[chosen], steps[chosen], flags[chosen] = rescue.rows, rescue.steps, rescue.flags
    if richardson:
        assert kept is not None
        steps = steps if steps.ndim == 2 else np.repeat(steps[:, None], rows.shape[1], axis=1)
        flags = np.zeros(rows.shape, np.intp) if flags is None else flags
        own = options.of(index)
        rows, error, steps, flags = _richardson.refine(
            run, plan, 1.0 if own.x_scale is None else own.x_scale, rows, steps, flags, kept
        )
        return _Found(run, "richardson", rows, steps, flags, error)
    return _Found(run, kind, rows, steps, flags)


def _columns(run: Run) -> int:
    return 1 if run.m is None else run.m


def _first_value(run: Run, plan: Plan) -> Any:
    """Make the first call, which tells m and the precision of fun; its value, if the kernels can use it.

    It is fun(x0) where that is needed and not given, else fun at the first stencil point.
    """
    if (plan.kind != "central" or plan.one_sided is not None) and plan.any_free:
        run.need_f0()
    if run.eps is not None:
        return None
    for chosen, stencil in plan.groups():
        return run.evaluate(first_point(run.x0, int(plan.coordinates[chosen[0]]), plan.h[chosen[0]], stencil))
    if run.m is None:  # nothing to differentiate by, but the shape of the answer must be known
        run.need_f0()
    return None


def _by_complex_step(
    run: Run, index: NDArray[np.intp] | None, options: StepOptions, limits: tuple[Float, Float] | None
) -> _Found:
    plan = make_plan("central", run.x0, index, StepOptions(None, None, options.x_scale), limits, EPS)
    chosen = np.flatnonzero(plan.free)
    own = options.of(index)
    h = steps(plan.x, _COMPLEX_STEP, own.rel_step, own.abs_step, own.x_scale)
    found = _complex.complex_step(run, plan.coordinates[chosen], h[chosen])
    unknown = _complex.verify(run, found, plan, chosen) if chosen.size else np.zeros(0, bool)
    if run.m is None:
        run.need_f0()
    rows = np.full((plan.h.size, _columns(run)), np.nan)
    rows[chosen] = found.reshape(chosen.size, _columns(run))
    if unknown.any():  # fun is not finite around x0
        rows[:, unknown] = np.nan
    flags = np.where(plan.free, 0, int(Flag.fixed))
    flags = np.where(~np.isfinite(rows) & plan.free[:, None], int(Flag.nonfinite), flags[:, None])
    return _Found(run, "complex", rows, np.where(plan.free, h, np.nan), flags)
