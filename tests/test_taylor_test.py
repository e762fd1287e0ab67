"""taylor_test: slope 2, 1, 3, inf."""

import numpy as np
import pytest

from numdiff import taylor_test

X = np.array([0.3, -1.2, 2.0])


def quadratic(x):
    return x @ x + x[0] * x[1]


@pytest.mark.parametrize("c", [1e-12, 1.0, 1e12])
def test_slopes(c, counted):
    fun = counted(lambda x: c * np.exp(x).sum())
    right = taylor_test(fun, lambda x: c * np.exp(x), X)
    assert right
    assert right.slope == pytest.approx(2, abs=0.05)
    assert right.nfev == fun.nfev == 51
    for factor in (-1, 0, 1.01, 1.0001):
        wrong = taylor_test(fun, lambda x, k=factor: k * c * np.exp(x), X)
        assert wrong.verdict == "disagree"
        assert wrong.slope == pytest.approx(1, abs=0.05)


def test_linear_and_quadratic():
    linear = taylor_test(lambda x: 3 * x[0] - x[1] + x[2], lambda x: np.array([3.0, -1, 1]), X)
    assert (linear.verdict, linear.slope) == ("agree", np.inf)
    assert taylor_test(lambda x: 3 * x[0] - x[1], lambda x: np.array([3.0, -1.001, 0]), X).slope == pytest.approx(
        1, abs=1e-2
    )
    jac = lambda x: 2 * x + np.array([x[1], x[0], 0])  # noqa: E731
    assert taylor_test(quadratic, jac, X).slope == pytest.approx(2, abs=1e-2)
    assert taylor_test(quadratic, lambda x: 1.001 * jac(x), X).slope == pytest.approx(1, abs=1e-2)
    assert taylor_test(lambda x: 5.0, np.zeros_like, X).slope == np.inf
    assert taylor_test(lambda x: x[0] ** 3, lambda x: 3 * x**2, [0.0]).slope == pytest.approx(3, abs=1e-2)


def test_directions():
    jac = lambda x: np.cos(x) * [1, 2, 1]  # noqa: E731
    fun = lambda x: np.sin(x).sum()  # noqa: E731
    assert taylor_test(fun, jac, X, direction=0).verdict == "agree"
    assert taylor_test(fun, jac, X, direction=1).verdict == "disagree"
    assert taylor_test(fun, jac, X, direction=[1.0, 0, 2.0]).verdict == "agree"
    assert taylor_test(fun, jac, X, rng=1).slope == taylor_test(fun, jac, X, rng=1).slope


def test_vectors_and_dicts():
    m = np.arange(6.0).reshape(2, 3)
    assert taylor_test(lambda x: np.sin(m @ x), lambda x: np.cos(m @ x)[:, None] * m, X).slope == pytest.approx(
        2, abs=0.1
    )
    point = {"w": X, "b": 2.0}
    fun = lambda p: np.sin(p["w"]).sum() * p["b"] ** 2  # noqa: E731
    jac = lambda p: {"w": np.cos(p["w"]) * p["b"] ** 2, "b": 2 * p["b"] * np.sin(p["w"]).sum()}  # noqa: E731
    assert taylor_test(fun, jac, point)
    with pytest.raises(ValueError, match=r"`jac` returned shape \(2,\) where \(3,\) is due"):
        taylor_test(quadratic, lambda x: x[:2], X)


def test_what_is_shown():
    found = taylor_test(quadratic, lambda x: x, X)
    assert str(found).startswith("taylor_test: disagree, slope 1.00")
    assert repr(found).count("used") == found.used.sum() == 8
    assert len(found.h) == len(found.remainder) == 50


@pytest.mark.parametrize("noise", [1e-12, 1e-9, 1e-6])
def test_tiny_noise(noise):
    def fun(x):
        return np.sin(x[0]) + noise * np.sin(1e15 * x[0])

    assert taylor_test(fun, np.cos, [0.7]).verdict == "agree"
    assert taylor_test(fun, lambda x: -np.cos(x), [0.7]).verdict == "disagree"


def test_only_a_slope_of_one_is_a_disagreement():
    def fun(x):
        return np.exp(-1 / (1 - x[0] ** 2))

    def jac(x):
        return fun(x) * -2 * x / (1 - x**2) ** 2

    with np.errstate(all="ignore"):
        assert taylor_test(fun, jac, [0.999]).verdict != "disagree"
    rough = taylor_test(lambda x: np.sin(x[0]) + 1e-3 * np.sin(1e15 * x[0]), np.cos, [0.7])
    assert rough.verdict == "inconclusive"
