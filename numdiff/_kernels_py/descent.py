"""Gradient descent, twin of src/descent.c."""

from __future__ import annotations

import math
from collections.abc import Callable
from sys import getrefcount
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .point import BLOCK_BYTES, WRITTEN

Float = NDArray[np.float64]
Rule = tuple[float, float, bool]  # learning rate, momentum, nesterov

# Why a descent ended, as in numdiff.h.
GTOL, MAXITER, XTOL, FTOL, NOT_FINITE, DIVERGED, BELOW_ERROR, NO_DECREASE, OBSERVER_ENDED = *range(8), 99

FAR, ARMIJO, HALVINGS = 1e10, 1e-4, 60
_LANES = 8
_BLOCK = BLOCK_BYTES // 8
_TINY, _SAME = 1e-290, 0.99
_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)


def _lanes(terms: Float) -> float:
    """The sum of terms in the order of the C core: eight sums that take turns."""
    whole = terms.size - terms.size % _LANES
    s, rest = [0.0] * _LANES, terms[whole:].tolist()
    if whole:  # along the first axis NumPy adds row by row; its pairwise sum is for the last one
        s = (np.add.reduce(terms[:whole].reshape(-1, _LANES), axis=0) + 0.0).tolist()
    for lane, term in enumerate(rest):
        s[lane] += term
    return float(((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])))


def gradient_norm(g: Float) -> float:
    """sqrt(sum g^2): nd_gradient_norm without bounds."""
    g = g.reshape(-1)
    with np.errstate(all="ignore"):
        total = _lanes(g * g)
        if total >= _TINY and math.isfinite(total):
            return math.sqrt(total)
        scale = 2.0**600 if total < _TINY else 2.0**-600
        scaled = g * scale
        total = _lanes(scaled * scaled)
    return math.sqrt(total) / scale if math.isfinite(total) else total


def step(x: Float, g: Float, rule: Rule, v: Float | None, before: Float) -> None:
    """nd_step without bounds."""
    _step(x.reshape(-1), g.reshape(-1), rule, None if v is None else v.reshape(-1), before.reshape(-1), (None, None))


def _step(x: Float, g: Float, rule: Rule, v: Float | None, before: Float, bounds: tuple[Any, Any]) -> None:
    rate, momentum, nesterov = rule
    with np.errstate(all="ignore"):
        slope = rate * g
        before[:] = x
        if v is None:
            to = before - slope
        else:
            v[:] = momentum * v - slope
            to = before + (momentum * v - slope if nesterov else v)
        if bounds[0] is not None:
            inside = _clipped(to, *bounds)
            if v is not None:
                v[inside != to] = 0.0
            to = inside
        x[:] = to


def _promised(g: Float, start: Float, end: Float) -> float:
    """sum g (start - end)"""
    with np.errstate(all="ignore"):
        return _lanes(g * (start - end))


def _largest(x: Float) -> float:
    return float(np.fmax.reduce(np.abs(x), initial=0.0))


def _clipped(x: Float, lb: Float, ub: Float) -> Float:
    return np.asarray(np.where(x < lb, lb, np.where(x > ub, ub, x)))  # nan stays


class _Descent:
    """x, as fun sees it and flat, and the calls of fun and its gradient there: the objective of nd_descend."""

    def __init__(self, fun: Any, gradient: Any, args: Any, values: Any, gradients: Any, x: Float, fixed: bool) -> None:
        self.fun, self.gradient, self.args, self.values, self.gradients = fun, gradient, args, values, gradients
        self.array, self.x, self.fixed = x, x.reshape(-1), fixed
        self.nfev = self.njev = 0

    def evaluate(self, call: Callable[..., Any], convert: Callable[[Any], Any]) -> Any:
        """What fun or its gradient returns; None: it wrote into x, or has kept it although x is fixed."""
        array, shape = self.array, self.array.shape
        calls, blocks = self.nfev + self.njev, -(-array.size // _BLOCK)
        look = self.x
        if calls >= 2 and blocks > 1:
            begin = calls % blocks * _BLOCK
            look = self.x[begin : begin + _BLOCK]
        seen = look.tobytes()
        arguments = (array, *self.args)
        references, of_arguments = getrefcount(array), getrefcount(arguments)
        result = convert(call(*arguments))
        if array.shape != shape or array.dtype != np.float64:
            return None
        if not (array.flags.c_contiguous and array.flags.writeable) or look.tobytes() != seen:
            return None
        if isinstance(result, np.ndarray) and np.may_share_memory(result, array):
            result = result.copy()  # it holds x; only then count the references
        if getrefcount(array) != references or getrefcount(arguments) != of_arguments:
            if self.fixed:
                return None
            self.array = array.copy()  # fun has kept x: that array is fun's from now on
            self.x = self.array.reshape(-1)
        return result

    def value(self) -> float | None:
        self_values = self.values
        fx = self.evaluate(self.fun, lambda value: value if type(value) is float else self_values(value))
        self.nfev += 1
        return None if fx is None else float(fx)

    def slope(self) -> Float | None:
        g = self.evaluate(self.gradient, self.gradients)
        self.njev += 1
        return None if g is None else g.reshape(-1)


def descend(
    fun: Callable[..., Any],
    gradient: Callable[..., Any],
    args: tuple[Any, ...],
    values: Callable[[Any], Any],
    gradients: Callable[[Any], Any],
    x0: Float,
    x: Float,
    fixed: bool,
    rule: Rule,
    v: Float | None,
    bounds: tuple[Any, Any],
    stops: tuple[int, float, float, float],
    line_search: bool,
    with_values: bool,
    error: Float | None,
    work: tuple[Any, Any, Any, Any, Any],
    observe: Callable[..., Any] | None,
    interval: float,
    differences: tuple[Any, ...] | None,
) -> tuple[int, Float, float, float, int, int, int]:
    """Gradient descent from x: nd_descend.

    fun(x, *args) and gradient(x, *args) are called with x itself, of any shape, or, where they keep it, with a copy;
    fixed: x must stay that array. `values` and `gradients` turn what they return, where that is no float and no array
    like x, into such. x0 is a copy of x. v, work (g, before, seen, best, best_g), bounds and error as in numdiff.h;
    g is the gradient in the end. rule is (learning_rate, momentum, nesterov), stops (maxiter, gtol, xtol, ftol).
    observe(x, nit, fx, norm), if any, is called at every point, or at most once in an interval of so many seconds if
    that is not 0; True ends.
    differences, if any, are for C, which makes those of gradient itself: see `Objective.differences`.
    Returns (status, x, fx, norm, nit, calls of fun, calls of gradient).
    """
    maxiter, gtol, xtol, ftol = stops
    rate = rule[0]
    lb, ub = bounds
    run = _Descent(fun, gradient, args, values, gradients, x, fixed)
    before = work[1]
    far = FAR * max(gradient_norm(x), 1.0)
    best: tuple[Any, ...] = (math.inf, None, None)
    fx, last_fx, last_norm, first_norm, due = math.nan, 0.0, 0.0, 0.0, -math.inf
    nit, searched = 0, False
    flat_v = None if v is None else v.reshape(-1)

    def free_part(g: Float) -> Float:
        if lb is None:
            return g
        against = ((g > 0.0) & (run.x <= lb)) | ((g < 0.0) & (run.x >= ub))
        return np.where(against, 0.0, g)

    def norm_of(g: Float) -> float:
        return gradient_norm(free_part(g))

    def rests(g: Float) -> bool:
        move = _largest(run.x - before)
        return move <= xtol and (v is None or rate * _largest(free_part(g)) <= xtol)

    def leaps(g: Float) -> bool:
        if not (last_fx - fx <= _ROUNDING * abs(fx) and norm >= _SAME * last_norm):
            return False
        return _promised(g, before, run.x) < 0.0

    def result(status: int) -> tuple[int, Float, float, float, int, int, int]:
        return status, run.array, fx, norm, nit, run.nfev, run.njev

    norm = math.nan
    while True:
        if with_values and not searched:
            value = run.value()
            if value is None:
                return result(WRITTEN)
            fx = value
        g = run.slope()
        if g is None:
            return result(WRITTEN)
        norm = norm_of(g)
        end = -1
        if not math.isfinite(norm) or (with_values and not math.isfinite(fx)):
            end = NOT_FINITE
            if nit > 0:
                nit -= 1  # that step is taken back
                break
        if nit == 0:
            first_norm = norm
        if end >= 0:
            pass
        elif norm < gtol and (error is None or error[0] <= gtol):
            end = GTOL
        elif nit > 0 and xtol > 0.0 and rests(g):
            end = XTOL
        elif nit > 0 and ftol > 0.0 and abs(last_fx - fx) <= ftol and not leaps(g):
            end = FTOL
        elif error is not None and norm <= error[0]:
            end = BELOW_ERROR
        elif not line_search and norm > first_norm and rate * norm > far:
            end = DIVERGED
        elif nit >= maxiter:
            end = MAXITER
        if observe is not None and (not interval or monotonic() >= due):
            due = monotonic() + interval
            g = g.copy()  # it may call the gradient, which may use its memory again
            if observe(run.array, nit, fx, norm) is True and end < 0:
                end = OBSERVER_ENDED
        if with_values and fx <= best[0]:
            best = fx, run.x.copy(), g.copy()
        if end >= 0:
            break
        last_fx, last_norm = fx, norm
        if line_search:
            g = g.copy()  # the next call may change it
            before[:] = run.x
            status, found = _search_line(run, rate, fx, g, before, bounds)
            if status == WRITTEN:
                return result(WRITTEN)
            if status == NO_DECREASE:
                run.x[:] = before
                end = NO_DECREASE
                break
            fx, searched = found, True
        else:
            _step(run.x, g, rule, flat_v, before, bounds)
        nit += 1

    if math.isfinite(best[0]) and (end == NOT_FINITE or best[0] < fx - _ROUNDING * abs(fx)):
        fx, run.x[:], g = best
    elif end == NOT_FINITE and run.njev > 1:
        run.x[:] = before
        g = run.slope()
        if g is None:
            return result(WRITTEN)
    norm = norm_of(g)
    work[0][:] = g
    return result(end)


def _search_line(
    run: _Descent, rate: float, fx: float, g: Float, before: Float, bounds: tuple[Any, Any]
) -> tuple[int, float]:
    """x = before - t g for the first t that lowers fun enough: (0, its value there), NO_DECREASE or WRITTEN."""
    t = rate
    for _ in range(HALVINGS + 1):
        with np.errstate(all="ignore"):
            to = before - t * g
            run.x[:] = to if bounds[0] is None else _clipped(to, *bounds)
        found = run.value()
        if found is None:
            return WRITTEN, fx
        fall = _promised(g, before, run.x)
        if fall > 0.0 and found < fx and found <= fx - ARMIJO * fall:
            return 0, found
        t *= 0.5
    return NO_DECREASE, fx
