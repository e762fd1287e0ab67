"""Functions with exact gradients, at ordinary and at nasty points: what accuracy.py measures on.

`PROBLEMS` is a list of `Problem`. fun takes an array of n elements (float64, longdouble or complex) and returns one
number; grad is evaluated in longdouble and rounded once. Points are seeded by the problem's name, so that a new problem
changes no other.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mgh
import numpy as np
from scipy import special

KINDS = (
    "smooth",
    "oscillating",
    "polynomial",
    "pole",
    "kink",  # near one
    "edge",  # near that of the domain
    "scale",
    "mgh",
    "float32",
    "noisy",
    "nonsmooth",  # at a kink or a jump: grad is nan, and a flag is all that can be asked for
)
ASIDE = ("float32", "noisy", "nonsmooth")  # kinds that do not count among "all problems"


@dataclass(frozen=True)
class Problem:
    name: str
    kind: str
    fun: Callable[[Any], Any]
    grad: Callable[[Any], Any]
    points: tuple[Any, ...]
    noise: float = 0.0  # standard deviation of what fun adds to the smooth function
    dtype: Any = np.float64  # in which fun computes
    analytic: Callable[[Any], Any] | None = None  # fun for complex arrays, where fun itself does not take them

    @property
    def n(self):
        return len(self.points[0])

    def check_gradient(self, x):
        """The gradient by the complex step, which subtracts nothing: independent of grad, and as exact."""
        fun, h = self.analytic or self.fun, 1e-100 * (np.abs(x) + 1e-100)
        return np.array([float(fun(x + 1j * step).imag / step[i]) for i, step in enumerate(np.diag(h.astype(LONG)))])


LONG = np.longdouble
PROBLEMS: list[Problem] = []


def add(name, kind, fun, grad, points, **details):
    """grad gets a longdouble array, and may return a list."""
    points = tuple(np.array(x, np.float64, ndmin=1) for x in points)

    def exact(x):
        with np.errstate(all="ignore"):
            return np.array(grad(x.astype(LONG)), np.float64)

    PROBLEMS.append(Problem(name, kind, fun, exact, points, **details))


def one(name, kind, f, df, points, analytic=None, **details):
    """A function of one variable."""
    if analytic is not None:
        details["analytic"] = lambda x: analytic(x[0])
    add(name, kind, lambda x: f(x[0]), lambda x: [df(x[0])], points(_generator(name)), **details)


def many(name, kind, fun, grad, points, **details):
    """A function of several variables."""
    add(name, kind, fun, grad, points(_generator(name)), **details)


def _generator(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def uniform(low, high, count=12, *, also=()):
    """Points in [low, high], numbers or arrays, and some given ones."""
    shape = np.broadcast(low, high).shape
    return lambda rng: [*rng.uniform(low, high, (count, *shape)), *also]


def decades(low, high, count=12, *, also=(), around=0.0, sign=1):
    """Points at distances from low to high of `around`, by logarithm; sign=0: on both sides."""

    def points(rng):
        distance = np.exp(rng.uniform(np.log(low), np.log(high), count))
        return [*(around + (sign or rng.choice([-1, 1], count)) * distance), *also]

    return points


def absolute(t):
    """|t| for a number, analytic beside the imaginary axis: numpy.abs has no complex derivative."""
    return -t if t.real < 0 else t


ANYWHERE = (0.0, 1e-8, -1e-3, 64.0, -506.0, 1e4)
PI = np.pi


def _gamma(z):
    """By Stirling's series, after a shift to where its next term is below rounding: SciPy's is inexact beside poles."""
    below = z**0
    while z.real < 40:
        below, z = below * z, z + 1
    series = 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5) - 1 / (1680 * z**7) + 1 / (1188 * z**9)
    return np.exp((z - LONG(0.5)) * np.log(z) - z + np.log(2 * LONG(np.pi)) / 2 + series) / below


def _gamma_slope(t):
    return special.gamma(float(t)) * special.digamma(float(t))


def _bessel(t):
    """J0 by the trapezoidal rule for its integral, which is exact to rounding for |t| < 700."""
    return np.cos(t * np.sin(2 * LONG(np.pi) * np.arange(1024) / 1024)).mean()


# Smooth: where x and 1 are the scales
one("exp", "smooth", np.exp, np.exp, uniform(-3, 3, also=(0.0, 1e-8, 1.0, 30.0, -30.0)))
one("sin", "smooth", np.sin, np.cos, uniform(-7, 7, also=ANYWHERE))
one("cos", "smooth", np.cos, lambda t: -np.sin(t), uniform(-7, 7, also=ANYWHERE))
one("tan", "smooth", np.tan, lambda t: 1 / np.cos(t) ** 2, uniform(-1.2, 1.2, also=(0.0, 1e-8)))
one(
    "erf",
    "smooth",
    special.erf,
    lambda t: 2 * np.exp(-t * t) / np.sqrt(LONG(np.pi)),
    uniform(-2, 2, also=(0.0, 1e-8)),
    analytic=lambda t: special.erf(complex(t)),
)
one(
    "J0",
    "smooth",
    special.j0,
    lambda t: -special.j1(float(t)),
    uniform(-20, 20, also=(0.0, 1e-8, 300.0)),
    analytic=_bessel,
)
one(
    "gamma",
    "smooth",
    special.gamma,
    _gamma_slope,
    uniform(0.3, 9, also=(1.0, 20.0, 100.5, -2.5)),
    analytic=_gamma,
)
one("arctan", "smooth", np.arctan, lambda t: 1 / (1 + t * t), uniform(-5, 5, also=(0.0, 1e-8, 64.0)))
one("cosh", "smooth", np.cosh, np.sinh, uniform(-4, 4, also=(0.0, 1e-8, 100.0, -600.0)))
one(
    "softplus",
    "smooth",
    lambda t: np.log1p(np.exp(-absolute(t))) + (0 if t.real < 0 else t),
    lambda t: 1 / (1 + np.exp(-t)),
    uniform(-8, 8, also=(0.0, 1e-8, 64.0, 1e4)),
)
one(
    "1/(1 + x^2)",
    "smooth",
    lambda t: 1 / (1 + t * t),
    lambda t: -2 * t / (1 + t * t) ** 2,
    uniform(-4, 4, also=ANYWHERE),
)
one(
    "exp(-2x) + 3 sin 3x",
    "smooth",
    lambda t: np.exp(-2 * t) + 3 * np.sin(3 * t),
    lambda t: 9 * np.cos(3 * t) - 2 * np.exp(-2 * t),
    uniform(-2, 4, also=(0.0, 1e-8)),
)
one(
    "exp(sin x)",
    "smooth",
    lambda t: np.exp(np.sin(t)),
    lambda t: np.exp(np.sin(t)) * np.cos(t),
    uniform(-6, 6, also=ANYWHERE),
)
one(
    "x exp(-x)",
    "smooth",
    lambda t: t * np.exp(-t),
    lambda t: (1 - t) * np.exp(-t),
    uniform(-2, 6, also=(0.0, 1e-8, 40.0)),
)


def _sinhc(t):
    value, term = 0 * t, 1 + 0 * t
    for k in range(1, 60):
        value += term
        term *= t * t / (2 * k * (2 * k + 1))
    return value


def _sinhc_slope(t):
    if abs(t) > 2:
        return (t * np.cosh(t) - np.sinh(t)) / t**2
    slope, term = LONG(0), t / 3  # the series: nothing cancels
    for k in range(1, 25):
        slope += term
        term *= t * t * (k + 1) / LONG(k * (2 * k + 2) * (2 * k + 3))
    return slope


one("sinh(x)/x", "smooth", lambda t: np.sinh(t) / t, _sinhc_slope, uniform(-4, 4, also=(1e-8, 1e-3, 30.0)), _sinhc)
many(
    "exp(x) sin(y) + z^3",
    "smooth",
    lambda x: np.exp(x[0]) * np.sin(x[1]) + x[2] ** 3,
    lambda x: [np.exp(x[0]) * np.sin(x[1]), np.exp(x[0]) * np.cos(x[1]), 3 * x[2] ** 2],
    uniform([-2] * 3, [2] * 3, also=([0, 0, 0], [1e-8, 1e4, -506])),
)
many(
    "exp(-|x|^2)",
    "smooth",
    lambda x: np.exp(-(x * x).sum()),
    lambda x: -2 * x * np.exp(-(x * x).sum()),
    uniform([-1.5] * 3, [1.5] * 3, also=([0, 0, 0], [1e-8, 1, -1])),
)
many("sum exp", "smooth", lambda x: np.exp(x).sum(), np.exp, uniform([-2] * 5, [2] * 5, also=([0] * 5,)))
many(
    "product",
    "smooth",
    lambda x: x.prod(),
    lambda x: [np.delete(x, i).prod() for i in range(len(x))],
    uniform([-2] * 6, [2] * 6, also=([1] * 6,)),
)


def _logsumexp(x):
    top = x[np.argmax(x.real)]
    return top + np.log(np.exp(x - top).sum())


def _softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


many(
    "logsumexp",
    "smooth",
    _logsumexp,
    _softmax,
    lambda rng: [rng.normal(0, s, 5) for s in (0.1, 1, 1, 1, 2, 2, 3)] + [np.zeros(5), np.full(5, 700.0)],
)

LOGIT_DATA = np.random.default_rng(7).normal(size=(20, 4))
LOGIT_CLASS = np.where(np.arange(20) % 3 == 0, -1.0, 1.0)
LOGIT_ROWS = LOGIT_CLASS[:, None] * LOGIT_DATA
many(
    "logistic regression",
    "smooth",
    lambda x: np.log1p(np.exp(-(LOGIT_ROWS * x).sum(axis=1))).sum(),
    lambda x: -(LOGIT_ROWS / (1 + np.exp((LOGIT_ROWS * x).sum(axis=1)))[:, None]).sum(axis=0),
    uniform([-2] * 4, [2] * 4, also=([0] * 4,)),
)

NORMAL_DATA = np.random.default_rng(8).normal(3, 2, 25)
many(
    "normal log-likelihood",
    "smooth",
    lambda x: 25 * np.log(x[1]) + ((NORMAL_DATA - x[0]) ** 2).sum() / (2 * x[1] ** 2),
    lambda x: [-(NORMAL_DATA - x[0]).sum() / x[1] ** 2, 25 / x[1] - ((NORMAL_DATA - x[0]) ** 2).sum() / x[1] ** 3],
    uniform([0, 0.5], [6, 5], also=([3, 0.01], [1e3, 2])),
)


# Oscillating: the scale is far below that of x, and powers of two alias
for _k, _also in ((20, ANYWHERE), (50, (*ANYWHERE, 1.0))):
    one(
        f"sin({_k}x)",
        "oscillating",
        lambda t, k=_k: np.sin(k * t),
        lambda t, k=_k: k * np.cos(k * t),
        uniform(-3, 3, also=_also),
    )
one(
    "cos(100x)",
    "oscillating",
    lambda t: np.cos(100 * t),
    lambda t: -100 * np.sin(100 * t),
    uniform(-3, 3, also=(*ANYWHERE, 1.0)),
)
one(
    "sin(2 pi x)",
    "oscillating",
    lambda t: np.sin(2 * PI * t),
    lambda t: 2 * PI * np.cos(2 * PI * t),
    uniform(-3, 3, 6, also=(0.0, 1e-8, *(1.0 * k for k in range(1, 11)), 64.0, -506.0, 1024.0)),
)
one(
    "cos(2 pi x) + x",
    "oscillating",
    lambda t: np.cos(2 * PI * t) + t,
    lambda t: 1 - 2 * PI * np.sin(2 * PI * t),
    uniform(-3, 3, 6, also=(0.0, 1.0, 2.0, 4.0, 4.25, 8.0, 16.25, 64.0, 64.25, -506.0)),
)
one(
    "sin(1000x)",
    "oscillating",
    lambda t: np.sin(1000 * t),
    lambda t: 1000 * np.cos(1000 * t),
    uniform(-2, 2, also=(0.0, 1.0, 64.0)),
)
one("sin(1/x)", "oscillating", lambda t: np.sin(1 / t), lambda t: -np.cos(1 / t) / t**2, decades(1e-4, 3, sign=0))
one(
    "x sin(x^2)",
    "oscillating",
    lambda t: t * np.sin(t * t),
    lambda t: np.sin(t * t) + 2 * t * t * np.cos(t * t),
    uniform(-8, 8, also=(0.0, 1e-3, 64.0, -506.0)),
)
one(
    "exp(-x) sin(30x)",
    "oscillating",
    lambda t: np.exp(-t) * np.sin(30 * t),
    lambda t: np.exp(-t) * (30 * np.cos(30 * t) - np.sin(30 * t)),
    uniform(-2, 5, also=(0.0, 1e-8, 1.0)),
)
one(
    "x + 0.01 sin(200x)",
    "oscillating",
    lambda t: t + 0.01 * np.sin(200 * t),
    lambda t: 1 + 2 * np.cos(200 * t),
    uniform(-3, 3, also=(0.0, 1.0, 64.0, -506.0)),
)
many(
    "Rastrigin",
    "oscillating",
    lambda x: (x * x - 10 * np.cos(2 * PI * x)).sum(),
    lambda x: 2 * x + 20 * PI * np.sin(2 * PI * x),
    uniform([-5] * 4, [5] * 4, also=([0] * 4, [1, 2, 3, 4])),
)


def _griewank_slope(x):
    i = np.sqrt(np.arange(1, len(x) + 1))
    c = np.cos(x / i)
    return [x[k] / 2000 + np.sin(x[k] / i[k]) / i[k] * np.delete(c, k).prod() for k in range(len(x))]


many(
    "Griewank",
    "oscillating",
    lambda x: 1 + (x * x).sum() / 4000 - np.cos(x / np.sqrt(np.arange(1, len(x) + 1))).prod(),
    _griewank_slope,
    uniform([-20] * 3, [20] * 3, also=([0] * 3, [64, 500, -506])),
)
many(
    "waves",
    "oscillating",
    lambda x: np.sin(30 * x[0]) * np.cos(40 * x[1]),
    lambda x: [30 * np.cos(30 * x[0]) * np.cos(40 * x[1]), -40 * np.sin(30 * x[0]) * np.sin(40 * x[1])],
    uniform([-3, -3], [3, 3], also=([1, 1], [64, -64])),
)


# Polynomials
def _polynomial(*c):
    """Horner's rule for the coefficients c, highest first, and for those of the derivative."""

    def horner(t, c):
        value = c[0] * t**0
        for a in c[1:]:
            value = value * t + a
        return value

    slope = [a * k for a, k in zip(c[:-1], range(len(c) - 1, 0, -1), strict=True)]
    return lambda t: horner(t, c), lambda t: horner(t, slope)


one("2x^3 - 3x^2 + 5", "polynomial", *_polynomial(2, -3, 0, 5), uniform(-5, 5, also=ANYWHERE))
one("quintic", "polynomial", *_polynomial(1, -2, 0.5, 3, -1, 7), uniform(-3, 3, also=ANYWHERE))
one(
    "x^10 - 3x^7 + x",
    "polynomial",
    *_polynomial(1, 0, 0, -3, 0, 0, 0, 0, 0, 1, 0),
    uniform(-2, 2, also=(0.0, 1e-8, 1.0, 64.0)),
)
one("x", "polynomial", lambda t: t + 0, lambda t: LONG(1), uniform(-5, 5, 6, also=(*ANYWHERE, 1e300, 1e-300)))
one("3", "polynomial", lambda t: 3.0 + 0 * t, lambda t: LONG(0), uniform(-5, 5, 4, also=ANYWHERE))


def _wilkinson(t):
    value = t**0
    for k in range(1, 11):
        value = value * (t - k)
    return value


one(
    "Wilkinson, degree 10",
    "polynomial",
    _wilkinson,
    lambda t: sum(np.delete(t - np.arange(1, 11), k).prod() for k in range(10)),
    uniform(0, 11, also=(0.0, 1.0, 5.0, 10.0, 5.5)),
)


def _chebyshev(n, t, second=False):
    """T_n, or U_n, by the recurrence."""
    before, value = t**0, (2 if second else 1) * t
    for _ in range(n - 1):
        before, value = value, 2 * t * value - before
    return value


one(
    "Chebyshev T20",
    "polynomial",
    lambda t: _chebyshev(20, t),
    lambda t: 20 * _chebyshev(19, t, second=True),
    uniform(-1, 1, also=(0.0, 1.0, -1.0, 0.5)),
)
one(
    "p^7 (1 - p)^3",
    "polynomial",
    lambda p: p**7 * (1 - p) ** 3,
    lambda p: p**6 * (1 - p) ** 2 * (7 - 10 * p),
    uniform(0, 1, also=(0.999, 0.01, 0.7, 0.5)),
)
many(
    "x^2 y",
    "polynomial",
    lambda x: x[0] ** 2 * x[1],
    lambda x: [2 * x[0] * x[1], x[0] ** 2],
    uniform([-5, -5], [5, 5], also=([0, 0], [3, 2], [1e4, -506])),
)
QUADRATIC = np.random.default_rng(9).normal(size=(6, 6))
QUADRATIC = np.round(QUADRATIC @ QUADRATIC.T, 3)
many(
    "quadratic form",
    "polynomial",
    lambda x: (x * (QUADRATIC * x).sum(axis=1)).sum() / 2,
    lambda x: (QUADRATIC * x).sum(axis=1),
    uniform([-3] * 6, [3] * 6, also=([0] * 6, [1e4] * 6)),
)
SPECTRUM = 10.0 ** np.arange(-3, 4)
many(
    "quadratic, condition 1e6",
    "polynomial",
    lambda x: (SPECTRUM * x * x).sum(),
    lambda x: 2 * SPECTRUM * x,
    uniform([-1] * 7, [1] * 7, also=([1] * 7, [0] * 7)),
)


def _rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def _rosenbrock_slope(x):
    gap = x[1:] - x[:-1] ** 2
    slope = np.zeros_like(x)
    slope[1:] = 200 * gap
    slope[:-1] += -400 * x[:-1] * gap - 2 * (1 - x[:-1])
    return slope


for _n in (2, 10):
    many(
        f"Rosenbrock, n = {_n}",
        "polynomial",
        _rosenbrock,
        _rosenbrock_slope,
        uniform([-1.5] * _n, [1.5] * _n, also=([1] * _n, [1.3, 0.7] * (_n // 2), [0] * _n)),
    )
many(
    "Himmelblau",
    "polynomial",
    lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2,
    lambda x: [
        4 * x[0] * (x[0] ** 2 + x[1] - 11) + 2 * (x[0] + x[1] ** 2 - 7),
        2 * (x[0] ** 2 + x[1] - 11) + 4 * x[1] * (x[0] + x[1] ** 2 - 7),
    ],
    uniform([-5, -5], [5, 5], also=([3, 2], [0, 0])),
)
many(
    "Styblinski-Tang",
    "polynomial",
    lambda x: (x**4 - 16 * x**2 + 5 * x).sum() / 2,
    lambda x: (4 * x**3 - 32 * x + 5) / 2,
    uniform([-5] * 5, [5] * 5, also=([0] * 5,)),
)


# Poles, and features far narrower than x
one("tan near pi/2", "pole", np.tan, lambda t: 1 / np.cos(t) ** 2, decades(1e-6, 0.3, around=PI / 2, sign=0))
one("1/x", "pole", lambda t: 1 / t, lambda t: -1 / t**2, decades(1e-8, 10, sign=0, also=(1e-8, -506.0, 1e4)))
one(
    "1/(1 - x)",
    "pole",
    lambda t: 1 / (1 - t),
    lambda t: 1 / (1 - t) ** 2,
    decades(1e-5, 1, around=1, sign=0, also=(1 - 1e-3, 0.0, -506.0)),
)
one(
    "1/(x - 1000)^2",
    "pole",
    lambda t: 1 / (t - 1000) ** 2,
    lambda t: -2 / (t - 1000) ** 3,
    decades(1e-2, 1e3, around=1000, sign=0, also=(0.0,)),
)
one(
    "1/(x^2 + 1e-4)",
    "pole",
    lambda t: 1 / (t * t + 1e-4),
    lambda t: -2 * t / (t * t + 1e-4) ** 2,
    decades(1e-4, 1, sign=0, also=(0.0, 1e-8, 64.0)),
)
one(
    "Lorentzian, width 1e-3",
    "pole",
    lambda t: 1 / (1 + ((t - 2) / 1e-3) ** 2),
    lambda t: -2 * ((t - 2) / 1e-3) / 1e-3 / (1 + ((t - 2) / 1e-3) ** 2) ** 2,
    decades(1e-4, 1, around=2, sign=0, also=(2.0, -506.0)),
)
one(
    "Gaussian, width 1e-2",
    "pole",
    lambda t: np.exp(-(((t - 1) / 0.01) ** 2) / 2),
    lambda t: -(t - 1) / 0.01 / 0.01 * np.exp(-(((t - 1) / 0.01) ** 2) / 2),
    decades(1e-3, 0.1, around=1, sign=0, also=(1.0, 0.8, 5.0, -506.0)),
)
one("cot", "pole", lambda t: 1 / np.tan(t), lambda t: -1 / np.sin(t) ** 2, decades(1e-6, 1, sign=0))
one(
    "Lennard-Jones",
    "pole",
    lambda t: t**-12 - t**-6,
    lambda t: 6 * t**-7 - 12 * t**-13,
    uniform(0.7, 3, also=(0.05, 0.01, 20.0)),
)
one(
    "gamma near 0",
    "pole",
    special.gamma,
    _gamma_slope,
    decades(1e-6, 0.3, sign=0),
    _gamma,
)
one(
    "exp(-1/x^2)",
    "pole",
    lambda t: np.exp(-1 / (t * t)),
    lambda t: 2 / t**3 * np.exp(-1 / (t * t)),
    decades(0.04, 3, sign=0),
)
one("exp(1/x)", "pole", lambda t: np.exp(1 / t), lambda t: -np.exp(1 / t) / t**2, decades(5e-3, 3, sign=0))
many(
    "Coulomb",
    "pole",
    lambda x: 1 / np.sqrt((x * x).sum()),
    lambda x: -x / (x * x).sum() ** 1.5,
    lambda rng: [s * rng.normal(size=3) for s in (1e-6, 1e-4, 1e-2, 0.1, 1, 1, 10, 100)],
)
many(
    "x/y",
    "pole",
    lambda x: x[0] / x[1],
    lambda x: [1 / x[1], -x[0] / x[1] ** 2],
    lambda rng: [[a, b] for a, b in zip(rng.normal(size=8), 10.0 ** -np.arange(8), strict=True)],
)


# Kinks close by, and steps that are nearly jumps
KINK_AT = decades(1e-4, 1, sign=0, also=(1e-4, -1e-4, 1e-3, 64.0))
one("|x|", "kink", absolute, np.sign, KINK_AT)
one(
    "|x - 1/3| + x^2",
    "kink",
    lambda t: absolute(t - 1 / 3) + t * t,
    lambda t: np.sign(t - 1 / 3) + 2 * t,
    decades(1e-4, 1, around=1 / 3, sign=0),
)
one(
    "relu",
    "kink",
    lambda t: t if t.real > 0 else 0 * t,
    lambda t: LONG(t > 0),
    decades(1e-3, 1, sign=0, also=(1e-3, -1e-3, 5.0)),
)
one(
    "relu(x) exp(x)",
    "kink",
    lambda t: t * np.exp(t) if t.real > 0 else 0 * t,
    lambda t: (1 + t) * np.exp(t) if t > 0 else LONG(0),
    decades(1e-3, 2, sign=0),
)
one("x |x|", "kink", lambda t: t * absolute(t), lambda t: 2 * abs(t), KINK_AT)
one("|x|^1.5", "kink", lambda t: absolute(t) ** 1.5, lambda t: 1.5 * np.sign(t) * np.sqrt(abs(t)), KINK_AT)
one(
    "|sin x|",
    "kink",
    lambda t: absolute(np.sin(t)),
    lambda t: np.sign(np.sin(t)) * np.cos(t),
    decades(1e-3, 1, around=PI, sign=0, also=(64.0, 0.01)),
)
one(
    "max(x, x^2) near 1",
    "kink",
    lambda t: np.maximum(t, t * t),
    lambda t: LONG(1) if 0 < t < 1 else 2 * t,
    decades(1e-4, 0.5, around=1, sign=0),
)
one(
    "Huber",
    "kink",
    lambda t: t * t / 2 if absolute(t).real < 1 else absolute(t) - 0.5,
    lambda t: np.clip(t, -1, 1),
    decades(1e-3, 1, around=1, sign=0),
)
one(
    "tanh(20x)",
    "kink",
    lambda t: np.tanh(20 * t),
    lambda t: 20 / np.cosh(20 * t) ** 2,
    uniform(-0.3, 0.3, also=(0.0, 1e-8, 5.0)),
)
one(
    "sigmoid(50x)",
    "kink",
    lambda t: 1 / (1 + np.exp(-50 * t)),
    lambda t: 50 / (2 + np.exp(50 * t) + np.exp(-50 * t)),
    uniform(-0.5, 0.1, also=(0.0, 1e-8, -5.0, 5.0)),
)
one(
    "arctan(1000x)",
    "kink",
    lambda t: np.arctan(1e3 * t),
    lambda t: 1e3 / (1 + (1e3 * t) ** 2),
    decades(1e-5, 1, sign=0, also=(0.0, 1e-8, 1e-3)),
)
one(
    "x/sqrt(1e-4 + x^2)",
    "kink",
    lambda t: t / np.sqrt(1e-4 + t * t),
    lambda t: 1e-4 / (1e-4 + t * t) ** 1.5,
    decades(1e-4, 0.3, sign=0, also=(0.0,)),
)
many(
    "max(x, y)",
    "kink",
    lambda x: np.maximum(x[0], x[1]),
    lambda x: [x[0] > x[1], x[1] > x[0]],
    lambda rng: [
        [a, a + d] for a, d in zip(rng.normal(size=8), (1e-4, -1e-3, 1e-3, 1e-2, -0.1, 0.1, 1, -1), strict=True)
    ],
)
many(
    "|x| + |y - 1|",
    "kink",
    lambda x: absolute(x[0]) + absolute(x[1] - 1),
    lambda x: [np.sign(x[0]), np.sign(x[1] - 1)],
    lambda rng: [[a, 1 + b] for a, b in rng.choice([-1, 1], (10, 2)) * 10 ** rng.uniform(-4, 0.5, (10, 2))],
)
many(
    "|x|, Euclidean",
    "kink",
    lambda x: np.sqrt((x * x).sum()),
    lambda x: x / np.sqrt((x * x).sum()),
    lambda rng: [s * rng.normal(size=4) for s in (1e-4, 1e-3, 1e-2, 0.1, 1, 1, 10, 1e3)],
)


# Near the edge of the domain
one("log", "edge", np.log, lambda t: 1 / t, decades(1e-9, 100, also=(1e-9, 1e4, 1e-12)))
one("log10", "edge", np.log10, lambda t: 1 / (t * np.log(LONG(10))), decades(1e-6, 100, also=(1e4,)))
one(
    "log(1 - x)",
    "edge",
    lambda t: np.log(1 - t),
    lambda t: -1 / (1 - t),
    decades(1e-7, 1, around=1, sign=-1, also=(0.0, -506.0)),
)
one("sqrt", "edge", np.sqrt, lambda t: 1 / (2 * np.sqrt(t)), decades(1e-6, 100, also=(0.005, 1e-12, 1e4)))
one("x^(1/3)", "edge", lambda t: t ** (1 / 3), lambda t: t ** (1 / 3 - 1) * (1 / 3), decades(1e-6, 100))
one(
    "sqrt(1 - x^2)",
    "edge",
    lambda t: np.sqrt((1 - t) * (1 + t)),
    lambda t: -t / np.sqrt((1 - t) * (1 + t)),
    decades(1e-7, 1, around=1, sign=-1),
)
one(
    "arcsin",
    "edge",
    np.arcsin,
    lambda t: 1 / np.sqrt((1 - t) * (1 + t)),
    decades(1e-7, 1, around=1, sign=-1, also=(0.0, -0.999)),
)
one(
    "arccos",
    "edge",
    np.arccos,
    lambda t: -1 / np.sqrt((1 - t) * (1 + t)),
    decades(1e-7, 1, around=-1, sign=1, also=(0.0, 0.999)),
)
one("arctanh", "edge", np.arctanh, lambda t: 1 / ((1 - t) * (1 + t)), decades(1e-7, 1, around=1, sign=-1))
one("x^x", "edge", lambda t: t**t, lambda t: t**t * (1 + np.log(t)), decades(1e-6, 4, also=(1e-8, 20.0)))
one("x log x", "edge", lambda t: t * np.log(t), lambda t: 1 + np.log(t), decades(1e-8, 100))
one(
    "log(-log x)",
    "edge",
    lambda t: np.log(-np.log(t)),
    lambda t: 1 / (t * np.log(t)),
    uniform(0.05, 0.95, also=(1e-6, 0.999)),
)
many(
    "entropy",
    "edge",
    lambda x: (x * np.log(x)).sum(),
    lambda x: 1 + np.log(x),
    lambda rng: (
        [rng.dirichlet(np.full(5, a)) + 1e-9 for a in (0.2, 0.3, 0.5, 1, 1, 2, 5, 50)]
        + [[1e-8, 0.25, 0.25, 0.25, 0.25]]
    ),
)
many(
    "log barrier",
    "edge",
    lambda x: -np.log((1 - x) * (1 + x)).sum(),
    lambda x: 2 * x / ((1 - x) * (1 + x)),
    lambda rng: [
        s - s * d for s, d in zip(rng.choice([-1, 1], (10, 3)), 10 ** rng.uniform(-6, 0, (10, 3)), strict=True)
    ],
)


# Huge and tiny scales
one(
    "x^3",
    "scale",
    lambda t: t * t * t,
    lambda t: 3 * t * t,
    uniform(-2, 2, 5, also=(0.0, 1e-3, 1e5, 1e30, -1e80, 1e-8)),
)
one("x^3 + x", "scale", lambda t: t * t * t + t, lambda t: 3 * t * t + 1, decades(1e-10, 1e10, sign=0))
one(
    "x^2",
    "scale",
    lambda t: t * t,
    lambda t: 2 * t,
    uniform(-2, 2, 5, also=(0.0, 1e-8, 1e150, -1e50, 1e20, 1e4, 1e-150)),
)
one(
    "(x - 1e8)^2",
    "scale",
    lambda t: (t - 1e8) ** 2,
    lambda t: 2 * (t - 1e8),
    decades(1, 1e8, around=1e8, sign=0, also=(0.0, 1e8, 1e8 + 1)),
)
one("exp at large x", "scale", np.exp, np.exp, uniform(-700, 700, also=(700.0, -700.0)))
one(
    "exp(1e3 x)",
    "scale",
    lambda t: np.exp(1e3 * t),
    lambda t: 1e3 * np.exp(1e3 * t),
    uniform(-0.5, 0.5, also=(0.0, 1e-8)),
)
one("exp(1e-6 x)", "scale", lambda t: np.exp(1e-6 * t), lambda t: 1e-6 * np.exp(1e-6 * t), decades(1, 1e7, sign=0))
one("1e-10 sin x", "scale", lambda t: 1e-10 * np.sin(t), lambda t: 1e-10 * np.cos(t), uniform(-5, 5, also=ANYWHERE))
one("1e10 sin x", "scale", lambda t: 1e10 * np.sin(t), lambda t: 1e10 * np.cos(t), uniform(-5, 5, also=ANYWHERE))
one("1e-200 exp x", "scale", lambda t: 1e-200 * np.exp(t), lambda t: 1e-200 * np.exp(t), uniform(-5, 5, 6))
one("1e6 + x", "scale", lambda t: 1e6 + t, lambda t: LONG(1), uniform(-5, 5, 5, also=(0.0, 64.0, 1e4)))
one("sin x + 1e6", "scale", lambda t: np.sin(t) + 1e6, np.cos, uniform(-5, 5, 5, also=(0.0,)))
one(
    "1e-3 x^4 + 1e3 x",
    "scale",
    lambda t: 1e-3 * t**4 + 1e3 * t,
    lambda t: 4e-3 * t**3 + 1e3,
    decades(1e-3, 1e5, sign=0),
)
one("log at large x", "scale", np.log, lambda t: 1 / t, decades(1e2, 1e12, also=(1e8, 1e100)))
one("1/x at large x", "scale", lambda t: 1 / t, lambda t: -1 / t**2, decades(1e2, 1e12, sign=0))
one("sin(1e-6 x)", "scale", lambda t: np.sin(1e-6 * t), lambda t: 1e-6 * np.cos(1e-6 * t), decades(1, 1e7, sign=0))
one(
    "sin(1e6 x)",
    "scale",
    lambda t: np.sin(1e6 * t),
    lambda t: 1e6 * np.cos(1e6 * t),
    decades(1e-8, 1e-5, sign=0, also=(0.0, 1e-3)),
)
many(
    "two scales",
    "scale",
    lambda x: (x[0] / 1e-6 - 1) ** 2 + (x[1] / 1e6 - 1) ** 4,
    lambda x: [2e6 * (x[0] / 1e-6 - 1), 4e-6 * (x[1] / 1e6 - 1) ** 3],
    uniform([-3e-6, -3e6], [3e-6, 3e6], 8),
)
many(
    "rate constants",
    "scale",
    lambda x: x[0] * np.exp(-x[1] / (8.314 * x[2])),
    lambda x: np.exp(-x[1] / (8.314 * x[2])) * np.array([1, -x[0] / (8.314 * x[2]), x[0] * x[1] / (8.314 * x[2] ** 2)]),
    uniform([1e8, 2e4, 280], [1e12, 9e4, 1200], 8),
)
many(
    "sum x^4",
    "scale",
    lambda x: (x**4).sum(),
    lambda x: 4 * x**3,
    lambda rng: [s * rng.normal(size=3) for s in (1e-3, 1, 1e3, 1e10, 1e60)],
)


# Moré, Garbow and Hillstrom: at the start, at ten times it, and up to 1 and 10 times its own size away
def _around(start):
    def points(rng):
        size = np.maximum(np.abs(start), 0.1)
        near = [start + size * rng.uniform(-1, 1, len(start)) for _ in range(6)]
        far = [start + 10 * size * rng.uniform(-1, 1, len(start)) for _ in range(4)]
        return [start, 10 * start, *near, *far]

    return points


for _p in mgh.PROBLEMS:
    many(f"MGH {_p.name}", "mgh", _p.fun, _p.gradient, _around(np.array(_p.start, np.float64)))


# float32: computed in it from a rounded x, or only returned in it
def single(name, f, df, points, rounded=True):
    def fun(x):
        return np.float32(f(x.astype(np.float32)) if rounded else f(x))

    many(f"float32 {name}", "float32", fun, df, points, dtype=np.float32, analytic=f)


single("exp", lambda x: np.exp(x[0]), np.exp, uniform([-3], [3], 8))
single("sin, returned", lambda x: np.sin(x[0]), np.cos, uniform([-1], [1], 8), rounded=False)
single("x^2", lambda x: x[0] * x[0], lambda x: 2 * x, uniform([-3], [3], 8, also=([100.0], [1e-3])))
single("sum exp, returned", lambda x: np.exp(x).sum(), np.exp, uniform([-1] * 3, [1] * 3, 6), rounded=False)
single("log", lambda x: np.log(x[0]), lambda x: 1 / x, uniform([0.1], [10], 8))
single("quadratic", lambda x: (x * x).sum(), lambda x: 2 * x, uniform([-2] * 4, [2] * 4, 5))


# Noise that every x has for itself and keeps
def noise(x, seed):
    """A standard normal number from the bits of x: splitmix64 and Box-Muller."""
    state = seed
    for bits in np.asarray(x, np.float64).view(np.uint64).tolist():
        state = _mix(state ^ bits)
    u, v = (_mix(state) >> 11) + 1, _mix(state + 1) >> 11
    return float(np.sqrt(-2 * np.log(u / 2**53)) * np.cos(2 * np.pi * v / 2**53))


def _mix(state):
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
    return state ^ (state >> 31)


def noisy(f, sigma, seed=1):
    return lambda x: f(x) + sigma * noise(x, seed)


for _sigma in (1e-6, 1e-10):
    for _name, _f, _df, _points in (
        ("sum exp", lambda x: np.exp(x).sum(), np.exp, uniform([-1] * 2, [1] * 2, 8)),
        ("sin", lambda x: np.sin(x[0]), np.cos, uniform([-3], [3], 8)),
        ("1 + x^2", lambda x: 1 + (x * x).sum(), lambda x: 2 * x, uniform([-2] * 3, [2] * 3, 6)),
        ("Rosenbrock, n = 4", _rosenbrock, _rosenbrock_slope, uniform([-1] * 4, [1] * 4, 6)),
        ("log", lambda x: np.log(x[0]), lambda x: 1 / x, uniform([0.5], [10], 6)),
    ):
        many(f"noise {_sigma:g} on {_name}", "noisy", noisy(_f, _sigma), _df, _points, noise=_sigma, analytic=_f)


# At a kink or a jump
def at_kink(name, fun, *points):
    add(f"{name} at its kink", "nonsmooth", fun, lambda x: np.full(x.shape, np.nan), points)


at_kink("|x|", lambda x: abs(x[0]), 0.0)
at_kink("|x - 1| + x^2", lambda x: abs(x[0] - 1) + x[0] ** 2, 1.0)
at_kink("relu", lambda x: max(x[0], 0.0), 0.0)
at_kink("relu(x) + exp(x)", lambda x: max(x[0], 0.0) + np.exp(x[0]), 0.0)
at_kink("sqrt|x|", lambda x: np.sqrt(abs(x[0])), 0.0)
at_kink("floor", lambda x: np.floor(x[0]), 0.0, 1.0, 64.0)
at_kink("sign", lambda x: np.sign(x[0]), 0.0)
at_kink("Heaviside + sin", lambda x: np.sin(x[0]) + (x[0] > 2), 2.0)
at_kink("max(x, y)", lambda x: max(x[0], x[1]), [1.0, 1.0], [-3.0, -3.0])
at_kink("|x, Euclidean|", lambda x: np.sqrt(x @ x), [0.0, 0.0, 0.0])
