"""newton: where the gradient is 0, by Newton's method, and what kind of point that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _difference
from ._descent_result import SINGULAR, DescentResult, descent_result
from ._function import as_array, describe
from ._hessian import hessian
from ._kernels_py import BELOW_ERROR, DIVERGED, GTOL, MAXITER, NOT_FINITE, OBSERVER_ENDED, XTOL
from ._kernels_py.descent import FAR
from ._objective import Objective, measured
from ._observer import Observer
from ._steps import EPS
from ._stops import check_unused, count, tolerance

Float = NDArray[np.float64]

XTOL_DEFAULT = 1e-4
# What a step that converges to a zero of order m leaves of the gradient is (1 - 1/m)^m, and of the Hessian
# (1 - 1/m)^(m-1): at most 1/e, and at least 1/e.
_FALL, _CHANGE = 0.4, 0.65
_SMALL = 1e-6  # an eigenvalue so far below the others, or 1, may be the truncation error of the differences
_ROUNDING = 8 * EPS  # of max(1, |x|): no x is known better
_HESSIAN_OPTIONS = ("method", "rel_step", "abs_step", "x_scale", "kwargs")


def newton(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    jac: Callable[..., Any] | bool | str | None = None,
    hess: Callable[..., Any] | None = None,
    *,
    xtol: float | None = None,
    gtol: float = 0.0,
    maxiter: int = 50,
    callback: Callable[..., Any] | None = None,
    history: bool = False,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    **derivative_options: Any,
) -> DescentResult:
    """A stationary point of a function by Newton's method: a minimum, a maximum or a saddle, whichever is near.

    Also as ``scipy.optimize.minimize(fun, x0, method=numdiff.newton, options={...})``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``, or None where jac is given
        Gets a float64 array of x0's shape. Returns a real number.
    x0 : array_like of any shape, or number, or a dict, list or tuple of arrays
        The start, real and finite. A tree, as in `gradient`: x and jac have its structure; history["x"] is flat.
    args : tuple
        Further arguments of fun, jac and hess.
    jac : callable ``jac(x, *args)``, native function, True, a method, or None
        The gradient, of x0's shape or flat (see `native`). True: fun returns (value, gradient). None or a method as
        "forward": numerical.
    hess : callable ``hess(x, *args)``, optional
        The Hessian, (n, n), or a number where n is 1. None: numerical, from jac or else from fun.
    xtol : float, default 1e-4 (where it is None)
        Stop after a step whose norm is below it, if the gradient falls to 0.4 of what it was, with a Hessian that
        stays of the same size, or to its own error. That step is taken, but not counted, and may come after maxiter
        others.
    gtol : float, default 0
        Stop where the norm of the gradient (of a numerical one its error too) is below it; 0 is off.
    maxiter : int, default 50
        The most steps that count.
    callback : callable, optional
        Called after each step that counts, as in `gradient_descent`.
    history : bool
        result.history has "x" (nit + 1, ...), "fun" and "grad_norm", of length nit + 1: the start, and the points after
        the steps that count.
    hessp, bounds, constraints : None or empty
        minimize passes them; they are not used.
    tol : float, optional
        minimize passes it; it is xtol, where that is None.
    **derivative_options
        method, rel_step, abs_step and x_scale of `gradient` and `hessian`, and kwargs. With jac they are those of the
        Hessian alone; with jac and hess only kwargs is taken.

    Returns
    -------
    DescentResult
        With three more: hess, the Hessian at x, (n, n); its eigenvalues, ascending; and kind: "minimum", "maximum",
        "saddle", or "undetermined" where x was not found, or an eigenvalue is no larger than the error of the Hessian
        and its change in the last step.
        nhev counts Hessians.

    Raises
    ------
    TypeError, ValueError
        As `gradient_descent`; hess of another shape.

    Notes
    -----
    A gradient and a Hessian at each point, those of the result included: nit + 2 of each where xtol was met. Numerical
    ones call fun or jac as `gradient` and `hessian` do. fun is called once more at the end and, with history or a
    callback that takes intermediate_result, at every point.

    A numerical gradient whose norm is below that of its own error ends the search with status 6, unless even that error
    moves x by no more than xtol.

    The Hessian counts as singular, and the search ends with status 8, where the least of its eigenvalues is not above
    its own error: a numerical Hessian is never exactly singular. Where that error is only guessed and so large, or an
    eigenvalue is below 1e-6 of the largest or of 1, the Hessian is taken once more, by "richardson", which measures it.
    So is a numerical gradient that is exactly 0 or would end the search with status 6.

    The Hessian is taken as symmetric and solved through its eigenvalues. Nocedal and Wright, Numerical Optimization,
    section 3.3.

    Examples
    --------
    >>> import numdiff
    >>> result = numdiff.newton(lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1], [1.0, 3.0])
    >>> result.nit, result.kind, result.eigenvalues.round(2)
    (1, 'minimum', array([3.59, 6.41]))
    """
    check_unused("newton", hessp=hessp, bounds=bounds, constraints=constraints)
    if xtol is None:
        xtol = XTOL_DEFAULT if tol is None else tolerance("tol", tol)
    xtol, gtol, maxiter = tolerance("xtol", xtol), tolerance("gtol", gtol), count("maxiter", maxiter, 0)
    if hess is not None and not callable(hess):
        raise TypeError(f"`hess` must be callable or None; it is {describe(hess)}")
    for name in derivative_options:
        if name not in _HESSIAN_OPTIONS:
            raise TypeError(f"unknown option `{name}`; allowed are {', '.join(_HESSIAN_OPTIONS)}")
    of_hessian = derivative_options
    if jac is not None and hess is None:  # the options are those of the Hessian alone
        derivative_options = {"kwargs": derivative_options.get("kwargs")}
    objective = Objective(fun, x0, args, jac, None, derivative_options, math.inf)
    if hess is not None and objective.tree is not None:
        hess = objective.tree.wrap(hess)
    observer = Observer(callback, history, objective.restore, maxiter)
    run = _Run(objective, hess, observer, objective.flat_options(of_hessian), xtol)
    try:
        status = run.search(gtol, maxiter)
        value = run.value() if objective.has_fun else math.nan
        more = run.observer.finish(run.nit, value)
    finally:
        run.observer.close()
    more |= {"nhev": run.nhev, "hess": run.hess, "eigenvalues": run.eigenvalues}
    result = descent_result(objective, run.x, value, run.g, run.nit, run.nfev, run.njev, status, **more)
    result["kind"] = run.kind() if result.success else "undetermined"
    if result.success:
        result["message"] += f" Kind of the point: {result['kind']}."
    return result


def _size(matrix: Float) -> float:
    """The largest sum of a row: no eigenvalue is larger, and no perturbation of this size moves one by more."""
    return float(np.abs(matrix).sum(axis=1).max())


class _Run:
    """A point, with gradient and Hessian there."""

    def __init__(
        self, objective: Objective, hess: Any, observer: Observer, options: dict[str, Any], xtol: float
    ) -> None:
        self.xtol = xtol
        self.objective, self.hess_of, self.observer, self.options = objective, hess, observer, options
        self.x = objective.x0
        self.nit = self.nfev = self.njev = self.nhev = 0
        self.fx = math.nan
        self.found = False  # any gradient yet
        self.changed = 0.0  # how far the last step may have moved the eigenvalues
        self.hess: Float
        self.eigenvalues: Float
        self.vectors: Float

    def value(self) -> float:
        """fun at x; known where it was observed."""
        if math.isnan(self.fx):
            self.nfev += 1
            objective = self.objective
            self.fx = objective.alone(self.x.copy(), *objective.args)
        return self.fx

    def evaluate(self, x: Float) -> bool:
        """Move to x, unless the gradient or the Hessian there is not finite."""
        objective = self.objective
        g = np.full(x.shape, np.nan)
        if np.isfinite(x).all():
            self.njev += 1
            g = self.gradient(x, objective.gradient)
        hess, error = np.full((x.size, x.size), np.nan), 0.0
        if np.isfinite(g).all():
            self.nhev += 1
            hess, error = self.hessian(x)
        finite = bool(np.isfinite(hess).all())
        if finite or not self.found:
            self.changed = _size(hess - self.hess) if self.found else 0.0
            self.found = True
            self.x, self.hess, self.error, self.fx = x, hess, error, math.nan
            self.eigenvalues, self.vectors = np.full(x.size, np.nan), np.full(hess.shape, np.nan)
            if finite:
                self.eigenvalues, self.vectors = np.linalg.eigh(hess)
            self.set_gradient(g)
            if finite and self.g_error > 0 and (not g.any() or (self.norm <= self.g_error and not self.known)):
                self.set_gradient(self.gradient(x, objective.measured_gradient))
        return finite

    def set_gradient(self, g: Float) -> None:
        self.g, self.norm = g, float(_difference.kernels.gradient_norm(g))
        error = self.objective.error
        self.g_error = 0.0 if error is None else float(error[0])
        # whether its error moves the end of the step by no more than xtol
        self.known = self.g_error == 0.0 or (self.clear() and self.uncertainty() <= self.xtol)

    def clear(self) -> bool:
        """Whether the Hessian is regular, as far as its error lets tell."""
        return bool((np.abs(self.eigenvalues) > self.error).all())

    def gradient(self, x: Float, gradient: Callable[..., Any]) -> Float:
        objective = self.objective
        return np.array(objective.gradients(gradient(x.copy(), *objective.args))).reshape(x.shape)

    def hessian(self, x: Float) -> tuple[Float, float]:
        """The Hessian, and how far its eigenvalues may be off."""
        objective, n = self.objective, x.size
        if self.hess_of is not None:
            value = objective.bound(self.hess_of)(x.copy(), *objective.args)
            array = as_array(value)
            if array.dtype.kind not in "fiu":
                raise TypeError(f"`hess` must return real numbers; it returned {describe(value)}")
            if array.shape != (n, n) and not array.size == n == 1:
                raise ValueError(f"`hess` must return an array of shape {(n, n)}; it returned one of {array.shape}")
            value = array.astype(np.float64).reshape(n, n)
            value = 0.5 * (value + value.T)
            return value, n * EPS * float(np.abs(value).max())
        value, error = self.numerical(x, self.options)
        guessed = self.options.get("method") != "richardson" and bool(np.isfinite(value).all())
        if guessed:
            sizes = np.abs(np.linalg.eigvalsh(value))
            if sizes.min() <= max(error, _SMALL * max(1.0, sizes.max())):
                value, error = self.numerical(x, measured(self.options))
        return value, error

    def numerical(self, x: Float, options: dict[str, Any]) -> tuple[Float, float]:
        objective, n = self.objective, x.size
        if objective.numerical:
            found = hessian(objective.fun, x, args=objective.args, full_output=True, **options)
            self.nfev += found.nfev
        else:
            found = hessian(None, x, jac=objective.gradient, args=objective.args, full_output=True, **options)
            self.njev += found.nfev
        value, error = np.reshape(found.value, (n, n)), np.reshape(found.error, (n, n))
        return value, _size(error) if np.isfinite(value).all() else 0.0

    def kind(self) -> str:
        low, high = self.eigenvalues[0], self.eigenvalues[-1]
        if low > self.error:
            return "minimum"
        if high < -self.error:
            return "maximum"
        return "saddle" if self.clear() else "undetermined"

    def search(self, gtol: float, maxiter: int) -> int:
        """Why it ended."""
        finite = self.evaluate(self.x)
        far = FAR * max(float(_difference.kernels.gradient_norm(self.x)), 1.0)
        while True:
            end = self.observe()
            if not finite:
                return NOT_FINITE
            if self.norm < gtol and self.g_error <= gtol:
                return GTOL
            if end:
                return OBSERVER_ENDED
            if self.norm <= self.g_error and not self.known:
                return BELOW_ERROR
            if self.norm > 0 and not self.clear():
                return SINGULAR
            step, norm, size = self.step(), self.norm, _size(self.hess)
            length = float(_difference.kernels.gradient_norm(step))
            small = self.known and (length < self.xtol or length == 0.0)
            if self.nit >= maxiter and not small:
                return MAXITER
            if length > far:
                return DIVERGED
            finite = self.evaluate(self.x - step.reshape(self.x.shape))
            if not finite:
                return NOT_FINITE
            falls = self.norm <= _FALL * norm and self.changed <= _CHANGE * size
            if small and (falls or self.norm <= self.least()):
                self.error += self.changed  # where they tend to 0, as at x^4, those here do not tell the kind
                return XTOL
            if self.nit >= maxiter:
                return MAXITER
            self.nit += 1

    def uncertainty(self) -> float:
        """How far the error of the gradient moves the end of the step."""
        vectors = np.abs(self.vectors)
        with np.errstate(invalid="ignore"):  # of an error that is inf
            moved = vectors @ (vectors.T @ self.objective.errors / np.abs(self.eigenvalues))
        return float(_difference.kernels.gradient_norm(moved))

    def least(self) -> float:
        """The norm that a gradient which is 0 may have: its own error, or what the rounding of x makes of it."""
        size = max(1.0, float(_difference.kernels.gradient_norm(self.x)))
        return max(self.g_error, _ROUNDING * size * _size(self.hess))

    def step(self) -> Float:
        if self.norm == 0.0:
            return np.zeros(self.x.size)
        along = self.vectors.T @ self.g.reshape(-1)
        return np.asarray(self.vectors @ (along / self.eigenvalues))

    def observe(self) -> bool:
        observer = self.observer
        if observer.function is None:
            return False
        value = self.value() if observer.needs_values and self.objective.has_fun else math.nan
        return observer.function(self.x, self.nit, value, self.norm)
