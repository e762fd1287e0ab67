"""gradient_descent: from the user's arguments down to the loop and up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _difference
from ._descent_result import DescentResult, descent_result
from ._function import describe
from ._kernels_py import WRITTEN
from ._objective import Objective
from ._observer import Observer
from ._stops import check_unused, count, rate, share, switch, tolerance

Float = NDArray[np.float64]

GTOL = 1e-6


def gradient_descent(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    jac: Callable[..., Any] | bool | str | None = None,
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    nesterov: bool = False,
    line_search: str | None = None,
    maxiter: int = 1000,
    gtol: float | None = None,
    xtol: float = 0.0,
    ftol: float = 0.0,
    bounds: Any = None,
    callback: Callable[..., Any] | None = None,
    history: bool = False,
    overwrite_x: bool = False,
    hess: Any = None,
    hessp: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    **derivative_options: Any,
) -> DescentResult:
    """A minimum of a function by gradient descent, with momentum or a line search.

    Also as ``scipy.optimize.minimize(fun, x0, method=numdiff.gradient_descent, options={...})``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``, or None where jac is given
        Gets a float64 array of x0's shape, and may write into it, keep it or return it. Returns a real number.
    x0 : array_like of any shape, or number, or a dict, list or tuple of arrays
        The start, real and finite. A tree, as in `gradient`: x and jac have its structure; history["x"] is flat.
    args : tuple
        Further arguments of fun and jac.
    jac : callable ``jac(x, *args)``, native function, True, a method, or None
        The gradient, of x0's shape or flat (see `native`). True: fun returns (value, gradient). None or a method as
        "forward": numerical, see `gradient`.
    learning_rate : float, default 0.1
        x moves by -learning_rate times the gradient.
    momentum : float in [0, 1), default 0
        The share of the last move that is kept: v = momentum v - learning_rate g, x = x + v.
    nesterov : bool
        x = x + momentum v - learning_rate g instead: Nesterov's gradient, with x the point that looks ahead.
    line_search : None or "backtracking"
        Halves the learning rate, in each iteration from its first value on, until fun falls by 1e-4 of what the
        gradient promises (Armijo's rule). Not with momentum.
    maxiter : int, default 1000
        The most iterations.
    gtol : float, default 1e-6 (where it is None)
        Stop where the norm of the gradient is below it (of a numerical one, if its error is too). Components that push
        x against a bound do not count.
    xtol : float, default 0
        Stop after a step that moves no coordinate by more.
    ftol : float, default 0
        Stop after a step that changes fun by no more. Each tolerance is off where it is 0.
    bounds : (lb, ub), a scipy.optimize.Bounds, or a list or tuple of pairs (min, max), optional
        x is put back into them after every step. fun is never called outside. A tuple of two pairs that may as well be
        (lb, ub), and is not the same then, is an error.
    callback : callable, optional
        Called after each iteration. As in SciPy: ``callback(intermediate_result)``, by that name, gets a
        `DescentResult` with x, fun, grad_norm and nit, any other its x. StopIteration or True stops. See `progress`.
    history : bool
        result.history has "x" (nit + 1, ...), "fun" and "grad_norm", of length nit + 1, the start first.
    overwrite_x : bool
        x0 itself, a contiguous writable float64 array, is moved in place, and is result.x. Otherwise it is not changed.
    hess, hessp, constraints : None or empty
        minimize passes them; they are not used.
    tol : float, optional
        minimize passes it; it is gtol, where that is None.
    **derivative_options
        method, order, rel_step, abs_step, x_scale and noise of `gradient`, and kwargs.

    Returns
    -------
    DescentResult
        x is the point with the lowest value where fun was evaluated at every point anyway, else the last one.

    Raises
    ------
    TypeError, ValueError
        A number that is none or out of range; jac of another shape; options of the numerical gradient beside jac;
        overwrite_x with an array that cannot be moved in place; and as `gradient`. x0 is as it was.

    Notes
    -----
    nit + 1 gradients. fun is evaluated at every point, nit + 1 times, with history, ftol, a callback that takes
    intermediate_result or jac=True, and as part of the gradient with "forward", "backward" and "richardson"; else once,
    at the end. A line search takes one to a few calls more in each iteration.

    success tells that a tolerance was met. Other ends: nan or inf (x is the best or the last finite point); divergence,
    where a step is 1e10 times as long as max(1, norm of x0); a numerical gradient whose norm is below that of its own
    error.

    If fun raises, its error comes as it is; with overwrite_x the array is then where fun was called.
    Polyak, USSR Computational Mathematics 4 (1964) 1-17; Armijo, Pacific Journal of Mathematics 16 (1966) 1-3;
    Sutskever et al., ICML 2013.

    Examples
    --------
    >>> import numdiff
    >>> result = numdiff.gradient_descent(lambda x: (x[0] - 1) ** 2 + 2 * x[1] ** 2, [3.0, 1.0])
    >>> result.x.round(5) + 0.0
    array([1., 0.])
    """
    check_unused("gradient_descent", hess=hess, hessp=hessp, constraints=constraints)
    if line_search not in (None, "backtracking"):
        raise ValueError(f"`line_search` must be None or 'backtracking'; it is {line_search!r}")
    rule = rate("learning_rate", learning_rate), share("momentum", momentum), switch("nesterov", nesterov)
    if gtol is None:
        gtol = GTOL if tol is None else tolerance("tol", tol)
    maxiter, ftol = count("maxiter", maxiter, 0), tolerance("ftol", ftol)
    stops = maxiter, tolerance("gtol", gtol), tolerance("xtol", xtol), ftol
    if line_search and rule[1]:
        raise ValueError(f"`line_search` and `momentum` exclude each other; momentum is {momentum!r}")
    objective = Objective(fun, x0, args, jac, bounds, derivative_options, stops[1])
    for name, wanted in (("line_search", line_search), ("ftol", ftol)):
        if wanted and not objective.has_fun:
            raise ValueError(f"`{name}` needs the values of `fun`, which is None")
    overwrite_x = switch("overwrite_x", overwrite_x)
    x = in_place(x0) if overwrite_x else objective.x0.copy()
    observer = Observer(callback, history, objective.restore, maxiter)
    with_values = objective.has_fun and (
        observer.needs_values or bool(line_search) or ftol > 0 or objective.free_values
    )
    try:
        status, x, value, g, nit, nfev, njev = _descend(
            objective, x, overwrite_x, rule, stops, bool(line_search), with_values, observer
        )
        if not with_values and objective.has_fun:
            value = objective.alone(x.copy(), *objective.args)
            nfev += 1
        more = observer.finish(nit, value)
    finally:
        observer.close()
    return descent_result(objective, x, value, g, nit, nfev, njev, status, **more)


def in_place(x0: Any) -> Float:
    """x0 itself, or an error that names overwrite_x."""
    wrong = None
    if not isinstance(x0, np.ndarray):
        wrong = describe(x0)
    elif x0.dtype != np.float64 or not x0.dtype.isnative:
        wrong = f"an array of dtype {x0.dtype}"
    elif not x0.flags.c_contiguous or not x0.flags.aligned:
        wrong = "not contiguous"
    elif not x0.flags.writeable:
        wrong = "read-only"
    if wrong:
        raise ValueError(f"`overwrite_x` needs `x0` as a contiguous, writable array of float64; it is {wrong}")
    return np.asarray(x0)


def _descend(
    objective: Objective,
    x: Float,
    fixed: bool,
    rule: tuple[float, float, bool],
    stops: tuple[int, float, float, float],
    line_search: bool,
    with_values: bool,
    observer: Observer,
) -> tuple[int, Float, float, Float, int, int, int]:
    """The loop: (status, x, fun, gradient, nit, nfev, njev); again with copies where fun writes into x."""
    nfev = njev = 0
    shape = objective.x0.shape
    x[...] = objective.x0  # moved into the bounds by rounding
    bounds = objective.limits or (None, None)
    while True:
        g, before, seen, best = np.empty(shape), np.empty(x.size), np.empty(x.size), np.empty(x.size)
        best_g = np.empty(x.size) if with_values else None
        v = np.zeros(x.size) if rule[1] else None
        status, found, value, _, nit, more_nfev, more_njev = _difference.kernels.descend(
            objective.value, objective.gradient, objective.args, objective.values, objective.gradients,
            objective.x0, x, fixed, rule, v, bounds, stops, line_search, with_values, objective.error,
            (g.reshape(-1), before, seen, best, best_g), observer.function, observer.interval, objective.differences,
        )  # fmt: skip
        nfev, njev = nfev + more_nfev, njev + more_njev
        if status != WRITTEN:
            return status, found, value, g, nit, nfev, njev
        objective.on_copies()
        if x.shape != shape:  # fun may have changed that, too
            x.shape = shape
        x[...] = objective.x0
