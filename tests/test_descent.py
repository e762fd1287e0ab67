"""gradient_descent and its kernels: the worked examples, steps, stops, what fun does with x, bits, SciPy."""

from __future__ import annotations

import importlib
import itertools
import operator

import numpy as np
import pytest
from scipy.optimize import Bounds, minimize, rosen, rosen_der

import numdiff
from numdiff import gradient_descent

A = np.array([[4.0, -1.0], [-1.0, 6.0]])
START = np.array([1.0, 3.0])


def quadratic(x):
    return float(0.5 * x @ A @ x)


def slope(x):
    return A @ x


def neuron():
    """EXAMPLES.md C6: one neuron, squared loss, its gradient, on the flat (w, b)."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((2, 40))
    Y = (np.array([[0.37, 0.57]]) @ X + 0.1 + rng.normal(size=(1, 40)))[0]

    def loss(p):
        return np.sum((Y - (p[:2] @ X + p[2])) ** 2) / 80

    def gradient(p):
        residual = (p[:2] @ X + p[2] - Y) / 40
        return np.append(X @ residual, residual.sum())

    return loss, gradient


def logistic():
    """C7: one neuron, log loss."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.standard_normal((20, 2)) - 1, rng.standard_normal((20, 2)) + 1]).T
    Y = np.repeat([0.0, 1.0], 20)

    def probability(p):
        return 1 / (1 + np.exp(-(p[:2] @ X + p[2])))

    def loss(p):
        q = probability(p)
        return -np.mean(Y * np.log(q) + (1 - Y) * np.log(1 - q))

    def gradient(p):
        residual = (probability(p) - Y) / 40
        return np.append(X @ residual, residual.sum())

    return loss, gradient


def sauna(p):
    x, y = p
    return 50 - x**2 * (x - 6) * y**2 * (y - 6) / 50


def sauna_slope(p):
    x, y = p
    return -np.array([(3 * x**2 - 12 * x) * y**2 * (y - 6), x**2 * (x - 6) * (3 * y**2 - 12 * y)]) / 50


WELLS = [(10, 3, 3, 0.5, 0.5), (2, 1, 2, 3, 1.5), (3, 1, 0.5, 3.5, 4)]  # depth, 1/width terms, centre


def wells(p):
    x, y = p
    return 10 - sum(a / (b + c * (x - u) ** 2 + c * (y - v) ** 2) for a, b, c, u, v in WELLS)


def wells_slope(p):
    x, y = p
    total = np.zeros(2)
    for a, b, c, u, v in WELLS:
        below = b + c * (x - u) ** 2 + c * (y - v) ** 2
        total += 2 * a * c * np.array([x - u, y - v]) / below**2
    return total


# The worked examples


@pytest.mark.parametrize("given", [True, False], ids=["analytic", "numerical"])
def test_one_neuron_with_squared_loss(given):
    loss, gradient = neuron()
    x0 = [0.48486637, 0.41658183, 0.0]
    result = gradient_descent(loss, x0, jac=gradient if given else None, ftol=1e-4, history=True)
    assert result.success
    assert result.status == 3
    assert result.nit == 22
    losses = result.history["fun"]
    assert [round(losses[k], 6) for k in (0, 5, 10, 15, 20, 21)] == [
        0.439887, 0.420053, 0.412665, 0.409886, 0.408831, 0.408717,
    ]  # fmt: skip
    assert losses.shape == (23,)
    assert result.history["x"].shape == (23, 3)
    np.testing.assert_array_equal(result.history["x"][0], x0)
    np.testing.assert_array_equal(result.history["x"][-1], result.x)
    np.testing.assert_allclose(result.history["grad_norm"][0], np.linalg.norm(gradient(np.array(x0))), rtol=1e-9)
    assert result.fun == losses[-1] == losses.min()


@pytest.mark.parametrize("given", [True, False], ids=["analytic", "numerical"])
def test_one_neuron_with_log_loss(given):
    loss, gradient = logistic()
    x0 = [0.08225363, 0.1875735, 0.0]
    result = gradient_descent(loss, x0, jac=gradient if given else None, ftol=1e-4, history=True)
    assert result.nit == 306
    losses = result.history["fun"]
    assert [round(losses[k], 6) for k in (0, 100, 200, 300, 305)] == [0.582076, 0.182397, 0.148754, 0.134595, 0.134088]


@pytest.mark.parametrize("given", [True, False], ids=["analytic", "numerical"])
def test_the_sauna(given):
    jac = sauna_slope if given else None
    near = gradient_descent(sauna, [1.0, 3.0], jac=jac, maxiter=10)
    np.testing.assert_allclose(near.x, [4, 4], atol=0.1)
    over = gradient_descent(sauna, [1.0, 3.0], jac=jac, learning_rate=0.3, maxiter=20, history=True)
    assert not over.success
    assert (np.diff(over.history["fun"]) > 1).any()  # it overshoots


@pytest.mark.parametrize("given", [True, False], ids=["analytic", "numerical"])
def test_three_wells(given):
    jac = wells_slope if given else None
    found = [
        gradient_descent(wells, start, jac=jac, learning_rate=0.2, maxiter=50, gtol=1e-4, history=True)
        for start in ([1.0, 3.0], [1.2, 3.0], [0.6, 3.0])
    ]
    points = [result.x for result in found]
    assert all(np.linalg.norm(points[i] - points[j]) > 1 for i, j in ((0, 1), (0, 2), (1, 2)))
    axis = np.linspace(-1, 6, 141)
    lowest = min(wells((x, y)) for x in axis for y in axis)
    assert found[2].fun <= lowest
    assert found[2].fun < min(found[0].fun, found[1].fun) - 0.4
    for result in found:
        assert result.nit <= 50
        assert result.success == (np.linalg.norm(wells_slope(result.x)) < 1e-4 + 1e-9)


def test_the_tangent_plane_and_the_slope_of_a_bowl():
    np.testing.assert_allclose(numdiff.gradient(lambda p: p[0] ** 2 + p[1] ** 2, [2.0, 4.0]), [4, 8], rtol=1e-9)
    np.testing.assert_allclose(numdiff.gradient(lambda p: p[0] ** 2 + p[1] ** 2, [5.0, 3.0]), [10, 6], rtol=1e-9)


# Steps


def plain_loop(jac, x, steps, rate, momentum=0.0, nesterov=False):
    v = np.zeros_like(x)
    for _ in range(steps):
        v = momentum * v - rate * jac(x)
        x = x + (momentum * v - rate * jac(x) if nesterov else v)
    return x


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 64, 65, 1000])
def test_the_bits_of_the_numpy_loop(n):
    scale = np.linspace(0.5, 2.0, n)
    x = np.cos(np.arange(n))
    expected = x
    for _ in range(20):
        expected = expected - 0.1 * (scale * expected)
    found = gradient_descent(None, x, jac=lambda x: scale * x, maxiter=20, gtol=0)
    np.testing.assert_array_equal(found.x, expected)
    assert (found.nit, found.njev, found.nfev) == (20, 21, 0)
    assert np.isnan(found.fun)
    np.testing.assert_array_equal(found.jac, scale * expected)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    found = gradient_descent(quadratic, START, jac=slope, momentum=0.5, nesterov=nesterov, maxiter=9, gtol=0)
    np.testing.assert_allclose(found.x, plain_loop(slope, START, 9, 0.1, 0.5, nesterov), rtol=1e-13)


def test_momentum_is_faster_in_a_long_valley():
    curvature = np.array([1.0, 100.0])

    def jac(x):
        return curvature * x

    plain = gradient_descent(None, [1.0, 1.0], jac=jac, learning_rate=0.01, maxiter=5000)
    heavy = gradient_descent(None, [1.0, 1.0], jac=jac, learning_rate=0.01, momentum=0.8, maxiter=5000)
    assert plain.success
    assert heavy.success
    assert heavy.nit < plain.nit / 3


def test_line_search():
    def valley(x):
        return rosen(x) + 5 * float((x - 1) @ (x - 1))

    result = gradient_descent(
        valley, [-1.2, 1.0], jac=lambda x: rosen_der(x) + 10 * (x - 1), learning_rate=1.0, line_search="backtracking",
        maxiter=2000, history=True,
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-6)
    assert (np.diff(result.history["fun"]) < 0).all()
    x, fun, norm = (result.history[key] for key in ("x", "fun", "grad_norm"))
    moved = np.linalg.norm(np.diff(x, axis=0), axis=1)
    assert (fun[1:] <= fun[:-1] - 1e-4 * moved * norm[:-1] * (1 - 1e-9)).all()


def test_line_search_that_finds_nothing():
    result = gradient_descent(lambda x: float(x @ x), [1.0, 2.0], jac=lambda x: -x, line_search="backtracking")
    assert result.status == 7
    assert not result.success
    np.testing.assert_array_equal(result.x, [1, 2])
    assert result.nit == 0
    assert result.nfev == 62


def test_line_search_takes_no_step_that_does_not_lower_fun():
    result = gradient_descent(
        lambda x: 100 + x @ x, [1.0, 0.3], jac=lambda x: -2 * x, line_search="backtracking", xtol=1e-8
    )
    assert (result.status, result.success) == (7, False)  # the gradient is wrong
    np.testing.assert_array_equal(result.x, [1, 0.3])
    coarse = gradient_descent(
        lambda x: float(np.float32(1e3 + x @ x)), [1.0, 0.3], jac=lambda x: 2 * x, line_search="backtracking", xtol=1e-6
    )
    assert (coarse.status, coarse.success) == (7, False)


def test_line_search_steps_back_from_where_fun_is_not_finite():
    with np.errstate(all="ignore"):
        result = gradient_descent(
            lambda x: float(x[0] - np.log(x[0])), [5.0], jac=lambda x: 1 - 1 / x, learning_rate=64.0,
            line_search="backtracking",
        )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [1], rtol=1e-5)


# Stops


def test_gtol():
    result = gradient_descent(quadratic, START, jac=slope, gtol=1e-3)
    assert (result.success, result.status) == (True, 0)
    assert np.linalg.norm(slope(result.x)) < 1e-3
    before = gradient_descent(quadratic, START, jac=slope, gtol=0, maxiter=result.nit - 1)
    assert np.linalg.norm(slope(before.x)) >= 1e-3
    assert result.fun == quadratic(result.x)
    assert (result.nfev, result.njev) == (1, result.nit + 1)


def test_gtol_at_the_start():
    result = gradient_descent(quadratic, [0.0, 0.0], jac=slope, history=True)
    assert (result.nit, result.status, result.njev) == (0, 0, 1)
    assert result.history["fun"].shape == (1,)


def test_xtol_is_for_every_coordinate():
    result = gradient_descent(quadratic, START, jac=slope, gtol=0, xtol=1e-3, history=True)
    assert (result.success, result.status) == (True, 2)
    moves = np.abs(np.diff(result.history["x"], axis=0)).max(axis=1)
    assert moves[-1] <= 1e-3
    assert (moves[:-1] > 1e-3).all()


def test_ftol_does_not_take_a_rise_for_the_end():
    result = gradient_descent(
        lambda x: float(x @ x), [1.0], jac=lambda x: 2 * x, learning_rate=1.05, ftol=1e-3, maxiter=5
    )
    assert result.status == 1
    np.testing.assert_array_equal(result.x, [1.0])  # the best


@pytest.mark.parametrize("scale", [1.0, 0.7])  # of which one is exact
@pytest.mark.parametrize("bounds", [None, ([-9, -9], [9, 9])])
def test_ftol_does_not_take_a_leap_across_the_valley_for_the_end(scale, bounds):
    result = gradient_descent(
        lambda x: scale * float(x @ x), [1.0, 2.0], jac=lambda x: 2 * scale * x, learning_rate=1 / scale, ftol=1e-6,
        bounds=bounds, maxiter=50,
    )  # fmt: skip
    assert (result.status, result.success) == (1, False)
    damped = gradient_descent(
        lambda x: 1e9 + float(x @ x), [1.0, 2.0], jac=lambda x: 2 * x, learning_rate=0.9, ftol=1e-12, gtol=0.0
    )
    assert damped.status == 3


@pytest.mark.parametrize("bounds", [None, ([-9], [9])])
@pytest.mark.parametrize("nesterov", [False, True])
def test_xtol_does_not_take_a_turning_point_for_the_end(bounds, nesterov):
    result = gradient_descent(
        lambda x: 0.5 * x[0] ** 2, [1.0], jac=lambda x: x, momentum=0.99, nesterov=nesterov, learning_rate=0.01,
        xtol=1e-3, gtol=0, bounds=bounds,
    )  # fmt: skip
    assert (result.status, result.success) == (2, True)
    assert abs(result.x[0]) <= 0.1


def test_maxiter_may_be_beyond_any_count():
    assert gradient_descent(quadratic, START, jac=slope, maxiter=2**63).status == 0


@pytest.mark.parametrize("maxiter", [0, 1, 7])
def test_maxiter(maxiter):
    result = gradient_descent(quadratic, START, jac=slope, maxiter=maxiter)
    assert (result.nit, result.status, result.success) == (maxiter, 1, False)


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite(bad, values):
    seen = []

    def jac(x):
        seen.append(x.copy())
        return np.full(2, bad) if x[0] < 0.5 else slope(x)

    result = gradient_descent(quadratic, [1.0, 0.0], jac=jac, history=values)
    assert (result.status, result.success) == (4, False)
    finite = [x for x in seen if x[0] >= 0.5]
    assert result.nit == 1
    if values:
        np.testing.assert_array_equal(result.x, min(finite, key=quadratic))
        assert result.history["x"].shape == (2, 2)
    else:
        np.testing.assert_array_equal(result.x, finite[1])
    np.testing.assert_array_equal(result.jac, slope(result.x))
    assert result.njev == len(seen)


def test_a_value_that_is_not_finite():
    result = gradient_descent(
        lambda x: np.nan if x[0] < 0.5 else float(x[0]), [1.0], jac=lambda x: np.ones(1), ftol=1e-9
    )
    assert result.status == 4
    assert result.x[0] >= 0.5
    assert result.fun == result.x[0]


def test_a_value_that_is_not_finite_at_the_end():
    result = gradient_descent(lambda x: np.nan, [1.0], jac=lambda x: 2 * x)
    assert (result.status, result.success) == (4, False)


def test_a_start_where_fun_is_not_finite():
    with np.errstate(all="ignore"):
        result = gradient_descent(lambda x: float(np.log(x[0])), [-1.0], history=True)
    assert (result.status, result.nit) == (4, 0)
    np.testing.assert_array_equal(result.x, [-1.0])
    assert result.history["fun"].shape == (1,)


@pytest.mark.parametrize("given", [True, False], ids=["analytic", "numerical"])
def test_divergence(given):
    result = gradient_descent(lambda x: float(x @ x), [1.0, 1.0], jac=(lambda x: 2 * x) if given else None,
                              learning_rate=2.0, maxiter=10**6)  # fmt: skip
    assert (result.status, result.success) == (5, False)
    assert np.isfinite(result.x).all()
    assert result.nit < 100


def test_divergence_where_values_are_known_gives_the_best():
    result = gradient_descent(lambda x: float(x @ x), [1.0, 1.0], jac=lambda x: 2 * x, learning_rate=2.0, history=True)
    assert result.status == 5
    np.testing.assert_array_equal(result.x, [1.0, 1.0])
    np.testing.assert_array_equal(result.jac, [2.0, 2.0])
    assert result.fun == 2.0


def test_a_gradient_below_its_own_error():
    result = gradient_descent(lambda x: 1e9 + float(x @ x), [1e-4, 0.0], gtol=1e-12)
    assert (result.status, result.success) == (6, False)
    assert np.linalg.norm(result.jac) <= 10
    exact = gradient_descent(lambda x: 1e9 + float(x @ x), [1e-4, 0.0], jac=lambda x: 2 * x, gtol=1e-12)
    assert exact.status == 0


def test_the_best_point_is_kept():
    result = gradient_descent(lambda x: abs(x[0]), [0.25], jac=np.sign, learning_rate=0.5, maxiter=5, history=True)
    assert result.fun == result.history["fun"].min()
    both = gradient_descent(
        lambda x: (x[0] ** 4, 4 * x**3), [1.0], jac=True, learning_rate=0.49, maxiter=2, history=True
    )
    assert both.fun == both.history["fun"].min()
    assert both.fun == both.x[0] ** 4
    np.testing.assert_array_equal(both.jac, 4 * both.x**3)


# Bounds


def test_bounds_are_never_left():
    lb, ub = np.array([0.5, -1.0]), np.array([2.0, 3.0])
    seen = []

    def fun(x):
        seen.append(x.copy())
        return quadratic(x)

    result = gradient_descent(fun, [2.0, 3.0], bounds=(lb, ub), history=True)
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.5 / 6], atol=2e-7)
    assert (np.array(seen) >= lb).all()
    assert (np.array(seen) <= ub).all()
    assert result.history["grad_norm"][-1] < 1e-6 < np.linalg.norm(result.jac)


@pytest.mark.parametrize(
    "options", [{"momentum": 0.6}, {"momentum": 0.6, "nesterov": True}, {"line_search": "backtracking"}]
)
@pytest.mark.parametrize(
    "bounds",
    [
        ([0.5, -1], [2, 3]),
        Bounds([0.5, -1], [2, 3]),
        [(0.5, 2), (-1, 3)],
        [(0.5, None), (None, 3)],
        ((0.5, None), (None, 3)),
        ((0.5, 3), (-1, 3)),
        (np.array([0.5, -1]), np.array([3, 3])),
        ([0.5, -2], [2, 3]),
    ],
)
def test_bounds_in_all_forms(bounds, options):
    result = gradient_descent(quadratic, [2.0, 3.0], jac=slope, bounds=bounds, **options)
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.5 / 6], atol=2e-7)


def test_a_variable_that_is_fixed():
    result = gradient_descent(quadratic, [2.0, 3.0], bounds=([2.0, -9], [2.0, 9]))
    assert result.success
    np.testing.assert_allclose(result.x, [2, 2 / 6], rtol=1e-6)


def test_the_error_of_what_pushes_against_a_bound_does_not_count():
    result = gradient_descent(
        lambda x: 1e3 * np.exp(x[0]) + (x[1] - 1) ** 2, [0.0, 0.0], bounds=([0, -5], [5, 5])
    )  # fmt: skip
    assert (result.status, result.success) == (0, True)
    np.testing.assert_allclose(result.x, [0, 1], atol=1e-6)


# Values and gradients


@pytest.mark.parametrize(
    ("method", "calls", "values"),
    [("central", 4, False), ("forward", 3, True), ("backward", 3, True), ("complex", 4, False)],
)
def test_calls_of_a_numerical_gradient(counted, method, calls, values):
    fun = counted(lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1])
    result = gradient_descent(fun, START, method=method, maxiter=10)
    assert result.nit == 10
    assert result.njev == 11
    assert result.nfev == fun.nfev
    if method != "complex":
        assert fun.nfev == 11 * calls + (0 if values else 1)
    np.testing.assert_allclose(result.x, gradient_descent(quadratic, START, jac=slope, maxiter=10).x, rtol=1e-5)


def test_jac_names_a_method(counted):
    fun = counted(quadratic)
    by_name = gradient_descent(fun, START, jac="forward", maxiter=3)
    np.testing.assert_array_equal(by_name.x, gradient_descent(quadratic, START, method="forward", maxiter=3).x)
    assert fun.nfev == 4 * 3


def test_fun_that_returns_both(counted):
    fun = counted(lambda x: (quadratic(x), slope(x)))
    result = gradient_descent(fun, START, jac=True, maxiter=10)
    assert fun.nfev == result.nfev == result.njev == 11
    np.testing.assert_array_equal(result.x, gradient_descent(quadratic, START, jac=slope, maxiter=10).x)


def test_calls_with_history(counted):
    fun, jac = counted(quadratic), counted(slope)
    result = gradient_descent(fun, START, jac=jac, maxiter=10, history=True)
    assert (fun.nfev, jac.nfev) == (result.nfev, result.njev) == (11, 11)


def test_args_and_kwargs():
    result = gradient_descent(
        lambda x, a, *, b: float((x - a - b) @ (x - a - b)), [0.0], (1.0,), lambda x, a, *, b: 2 * (x - a - b),
        kwargs={"b": 2.0},
    )  # fmt: skip
    np.testing.assert_allclose(result.x, [3], rtol=1e-6)
    same = gradient_descent(lambda x, a, *, b: float((x - a - b) @ (x - a - b)), [0.0], (1.0,), kwargs={"b": 2.0})
    np.testing.assert_allclose(same.x, [3], rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_shapes(shape):
    seen = set()

    def fun(x):
        seen.add(x.shape)
        return float(np.sum((x - 2) ** 2))

    for jac in (None, lambda x: 2 * (x - 2), lambda x: (2 * (x - 2)).reshape(-1)):
        result = gradient_descent(fun, np.zeros(shape), jac=jac)
        assert np.shape(result.x) == np.shape(result.jac) == shape
        np.testing.assert_allclose(result.x, np.full(shape, 2.0), rtol=1e-6)
    assert seen == {shape}


@pytest.mark.parametrize(
    "returned", [lambda g: g.tolist(), lambda g: g.astype(np.longdouble), tuple,
                 lambda g: np.repeat(g, 2)[::2], lambda g: g[::-1].copy()[::-1]]
)  # fmt: skip
def test_gradients_in_other_wrappings(returned):
    result = gradient_descent(None, START, jac=lambda x: returned(np.round(slope(x), 6)), maxiter=5, gtol=0)
    expected = gradient_descent(None, START, jac=lambda x: np.round(slope(x), 6), maxiter=5, gtol=0)
    np.testing.assert_allclose(result.x, expected.x, rtol=1e-6)


# What fun and jac do with x


EXPECTED = START
for _ in range(12):
    EXPECTED = EXPECTED - 0.1 * (2 * EXPECTED)


def doubled(x):
    return 2 * x


class Buffer:
    def __init__(self, n):
        self.buffer = np.empty(n)

    def __call__(self, x):
        return np.multiply(2, x, out=self.buffer)


class Keeper:
    def __init__(self):
        self.kept = []

    def __call__(self, x):
        self.kept.append(x)
        return 2 * x


def into_x(x):
    x *= 2
    return x


def reverses_x(x):
    g = 2 * x
    x[:] = x[::-1]
    return g


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("n", [2, 1000])
@pytest.mark.parametrize("kind", [doubled, Buffer, Keeper, into_x, reverses_x, "view", "same"])
def test_whatever_jac_does_with_x(kind, n, overwrite):
    x0 = np.tile(START, n // 2)
    x = x0.copy()
    jac = kind(n) if kind is Buffer else kind() if kind is Keeper else kind
    expected = np.tile(EXPECTED, n // 2)
    if kind == "view":  # the gradient is x backwards, in its own memory
        jac = operator.itemgetter(slice(None, None, -1))
    elif kind == "same":
        jac = np.asarray
    if kind in ("view", "same"):
        expected = x0
        for _ in range(12):
            expected = expected - 0.1 * jac(expected)
    result = gradient_descent(None, x, jac=jac, maxiter=12, gtol=0, overwrite_x=overwrite)
    np.testing.assert_array_equal(result.x, expected)
    if overwrite:
        assert result.x is x
    else:
        np.testing.assert_array_equal(x, x0)
    if kind is Keeper:
        path = [x0]
        for _ in range(12):
            path.append(path[-1] - 0.1 * (2 * path[-1]))
        np.testing.assert_array_equal(jac.kept[-13:], path)


def test_fun_that_writes_into_x():
    def fun(x):
        value = quadratic(x)
        x *= -1
        return value

    result = gradient_descent(fun, START, jac=slope, maxiter=9, history=True)
    clean = gradient_descent(quadratic, START, jac=slope, maxiter=9, history=True)
    np.testing.assert_array_equal(result.x, clean.x)
    np.testing.assert_array_equal(result.history["fun"], clean.history["fun"])
    assert result.nfev == clean.nfev + 1  # the discarded call


def test_a_write_that_comes_late_is_found():
    calls = []

    def jac(x):
        calls.append(1)
        g = 2 * x
        if len(calls) > 30:
            x[:] = 7.0
        return g

    result = gradient_descent(None, np.ones(1000), jac=jac, learning_rate=0.01, maxiter=50, gtol=0)
    expected = np.ones(1000)
    for _ in range(50):
        expected = expected - 0.01 * (2 * expected)
    np.testing.assert_array_equal(result.x, expected)


def test_the_bits_of_both_backends():
    modules = [importlib.import_module(f"numdiff._kernels_{name}") for name in ("c", "py")]
    rng = np.random.default_rng(0)
    for n in (1, 5, 8, 100, 333):
        curvature, x0 = rng.uniform(0.1, 2, n), rng.standard_normal(n)
        lb, ub = x0 - rng.uniform(0, 1, n), x0 + rng.uniform(0, 1, n)
        for rule, line_search in (((0.1, 0.0, False), False), ((0.1, 0.7, False), False), ((0.3, 0.7, True), False),
                                  ((3.0, 0.0, False), True)):  # fmt: skip
            for bounds, values, seen in itertools.product(((None, None), (lb, ub)), (True, False), (True, False)):
                answers = []
                for kernels in modules:
                    rows = []
                    work = tuple(np.empty(n) for _ in range(5))
                    answer = kernels.descend(
                        lambda x, c: float(np.sum(c * x**4)), lambda x, c: 4 * c * x**3, (curvature,), float,
                        np.asarray, x0, x0.copy(), False, rule, np.zeros(n) if rule[1] else None, bounds,
                        (40, 1e-3, 1e-9 if seen else 0.0, 1e-12 if values else 0.0), line_search and values, values,
                        None, work, (lambda *row, rows=rows: rows.append((row[0].tobytes(), str(row[1:])))) if seen
                        else None, 0.0, None,
                    )  # fmt: skip
                    answers.append((answer[0], answer[1].tobytes(), str(answer[2:]), work[0].tobytes(), rows))
                assert answers[0] == answers[1]
                assert bool(answers[0][-1]) == seen


@pytest.mark.parametrize("n", [1, 7, 8, 9, 17, 1000, 100_003])
def test_the_bits_of_a_norm(n):
    g = np.random.default_rng(n).standard_normal(n)
    norms = {importlib.import_module(f"numdiff._kernels_{name}").gradient_norm(g) for name in ("c", "py")}
    assert len(norms) == 1
    assert norms.pop() == pytest.approx(np.linalg.norm(g), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_norm_of_a_gradient(scale):
    g = np.arange(1.0, 20.0) * scale
    norms = {importlib.import_module(f"numdiff._kernels_{name}").gradient_norm(g) for name in ("c", "py")}
    assert len(norms) == 1
    assert norms.pop() == pytest.approx(np.sqrt(np.sum(np.arange(1.0, 20.0) ** 2)) * scale, rel=1e-14, abs=0)


def test_a_gradient_that_is_tiny_is_not_0():
    result = gradient_descent(None, [1.0], jac=lambda x: 2e-200 * x, gtol=1e-250, maxiter=1)
    assert (result.status, result.success) == (1, False)
    assert gradient_descent(None, [1.0], jac=lambda x: 2e-200 * x, gtol=1e-199).status == 0
    assert gradient_descent(None, [1.0], jac=lambda x: 0 * x, gtol=1e-250).status == 0


def test_jac_that_gives_x_another_shape():
    def jac(x):
        g = 2 * x
        x.resize(4, refcheck=False)  # as x.shape = (4,), which NumPy is to give up
        return g

    for overwrite in (False, True):
        x0 = np.arange(4.0).reshape(2, 2)
        result = gradient_descent(None, x0, jac=jac, maxiter=3, gtol=0, overwrite_x=overwrite)
        assert result.x.shape == x0.shape == (2, 2)
        np.testing.assert_allclose(result.x, np.arange(4.0).reshape(2, 2) * 0.8**3, rtol=1e-14)


# Callbacks


def test_callback_with_intermediate_result():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)

    result = gradient_descent(quadratic, START, jac=slope, maxiter=5, callback=callback, history=True)
    assert [r.nit for r in seen] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal([r.x for r in seen], result.history["x"][1:])
    np.testing.assert_array_equal([r.fun for r in seen], result.history["fun"][1:])


def test_callback_with_x_costs_no_call_of_fun(counted):
    fun, path = counted(quadratic), []
    gradient_descent(fun, START, jac=slope, maxiter=5, callback=lambda xk: path.append(xk))
    assert fun.nfev == 1
    assert len({x.tobytes() for x in path}) == 5


@pytest.mark.parametrize("history", [False, True])
def test_callback_that_calls_jac_which_uses_a_buffer(history):
    jac = Buffer(2)
    result = gradient_descent(
        quadratic, START, jac=jac, maxiter=12, gtol=0, callback=lambda xk: jac(xk + 5), history=history
    )
    np.testing.assert_array_equal(result.x, EXPECTED)
    np.testing.assert_array_equal(result.jac, 2 * EXPECTED)


@pytest.mark.parametrize("how", ["true", "StopIteration"])
def test_callback_stops(how):
    def callback(xk):
        calls.append(1)
        if len(calls) == 3:
            if how == "StopIteration":
                raise StopIteration
            return True
        return False

    calls = []
    result = gradient_descent(quadratic, START, jac=slope, callback=callback)
    assert (result.nit, result.status, result.success) == (3, 99, False)


def test_what_fun_jac_and_callback_raise_comes_as_it_is():
    def fails(*_):
        raise KeyError("mine")

    x0 = START.copy()
    for options in ({"jac": fails}, {"jac": slope, "callback": fails}):
        with pytest.raises(KeyError, match="mine"):
            gradient_descent(quadratic, x0, **options)
    with pytest.raises(KeyError, match="mine"):
        gradient_descent(fails, x0)
    np.testing.assert_array_equal(x0, START)


def test_progress(capsys):
    pytest.importorskip("tqdm")
    result = gradient_descent(
        quadratic, START, jac=slope, maxiter=50, gtol=0, callback=numdiff.progress(desc="descent")
    )
    err = capsys.readouterr().err
    assert "descent" in err
    assert "50/50" in err
    assert f"{result.fun:.4g}" in err
    assert result.nfev == 1


def test_progress_in_scipy(capsys):
    pytest.importorskip("tqdm")
    result = minimize(rosen, [1.3, 0.7], jac=rosen_der, method="BFGS", callback=(bar := numdiff.progress()))
    bar.close()
    assert f"{result.nit}it" in capsys.readouterr().err


def test_progress_without_tqdm(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"numdiff.progress needs tqdm.*the extra \"progress\""):
        numdiff.progress()


# SciPy


def test_as_a_method_of_minimize():
    ours = gradient_descent(quadratic, START, jac=slope, learning_rate=0.2, momentum=0.1)
    for jac, fun in ((slope, quadratic), (True, lambda x: (quadratic(x), slope(x)))):
        theirs = minimize(fun, START, jac=jac, method=gradient_descent, options={"learning_rate": 0.2, "momentum": 0.1})
        np.testing.assert_array_equal(theirs.x, ours.x)
        assert theirs.nit == ours.nit


@pytest.mark.parametrize("bounds", [((-5, 1), (0, 5)), ((0, None), (0, None)), ((0, 1), (0, 1), (0, 1))])
def test_pairs_in_a_tuple_as_minimize_takes_them(bounds):
    """Read as (lb, ub) the first would lead elsewhere."""

    def fun(x):
        return (x[0] - 1) ** 2 + (x[1:] ** 2).sum()

    x0 = np.full(len(bounds), 0.5)
    if bounds[0] == (-5, 1):
        with pytest.raises(ValueError, match="`bounds` may be two pairs"):
            minimize(fun, [-1.0, 2.0], bounds=bounds, method=gradient_descent)
        bounds = list(bounds)
    found = minimize(fun, x0, bounds=bounds, method=gradient_descent)
    theirs = minimize(fun, x0, bounds=bounds, method="L-BFGS-B")
    np.testing.assert_allclose(found.x, theirs.x, atol=1e-5)


def test_minimize_passes_tol_args_bounds_and_callback():
    path = []
    result = minimize(
        lambda x, a: a * quadratic(x), [2.0, 3.0], args=(0.5,), method=gradient_descent, tol=1e-3,
        bounds=[(0.5, 2), (-1, 3)], callback=lambda xk: path.append(xk),
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.5 / 6], atol=1e-3)
    assert len(path) == result.nit
    own = minimize(quadratic, START, jac=slope, method=gradient_descent, tol=1e-2, options={"gtol": 1e-6})
    assert np.linalg.norm(slope(own.x)) < 1e-6
    tight = minimize(quadratic, START, jac=slope, method=gradient_descent, tol=1e-2, options={"gtol": 1e-9})
    assert np.linalg.norm(slope(tight.x)) < 1e-9


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hess", {"hess": lambda x: A}),
        ("hessp", {"hessp": lambda x, p: A @ p}),
        ("constraints", {"constraints": {"type": "eq", "fun": sum}}),
    ],
)
def test_what_minimize_passes_and_nobody_uses(name, options):
    with pytest.raises(ValueError, match=f"gradient_descent does not take `{name}`"):
        gradient_descent(quadratic, START, jac=slope, **options)


def test_result_has_keys_and_attributes():
    result = gradient_descent(quadratic, START, jac=slope)
    assert {"x", "fun", "jac", "nit", "nfev", "njev", "success", "status", "message"} <= set(result)
    assert result["x"] is result.x
    assert "history" not in result
    assert "message" in repr(result)
    result.mine = 3
    assert result["mine"] == 3
    with pytest.raises(AttributeError, match="nothing"):
        result.nothing


# overwrite_x and bad input


def test_overwrite_x():
    x = START.copy()
    seen = []
    result = gradient_descent(
        quadratic, x, jac=lambda y: seen.append(np.shares_memory(x, y)) or A @ y, overwrite_x=True
    )
    assert result.x is x
    np.testing.assert_allclose(x, 0, atol=1e-6)
    assert all(seen)


READ_ONLY = np.ones(3)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize("x0", [[1.0, 2.0], np.ones(3, np.float32), np.ones(6)[::2], READ_ONLY, np.ones(3, ">f8"), 1.0])
def test_an_x0_that_cannot_be_moved_in_place(x0):
    with pytest.raises(ValueError, match="`overwrite_x` needs `x0`"):
        gradient_descent(quadratic, x0, jac=slope, overwrite_x=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": 0}, ValueError, "`learning_rate` must be positive and finite; it is 0"),
        ({"learning_rate": -0.1}, ValueError, "`learning_rate`"),
        ({"learning_rate": np.nan}, ValueError, "`learning_rate`"),
        ({"learning_rate": "fast"}, TypeError, "`learning_rate` must be a number; it is 'fast'"),
        ({"momentum": 1.0}, ValueError, "`momentum` must be at least 0 and below 1; it is 1.0"),
        ({"momentum": -0.1}, ValueError, "`momentum`"),
        ({"maxiter": -1}, ValueError, "`maxiter` must be at least 0; it is -1"),
        ({"maxiter": 1.5}, TypeError, "`maxiter` must be an integer"),
        ({"gtol": -1}, ValueError, "`gtol`"),
        ({"xtol": np.nan}, ValueError, "`xtol`"),
        ({"ftol": -1e-9}, ValueError, "`ftol`"),
        ({"tol": -1}, ValueError, "`tol`"),
        ({"line_search": "armijo"}, ValueError, "`line_search` must be None or 'backtracking'; it is 'armijo'"),
        ({"line_search": "backtracking", "momentum": 0.5}, ValueError, "`line_search` and `momentum`"),
        ({"callback": 3}, TypeError, "`callback` must be callable"),
        ({"history": "yes"}, TypeError, "`history` must be True or False"),
        ({"jac": 3}, TypeError, "`jac` must be callable"),
        ({"jac": lambda x: np.ones(3)}, ValueError, r"`jac` must return the gradient, of shape \(2,\)"),
        ({"jac": lambda x: None}, TypeError, "`jac` returned None"),
        ({"jac": lambda x: 1j * x}, TypeError, "`jac` must return real numbers"),
        ({"jac": "newton"}, ValueError, "`method` must be one of"),
        ({"jac": True}, TypeError, "with jac=True `fun` must return its value and gradient"),
        ({"jac": slope, "method": "central"}, ValueError, "`method` is an option of the numerical gradient"),
        ({"steps": 3}, TypeError, "unknown option `steps`"),
        ({"bounds": ([2, 2], [3, 9])}, ValueError, "`x0` must be within `bounds`"),
        ({"bounds": [(0, 1)]}, ValueError, "`bounds` must be a tuple"),
        ({"bounds": ((0, 1.5), (2, 5))}, ValueError, r"`bounds` may be two pairs .* or \(lb, ub\); .*Bounds"),
        ({"nesterov": "no"}, TypeError, "`nesterov` must be True or False; it is 'no'"),
        ({"overwrite_x": "no"}, TypeError, "`overwrite_x` must be True or False"),
        ({"learning_rate": 10**400}, ValueError, "`learning_rate` must be a number that fits float64"),
        ({"xtol": 10**400}, ValueError, "`xtol` must be a number that fits float64"),
    ],
)
def test_bad_input(options, error, message):
    x0 = START.copy()
    with pytest.raises(error, match=message):
        gradient_descent(quadratic, x0, **options)
    np.testing.assert_array_equal(x0, START)


@pytest.mark.parametrize("option", [{"ftol": 1e-3}, {"line_search": "backtracking"}])
def test_what_needs_fun(option):
    with pytest.raises(ValueError, match="needs the values of `fun`"):
        gradient_descent(None, START, jac=slope, **option)


@pytest.mark.parametrize("x0", [[], [np.nan, 1.0], ["a"], None])
def test_a_bad_start(x0):
    with pytest.raises((TypeError, ValueError), match="`x0`"):
        gradient_descent(quadratic, x0, jac=slope)
