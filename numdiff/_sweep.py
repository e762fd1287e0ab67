"""The V-curve of a central difference: how its error falls, and rises again, as the step shrinks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._line import Line
from ._noise import noise_on
from ._steps import EPS

Float = NDArray[np.float64]

_STEPS: Final = 54  # 2^-53, ..., 1/2, 1 times the scale
_HUMP: Final = 100.0  # a rise of the error by this factor is truncation, and the error stays that large beyond


@dataclass(frozen=True)
class StepSweep:
    """A central difference at many steps; `step_sweep` returns it.

    Attributes
    ----------
    h : ndarray
        The steps, ascending powers of two.
    derivative : ndarray, shape of h
        The central difference at each; nan where a point is outside the bounds, or fun is not finite.
    error : ndarray, shape of h
        An estimate of the absolute error of each, truncation and rounding together; nan where derivative is.
    best_h, best, best_error : float
        The step of the smallest error, and derivative and error there; nan if there is none.
    nfev : int
        Number of calls of fun.

    Examples
    --------
    >>> import numdiff
    >>> numdiff.step_sweep(lambda x: x**3, 1.0).best_h < 1e-3
    True
    """

    h: Float
    derivative: Float
    error: Float
    best_h: float
    best: float
    best_error: float
    nfev: int

    def __repr__(self) -> str:
        shown = [k for k in range(len(self.h)) if k % 6 == 5 or self.h[k] == self.best_h]
        rows = [
            f"{self.h[k]:>10.2e}  {self.derivative[k]:>22.15g}  {self.error[k]:>8.1e}"
            + ("  best" if self.h[k] == self.best_h else "")
            for k in shown
        ]
        head = f"{'h':>10}  {'derivative':>22}  {'error':>8}"
        return "\n".join([f"StepSweep of {len(self.h)} steps, {self.nfev} evaluations", head, *rows])


def step_sweep(
    fun: Any,
    x0: ArrayLike,
    direction: Any = None,
    *,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
) -> StepSweep:
    """Central differences along a line at steps from 1e-16 to 1, the error of each, and the best step.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Gets a float64 array of x0's shape, its own in each call. Returns one real number.
    x0 : array_like of any shape, or number
        The point, real and finite.
    direction : int, or array_like of x0's shape, optional
        Differentiate fun(x0 + t direction) by t at 0; an integer picks a coordinate of the flat x0. Default: the axis
        for an x0 of one component, else a random unit vector, the same in every call.
    args, kwargs : tuple, dict
        Further arguments of fun.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside.

    Returns
    -------
    StepSweep
        Arrays h, derivative and error of 54 steps: powers of two, the longest moving some component by about
        max(|x0|, 1); and best_h, best, best_error, nfev.

    Raises
    ------
    TypeError, ValueError
        As `estimate_noise`.

    Notes
    -----
    Calls of fun: 2 for each step whose points lie within the bounds and differ from x0, one at x0, and those of
    `estimate_noise`; 118 for a smooth function without bounds.
    The error at h is the noise over h, and the truncation h^2 f'''/6 as it shows in the change from h to 2h; where the
    error has risen by far and falls again with longer steps it is taken to stay as large (sin(2 pi x) has differences
    of 0 at h = 1/2). A kink at x0 adds half the difference of the two slopes. Within a factor 10 of the true error
    mostly. Nocedal and Wright, Numerical Optimization, section 8.1.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> sweep = numdiff.step_sweep(np.exp, 0.0)
    >>> 1e-6 < sweep.best_h < 1e-4, bool(abs(sweep.best - 1) < 1e-9)
    (True, True)
    """
    line = Line(fun, x0, direction, False, args, kwargs, bounds)
    flat, along = line.x0.reshape(-1), line.direction
    top = round(math.log2(line.scale)) if line.scale > 0 else 0
    h = np.ldexp(1.0, np.arange(top - _STEPS + 1, top + 1))
    derivative, bend = np.full(_STEPS, np.nan), np.full(_STEPS, np.nan)

    f0 = line.value(flat.copy()) if along.any() else math.nan
    largest = float(np.max(np.abs(along)))
    unit = along / largest if largest else along
    for k in range(_STEPS):
        left, right = flat - h[k] * along, flat + h[k] * along
        # the step taken, in units of direction
        taken = float((right - left) @ unit) / float(unit @ unit) / largest if largest else 0.0
        if taken > 0 and line.inside(left) and line.inside(right):
            below, above = line.value(left), line.value(right)
            with np.errstate(all="ignore"):
                derivative[k] = np.divide(above - below, taken)
                bend[k] = np.divide(above - f0 - (f0 - below), taken)
    derivative[~np.isfinite(derivative)] = np.nan

    found = noise_on(line)
    noise = found.noise if math.isfinite(found.noise) else 0.0
    # Values are rounded at least; fun may be exact at the few points that were looked at.
    floor = (line.eps or EPS) * abs(f0) / 8 if math.isfinite(f0) else 0.0
    error = estimate_error(h, derivative, bend, max(noise, floor))
    best = int(np.nanargmin(error)) if np.isfinite(error).any() else None
    if best is None:
        return StepSweep(h, derivative, error, math.nan, math.nan, math.nan, line.nfev)
    return StepSweep(h, derivative, error, float(h[best]), float(derivative[best]), float(error[best]), line.nfev)


def estimate_error(h: Float, derivative: Float, bend: Float, noise: float) -> Float:
    """The error of central differences at ascending steps h, each twice the one before.

    bend is half the forward difference less the backward one: h f''/2, or what a kink leaves.
    """
    size = len(h)
    change = np.full(size, np.nan)
    change[:-1] = np.abs(np.diff(derivative)) / 3  # c (2h)^2 - c h^2 = 3 c h^2
    # The longest has no neighbour above: truncation there is 4 times that at half the step.
    last = np.flatnonzero(np.isfinite(change))
    if last.size:
        change[last[-1] + 1] = 4 * change[last[-1]]
    # A change may vanish by chance. Its neighbours tell too, scaled as truncation (to the right) or noise (left).
    error = change.copy()
    for shift, factor in ((1, 1 / 4), (2, 1 / 16), (-1, 1 / 2), (-2, 1 / 4)):
        moved = np.full(size, np.nan)
        if shift > 0:
            moved[:-shift] = change[shift:] * factor
        else:
            moved[-shift:] = change[:shift] * factor
        error = np.fmax(error, moved)
    # Twice what is expected: most errors shall be less.
    error = 2 * (np.where(np.isnan(error), np.inf, error) + noise / h)
    error = np.maximum(error, _kink(h, bend, noise))
    error[np.isnan(derivative)] = np.nan

    lowest = worst = math.inf
    for k in range(size):
        if math.isnan(error[k]):
            continue
        if worst < math.inf or error[k] > _HUMP * lowest:
            worst = max(error[k], 0.0 if worst == math.inf else worst)
            error[k] = worst
        lowest = min(lowest, error[k])
    return error


def _kink(h: Float, bend: Float, noise: float) -> float:
    """Half the difference of the slopes on the two sides, if it is there at any step: 0 for a smooth function."""
    slopes = bend[(np.abs(bend) * h > 20 * noise) & np.isfinite(bend)]
    steady = np.abs(np.diff(slopes)) < 0.05 * np.abs(slopes[1:])
    runs = steady[:-2] & steady[1:-1] & steady[2:]
    return float(np.abs(slopes[np.argmax(runs)])) if runs.any() else 0.0
