"""Curves: a function with its derivative and a tangent, and the V-curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .._derivative import derivative
from .._derivatives import gradient
from .._function import as_point, bind, describe, one_number
from .._result import Flag
from .._sweep import StepSweep
from ._figure import axes_for

Float = NDArray[np.float64]

_POINTS: Final = 400  # of a curve
_STEEP: Final = 10.0  # a range of this many times that of 9 in 10 of the values is not shown to its ends


def function(
    fun: Callable[..., Any],
    a: float,
    b: float,
    *,
    tangent: float | None = None,
    args: tuple[Any, ...] = (),
    vectorized: bool = True,
    ax: Any = None,
) -> Any:
    """A function of one variable and its derivative on [a, b] and, on request, a tangent.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `derivative`: elementwise, or of one float with vectorized=False.
    a, b : float
        The ends, a < b.
    tangent : float, optional
        Where a tangent touches, in [a, b].
    args : tuple
        Further arguments of fun.
    vectorized : bool, default True
        False: fun takes one Python float and returns one number.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        With a line for fun, one for the derivative, and for the tangent a line and a point. Nothing is drawn where fun
        or the derivative is nan. Near a pole the view ends, and the line has a gap.

    Raises
    ------
    TypeError, ValueError
        As `derivative`; ValueError where a < b does not hold, or fun has no tangent there: a kink, or not finite.

    Notes
    -----
    Calls of fun: 3 with 400 points each, and up to about 100 for the tangent, by `gradient` with method "richardson",
    which tells a kink.

    Examples
    --------
    >>> import numpy as np, numdiff.plot
    >>> ax = numdiff.plot.function(np.sin, -6, 6, tangent=0.25)
    >>> [line.get_label() for line in ax.lines[:3]]
    ['f', "f'", 'tangent at 0.25']
    """
    (a, b), _ = as_point([a, b], "a, b")
    if not a < b:
        raise ValueError(f"`a` must be less than `b`; they are {a!s} and {b!s}")
    touch = None if tangent is None else _touch(tangent, a, b)
    x = np.linspace(a, b, _POINTS)
    fun, args = bind(fun, args, None)
    with np.errstate(all="ignore"):
        slope = derivative(fun, x, args=args, vectorized=vectorized)
        y = fun(x.copy(), *args) if vectorized else [fun(float(at), *args) for at in x]
    y = np.array(y, dtype=np.float64)
    touching = None if touch is None else _tangent(fun, args, touch, vectorized)

    ax = axes_for(ax)
    view = _view(np.concatenate([y, slope]))
    ax.plot(*_with_gaps(x, y, slope, view), label="f")
    ax.plot(*_with_gaps(x, slope, None, view), "--", label="f'")
    if touching is not None:
        at, height, rate = touching
        near = np.array([max(a, at - (b - a) / 8), min(b, at + (b - a) / 8)])
        ax.plot(near, height + rate * (near - at), color="0.4", linewidth=1, label=f"tangent at {at:g}")
        ax.plot(at, height, "o", color="0.4", markersize=4)
    ax.set_xlim(a, b)
    if view is not None:
        margin = (view[1] - view[0]) / 20
        heights = [] if touching is None else [touching[1] - margin, touching[1] + margin]
        ax.set_ylim(min(*view, *heights), max(*view, *heights))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def step_sweep(result: Any, *, ax: Any = None) -> Any:
    """The V-curve: the error of a central difference against its step, and the best step.

    Parameters
    ----------
    result : StepSweep
        What `numdiff.step_sweep` returns.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        With both scales logarithmic, a line for the estimated errors and a point for the best step, if there is one.

    Raises
    ------
    TypeError
        Something else than a StepSweep.

    Notes
    -----
    Calls no function. To the left of the best step rounding and noise make the error, to the right truncation.

    Examples
    --------
    >>> import numpy as np, numdiff.plot
    >>> ax = numdiff.plot.step_sweep(numdiff.step_sweep(np.exp, 0.0))
    >>> ax.get_xscale(), ax.get_yscale()
    ('log', 'log')
    """
    if not isinstance(result, StepSweep):
        raise TypeError(f"`result` must be what numdiff.step_sweep returns; it is {describe(result)}")
    ax = axes_for(ax)
    ax.loglog(result.h, result.error, ".-", label="estimated error")
    if np.isfinite(result.best_h):
        ax.loglog(result.best_h, result.best_error, "o", color="tab:red", label=f"best: h = {result.best_h:.1e}")
    ax.set_xlabel("step h")
    ax.set_ylabel("error of the derivative")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _touch(tangent: float, a: float, b: float) -> Float:
    x, _ = as_point(tangent, "tangent")
    if x.size != 1:
        raise ValueError(f"`tangent` must be one number; it has the shape {x.shape}")
    x = x.reshape(())
    if not a <= x <= b:
        raise ValueError(f"`tangent` must be in [a, b], from {a!s} to {b!s}; it is {x!s}")
    return x


def _tangent(fun: Any, args: tuple[Any, ...], x: Float, vectorized: bool) -> tuple[float, float, float]:
    """(x, f(x), f'(x)), or an error where there is no tangent."""

    def one(x: Float, *rest: Any) -> Any:
        return fun(x if vectorized else float(x), *rest)

    with np.errstate(all="ignore"):
        height = one_number(one(x.copy(), *args))
        found = gradient(one, x, method="richardson", args=args, full_output=True)
    if not np.isfinite([height, found.value]).all() or found.flag & Flag.kink:
        why = "has a kink or a jump" if found.flag & Flag.kink else "or its slope is not finite"
        raise ValueError(f"`tangent`: fun {why} at {float(x)!s}, where it has none")
    return float(x), height, float(found.value)


def _view(values: Float) -> tuple[float, float] | None:
    """From where to where to look, if some values are so far out that the others would not be seen; else None."""
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, [5, 95])
    room = high - low
    if values.max() - values.min() <= _STEEP * room or room == 0:
        return None
    return float(low - room / 4), float(high + room / 4)


def _with_gaps(x: Float, y: Float, slope: Float | None, view: tuple[float, float] | None) -> tuple[Float, Float]:
    """A nan where y leaps across the view, or by much and against its slopes on both sides: a pole is no line."""
    if view is None:
        return x, y
    below, above = y < view[0], y > view[1]
    leaps = (below[:-1] & above[1:]) | (above[:-1] & below[1:])
    if slope is not None:
        way = np.sign(slope[:-1])
        against = (way == np.sign(slope[1:])) & (way == -np.sign(np.diff(y)))
        leaps |= against & (np.abs(np.diff(y)) > (view[1] - view[0]) / 4)
    gaps = 1 + np.flatnonzero(leaps)
    return np.insert(x, gaps, x[gaps]), np.insert(y, gaps, np.nan)
