"""The Taylor test: how fast the remainder of the linear model falls as the step shrinks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._examination import Examination
from ._forward import scale_of
from ._line import as_direction
from ._steps import EPS

Float = NDArray[np.float64]

_STEPS: Final = 50  # 1/2, 1/4, ... of the scale of x
_CLEAR: Final = 30.0  # times what rounding may make of the remainder
_WINDOW: Final = 8  # steps: the shortest whose remainder is clear
_LEAST: Final = 4
_RIGHT, _WRONG = 1.8, (0.8, 1.2)
_EXACT: Final = 1e-6  # of the linear term


@dataclass(frozen=True)
class TaylorTest:
    """The remainders and their slope; `taylor_test` returns it. True where the verdict is "agree".

    Attributes
    ----------
    slope : float
        Of log |remainder| over log h at the shortest steps that rounding leaves clear: 2 for a right gradient (3, where
        the second derivative is 0 too), 1 for a wrong one; inf where the linear model is exact; nan: cannot be told.
    verdict : str
        "agree", "disagree" or "inconclusive".
    h, remainder : ndarray
        The steps, descending, and |f(x + h v) - f(x) - h J v|.
    used : ndarray of bool
        The steps that the slope is taken from.
    nfev : int
        Calls of fun.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> print(numdiff.taylor_test(lambda x: np.exp(x).sum(), np.exp, [0.0, 1.0]))
    taylor_test: agree, slope 2.00 (51 evaluations of fun)
    """

    slope: float
    verdict: str
    h: Float
    remainder: Float
    used: NDArray[np.bool_]
    nfev: int

    def __bool__(self) -> bool:
        return self.verdict == "agree"

    def __str__(self) -> str:
        return f"taylor_test: {self.verdict}, slope {self.slope:.2f} ({self.nfev} evaluations of fun)"

    def __repr__(self) -> str:
        rows = [f"{'h':>10}  {'remainder':>10}"]
        rows += [
            f"{h:>10.2e}  {r:>10.2e}{'  used' if used else ''}"
            for h, r, used in zip(self.h, self.remainder, self.used, strict=True)
        ]
        return "\n".join([str(self), *rows])


def taylor_test(
    fun: Callable[..., Any],
    jac: Callable[..., Any],
    x0: Any,
    *,
    direction: Any = None,
    rng: Any = 0,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> TaylorTest:
    """The slope of |f(x + h v) - f(x) - h J v| over h, in logarithms: 2 for a right gradient, 1 for a wrong one.

    Parameters
    ----------
    fun, jac, x0, args, kwargs
        As in `gradcheck`.
    direction : int, or array_like of x0's shape, optional
        v; an integer picks a coordinate of the flat x0. Default: random, in proportion to |x0|.
    rng : int or numpy.random.Generator, default 0
        Of the random direction.

    Returns
    -------
    TaylorTest

    Raises
    ------
    TypeError, ValueError
        As `gradcheck`; ValueError where jac returns a wrong shape.

    Notes
    -----
    51 calls of fun, at x0 and at 50 steps, each half the one before. The slope is fitted to the eight shortest whose
    remainder is well above rounding and noise: an error of the gradient shows where its share of the remainder there is
    larger than that of the curvature; a smaller one passes. A linear function leaves no remainder (slope inf, "agree"),
    a quadratic one 2 exactly. Other slopes are "inconclusive". N. Boumal, An introduction
    to optimization on smooth manifolds (2023), section 4.8.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> round(numdiff.taylor_test(lambda x: np.exp(x).sum(), lambda x: 1.01 * np.exp(x), [0.0, 1.0]).slope, 1)
    1.0
    """
    check = Examination(fun, jac, x0, args, kwargs)
    a = check.begin()
    if isinstance(a, tuple):
        raise ValueError(f"`jac` returned shape {a[0]} where {a[1]} is due")
    run = check.run
    x, f0 = run.x0.reshape(-1), np.reshape(np.asarray(run.f0, np.float64), -1)
    if direction is None:
        generator = np.random.default_rng(rng)
        v = scale_of(x) * generator.uniform(0.5, 1.0, x.size) * generator.choice([-1.0, 1.0], x.size)
    else:
        v = as_direction(direction, run.x0.shape)
    unit = 1.0 if direction is None else 2.0 ** -round(math.log2(float(np.max(np.abs(v) / scale_of(x)))))
    h: Float = np.asarray(unit * 0.5 ** np.arange(1, _STEPS + 1), np.float64)
    with np.errstate(all="ignore"):
        along = v @ a
        by_x = EPS * np.sqrt(((x[:, None] * a) ** 2).sum(axis=0))
        remainder, floor = np.empty(_STEPS), np.empty(_STEPS)
        for k in range(_STEPS):
            value = np.reshape(np.asarray(run.evaluate((x + h[k] * v).reshape(run.x0.shape)), np.float64), -1)
            remainder[k] = np.linalg.norm(value - f0 - h[k] * along)
            size = np.maximum(np.abs(value), np.abs(f0)) + h[k] * np.abs(along)
            floor[k] = np.linalg.norm((run.eps or EPS) * size + by_x)
        linear = float(np.linalg.norm(along))
        slope, used = _slope(h, remainder, floor)
        # No remainder above rounding, though the linear term is there: the model is exact.
        quiet = bool((remainder <= _CLEAR * floor).all())
        if not used.any() and quiet and (remainder[0] <= _EXACT * h[0] * linear or not remainder.any()):
            slope = math.inf
    verdict = "agree" if slope >= _RIGHT else "disagree" if _WRONG[0] <= slope <= _WRONG[1] else "inconclusive"
    return TaylorTest(slope, verdict, h, remainder, used, run.nfev)


def _slope(h: Float, remainder: Float, floor: Float) -> tuple[float, NDArray[np.bool_]]:
    # What the shortest steps leave is noise of fun, rounding or more, if it does not fall.
    floor = np.fmax(floor, float(np.max(remainder[-_WINDOW:], initial=0.0, where=np.isfinite(remainder[-_WINDOW:]))))
    clear = np.isfinite(remainder) & (remainder > _CLEAR * floor)
    noisy = np.flatnonzero(~clear & np.isfinite(remainder))
    last = int(noisy[0]) if noisy.size and clear[: noisy[0]].any() else len(h)  # beyond it a clear one is chance
    with np.errstate(invalid="ignore"):
        falling = remainder[1:last] < remainder[: last - 1]
    rough = np.flatnonzero(~falling)  # growing as h shrinks, or not finite: no power of h yet
    first = int(rough[-1]) + 1 if rough.size else 0
    chosen = (first + np.flatnonzero(clear[first:last]))[-_WINDOW:]
    used = np.zeros(len(h), bool)
    if chosen.size < _LEAST:
        return math.nan, used
    used[chosen] = True
    return float(np.polyfit(np.log(h[chosen]), np.log(remainder[chosen]), 1)[0]), used
