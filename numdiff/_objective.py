"""What the descents minimise: x0, fun and its gradient as the loops take them, with every call counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _difference
from ._bars import bars
from ._bounds import as_bounds
from ._derivatives import OPTIONS
from ._difference import CENTRAL_STEP, plain_gradient
from ._differentiate import check_options, differentiate, method_of
from ._function import as_gradient, as_point, bind, describe, one_number, recognise_gradient
from ._native import Native
from ._result import Flag
from ._stencils import CENTRAL
from ._steps import EPS
from ._tree import Tree, as_tree

Float = NDArray[np.float64]

_WITH_VALUE = ("forward", "backward", "richardson")  # methods whose evaluations include that at x itself

_LOOK = 64  # gradients: the error of the last of so many is computed in any case
_CLEAR = 10.0  # times the last error: a gradient above that is clear of it


@dataclass
class Start:
    """x0 as a new array of float64, and the way between such arrays and what the user gave.

    Everything below works on arrays, of a tree on its flat vector.
    """

    x0: Float
    moderate: bool
    fun: Any
    jac: Any
    restore: Callable[[Float], Any]  # an array like x0 as what the user gets
    tree: Tree | None


def as_start(x0: Any, fun: Any, jac: Any) -> Start:
    tree = as_tree(x0)
    point, moderate = as_point(x0) if tree is None else (tree.x0, tree.moderate)
    if point.size == 0:
        raise ValueError("`x0` must have at least one component; it has none")
    jac = recognise_gradient(jac, point)
    if tree is None:
        return Start(point, moderate, fun, jac, _restored, None)
    if fun is not None:
        fun = tree.wrap_both(fun) if jac is True else tree.wrap(fun)
    return Start(point, moderate, fun, tree.wrap_gradient(jac) if callable(jac) else jac, tree.unflatten, tree)


def _restored(x: Float) -> Any:
    return x if x.shape else x[()]


class Objective:
    """fun and its gradient, given or numerical.

    Attributes
    ----------
    x0 : ndarray
        The start, a private copy within the bounds.
    value, gradient : callables (x, *args)
        Neither converts what a user's function returned: see `values` and `gradients`.
    limits : (lb, ub) flat, or None
    nfev : int
        Calls of fun that were made for numerical gradients.
    error : ndarray of one element, or None
        The norm of the error of a numerical gradient, computed where gtol is given: of the last one if that is small
        (with inf as gtol, of each). `errors` has those of its components.
    differences : tuple, or None
        What C needs to make the gradient of a native function itself, with a call of `careful` where that is not
        enough: the function, workspace (n, n and (n, 2, 1)), the gradients since the last look at their error, and
        the constants of nd_numerical.
    free_values : bool
        Whether fun is evaluated at x itself for the gradient.
    """

    def __init__(
        self, fun: Any, x0: Any, args: Any, jac: Any, bounds: Any, options: dict[str, Any], gtol: float | None = None
    ) -> None:
        if isinstance(jac, str):
            options, jac = {"method": jac, **options}, None
        check_options(options, tuple(name for name in OPTIONS if name not in ("bounds", "indices")))
        start = as_start(x0, fun, None if jac is False else jac)
        self.x0, self.restore, self.tree, jac = start.x0, start.restore, start.tree, start.jac
        self.options = self.flat_options(options)
        if self.tree is not None:
            bounds = self.tree.bounds(bounds) if isinstance(bounds, tuple) else bounds
        if jac is not None and jac is not True and not callable(jac):
            raise TypeError(f"`jac` must be callable, True, a method or None; it is {describe(jac)}")
        if jac is not None and self.options:
            name = next(iter(self.options))
            raise ValueError(f"`{name}` is an option of the numerical gradient, but `jac` is given")
        self.limits = as_limits(bounds, self.x0, start.moderate)
        self.kwargs = kwargs = options.get("kwargs")
        self.joint = jac is True
        self.has_fun = start.fun is not None
        if self.has_fun or jac is None or jac is True:
            self.fun, self.args = bind(start.fun, args, kwargs)
        else:
            self.fun, self.args = _no_fun, bind(jac, args, kwargs)[1]
        self.value: Callable[..., Any] = self.fun
        self.gradient: Callable[..., Any]
        self.numerical = jac is None
        self.error: Float | None = None
        self.errors: Float | None = None
        self.nfev = 0
        self._gtol, self._since = gtol, np.zeros(1, np.intp)
        self.differences: tuple[Any, ...] | None = None
        self._known: Any = None  # of numerical gradients, and of fun that returns both: from the call before
        if jac is None:
            self.error = None if gtol is None else np.full(1, np.inf)
            self.value, self.gradient = self._value, self._gradient
            plain = set(self.options) <= {"method"} and method_of(self.options.get("method", "central")) == "central"
            plain &= gtol is not None and self.limits is None and isinstance(self.fun, Native) and not self.args
            if plain and self.fun.is_number(self.x0.ndim):  # type: ignore[attr-defined]
                n = self.x0.size
                work = np.empty(n), np.empty(n), np.empty((n, 2, 1)), self._since
                self.differences = (self.fun, *work, CENTRAL_STEP, _LOOK, gtol, _CLEAR, self.careful)
            self.free_values = method_of(self.options.get("method", "central")) in _WITH_VALUE
        elif jac is True:
            self.value, self.gradient, self.free_values = self._first_of_both, self._second_of_both, True
        else:
            self.gradient, self.free_values = self.bound(jac), False
        self.values = one_number

    def flat_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Those of a derivative, but kwargs; of a tree for its flat vector."""
        option = (lambda name, value: value) if self.tree is None else self.tree.option
        return {name: option(name, value) for name, value in options.items() if name != "kwargs"}

    def bound(self, function: Any) -> Callable[..., Any]:
        """Another function of (x, *args) with the keywords of fun."""
        return bind(function, self.args, self.kwargs)[0]

    def alone(self, x: Float, *args: Any) -> float:
        """fun at x, a new array, and nothing that the next gradient could take for its own."""
        return self.values(self._both(x, *args)[0] if self.joint else self.fun(x, *args))

    def gradients(self, value: Any) -> Float:
        """What jac returned, as an array of float64 of x0's size."""
        return np.ascontiguousarray(as_gradient(value, self.x0.shape), dtype=np.float64)

    def _value(self, x: Float, *args: Any) -> float:
        self._known = one_number(self.fun(x, *args))
        return float(self._known)

    def measured_gradient(self, x: Float, *args: Any) -> Float:
        """The numerical gradient with longer steps, and an error that is measured."""
        options, self.options = self.options, measured(self.options)
        try:
            return self._careful_gradient(x, None, args)
        finally:
            self.options = options

    def _gradient(self, x: Float, *args: Any) -> Float:
        f0, self._known = self._known, None
        if not np.isfinite(x).all() or (f0 is not None and not np.isfinite(f0)):
            return np.full(x.size, np.nan)
        if self.differences is not None:
            fun, _, _, kept, *_ = self.differences
            slopes, h, calls = plain_gradient(fun, x.copy(), kept)
            self.nfev += abs(calls)
            if calls > 0:
                slopes = slopes.reshape(-1)
                self._look(lambda: self._plain_errors(x, f0, slopes, h, kept), None, x.reshape(-1), slopes)
                return slopes
        return self._careful_gradient(x, f0, args)

    def _careful_gradient(self, x: Float, f0: Any, args: tuple[Any, ...]) -> Float:
        bounds = None if self.limits is None else tuple(limit.reshape(x.shape) for limit in self.limits)
        found = differentiate(
            self.fun, x, True, f0=f0, bounds=bounds, args=args, with_error=self.error is not None, **self.options
        )
        self.nfev += found.run.nfev
        slopes = found.rows[:, 0]
        if self.limits is not None:
            slopes = np.where(self.limits[0] == self.limits[1], 0.0, slopes)  # fixed: no derivative, and none needed
        if self.error is not None:
            self._look(lambda: np.asarray(found.error)[:, 0], found.flags, x.reshape(-1), slopes)
        return slopes

    def careful(self, x: Float, f0: Any, g: Float, good: bool) -> None:
        """What C leaves to do once it has made the differences g, if they are good: see nd_numerical."""
        assert self.differences is not None
        if good:
            _, _, h, kept, *_ = self.differences
            self._look(lambda: self._plain_errors(x, f0, g, h, kept), None, x.reshape(-1), g)
        else:
            self._known = None
            g[:] = np.nan
            if np.isfinite(x).all() and (f0 is None or np.isfinite(f0)):
                g[:] = self._careful_gradient(x, f0, self.args)

    def _plain_errors(self, x: Float, f0: Any, slopes: Float, h: Float, kept: Float) -> Float:
        """Those of central differences with default steps, as of any others."""
        flat = x.reshape(-1)
        scale = np.maximum(np.abs(flat), 1.0)
        values = [kept[:, 0], kept[:, 1]]
        return bars(CENTRAL, 2, flat, h.reshape(-1, 1), scale, slopes.reshape(-1, 1), values, f0, EPS, 0.0)[:, 0]

    def _look(self, errors: Callable[[], Float], flags: Any, x: Float, slopes: Float) -> None:
        """Update the error of the gradient; computed where it may matter, as that takes longer than a gradient does."""
        assert self.error is not None
        assert self._gtol is not None
        norm_of = _difference.kernels.gradient_norm
        self._since[0] += 1
        if self.limits is None and self._since[0] < _LOOK and norm_of(slopes) > max(self._gtol, _CLEAR * self.error[0]):
            return
        self._since[0] = 0
        self.errors = found = errors()
        found[np.isnan(found)] = 0.0
        if flags is not None:
            self.errors[flags[:, 0] & Flag.kink != 0] = np.inf  # there is no derivative
        if (
            self.limits is not None
        ):  # what clearly pushes against a bound does not count in the norm, nor does its error
            lb, ub = self.limits
            against = ((slopes > 0) & (x <= lb)) | ((slopes < 0) & (x >= ub))
            self.errors[against & (np.abs(slopes) > self.errors)] = 0.0
        self.error[0] = norm_of(self.errors)

    def _both(self, x: Float, *args: Any) -> tuple[Any, Any]:
        both = self.fun(x, *args)
        if not isinstance(both, tuple | list) or len(both) != 2:
            raise TypeError(f"with jac=True `fun` must return its value and gradient; it returned {describe(both)}")
        return both[0], both[1]

    def _first_of_both(self, x: Float, *args: Any) -> Any:
        value, self._known = self._both(x, *args)
        return value

    def _second_of_both(self, x: Float, *args: Any) -> Any:
        known, self._known = self._known, None
        if known is None:
            self.nfev += 1
            known = self._both(x, *args)[1]
        return known

    def on_copies(self) -> None:
        """From now on fun and its gradient get a copy of x of their own in every call."""
        self.differences = None
        for name in ("value", "gradient"):
            setattr(self, name, partial(_on_copy, getattr(self, name)))


def measured(options: dict[str, Any]) -> dict[str, Any]:
    """Options for a derivative with an error that is no cautious guess; its steps are longer, and its own."""
    return {"method": "richardson", **{name: option for name, option in options.items() if name == "x_scale"}}


def _on_copy(fun: Callable[..., Any], x: Float, *args: Any) -> Any:
    return fun(x.copy(), *args)


def _no_fun(x: Float, *args: Any) -> float:
    return np.nan


def as_limits(bounds: Any, x0: Float, moderate: bool) -> tuple[Float, Float] | None:
    """`bounds` of a descent: (lb, ub), an object with lb and ub, or pairs (min, max), None for no bound.

    Two pairs in a tuple may be a (lb, ub) as well: then what is not possible is not meant.
    """
    if bounds is None:
        return None
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        bounds = (bounds.lb, bounds.ub)
        if x0.shape:
            bounds = tuple(np.broadcast_to(limit, x0.shape) for limit in bounds)
    elif isinstance(bounds, list):
        bounds = _by_pairs(bounds, x0)
    elif isinstance(bounds, tuple) and _are_pairs(bounds, x0):
        meant = _by_pairs(bounds, x0)
        if len(bounds) == 2 and not any(limit is None for pair in bounds for limit in pair):
            as_pairs, as_they_are = _possible(meant, x0, moderate), _possible(bounds, x0, moderate)
            if as_pairs and as_they_are and not np.array_equal(meant, bounds):
                raise ValueError(
                    "`bounds` may be two pairs (min, max) or (lb, ub); give a list of pairs, or lb and ub as arrays or "
                    f"in a scipy.optimize.Bounds; it is {bounds!r}"
                )
            meant = meant if as_pairs else bounds
        bounds = meant
    return as_bounds(bounds, x0, moderate)


def _are_pairs(bounds: Any, x0: Float) -> bool:
    return len(bounds) == x0.size and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in bounds)


def _by_pairs(pairs: Any, x0: Float) -> tuple[Any, Any]:
    if not _are_pairs(pairs, x0):
        raise ValueError(
            f"`bounds` must be a tuple (lb, ub), or a list of a pair (min, max) for each of {x0.size} components; "
            f"it is {pairs!r}"
        )
    lb = [-np.inf if low is None else low for low, _ in pairs]
    ub = [np.inf if high is None else high for _, high in pairs]
    return np.reshape(lb, x0.shape), np.reshape(ub, x0.shape)


def _possible(bounds: Any, x0: Float, moderate: bool) -> bool:
    try:
        as_bounds(bounds, x0.copy(), moderate)
    except (TypeError, ValueError):
        return False
    return True
