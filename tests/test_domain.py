"""Near the end of a domain: which steps are taken, and what their error bars say. See also test_traps.py."""

from __future__ import annotations

import numpy as np
import pytest

from numdiff import Flag, derivative, gradient, jacobian, jvp

# Noise


@pytest.mark.parametrize(
    ("method", "noise", "bounds", "close"),
    [
        ("forward", 1e-3, None, 0.1),
        ("forward", 1e-2, None, 0.4),
        ("central", 1e-4, (0.5, 2.0), 0.02),
        ("central", 1e-4, (0.499, 2.0), 0.02),
        ("central", 1e-4, (0.499999, 2.0), 0.02),
    ],
)
def test_a_step_made_long_by_noise_is_not_taken_for_a_step_across_an_end(method, noise, bounds, close):
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(50):
        found = gradient(
            lambda x: np.exp(x[0]) + noise * rng.normal(), [0.5],
            method=method, noise=noise, bounds=bounds, full_output=True,
        )  # fmt: skip
        assert not found.flag[0] & Flag.shrunk
        assert found.nfev == (3 if method == "central" else 2)
        errors.append(abs(found.value[0] - np.exp(0.5)))
    assert np.median(errors) < close


@pytest.mark.parametrize("noise", [1e-6, 1e-9])
def test_a_noisy_function_near_an_end_still_gets_a_smaller_step(noise):
    rng = np.random.default_rng(0)
    x = 1e-3
    value = gradient(lambda z: np.log(z[0]) + noise * rng.normal(), [x], method="forward", noise=noise)
    assert abs(value[0] * x - 1) < 0.1


@pytest.mark.parametrize(("noise", "slope"), [(1e-3, 0.1), (1e-3, 1.0), (1e-4, 1.0), (1e-6, 1.0)])
def test_noise_near_0_where_f_is_small_too(noise, slope):
    rng = np.random.default_rng(0)
    for _ in range(30):
        found = gradient(
            lambda x: slope * x[0] + noise * rng.normal(), [0.01], method="forward", noise=noise, full_output=True
        )
        assert not found.flag[0] & Flag.shrunk
        assert abs(found.value[0] - slope) < 6 * noise / found.step[0]
        assert found.nfev == 2 or slope * found.step[0] > 99 * noise


def test_a_float32_function_takes_the_documented_calls(counted):
    fun = counted(lambda x: np.float32(np.sum(np.exp(np.float32(x)))))
    x = np.array([0.3, 0.5, 0.7])
    found = gradient(fun, x, method="forward", order=4, full_output=True)
    assert found.nfev == fun.nfev == 4 * 3 + 1
    assert np.all(abs(found.value - np.exp(x)) < found.error)
    assert np.all(found.flag == Flag.low_precision)


def test_a_long_step_across_an_end_is_still_found():
    x = 0.001
    found = gradient(lambda z: np.float32(np.log(np.float32(z))), x, method="forward", full_output=True)
    assert found.flag & Flag.shrunk
    assert abs(found.value * x - 1) < 0.05


# Error bars


@pytest.mark.parametrize("method", ["central", "forward", "backward"])
@pytest.mark.parametrize(("fun", "slope"), [(np.log, lambda x: 1 / x), (np.sqrt, lambda x: 0.5 * x**-0.5)])
@pytest.mark.parametrize("x", [1e-7, 1e-8, 1e-10])
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_bar_of_a_mended_step_knows_that_an_end_is_near(method, fun, slope, x, end):
    at = end + x
    x = at - end
    with np.errstate(invalid="ignore"):
        found = gradient(lambda z: float(fun(z - end)), at, method=method, full_output=True)
    if end and (method == "forward" or found.step == -(2.0**-26)):  # nothing tells of an end that no point is beyond
        return
    assert found.flag & Flag.shrunk
    off = abs(found.value - slope(x))
    assert off < found.error < max(1e5 * off, 0.3 * slope(x))


@pytest.mark.parametrize(("method", "largest"), [("central", 0.02), ("forward", 0.3)])
def test_values_beyond_the_end_are_not_in_the_bar(method, largest):
    for find in (of_gradient, of_jvp):
        found = find(lambda x: np.inf if x > 1 + 1e-9 else float(x**2), 1.0, method=method)
        assert abs(found.value - 2.0) < found.error < largest


def test_a_good_value_beside_a_mended_one_keeps_its_bar():
    def fun(x):
        with np.errstate(invalid="ignore"):
            return np.log(x[0]) + x[1] ** 2

    mended = gradient(fun, [1e-8, 0.5], full_output=True)
    alone = gradient(lambda x: np.log(1e-8) + x[0] ** 2, [0.5], full_output=True)
    assert mended.error[1] == pytest.approx(alone.error[0], rel=1e-3)
    assert list(mended.flag) == [Flag.shrunk, 0]


def of_derivative(fun, x, **options):
    return derivative(fun, x, vectorized=False, full_output=True, **options)


def of_gradient(fun, x, **options):
    return gradient(fun, x, full_output=True, **options)


def of_jvp(fun, x, **options):
    return jvp(fun, x, 1.0, full_output=True, **options)


@np.errstate(invalid="ignore")
@pytest.mark.parametrize("find", [of_derivative, of_gradient, of_jvp])
@pytest.mark.parametrize("method", ["central", "backward"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("x", [0.0, 1.0])
def test_where_only_one_side_is_finite_the_bar_is_measured(find, method, size, x, counted):
    fun = counted(lambda z: size * np.sqrt(z - x)) if find is not of_derivative else lambda z: size * np.sqrt(z - x)
    infinite = find(fun, x, method=method)
    assert infinite.error == np.inf
    assert infinite.flag == Flag.one_sided | Flag.kink
    assert np.isfinite(infinite.value)
    if find is not of_derivative:
        assert infinite.nfev == fun.nfev

    flat = find(lambda z: size * np.sqrt(z - x) ** 3, x, method=method)
    assert 0 < abs(flat.value) <= flat.error
    assert flat.flag == Flag.one_sided

    smooth = find(lambda z: size * np.exp(z) if z >= x else np.nan, x, method=method)
    assert abs(smooth.value - size * np.exp(x)) <= smooth.error < size * (1e-6 if method == "backward" else 1e-8)
    assert smooth.flag == Flag.one_sided


@np.errstate(invalid="ignore")
def test_an_infinite_slope_beside_others(counted):
    fun = counted(lambda x: np.array([np.sqrt(x[0]) + x[1], x[0] * x[1], np.exp(x[0]) + np.sqrt(x[2])]))
    found = jacobian(fun, [0.0, 1.0, 0.0], full_output=True)
    assert np.array_equal(found.error == np.inf, [[1, 0, 0], [0, 0, 0], [0, 0, 1]])
    assert np.array_equal((found.flag & Flag.kink) != 0, found.error == np.inf)
    assert found.nfev == fun.nfev
    assert np.all(found.error[1] < 1e-6)
    # without full_output nothing more is called
    fun.nfev = 0
    assert np.array_equal(jacobian(fun, [0.0, 1.0, 0.0]), found.value)
    assert fun.nfev == found.nfev - 4


@pytest.mark.parametrize("find", [of_derivative, of_gradient, of_jvp])
@pytest.mark.parametrize("slope", [1.0, -0.7, 0.0])
def test_rounding_is_no_infinite_slope(find, slope):
    found = find(lambda z: 1e10 + slope * z if z >= 0 else np.nan, 0.0)
    assert found.flag == Flag.one_sided
    assert abs(found.value - slope) <= found.error < 10


@np.errstate(invalid="ignore")
def test_the_bar_of_one_value_is_not_that_of_another():
    both = jacobian(lambda x: np.array([np.sqrt(x[0]), np.exp(300 * x[0])]), [0.0], full_output=True)
    alone = gradient(lambda x: np.exp(300 * x[0]), [0.0], f0=1.0, full_output=True)
    assert both.error[0, 0] == np.inf
    assert both.error[1, 0] == pytest.approx(alone.error[0], rel=1e-2)
