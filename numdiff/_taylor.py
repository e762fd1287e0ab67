"""Taylor coefficients of an analytic function, from its values on circles in the complex plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._function import as_array, as_point, bind, describe
from ._steps import EPS

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_MOST: Final = 100  # orders
_QUIET: Final = 4.0  # the high frequencies of an analytic function are within this multiple of rounding
_NOISIEST: Final = 1e-6  # high frequencies that may pass for errors of fun, relative to how fun varies
_SMALLEST: Final = 1e-8, 1e-30  # radius, relative to x0 (the points of a smaller circle are too rounded), and at all
_LARGEST: Final = 1e150
_LEAST: Final = 2.0**-1074  # the spacing of the smallest floats
_FURTHER: Final = 26  # doublings without another frequency coming into sight: a polynomial
_SCATTERED: Final = (
    10.0  # largest over median, at most, of high frequencies that are errors of fun: no more than chance
)
_EDGE: Final = 5  # bisections towards the nearest singularity


@dataclass(frozen=True)
class TaylorResult:
    """Taylor coefficients and how they came about; `taylor` returns it with full_output=True.

    Attributes
    ----------
    value : ndarray of shape (n + 1,)
        f^(k)(x0) / k!, lowest first.
    error : ndarray of shape (n + 1,)
        An estimate of the absolute error of each.
    radius : ndarray of shape (n + 1,)
        The radius of the circle that each was taken from.
    nfev : int
        Number of calls of fun.
    points : int
        Number of points in each call.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> found = numdiff.taylor(np.exp, 0.0, 3, full_output=True)
    >>> bool(np.all(abs(found.value - [1, 1, 1 / 2, 1 / 6]) <= found.error))
    True
    """

    value: Any
    error: Float
    radius: Float
    nfev: int
    points: int

    def __repr__(self) -> str:
        shown = len(self.value) if len(self.value) <= 12 else 10
        rows = [f"{k:>3}  {self.value[k]:>24.16g}  {self.error[k]:>8.1e}  {self.radius[k]:>8.2g}" for k in range(shown)]
        if shown < len(self.value):
            rows.append(f"and {len(self.value) - shown} more")
        head = f"{'k':>3}  {'value':>24}  {'error':>8}  {'radius':>8}"
        return "\n".join([f"TaylorResult of {self.nfev} calls with {self.points} points each", head, *rows])


def taylor(
    fun: Any,
    x0: ArrayLike,
    n: int,
    *,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    full_output: bool = False,
) -> Any:
    """The Taylor coefficients f^(k)(x0) / k! of an analytic function, for k = 0, ..., n.

    Parameters
    ----------
    fun : callable ``fun(z, *args, **kwargs)``
        A function of one variable, analytic around x0. Gets a 1-D array of complex numbers, a new one in each call, and
        returns its values there, complex, of the same shape.
    x0 : number
        The point, real and finite. fun need not be defined there: sin(z)/z at 0 will do.
    n : int
        The highest order, from 0 to 100.
    args, kwargs : tuple, dict
        Further arguments of fun.
    full_output : bool
        Return a `TaylorResult` (value, error, radius, nfev, points) instead.

    Returns
    -------
    ndarray of shape (n + 1,), or TaylorResult
        Lowest order first. Real, unless fun is complex on the real line.

    Raises
    ------
    TypeError
        x0 that is no real number, n that is no integer; fun does not return numbers.
    ValueError
        n out of range; fun returns real numbers or another shape, or is not analytic around x0.

    Notes
    -----
    The coefficients are a Fourier transform of the values on a circle around x0. A small circle loses high orders in
    rounding, a large one low orders, and one around a singularity is wrong. The radius is found: circles grow by
    factors of 2 as long as the frequencies that an analytic function does not have vanish, and smaller circles agree;
    each coefficient is taken from the circle where its error is least. That is about eps max|f| / r^k for the best r:
    5e-15 of the coefficient of order 25 of exp, 2e-12 of that of sqrt(1 + x).
    Calls of fun: 10 to 20 mostly, 30 to 50 for polynomials, 150 at most or little more; each with 8 (n + 1) points,
    rounded up to a power of two and at least 64.
    Fornberg, Numerical differentiation of analytic functions, ACM TOMS 7 (1981) 512-526; Bornemann, Accuracy and
    stability of computing high-order derivatives of analytic functions by Cauchy integrals, Found. Comput. Math. 11
    (2011) 1-63.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.taylor(lambda z: 1 / (1 - z), 0.0, 3).round(12)
    array([1., 1., 1., 1.])
    """
    order = _as_order(n)
    fun, args = bind(fun, args, kwargs)
    point, _ = as_point(x0)
    if point.size != 1:
        raise ValueError(f"`x0` must be one number; it has the shape {point.shape}")
    circles = _Circles(fun, args, float(point.reshape(())), order)
    accepted = _consistent(circles.search())

    errors = np.array([circle.error for circle in accepted])
    best = np.argmin(errors, axis=0)
    each = np.arange(order + 1)
    value = np.array([circle.value for circle in accepted])[best, each]
    error = errors[best, each]
    if np.all(np.abs(value.imag) <= 10 * error + 10 * EPS * np.abs(value.real)):
        value = value.real.copy()
    exponent = circles.exponent or 0
    value, error = scaled_by_power(value, exponent), np.ldexp(error, exponent)
    if not full_output:
        return value
    radius = np.array([circle.radius for circle in accepted])[best]
    return TaylorResult(value, error, radius, circles.nfev, circles.points)


class _Circle:
    """The Fourier coefficients of fun on one circle, and what they say."""

    def __init__(self, radius: float, values: Complex, x0: float, order: int, eps: float) -> None:
        self.radius = radius
        self.order = order
        self.finite = bool(np.all(np.abs(values) < 1e300))
        if not self.finite:
            return
        count = len(values)
        bins = np.fft.fft(values) / count
        self.bins = np.abs(bins[: count // 2])  # |c_j| r^j
        high = np.abs(bins[count // 2 :])  # an analytic function has nothing there
        self.tail = float(np.max(high))
        self.scattered = self.tail <= _SCATTERED * float(np.median(high))
        self.varies = float(np.max(self.bins[1:]))
        # A bin holds no less than the rounding of fun's values, and of the points times the slope.
        size = math.hypot(*self.bins)
        slope = math.hypot(*(np.arange(count // 2) * self.bins))
        self.rounding = eps * (size + (1 + abs(x0) / radius) * slope)
        with np.errstate(all="ignore"):
            powers = np.power(radius, np.arange(order + 1.0))
            self.value = bins[: order + 1] / powers
            self.scale = powers
        self.believe(0.0)

    def believe(self, noise: float) -> None:
        """Take what is in the tail for errors of fun, if it is no more than noise, relative to how fun varies."""
        self.rounding = max(self.rounding, noise * self.varies)
        with np.errstate(all="ignore"):
            error = 2 * (self.rounding + self.tail) / self.scale + EPS * np.abs(self.value)
        self.error = np.where(np.isnan(error), np.inf, error)

    @property
    def quiet(self) -> bool:
        return self.finite and self.tail <= _QUIET * self.rounding

    @property
    def visible(self) -> int:
        """The highest frequency that is more than rounding."""
        seen = np.flatnonzero(self.bins > 64 * self.rounding)
        return int(seen[-1]) if seen.size else 0


class _Circles:
    """fun on circles around x0; counts its calls."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...], x0: float, order: int) -> None:
        self.fun = fun
        self.args = args
        self.x0 = x0
        self.order = order
        self.points = max(64, 1 << (8 * (order + 1) - 1).bit_length())
        self.roots = np.exp(2j * np.pi / self.points * np.arange(self.points))
        self.noise = 0.0  # of fun, relative to how it varies, where that is more than rounding
        self.exponent: int | None = None  # fun's values are taken in units of 2 to this power
        self.nfev = 0

    def at(self, radius: float) -> _Circle:
        z = self.x0 + radius * self.roots
        try:
            with np.errstate(all="ignore"):  # looking where fun may not be defined
                result = self.fun(z, *self.args)
        except TypeError as error:
            error.add_note("numdiff.taylor calls `fun` with an array of complex numbers; functions of math take none")
            raise
        self.nfev += 1
        array = as_array(result)
        if array.dtype.kind not in "fiuc":
            raise TypeError(f"`fun` must return complex numbers; it returned {describe(result)}")
        if array.shape != z.shape:
            raise ValueError(
                f"`fun` must return a number for each of the {self.points} complex numbers in its argument; "
                f"it returned {describe(result)}"
            )
        if array.dtype.kind != "c":
            raise ValueError(
                "`fun` must be analytic, and return complex numbers at complex points; "
                f"it returned {describe(result)}. abs, real and float() are not analytic"
            )
        eps = max(EPS, float(np.finfo(array.dtype).eps))
        values = array.astype(np.complex128)
        largest = float(np.max(np.maximum(np.abs(values.real), np.abs(values.imag))))
        if self.exponent is None and 0 < largest < math.inf:
            self.exponent = math.frexp(largest)[1]
        if self.exponent is not None and 0 < largest < math.inf:
            eps = max(eps, _LEAST / largest)
        values = scaled_by_power(values, -(self.exponent or 0))
        circle = _Circle(radius, values, self.x0, self.order, eps)
        if circle.finite and self.noise:
            circle.believe(self.noise)
        return circle

    def search(self) -> list[_Circle]:
        """Circles within which fun is analytic, by their look; not empty, and in the order of their radii."""
        first = self.first()
        found = [first]
        r, visible, since = first.radius, first.visible, 0
        while since < _FURTHER and r < _LARGEST:
            circle = self.at(2 * r)
            if not circle.quiet:
                found += self.edge(r)
                break
            found.append(circle)
            r *= 2
            since = 0 if circle.visible > visible else since + 1
            visible = max(visible, circle.visible)
        # Smaller circles, for low orders.
        least, circle, since = np.min([circle.error for circle in found], axis=0), first, 0
        agrees, contradictions = True, 0
        while (since < 2 or not agrees) and circle.radius > self.smallest:
            larger, circle = circle, self.at(circle.radius / 2)
            if not circle.quiet:
                break
            found.append(circle)
            agrees = not _contradict(circle, larger)
            # One may come from a weak singularity between the two. But abs(z) is as good as constant on every circle
            # around 0, and another one on each.
            contradictions += not agrees
            if contradictions > 1:
                break
            since = 0 if np.any(circle.error[1:] < 0.9 * least[1:]) else since + 1
            least = np.minimum(least, circle.error)
        if not agrees:
            raise self.not_analytic(circle.radius)
        return sorted(found, key=lambda circle: circle.radius)

    @property
    def smallest(self) -> float:
        return max(_SMALLEST[0] * abs(self.x0), _SMALLEST[1])

    def first(self) -> _Circle:
        """A circle within which fun looks analytic; a ValueError if there is none."""
        best, least = None, math.inf  # of the circles that are not quiet: tail over how fun varies
        r = 1.0
        while True:
            circle = self.at(r)
            # On a small enough circle every tail is below rounding: it must be well below what was seen before, unless
            # that came from a weak singularity.
            seen = max(1e-3 * least, 1e-13) if best is None or best.scattered else _NOISIEST
            if circle.quiet and (best is None or _QUIET * circle.rounding <= seen * circle.varies):
                return circle
            if circle.finite and circle.tail > _QUIET * circle.rounding:
                ratio = circle.tail / max(circle.varies, circle.rounding)
                if best is None or ratio < least:
                    best, least = circle, ratio
            if r < self.smallest:
                break
            r /= 16
        if best is None or least > _NOISIEST or not best.scattered:
            raise self.not_analytic(r)
        self.noise = least
        best.believe(least)
        return best

    def not_analytic(self, radius: float) -> ValueError:
        return ValueError(
            f"`fun` must be analytic around `x0` = {self.x0}; its values on circles around it, of radius 1 to "
            f"{radius:.1g}, are not those of an analytic function. "
            "Not analytic are abs, conj and real; a pole or a branch point at x0; values that are nan"
        )

    def edge(self, inner: float) -> list[_Circle]:
        """Quiet circles between a quiet one and one twice as large that is not: towards the larger."""
        found = []
        low, high = 0.0, 1.0
        for _ in range(_EDGE):
            middle = (low + high) / 2
            circle = self.at(inner * 2.0**middle)
            if circle.quiet:
                found.append(circle)
                low = middle
            else:
                high = middle
        return found


def scaled_by_power(values: Any, exponent: int) -> Any:
    """values times 2 to the exponent, which rounds nothing but what underflows."""
    with np.errstate(all="ignore"):
        scaled = np.ldexp(np.ascontiguousarray(values).view(np.float64), exponent)
    return scaled.view(values.dtype)


def _consistent(circles: list[_Circle]) -> list[_Circle]:
    """The circles up to the first that contradicts a smaller one: between is a singularity, too weak to be seen."""
    for count, circle in enumerate(circles):
        if any(_contradict(circle, smaller) for smaller in circles[:count]):
            return circles[:count]
    return circles


def _contradict(one: _Circle, other: _Circle) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.any(np.abs(one.value - other.value) > 5 * (one.error + other.error)))


def _as_order(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise TypeError(f"`n` must be an integer from 0 to {_MOST}; it is {describe(n)}")
    if not 0 <= n <= _MOST:
        raise ValueError(f"`n` must be an integer from 0 to {_MOST}; it is {n}")
    return int(n)
