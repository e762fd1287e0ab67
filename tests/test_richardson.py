"""Richardson extrapolation: the kernels' bits, values, error bars, counts and flags."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

import numdiff
from numdiff import Flag, gradient, jacobian


def richardson(fun, x, **options):
    return gradient(fun, x, method="richardson", full_output=True, **options)


def of_one(f):
    return lambda x: float(f(x[0]))


SMOOTH = [
    (np.exp, np.exp, 0.5),
    (np.sin, np.cos, -506.0),
    (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x), -506.0),
    (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x), 1.0),
    (lambda x: np.sin(2 * np.pi * x), lambda x: 2 * np.pi * np.cos(2 * np.pi * x), 64.0),
    (lambda x: np.cos(100 * x), lambda x: -100 * np.sin(100 * x), 1e4),
    (np.log, lambda x: 1 / x, 1e-9),
    (np.sqrt, lambda x: 0.5 / np.sqrt(x), 1e-12),
    (lambda x: 1 / x, lambda x: -1 / x**2, 1e-8),
    (lambda x: 1 / (1 - x), lambda x: 1 / (1 - x) ** 2, 0.999),
    (lambda x: abs(x - 1), lambda x: -1.0, 1 - 1e-4),
    (lambda x: x**5 - 3 * x**3 + x, lambda x: 5 * x**4 - 9 * x**2 + 1, 1e-3),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("f", "df", "x"), SMOOTH)
def test_values_and_bars(f, df, x, counted):
    fun = counted(of_one(f))
    result = richardson(fun, [x])
    error = abs(result.value[0] - df(x))
    assert error <= 1e-9 * abs(df(x))
    assert error <= result.error[0] <= 1e-6 * abs(df(x))
    assert result.nfev == fun.nfev <= 80
    assert not result.flag[0] & ~Flag.shrunk


def test_rosenbrock(counted):
    x = np.linspace(-1, 2, 10)
    fun = counted(rosen)
    result = richardson(fun, x)
    error = np.abs(result.value - rosen_der(x))
    assert np.all(error <= result.error)
    assert np.all(result.error <= 1e-11 * np.abs(rosen_der(x)).max())
    assert result.nfev == fun.nfev <= 101


def test_jacobian_shares_the_calls_of_a_column(counted):
    fun = counted(lambda x: np.array([np.exp(x[0]), np.sin(20 * x[1]), x[0] * x[1]]))
    x = np.array([0.3, 0.7])
    result = jacobian(fun, x, method="richardson", full_output=True)
    exact = np.array([[np.exp(0.3), 0], [0, 20 * np.cos(14)], [0.7, 0.3]])
    assert np.all(np.abs(result.value - exact) <= np.maximum(result.error, 1e-300))
    assert np.allclose(result.value, exact, rtol=1e-11, atol=1e-12)
    assert result.nfev == fun.nfev <= 40


@pytest.mark.parametrize("f", [abs, lambda x: max(x, 0.0), lambda x: abs(x) + np.sin(5 * x)])
def test_a_kink_is_flagged_with_half_the_jump_as_error(f):
    result = richardson(of_one(f), [0.0])
    assert result.flag[0] == Flag.kink
    jump = (f(1e-9) - 2 * f(0.0) + f(-1e-9)) / 1e-9
    assert result.error[0] == pytest.approx(jump / 2, rel=0.05)


@pytest.mark.parametrize("jump", [0.5, 0.02, 1e-3, 1e-5])
@pytest.mark.parametrize("f", [lambda x: x, lambda x: (x - 3) ** 2, np.exp, np.sin])
@pytest.mark.parametrize("b", [0.0, 1.1772959800209328])
def test_a_weak_kink_is_no_less_a_kink(f, jump, b):
    result = richardson(of_one(lambda x: f(x) + jump / 2 * abs(x - b)), [b])
    assert result.flag[0] == Flag.kink
    assert result.error[0] == pytest.approx(jump / 2, rel=0.1)


@pytest.mark.parametrize("distance", [1e-12, 1e-10])
def test_a_kink_beside_x0_is_in_the_bar(distance):
    for b in np.linspace(-3, 3, 40):
        result = richardson(of_one(lambda x, b=b: np.sin(x) + 1e-3 * abs(x - b)), [b + distance])
        assert result.flag[0] == Flag.kink
        assert abs(result.value[0] - np.cos(b) - 1e-3) <= 1.01 * result.error[0] <= 1.2e-3


@pytest.mark.parametrize("distance", [1e-5, 1e-4, 1e-3, 1e-2])
def test_a_kink_between_the_steps_is_in_the_bar(distance):
    for b in np.linspace(-3, 3, 40):
        result = richardson(of_one(lambda x, b=b: np.sin(x) + 1e-3 * abs(x - b)), [b + distance])
        error = abs(result.value[0] - np.cos(b + distance) - 1e-3)
        assert error <= 1e-9 or (error <= 1.01 * result.error[0] <= 5e-3 and result.flag[0])


@pytest.mark.parametrize("digits", [3, 4, 5, 6, 7, 8])
def test_few_digits_are_noise_and_never_a_plateau(digits):
    for x in np.linspace(-2, 2, 60):
        result = richardson(of_one(lambda x: float(f"{np.exp(x):.{digits}g}")), [x])
        assert result.flag[0] & (Flag.noisy | Flag.kink)
        assert abs(result.value[0] - np.exp(x)) <= 10 * result.error[0]


def test_few_digits_beside_other_values():
    def fun(x):
        kinked = np.sin(x[0]) + 1e-3 * abs(x[0] - 0.3)
        return np.array([np.exp(x[0]), float(f"{np.exp(x[0]):.5g}"), max(x[0] - 0.301, 0.0), kinked])

    result = jacobian(fun, [0.3], method="richardson", full_output=True)
    value, error = result.value.ravel(), result.error.ravel()
    assert np.all(np.abs(value - [np.exp(0.3), np.exp(0.3), 0.0, np.cos(0.3)]) <= error)
    assert result.flag.ravel().tolist() == [0, Flag.noisy, 0, Flag.kink]


def test_rounding_within_fun_is_noise():
    for f in (lambda x: round(np.exp(x), 3), lambda x: float(np.exp(np.float32(x)))):
        results = [(np.exp(x), richardson(of_one(f), [x])) for x in np.linspace(-2, 2, 100)]
        assert all(result.flag[0] for _, result in results)
        assert sum(abs(result.value[0] - exact) <= 10 * result.error[0] for exact, result in results) >= 98


@pytest.mark.parametrize("distance", [1e-7, 1e-5, 3e-4, 1e-3, 5e-3, 0.0105])
@pytest.mark.parametrize("f", [lambda x: max(x, 0.0), lambda x: np.sin(3 * x) - np.sin(min(3 * x, 0.0))])
def test_a_function_that_is_constant_beside_x0_has_slope_0(f, distance, counted):
    fun = counted(of_one(lambda x: float(f(x))))
    result = richardson(fun, [-distance])
    assert result.value[0] == result.flag[0] == 0
    assert result.error[0] <= 1e-8
    assert fun.nfev <= 40


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f", [np.cbrt, np.sqrt, lambda x: np.sqrt(abs(x)), lambda x: x**0.9])
def test_an_infinite_slope_is_flagged_with_a_bar_as_steep_as_seen(f):
    result = richardson(of_one(f), [0.0])
    assert result.flag[0] & Flag.noisy
    assert result.error[0] >= 0.5 * f(1e-14) / 1e-14


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f", [lambda x: 1 / x, lambda x: 1 / x**2, lambda x: np.log(abs(x))])
def test_a_pole_at_x0_has_no_derivative(f):
    result = richardson(of_one(f), np.array([0.0]))
    assert np.isnan(result.value[0])
    assert np.isnan(result.error[0])
    assert result.flag[0] == Flag.nonfinite


def test_noise_is_no_kink():
    rng = np.random.default_rng(29)
    for sigma in 10 ** rng.uniform(-11, -6, 300):
        result = richardson(lambda x, s=sigma: float(np.exp(x[0]) + s * rng.standard_normal()), [rng.normal()])
        assert not result.flag[0] & Flag.kink


@pytest.mark.parametrize("f", [np.floor, np.sign])
def test_a_jump_is_flagged(f):
    assert richardson(of_one(f), [0.0]).flag[0] & (Flag.kink | Flag.noisy)


@pytest.mark.parametrize("f", [lambda x: np.tanh(20 * x), lambda x: np.exp(np.sin(3 * x)), lambda x: x**3])
@pytest.mark.parametrize("x", [0.0, 0.05, 1.0])
def test_no_false_kinks(f, x):
    assert richardson(of_one(f), [x]).flag[0] == 0


@pytest.mark.parametrize("sigma", [1e-10, 1e-6])
def test_noise_is_seen_and_covered(sigma):
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(40):
        result = richardson(lambda x: float(np.exp(x[0]) + sigma * rng.standard_normal()), [1.0])
        assert result.flag[0] & Flag.noisy
        covered += abs(result.value[0] - np.e) <= 3 * result.error[0]
    assert covered >= 38


def test_float32():
    result = richardson(lambda x: np.float32(np.exp(x[0])), [1.0])
    assert abs(result.value[0] - np.e) <= result.error[0] <= 1e-4
    assert result.flag[0] == Flag.low_precision


@pytest.mark.parametrize("x", [0.0, 1e-8, 0.01, 1.0])
def test_never_outside_the_bounds(x, counted):
    fun = counted(of_one(np.exp))
    result = richardson(fun, [x], bounds=(0.0, 1.0))
    assert all(0 <= point[0] <= 1 for point in fun.seen)
    assert abs(result.value[0] - np.exp(x)) <= result.error[0] <= 1e-9


def test_nan_in_one_component_alone():
    result = richardson(lambda x: np.exp(x[0]) + (np.nan if x[1] != 1 else 0.0), [0.0, 1.0])
    assert result.value[0] == pytest.approx(1, rel=1e-12)
    assert np.isnan(result.value[1])
    assert np.isnan(result.error[1])
    assert result.flag.tolist() == [0, Flag.nonfinite]


@pytest.mark.parametrize(
    ("method", "orders"), [("central", (2, 4, 6, 8)), ("forward", (1, 2, 3, 4)), ("backward", (1, 2, 3, 4))]
)
def test_orders(method, orders, counted):
    x = np.array([0.3, -0.7])
    errors = []
    for order in orders:
        fun = counted(lambda x: float(np.exp(x).sum()))
        result = gradient(fun, x, method=method, order=order, full_output=True)
        assert result.nfev == fun.nfev == order * 2 + (method != "central")
        errors.append(np.abs(result.value - np.exp(x)).max())
        assert np.all(np.abs(result.value - np.exp(x)) <= result.error)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(
    ("method", "order"),
    [("central", 3), ("central", 10), ("forward", 5), ("richardson", 4), ("central", 2.0), ("central", True)],
)
def test_a_wrong_order_is_named(method, order):
    with pytest.raises(ValueError, match="`order` must be .* for method"):
        gradient(lambda x: 0.0, [1.0], method=method, order=order)


def test_noise_widens_steps_and_bars():
    rng = np.random.default_rng(1)
    for noise in (1e-6, "estimate"):
        squares = []
        for _ in range(30):
            result = gradient(
                lambda x: float(np.exp(x).sum() + 1e-6 * rng.standard_normal()),
                [0.5, 1.0],
                noise=noise,
                full_output=True,
            )
            error = np.abs(result.value - np.exp([0.5, 1.0]))
            squares.append((error**2).mean())
        assert np.mean(squares) ** 0.5 <= 1.8e-4  # five times that of the best fixed step in hindsight
    with pytest.raises(ValueError, match="`noise` must be a standard deviation, finite and >= 0; it is -1"):
        gradient(lambda x: 0.0, [1.0], noise=-1)
    with pytest.raises(TypeError, match="`noise`.*'loud'"):
        gradient(lambda x: 0.0, [1.0], noise="loud")


ROUGH = [
    (lambda x: x + 0.02 * max(x, 0.0), 0.0),
    (lambda x: np.sin(x) + 1e-3 * abs(x - 1), 1 + 1e-10),
    (lambda x: (x - 3) ** 2 + 0.1 * abs(x), 0.0),
    (lambda x: float(f"{np.exp(x):.6g}"), 0.3),
    (lambda x: float(f"{np.exp(x):.4g}"), 0.7),
    (lambda x: max(x, 0.0), -1e-3),
    (np.cbrt, 0.0),
    (np.floor, 0.0),
    (lambda x: 1 / x, 0.0),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("f", "x"), [(f, x) for f, _, x in SMOOTH] + ROUGH)
def test_both_backends_give_the_same_bits(f, x, monkeypatch):
    answers = []
    for name in ("c", "py"):
        monkeypatch.setattr(numdiff._difference, "kernels", importlib.import_module(f"numdiff._kernels_{name}"))
        result = richardson(of_one(f), [x])
        answers.append((*(a.tobytes() for a in (result.value, result.error, result.step, result.flag)), result.nfev))
    assert answers[0] == answers[1]
