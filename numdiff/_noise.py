"""How noisy a function is: ECnoise, by Moré and Wild."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _difference
from ._function import describe
from ._line import Line
from ._steps import EPS

Float = NDArray[np.float64]

OK: Final = "ok"
TOO_SMALL: Final = "too small a step"
TOO_LARGE: Final = "too large a step"
BROKEN: Final = "a kink or a jump"
NONFINITE: Final = "fun is not finite"
NO_ROOM: Final = "no room within the bounds"

_M: Final = 8  # the highest order of difference; one value more
_STEP: Final = 1.618e-6  # of max(|x|, 1); not a round number, so that no rounding in fun falls in with it
_LONGEST: Final = 0.02  # of max(|x|, 1): noise is looked for near x0
_SHORTEST: Final = 1e-14
_TABLES: Final = 6  # at most
_LONGER: Final = 20.0
_BESIDE: Final = 7.3
_ALIKE: Final = 4.0  # levels within this factor are the same noise


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of a function near a point; `estimate_noise` returns it.

    Attributes
    ----------
    noise : float
        The standard deviation of fun's values around a smooth function; 0 for a constant, nan unless status is "ok".
    status : str
        "ok", or why the noise cannot be told: "too small a step" (fun does not change enough), "too large a step" (fun
        changes too much, even over the shortest), "a kink or a jump", "fun is not finite", "no room within the bounds".
    h : float
        The step of the last table of differences: fun was called at x0 + j h direction, for whole numbers j.
    nfev : int
        Number of calls of fun.
    levels : tuple of float
        The estimates by the differences of order 1, 2, ..., as they are in that table.

    Examples
    --------
    >>> import numdiff
    >>> numdiff.NoiseEstimate(noise=1e-6, status="ok", h=1.6e-6, nfev=9)
    NoiseEstimate(noise=1e-06, status='ok', h=1.6e-06, nfev=9)
    >>> print(numdiff.NoiseEstimate(noise=1e-6, status="ok", h=1.6e-6, nfev=9))
    noise 1e-06 (ok; step 1.6e-06, 9 evaluations)
    """

    noise: float
    status: str
    h: float
    nfev: int
    levels: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return f"NoiseEstimate(noise={self.noise:.3g}, status={self.status!r}, h={self.h:.3g}, nfev={self.nfev})"

    def __str__(self) -> str:
        noise = "unknown" if math.isnan(self.noise) else f"{self.noise:.3g}"
        return f"noise {noise} ({self.status}; step {self.h:.3g}, {self.nfev} evaluations)"


@dataclass(frozen=True)
class _Verdict:
    """What one table of differences says."""

    status: str
    h: float
    noise: float = math.nan
    levels: tuple[float, ...] = ()
    kink: float = 0.0  # what a kink would pass for, over h
    wild: bool = False  # an oscillation that is faster than h looks the same
    straight: bool = False  # a line; or h is a whole number of the units to which values are rounded


def estimate_noise(
    fun: Any,
    x0: ArrayLike,
    *,
    direction: Any = None,
    h: float | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
) -> NoiseEstimate:
    """The standard deviation of the noise in a function's values near x0: rounding, or whatever else is not smooth.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Gets a float64 array of x0's shape, its own in each call. Returns one real number.
    x0 : array_like of any shape, or number
        The point, real and finite.
    direction : int, or array_like of x0's shape, optional
        The line on which fun is called; an integer picks a coordinate of the flat x0. Default: a random direction, the
        same in every call, scaled by max(|x0|, 1) in each component and turned away from bounds that are near.
    h : float, optional
        The step at which to begin: fun is called at x0 + j h direction, for whole numbers j. Default: 1.6e-6 times
        what moves a component by max(|x0|, 1).
    args, kwargs : tuple, dict
        Further arguments of fun.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside.

    Returns
    -------
    NoiseEstimate
        Look at its status: where that is not "ok", noise is nan.

    Raises
    ------
    TypeError
        x0, direction, h or a bound that is no real number; fun returns None, a bool, text or a complex number.
    ValueError
        x0 with nan or inf, or outside the bounds; direction zero, not finite or of another shape; h not positive; fun
        returns more than one number.

    Notes
    -----
    9 calls of fun where the first step serves. Else up to five steps more, a hundred times longer or shorter; at most
    72 calls. Values that are all noise (around 0), as is a fast oscillation, and a line without noise, as values of
    few digits may seem, are looked at with a second step: 18 calls.
    For normally distributed noise of 1e-12 to 1e-2 the result is within a factor 2 of the true one in 76 to 97 % of
    cases, and within 4 in 98 %.
    The differences of order k of a smooth function fade as h^k, those of noise do not: the first of three consecutive
    orders that agree within a factor 4, and whose differences change sign, is the noise. Moré and Wild, Estimating
    computational noise, SIAM J. Sci. Comput. 33 (2011) 1292-1314.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> rng = np.random.default_rng(1)
    >>> found = numdiff.estimate_noise(lambda x: np.exp(x[0]) + 1e-4 * rng.normal(), [1.0])
    >>> found.status, 0.25e-4 < found.noise < 4e-4
    ('ok', True)
    """
    line = Line(fun, x0, direction, True, args, kwargs, bounds)
    return noise_on(line, None if h is None else _as_step(h))


def noise_on(line: Line, h: float | None = None) -> NoiseEstimate:
    """The noise of fun on a line, beginning with the step h."""
    tables = _Tables(line, _STEP * line.scale if h is None else h)
    too_small, too_large = 0.0, math.inf  # the longest step, and the shortest, that were so
    broken = before = None  # the last kink or jump; a wild one, to be confirmed
    at = tables.first
    for _ in range(_TABLES):
        found = tables.at(at)
        if found.status == OK and broken is not None and _agree(found.noise, broken.kink * found.h):
            found = replace(found, status=BROKEN)  # what shrinks as h does is still the kink
        if found.status == OK and found.straight:
            return _answer(line, tables.beside(found, _BESIDE if broken is None else 1 / _BESIDE))
        if found.status == OK and before is not None and _agree(found.noise, before.noise):
            noise = math.sqrt((found.noise * found.noise + before.noise * before.noise) / 2)
            return _answer(line, replace(found, noise=noise))
        if found.status in (NO_ROOM, NONFINITE) or (found.status == OK and not found.wild):
            return _answer(line, found)
        if found.kink:
            units = tables.units(found) if broken is None else None
            if units is not None:
                return _answer(line, units)
            broken = found
        before = found if found.wild else None
        if found.status == TOO_SMALL:
            too_small = max(too_small, found.h)
        else:
            too_large = min(too_large, found.h)
        if too_small > 0 and too_large < math.inf:
            at = math.sqrt(too_small * too_large)
        else:
            at = found.h * (100 if found.status == TOO_SMALL else 1e-4 if found.wild else 0.01)
        if not _SHORTEST * line.scale <= at <= tables.longest or too_large < 4 * too_small:
            break
    if len(tables.seen) == 1:
        return _answer(line, replace(found, status=OK, noise=0.0))
    return _answer(line, replace(found, status=TOO_LARGE) if found.status == OK else found)


def _answer(line: Line, found: _Verdict) -> NoiseEstimate:
    noise = found.noise if found.status == OK else math.nan
    return NoiseEstimate(noise, found.status, found.h, line.nfev, found.levels)


def _agree(one: float, other: float) -> bool:
    return max(one, other) <= _ALIKE * min(one, other)


class _Tables:
    """Tables of differences around x0, at steps within the bounds."""

    def __init__(self, line: Line, first: float) -> None:
        self.line = line
        self.first = first
        self.room = (line.down + line.up) / _M
        self.longest = min(max(_LONGEST * line.scale, first), 99 * self.room)
        self.seen: set[float] = set()  # values of fun

    def at(self, h: float) -> _Verdict:
        """Call fun at equally spaced points around x0, and judge the differences."""
        line = self.line
        h = min(h, self.room)
        if not (h > 0 and line.direction.any()):
            return _Verdict(NO_ROOM, h)
        below, above = (math.floor(min(_M, side / h * (1 + 1e-12))) for side in (line.down, line.up))
        low = max(min(_M // 2, below), _M - above)
        flat = line.x0.reshape(-1)
        step = h * line.direction
        # Steps of few enough digits that the points are equally spaced in floating point too.
        grid = np.spacing(np.abs(flat) + _M * np.abs(step))
        step = np.round(step / grid) * grid
        if not step.any():
            return _Verdict(TOO_SMALL, h)

        values = np.empty(_M + 1)
        # x0 first: where fun is not finite even there, the other calls are saved.
        for j in sorted(range(_M + 1), key=lambda j: abs(j - low)):
            values[j] = value = line.value(np.clip(flat + (j - low) * step, line.lb, line.ub))
            self.seen.add(value)
            if not math.isfinite(value):
                return _Verdict(NONFINITE if j == low else TOO_LARGE, h)
        return judge(values, h)

    def beside(self, found: _Verdict, factor: float) -> _Verdict:
        """The verdict on what seems a line: at another step, values of few digits have noise."""
        other = self.at(factor * found.h)
        if other.kink and factor * other.h <= self.longest:
            slip, other = other.kink * other.h, self.at(factor * other.h)
            if not _agree(other.noise, slip):
                return found
        return other if other.status == OK and other.noise > found.noise else found

    def units(self, found: _Verdict) -> _Verdict | None:
        """The verdict on what seems one jump, if it is rounding to few digits: that is not so again, but as large."""
        if found.h * _LONGER > self.longest:
            return None
        longer = self.at(found.h * _LONGER)
        return longer if longer.status == OK and _agree(longer.noise, found.kink * found.h) else None


def judge(values: Float, h: float = math.nan) -> _Verdict:
    """The decision, for finite values at equally spaced points."""
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return _Verdict(TOO_SMALL, h)
    # by a power of two, which rounds nothing: squares shall neither overflow nor underflow
    exponent = math.frexp(largest)[1]
    values = np.ldexp(values, -exponent)
    scaled, changes = _difference.kernels.noise_table(values)
    with np.errstate(over="ignore"):
        levels = tuple(float(np.ldexp(level, exponent)) for level in scaled)
    differences = np.diff(values)
    if 2 * np.count_nonzero(differences == 0) >= len(values):
        return _Verdict(TOO_SMALL, h, levels=levels)
    for k in range(len(levels) - 2):
        three = scaled[k : k + 3]
        if _agree(max(three), min(three)) and (changes[k] or not any(three)):
            if _spike(values, k + 1):
                return _Verdict(BROKEN, h, levels=levels, kink=levels[k] / h)
            wild = k == 0 and float(np.ptp(values)) > 0.1 * float(np.max(np.abs(values)))
            straight = not any(three) or (k == 1 and levels[k] <= _ALIKE * EPS * largest)
            return _Verdict(OK, h, levels[k], levels, wild=wild, straight=straight)
    return _Verdict(TOO_LARGE, h, levels=levels)


def _spike(values: Float, order: int) -> bool:
    """Whether the values are smooth but for one kink or jump.

    Then differences of order 2 or 3 vanish but for one place: 2 or 3 in a row, one more if a point is in the jump.
    """
    order = max(order, 2)
    if order > 3:
        return False
    differences = np.abs(np.diff(values, order))
    large = np.flatnonzero(differences > 0.01 * differences.max())
    return large.size > 0 and int(large[-1] - large[0]) <= order


def _as_step(h: Any) -> float:
    array = np.asarray(h)
    if array.dtype.kind not in "fiu" or array.size != 1:
        raise TypeError(f"`h` must be a positive number; it is {describe(h)}")
    step = float(array.reshape(()))
    if not 0 < step < math.inf:
        raise ValueError(f"`h` must be positive and finite; it is {step}")
    return step
