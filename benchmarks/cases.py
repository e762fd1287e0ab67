"""The functions and points that the benchmarks and report.py share, and what the results there must be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
from scipy.optimize import rosen, rosen_der, rosen_hess

EPS = np.finfo(np.float64).eps
SPAN = 1.5  # points lie in [-SPAN, SPAN]


@dataclass(frozen=True)
class Case:
    name: str
    fun: Callable[[Any], float]
    gradient: Callable[[Any], Any]
    curvature: float  # no second or third partial derivative is larger, at any point(n)

    def check_gradient(self, found, x, *, central=False, indices=None):
        """The exact gradient, to what rounding and truncation allow at the usual steps."""
        exact = self.gradient(x) if indices is None else self.gradient(x)[indices]
        error = EPS ** (2 / 3) if central else EPS ** (1 / 2)
        # 20: statsmodels steps by as little as a tenth of the others, and so has ten times their rounding error.
        np.testing.assert_allclose(found, exact, rtol=0, atol=20 * error * (abs(self.fun(x)) + self.curvature))

    def bare_calls(self, x, count):
        """The cheapest way to call fun count times: no Python bytecode between the calls."""
        return partial(_exhaust, self.fun, x, count)


def _exhaust(fun, x, count):
    deque(map(fun, repeat(x, count)), maxlen=0)


CONSTANT = Case("constant", lambda x: 0.0, np.zeros_like, 0.0)
DOT = Case("x.dot(x)", lambda x: x.dot(x), lambda x: 2 * x, 2.0)
ROSEN = Case("rosen", rosen, rosen_der, 1200 * SPAN**2 + 400 * SPAN + 202)

APPROX_FPRIME = [
    (CONSTANT, 2),
    (CONSTANT, 10),
    (CONSTANT, 100),
    (CONSTANT, 1000),
    (DOT, 10),
    (DOT, 1000),
    (ROSEN, 10),
    (ROSEN, 1000),
]
GRADIENT = [(DOT, 100), (ROSEN, 10), (ROSEN, 1000)]

# All components of a point this long would take a minute; these are spread over all of it.
LONG = 100_000
LONG_INDICES = np.arange(2000) * 50

HESSIAN = [10, 50]  # rosen
NATIVE = [10, 100, 1000]  # rosen
COLUMNS = [10, 50, 100, 1000]  # rosen
NATIVE_DESCENT = {100: 500, 1000: 50}  # steps by differences; with a gradient a hundred times as many

MINIMIZE_START = np.tile([1.3, 0.7, 0.8, 1.9, 1.2], 4)  # the start in SciPy's tutorial, four times

# A fit of three parameters to 100 points: a decay to a constant.
FIT_TIMES = np.linspace(0.0, 4.0, 100)
FIT_VALUES = 2.5 * np.exp(-1.3 * FIT_TIMES) + 0.5 + 0.05 * np.random.default_rng(0).standard_normal(100)
FIT_START = (1.0, 1.0, 0.0)


def misfit(p):
    return p[0] * np.exp(-p[1] * FIT_TIMES) + p[2] - FIT_VALUES


def check_same(found, expected):
    """Two results of SciPy: the same point, to the bit, after as many evaluations."""
    check_bits(found.x, expected.x)
    assert found.nfev == expected.nfev


def point(n):
    return np.random.default_rng(n).uniform(-SPAN, SPAN, n)


def check_bits(found, expected):
    """Equal as bits: assert_array_equal alone would take -0.0 for 0.0."""
    assert found.dtype == expected.dtype == np.float64
    np.testing.assert_array_equal(found.view(np.uint64), expected.view(np.uint64))


def check_minimum(result):
    """Of rosen: ones. The success flag tells nothing here: a line search may end in the noise of the differences."""
    np.testing.assert_allclose(result.x, 1.0, rtol=0, atol=1e-3)


@dataclass(frozen=True)
class Curve:
    """A function of one variable and its derivative, elementwise."""

    name: str
    fun: Callable[[Any], Any]
    derivative: Callable[[Any], Any]

    def check_derivative(self, found, x):
        exact = self.derivative(x)
        np.testing.assert_allclose(found, exact, rtol=1e-8, atol=20 * EPS ** (2 / 3) * np.max(np.abs(self.fun(x))))

    def two_calls(self, x):
        """Two evaluations, one after the other, as a central difference needs them."""
        self.fun(x)
        self.fun(x)


CURVES = [
    Curve("x^2", lambda x: x**2, lambda x: 2 * x),
    Curve("2x^3 - 3x^2 + 5", lambda x: 2 * x**3 - 3 * x**2 + 5, lambda x: 6 * x**2 - 6 * x),
    Curve(
        "exp(-2x) + 3 sin 3x",
        lambda x: np.exp(-2 * x) + 3 * np.sin(3 * x),
        lambda x: -2 * np.exp(-2 * x) + 9 * np.cos(3 * x),
    ),
]


def grid(n):
    return np.linspace(-6, 6, n)


def check_hessian(found, x):
    """Of rosen; 1e-5: statsmodels' steps are its own."""
    exact = rosen_hess(x)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5 * np.abs(exact).max())


@dataclass(frozen=True)
class Descent:
    """A gradient, and the plain loop that descends along it."""

    name: str
    jac: Callable[[Any], Any]
    rate: float = 1e-4

    def loop(self, x, steps):
        for _ in range(steps):
            x = x - self.rate * self.jac(x)
        return x

    def bare_calls(self, x, steps):
        """jac at every point, as gradient_descent calls it, and nothing else."""
        return partial(_exhaust, self.jac, x, steps + 1)


def repeated(count, call, *args):
    for _ in range(count):
        call(*args)


def descents(n):
    """A gradient that costs nothing but its call, and the least that NumPy can do."""
    known = np.full(n, 1e-3)
    return [Descent("jac = a known array", lambda x: known), Descent("jac = 2x", lambda x: 2 * x)]


DESCENT = {2: 5000, 100: 5000, 100_000: 500}  # n: steps
