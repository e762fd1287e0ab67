"""taylor: closed forms of coefficients, radii, refusals, counts."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest

import numdiff
from numdiff import taylor


def factorials(n):
    return np.array([float(math.factorial(k)) for k in range(n + 1)])


def sine(n):
    return np.array([0.0, 1.0, 0.0, -1.0])[np.arange(n + 1) % 4] / factorials(n)


def binomial(power, n):
    coefficients = [1.0]
    for k in range(1, n + 1):
        coefficients.append(coefficients[-1] * (power - k + 1) / k)
    return np.array(coefficients)


def tangent(n):
    # t' = 1 + t^2, exactly
    t = [Fraction(0)] * (n + 2)
    for k in range(n + 1):
        t[k + 1] = (sum(t[i] * t[k - i] for i in range(k + 1)) + (k == 0)) / (k + 1)
    return np.array([float(v) for v in t[: n + 1]])


def of_inverse(n):
    return np.array([0.0] + [(-1.0) ** (k + 1) / k for k in range(1, n + 1)])


# fun, x0, the coefficients, the relative error allowed
ANALYTIC = {
    "exp": (np.exp, 0.0, 1 / factorials(25), 1e-13),
    "exp, order 40": (np.exp, 0.0, 1 / factorials(40), 1e-13),
    "exp, order 100": (np.exp, 0.0, 1 / factorials(100), 1e-11),
    "exp at -2": (np.exp, -2.0, np.exp(-2) / factorials(25), 1e-13),
    "geometric": (lambda z: 1 / (1 - z), 0.0, np.ones(26), 1e-12),
    "geometric, order 100": (lambda z: 1 / (1 - z), 0.0, np.ones(101), 1e-11),
    "log": (lambda z: np.log(1 + z), 0.0, of_inverse(25), 1e-11),
    "sqrt": (lambda z: np.sqrt(1 + z), 0.0, binomial(0.5, 25), 1e-10),
    "sqrt at 4": (np.sqrt, 4.0, binomial(0.5, 20) * 2 / 4.0 ** np.arange(21), 1e-10),
    "tan": (np.tan, 0.0, tangent(25), 1e-12),
    "runge": (
        lambda z: 1 / (1 + 25 * z**2),
        0.0,
        np.array([0.0 if k % 2 else (-25.0) ** (k // 2) for k in range(26)]),
        1e-12,
    ),
    "near a pole": (lambda z: 1 / (1e-6 + z**2), 0.0, 1e6 * np.array([1.0, 0.0, -1e6, 0.0, 1e12]), 1e-12),
    "fast": (lambda z: np.exp(100 * z), 0.0, 100.0 ** np.arange(26) / factorials(25), 1e-12),
    "slow": (lambda z: np.sin(1e-3 * z), 0.0, 1e-3 ** np.arange(26) * sine(25), 1e-12),
    "very slow": (lambda z: np.cos(1e-9 * z), 0.0, np.array([1.0, 0.0, -0.5e-18, 0.0, 1e-36 / 24]), 1e-12),
    "tiny x0": (np.log, 1e-8, np.array([np.log(1e-8), *(of_inverse(10)[1:] * 1e8 ** np.arange(1, 11))]), 1e-11),
    "hole at x0": (lambda z: np.sin(z) / z, 0.0, sine(11)[1:], 1e-13),
    "huge": (lambda z: 1e200 * np.exp(z), 0.0, 1e200 / factorials(10), 1e-12),
    "small": (lambda z: 1e-250 * np.exp(z), 0.0, 1e-250 / factorials(10), 1e-12),
    "cubic": (lambda z: 3 * z**3 - 2 * z + 1, 0.0, np.array([1.0, -2.0, 0.0, 3.0] + [0.0] * 20), 1e-13),
    "cubic at 2": (lambda z: 3 * z**3 - 2 * z + 1, 2.0, np.array([21.0, 34.0, 18.0, 3.0] + [0.0] * 7), 1e-13),
    "power": (lambda z: z**50, 0.0, np.eye(61)[50], 1e-12),
    "large power": (lambda z: (1 + z) ** 1000, 0.0, binomial(1000.0, 10), 1e-11),
    "constant": (lambda z: 0 * z + 7, 3.0, np.array([7.0, 0.0, 0.0]), 1e-15),
    "zero": (lambda z: 0 * z, 0.0, np.zeros(4), 1e-15),
    "gauss": (
        lambda z: np.exp(-(z**2)),
        0.0,
        np.array([0.0 if k % 2 else (-1.0) ** (k // 2) / math.factorial(k // 2) for k in range(31)]),
        1e-12,
    ),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_closed_forms(name):
    fun, x0, exact, tolerance = ANALYTIC[name]
    found = taylor(fun, x0, len(exact) - 1, full_output=True)
    assert found.value.dtype == np.float64
    assert found.value.shape == exact.shape
    error = np.abs(found.value - exact)
    assert np.all(error <= tolerance * np.abs(exact) + (exact == 0) * found.error)
    assert np.mean(error <= found.error) >= 0.99
    assert np.all(error <= 10 * found.error)


@pytest.mark.parametrize("n", [0, 1, 25, 40])
def test_sine(n):
    # the zeros among them too
    assert np.all(np.abs(taylor(np.sin, 0.0, n) - sine(n)) * factorials(n) <= 1e-13)


def test_sine_far_away():
    # x + r exp(i t) is rounded at 1e6: so are the coefficients, and the errors say so
    found = taylor(np.sin, 1e6, 10, full_output=True)
    exact = np.array([np.sin(1e6), np.cos(1e6), -np.sin(1e6), -np.cos(1e6)])[np.arange(11) % 4] / factorials(10)
    error = np.abs(found.value - exact)
    assert np.all(error <= found.error)
    assert np.all(error * factorials(10) <= 1e-9)


def test_zeros_of_a_polynomial_are_zero_in_its_scale():
    found = taylor(lambda z: 3 * z**3 - 2 * z + 1, 0.0, 30)
    assert np.all(np.abs(found[[2, *range(4, 31)]]) <= 1e-14)


def test_the_radius_is_found():
    for scale in (1e-12, 1e-3, 1.0, 1e5, 1e12):
        found = taylor(lambda z, scale=scale: np.exp(z / scale), 0.0, 20, full_output=True)
        assert np.all(np.diff(found.radius) >= 0)
        assert 5 * scale <= found.radius[-1] <= 60 * scale  # 20 is best
    for pole in (1e-9, 1e-3, 1.0, 1e5):
        found = taylor(lambda z, pole=pole: 1 / (pole - z), 0.0, 20, full_output=True)
        assert 0.4 * pole <= found.radius[-1] < pole


def test_a_pole_too_weak_to_be_seen_on_a_larger_circle():
    exact = 1 / factorials(25) - 1e-8 * 2.0 ** np.arange(1, 27)
    found = taylor(lambda z: np.exp(z) + 1e-8 / (z - 0.5), 0.0, 25, full_output=True)
    assert np.all(np.abs(found.value - exact) <= found.error)
    assert np.all(found.radius < 0.5)
    assert np.all(np.abs(found.value - exact) <= 1e-6 * np.abs(exact))


def test_noise_and_single_precision_are_in_the_error():
    exact = 1 / factorials(15)
    single = taylor(lambda z: np.exp(z).astype(np.complex64), 0.0, 15, full_output=True)
    noisy = taylor(
        lambda z: np.exp(z) * (1 + 1e-10 * np.random.default_rng(0).normal(size=z.shape)), 0.0, 15, full_output=True
    )
    for found, level in ((single, 1e-6), (noisy, 1e-9)):
        error = np.abs(found.value - exact)
        assert np.all(error <= found.error)
        assert np.all(error <= level * exact)


def test_complex_on_the_real_line():
    found = taylor(lambda z: np.exp(1j * z), 0.0, 10)
    assert found.dtype == np.complex128
    assert np.allclose(found * factorials(10), 1j ** np.arange(11), rtol=1e-13, atol=1e-13)


NOT_ANALYTIC = {
    "conj": (np.conj, 0.0),
    "conj at 1": (np.conj, 1.0),
    "conj beside a constant": (lambda z: 1e10 + np.conj(z), 0.0),
    "some conj": (lambda z: np.exp(z) + 1e-3 * np.conj(z), 0.0),
    "more conj": (lambda z: np.exp(z) + 0.5 * np.conj(z), 2.0),
    "abs": (lambda z: abs(z) + 0j, 1.0),
    "abs at 0": (lambda z: abs(z) + 0j, 0.0),
    "exp(abs) at 0": (lambda z: np.exp(abs(z)) + 0j, 0.0),
    "a ninth power of abs": (lambda z: np.exp(z) + abs(z) ** 9, 0.0),  # constant on each circle
    "abs squared": (lambda z: z * np.conj(z), 1.0),
    "abs beside": (lambda z: np.exp(z) + 1e-3 * abs(z - 0.1) ** 4, 0.0),
    "real": (lambda z: z.real + 0j, 0.3),
    "imag": (lambda z: np.exp(z.imag) + 0j, 0.3),
    "pieces": (lambda z: np.where(z.real > 0, z, z**2), 0.0),
    "branch point": (np.sqrt, 0.0),
    "high branch point": (lambda z: z**2.5, 0.0),
    "branch cut": (np.log, -1.0),
    "pole": (lambda z: 1 / z, 0.0),
    "essential": (lambda z: np.exp(-1 / z**2), 0.0),
    "nan": (lambda z: z * np.nan, 0.0),
    "random": (lambda z: np.random.default_rng(0).normal(size=z.shape) + 0j, 0.0),
    "round": (lambda z: np.round(z), 0.5),
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_refuses_what_is_not_analytic(name):
    fun, x0 = NOT_ANALYTIC[name]
    with pytest.raises(ValueError, match=rf"`fun` must be analytic around `x0` = {x0}; .* abs, conj and real"):
        taylor(fun, x0, 5)


def test_analytic_on_one_side_of_a_piece():
    found = taylor(lambda z: np.where(z.real > 0, np.exp(z), z**2), 0.3, 8)
    assert np.allclose(found, np.exp(0.3) / factorials(8), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("fun", "error", "message"),
    [
        (abs, ValueError, "`fun` must be analytic, and return complex numbers .* dtype float64 .* abs, real and float"),
        (np.real, ValueError, "`fun` must be analytic, and return complex numbers"),
        (lambda z: np.ones(z.shape), ValueError, "`fun` must be analytic, and return complex numbers"),
        (lambda z: 1j, ValueError, "`fun` must return a number for each of the 64 complex numbers .* it returned 1j"),
        (lambda z: z[1:], ValueError, r"`fun` must return a number for each .* shape \(63,\)"),
        (lambda z: None, TypeError, "`fun` must return complex numbers; it returned None"),
        (lambda z: ["a"] * 64, TypeError, "`fun` must return complex numbers"),
        (3, TypeError, "`fun` must be callable"),
    ],
)
def test_values_of_fun(fun, error, message):
    with pytest.raises(error, match=message):
        taylor(fun, 0.0, 3)


def test_what_casts_to_real():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="`fun` must be analytic, and return complex numbers"):
            taylor(lambda z: z.astype(np.float64), 0.0, 3)


def test_functions_of_math():
    with pytest.raises(TypeError) as raised:
        taylor(math.sin, 0.0, 3)
    assert "functions of math" in raised.value.__notes__[0]


def test_exceptions_of_fun_pass_untouched():
    with pytest.raises(ZeroDivisionError):
        taylor(lambda z: 1 / 0, 0.0, 3)


@pytest.mark.parametrize(
    ("x0", "n", "error", "message"),
    [
        (0.0, -1, ValueError, "`n` must be an integer from 0 to 100; it is -1"),
        (0.0, 101, ValueError, "`n` must be an integer from 0 to 100; it is 101"),
        (0.0, 2.0, TypeError, "`n` must be an integer from 0 to 100; it is 2.0"),
        (0.0, True, TypeError, "`n` must be an integer"),
        (0.0, None, TypeError, "`n` must be an integer"),
        ([1.0, 2.0], 3, ValueError, r"`x0` must be one number; it has the shape \(2,\)"),
        (np.nan, 3, ValueError, "`x0` must be finite"),
        (1j, 3, TypeError, "`x0` must be a real number"),
    ],
)
def test_arguments(x0, n, error, message):
    with pytest.raises(error, match=message):
        taylor(np.exp, x0, n)


@pytest.mark.parametrize("name", ANALYTIC)
def test_counts_are_exact(counted, name):
    fun, x0, exact, _ = ANALYTIC[name]
    f = counted(fun)
    found = taylor(f, x0, len(exact) - 1, full_output=True)
    assert found.nfev == f.nfev <= 60
    assert {z.shape for z in f.seen} == {(found.points,)}
    assert {z.dtype for z in f.seen} == {np.dtype(complex)}
    assert found.points >= 64
    assert found.points >= 8 * len(exact) > found.points // 2 or found.points == 64


def test_a_fun_that_writes_keeps_or_reuses():
    kept, buffer = [], np.empty(64, complex)

    def fun(z):
        np.exp(z, out=buffer)
        z[:] = 77
        kept.append(z)
        return buffer

    assert taylor(fun, 0.0, 5).tolist() == taylor(np.exp, 0.0, 5).tolist()
    assert len({id(z) for z in kept}) == len(kept)


def test_args_lists_and_shapes_of_x0():
    exact = 3.0 * 2.0 ** np.arange(4) / factorials(3)
    found = taylor(lambda z, a, b: a * np.exp(b * z), 0, np.int64(3), args=(3.0,), kwargs={"b": 2.0})
    assert found == pytest.approx(exact)
    assert taylor(lambda z: list(3.0 * np.exp(2 * z)), [0.0], 3) == pytest.approx(exact)


def test_derivatives_from_coefficients():
    # k! times a coefficient is the derivative: here of x e^x, (x + k) e^x
    x = 1.7
    found = taylor(lambda z: z * np.exp(z), x, 12) * factorials(12)
    assert found == pytest.approx((x + np.arange(13)) * np.exp(x), rel=1e-12)


def test_result():
    found = taylor(np.exp, 0.0, 3, full_output=True)
    assert isinstance(found, numdiff.TaylorResult)
    assert repr(found).splitlines()[0] == f"TaylorResult of {found.nfev} calls with 64 points each"
    assert len(repr(found).splitlines()) == 6
    assert repr(taylor(np.exp, 0.0, 30, full_output=True)).splitlines()[-1] == "and 21 more"
    assert repr(taylor(lambda z: np.exp(1j * z), 0.0, 2, full_output=True)).count("j") == 3
    assert taylor(np.exp, 0.0, 3).tolist() == found.value.tolist()


def test_a_weak_singularity_inside_the_first_circle_is_no_noise():
    pole = 1e-3
    found = taylor(lambda z: np.exp(z) + 1e-9 / (pole - z), 0.0, 15, full_output=True)
    true = np.array([1 / math.factorial(k) + 1e-9 / pole ** (k + 1) for k in range(16)])
    assert np.all(abs(found.value - true) <= found.error)
    assert np.all(found.error < 1e-6 * true)
    assert np.all(found.radius < pole)


def test_scattered_errors_are_still_believed():
    rng = np.random.default_rng(0)
    found = taylor(lambda z: np.exp(z) * (1 + 1e-9 * rng.normal(size=z.size)), 0.0, 15, full_output=True)
    true = np.array([1 / math.factorial(k) for k in range(16)])
    assert np.all(abs(found.value - true) <= found.error)
    assert np.all(found.error[:5] < 1e-7)


@pytest.mark.parametrize(
    ("size", "rtol"), [(1e300, 1e-14), (1e-300, 1e-14), (1e-310, 1e-12), (1e-318, 1e-4), (1e-320, 1e-2)]
)
def test_any_size_of_the_values(size, rtol):
    found = taylor(lambda z: size * np.exp(z), 0.0, 6, full_output=True)
    true = size * np.array([1 / math.factorial(k) for k in range(7)])
    assert np.allclose(found.value / size, true / size, rtol=rtol, atol=10 * rtol)
    assert np.all(abs(found.value - true) <= found.error + 5e-324)


def test_the_unit_of_the_values_changes_nothing_else():
    one = taylor(np.exp, 0.5, 10, full_output=True)
    other = taylor(lambda z: np.ldexp(1.0, -900) * np.exp(z), 0.5, 10, full_output=True)
    assert np.array_equal(np.ldexp(other.value, 900), one.value)
    assert np.array_equal(np.ldexp(other.error, 900), one.error)
    assert other.nfev == one.nfev
