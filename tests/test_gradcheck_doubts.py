"""gradcheck where a plain comparison would be fooled: periods of the steps, borrowed scales, nothing to check."""

import numpy as np
import pytest

from numdiff import gradcheck
from numdiff._forward import in_float32


@pytest.mark.parametrize("power", [14, 16, 18, 22, 26, 30])
@pytest.mark.parametrize("height", [1e-3, 1.0])
def test_a_ripple_of_the_period_of_the_steps(power, height):
    """Steps that are powers of two all see the same phase of it."""
    w = 2 * np.pi * 2.0**power
    x = np.random.default_rng(power).standard_normal(5)

    def fun(x):
        return np.sin(x).sum() + height * np.sin(w * x[2])

    def right(x):
        g = np.cos(x)
        g[2] += height * w * np.cos(w * x[2])
        return g

    assert gradcheck(fun, np.cos, x).verdict != "agree"
    if power <= 22:
        assert gradcheck(fun, right, x).verdict != "disagree"


def test_a_sawtooth_and_a_table():
    def saw(x):
        return x[0] ** 2 + 1e-3 * ((x[0] * 2.0**20) % 1)

    at = np.arange(2**12) * 2.0**-18 + 1.0
    values = np.random.default_rng(1).normal(size=at.size) * 1e-3

    def table(x):
        return x[0] ** 2 + np.interp(x[0], at, values)

    for fun in (saw, table):
        assert gradcheck(fun, lambda x: 2 * x, [1.0078]).verdict != "agree"


@pytest.mark.parametrize("mode", ["auto", "directional"])
@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_a_small_x_among_a_thousand(mode, factor):
    x = np.random.default_rng(1).standard_normal(1000)
    x[-1] *= 1e-6

    def jac(x):
        g = np.cos(x)
        g[-1] *= factor
        return g

    assert gradcheck(lambda x: np.sin(x).sum(), jac, x, mode=mode).verdict == ("agree" if factor == 1 else "disagree")


def test_a_tenth_of_all_is_small():
    x = np.random.default_rng(1).standard_normal(1000)
    x[900:] *= 1e-8

    def jac(x):
        g = np.cos(x)
        g[900:] = 0
        return g

    assert gradcheck(lambda x: np.sin(x).sum(), jac, x).verdict == "disagree"
    assert gradcheck(lambda x: np.sin(x).sum(), np.cos, x).verdict == "agree"


@pytest.mark.filterwarnings("ignore:overflow")
def test_overflow_beside_x0_is_no_noise():
    def fun(x):
        return np.exp(x[0]) + x[1] / 1e6

    for factor, verdict in ((1.0, "agree"), (1.01, "disagree")):
        report = gradcheck(fun, lambda x, c=factor: np.array([c * np.exp(x[0]), 1e-6]), [0.0, 1e6])
        assert report.verdict == verdict


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("b", [1e8, 1e10, 1e13, 1e15])
@pytest.mark.parametrize("factor", [1.0, 1.5, -1.0])
@pytest.mark.parametrize(
    ("f", "g"),
    [
        (lambda t: t + t**3, lambda t: 1 + 3 * t**2),
        (np.sin, np.cos),
        (lambda t: np.exp(-((t - 0.5) ** 2)), lambda t: -2 * (t - 0.5) * np.exp(-((t - 0.5) ** 2))),
    ],
)
def test_zero_beside_a_huge_x(b, factor, f, g):
    report = gradcheck(lambda x: f(x[0]) + x[1] / b, lambda x: np.array([factor * g(x[0]), 1 / b]), [0.0, b])
    assert report.verdict == ("agree" if factor == 1 else "disagree")


@pytest.mark.parametrize("options", [{"indices": []}, {"bounds": ([1.0, 2.0], [1.0, 2.0])}])
def test_nothing_to_check_is_no_agreement(options):
    report = gradcheck(lambda x: x @ x, lambda x: 3 * x, [1.0, 2.0], **options)
    assert report.verdict == "inconclusive"
    assert "nothing was checked" in str(report)


def test_in_float32():
    assert not in_float32(0.1)
    assert in_float32(0.5)
    assert in_float32(float(np.float32(0.1)))
    assert not in_float32(np.array([0.5, 0.1]))
