"""hessian, hess, hessian_diagonal, hvp, and their kernels: closed forms, counts, bits, bounds, domains, traps."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import rosen, rosen_der, rosen_hess

import numdiff
from numdiff import Flag, hess, hessian, hessian_diagonal, hvp
from numdiff._kernels_py import NO_STEP, NONFINITE, WRITTEN
from numdiff._neville import extrapolate

METHODS = ["forward", "central", "richardson"]
TUTORIAL = np.array([1.3, 0.7, 0.8, 1.9, 1.2])  # the start in SciPy's tutorial
A = np.array([[4.0, -1.0, 0.5], [-1.0, 6.0, 2.0], [0.5, 2.0, -3.0]])


def quadratic(x):
    return float(0.5 * x @ A @ x)


def coupled(x):
    return float(np.exp(x[0]) * np.sin(x[1]) + x[0] * x[1] * x[2] ** 2)


def coupled_hessian(x):
    e, s, c = np.exp(x[0]), np.sin(x[1]), np.cos(x[1])
    cross = e * c + x[2] ** 2
    return np.array(
        [
            [e * s, cross, 2 * x[1] * x[2]],
            [cross, -e * s, 2 * x[0] * x[2]],
            [2 * x[1] * x[2], 2 * x[0] * x[2], 2 * x[0] * x[1]],
        ]
    )


def calls(n, method):
    return {"central": n * n + n + 1, "forward": n * (n + 1) // 2 + n + 1, "richardson": 4 * (n * n + n) + 1}[method]


def error(found, exact):
    return np.abs(found - exact).max() / np.abs(exact).max()


# Closed forms


@pytest.mark.parametrize(("method", "most"), [("forward", 1e-4), ("central", 3e-8), ("richardson", 1e-12)])
@pytest.mark.parametrize("x", [np.ones(10), np.tile(TUTORIAL, 2), np.tile([-1.2, 1.0], 5)], ids=["1", "tutorial", "-1"])
def test_rosenbrock(method, most, x):
    result = hessian(rosen, x, method=method, full_output=True)
    assert error(result.value, rosen_hess(x)) <= most
    assert (np.abs(result.value - rosen_hess(x)) <= result.error).all()
    assert result.nfev == calls(10, method)


def test_rosenbrock_of_30_by_richardson():
    x = np.tile(TUTORIAL, 6)
    result = hessian(rosen, x, method="richardson", full_output=True)
    assert error(result.value, rosen_hess(x)) <= 1e-12
    assert result.nfev <= 3721
    assert (np.abs(result.value - rosen_hess(x)) <= result.error).all()


@pytest.mark.parametrize(("method", "most"), [("forward", 3e-4), ("central", 1e-7), ("richardson", 1e-10)])
def test_a_function_that_is_no_polynomial(method, most):
    x = np.array([0.5, 1.5, -2.0])
    result = hessian(coupled, x, method=method, full_output=True)
    assert error(result.value, coupled_hessian(x)) < most
    assert (np.abs(result.value - coupled_hessian(x)) <= result.error).all()


@pytest.mark.parametrize("method", ["forward", "central"])
@pytest.mark.parametrize("step", [0.25, 0.5])
def test_exact_for_quadratics_with_dyadic_steps(method, step):
    # every operation is exact
    H = hessian(quadratic, [1.0, -2.0, 0.5], method=method, abs_step=step)
    assert H.tolist() == A.tolist()


@pytest.mark.parametrize(("method", "order"), [("forward", 1), ("central", 2)])
def test_order_of_convergence(method, order):
    x = np.array([0.5, 1.5, -2.0])
    errors = [np.abs(hessian(coupled, x, method=method, abs_step=h) - coupled_hessian(x)) for h in (0.01, 0.005)]
    there = errors[0] > 1e-7  # elsewhere the formula is exact
    assert there.sum() >= 4
    assert np.allclose(np.log2(errors[0][there] / errors[1][there]), order, atol=0.1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_symmetric_to_the_bit_and_counted(method, n, counted):
    f = counted(lambda x: float(np.sin(x).prod() + np.exp(x).sum()))
    result = hessian(f, np.linspace(0.3, 1.1, n), method=method, full_output=True)
    assert result.value.shape == (n, n)
    assert result.value.tobytes() == result.value.T.copy().tobytes()
    assert result.nfev == f.nfev == calls(n, method)
    assert result.method == method
    assert not np.any(result.flag)
    assert result.step.shape == (n,)
    f.nfev = 0
    x = np.linspace(0.3, 1.1, n)
    assert hessian(f, x, method=method, f0=f.fun(x), full_output=True).nfev == f.nfev == calls(n, method) - 1


def test_no_worse_for_x_beside_a_power_of_two():
    # x - h is rounded where x is just above -2, and h is then no step that was taken
    x = np.array([-2.0 + 2.0**-51, 1.0 - 2.0**-53, -1.0 + 2.0**-53])
    assert error(hessian(coupled, x), coupled_hessian(x)) < 1e-7


# The examples of the tutorials


def test_tangent_plane_of_a_paraboloid():
    def f(x):
        return float(x[0] ** 2 + x[1] ** 2)

    g, H = numdiff.gradient(f, [2.0, 4.0]), hessian(f, [2.0, 4.0])
    assert np.allclose(g, [4, 8], atol=1e-9)
    assert np.allclose(H, 2 * np.eye(2), atol=1e-6)
    d = np.array([0.1, -0.2])
    plane = f([2.0, 4.0]) + g @ d
    assert f(np.array([2.0, 4.0]) + d) - plane == pytest.approx(0.5 * d @ H @ d, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_quadratic_of_the_notebook(method):
    H = hessian(lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1], [1.0, 3.0], method=method)
    assert np.allclose(H, [[4, -1], [-1, 6]], atol=1e-4)
    assert np.linalg.eigvalsh(H) == pytest.approx([3.59, 6.41], abs=5e-3)
    step = np.linalg.solve(H, numdiff.gradient(lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1], [1.0, 3.0]))
    assert np.allclose([1.0, 3.0] - step, 0, atol=1e-3)


def test_newton_on_the_quartic_of_the_notebook():
    def f(x):
        return x[0] ** 4 + 0.8 * x[1] ** 4 + 4 * x[0] ** 2 + 2 * x[1] ** 2 - x[0] * x[1] - 0.2 * x[0] ** 2 * x[1]

    x, H = np.array([4.0, 4.0]), hess(f)
    for _ in range(7):
        x = x - np.linalg.solve(H(x), numdiff.gradient(f, x))
    assert np.allclose(x, 0, atol=1e-3)
    assert sorted(np.linalg.eigvalsh(H(x))) == pytest.approx([3.76, 8.24], abs=5e-3)


# From a gradient


@pytest.mark.parametrize(
    ("method", "most", "nfev"), [("forward", 1e-6, 11), ("central", 1e-9, 20), ("richardson", 1e-12, 79)]
)
def test_from_a_gradient(method, most, nfev, counted):
    x, g = np.tile(TUTORIAL, 2), counted(rosen_der)
    result = hessian(None, x, jac=g, method=method, full_output=True)
    assert error(result.value, rosen_hess(x)) < most
    assert (np.abs(result.value - rosen_hess(x)) <= result.error + 1e-12).all()
    assert np.array_equal(result.value, result.value.T)
    assert result.nfev == g.nfev == nfev
    assert result.step.shape == (10,)


def test_from_a_gradient_of_the_shape_of_x0():
    W = np.arange(6.0).reshape(2, 3) + 1
    for jac in (lambda w: 3 * w**2, lambda w: (3 * w**2).ravel()):
        assert np.allclose(hessian(None, W, jac=jac), np.diag(6 * W.ravel()), atol=1e-8)
        assert np.allclose(hvp(None, W, np.ones_like(W), jac=jac), 6 * W, atol=1e-8)


@pytest.mark.parametrize(
    "call", [lambda j: hessian(None, [1.0, 2.0], jac=j), lambda j: hvp(None, [1.0, 2.0], [1.0, 0.0], jac=j)]
)
def test_jac_that_is_no_gradient(call):
    with pytest.raises(ValueError, match=r"`jac` must return the gradient, of shape \(2,\); .* \(3,\)"):
        call(lambda x: np.zeros(3))
    with pytest.raises(TypeError, match="`jac` returned None"):
        call(lambda x: None)
    with pytest.raises(TypeError, match="`jac` must return real numbers"):
        call(lambda x: x * 1j)
    with pytest.raises(TypeError, match="`jac` must be callable or None; it is True.*gradient"):
        call(True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise", [1e-6, "estimate"])
def test_jac_and_noise(method, noise):
    rng = np.random.default_rng(5)
    x = np.array([0.3, -0.7, 1.2])
    result = hessian(
        None, x, jac=lambda x: np.exp(x) + 1e-6 * rng.standard_normal(3), method=method, noise=noise, full_output=True
    )
    errors = np.abs(result.value - np.diag(np.exp(x)))
    assert errors.max() < {"forward": 2e-2, "central": 2e-3, "richardson": 2e-3}[method]
    assert (errors <= 3 * result.error).all()


def test_one_shape_more():
    x0 = np.arange(6.0).reshape(2, 3)
    H = hessian(lambda w: float((w**3).sum()), x0)
    assert H.shape == (6, 6)
    assert np.allclose(H, np.diag(6 * x0.ravel()), atol=1e-5)
    assert hessian_diagonal(lambda w: float((w**3).sum()), x0).shape == (2, 3)


@pytest.mark.parametrize("method", METHODS)
def test_a_number(method):
    H = hessian(lambda x: float(x) ** 3, 2.0, method=method)
    assert isinstance(H, float)
    assert H == pytest.approx(12, rel=1e-4)
    assert isinstance(hessian(None, 2.0, jac=lambda x: 3 * x**2), float)
    assert isinstance(hessian_diagonal(lambda x: float(x) ** 3, 2.0, method=method), float)
    result = hessian(lambda x: float(x) ** 3, 2.0, method=method, full_output=True)
    assert all(np.ndim(v) == 0 for v in (result.value, result.error, result.step, result.flag))
    assert hvp(lambda x: float(x) ** 3, 2.0, 3.0) == pytest.approx(36, rel=1e-6)


def test_no_variables(counted):
    f = counted(lambda x: 1.0)
    assert hessian(f, []).shape == (0, 0)
    assert hessian_diagonal(f, []).shape == (0,)
    assert hvp(f, [], []).shape == (0,)
    assert hessian(None, [], jac=lambda x: x).shape == (0, 0)
    assert f.nfev == 0


# The diagonal alone, a product, a callable


@pytest.mark.parametrize("method", ["forward", "central"])
def test_diagonal_is_that_of_the_hessian_to_the_bit(method, counted):
    x, f = np.tile(TUTORIAL, 2), counted(rosen)
    result = hessian_diagonal(f, x, method=method, full_output=True)
    assert result.nfev == f.nfev == 2 * 10 + 1
    assert result.value.tobytes() == np.diag(hessian(rosen, x, method=method)).tobytes()
    assert result.error.shape == result.step.shape == result.flag.shape == (10,)


def test_diagonal_by_richardson(counted):
    x, f = np.tile(TUTORIAL, 2), counted(rosen)
    result = hessian_diagonal(f, x, method="richardson", full_output=True)
    assert error(result.value, np.diag(rosen_hess(x))) < 1e-12
    assert result.nfev == f.nfev == 8 * 10 + 1


def test_hvp(counted):
    x, v = np.tile(TUTORIAL, 2), np.cos(np.arange(10.0))
    expected = rosen_hess(x) @ v
    f, g = counted(rosen), counted(rosen_der)
    assert error(hvp(f, x, v), expected) < 1e-7
    assert f.nfev == 4 * 10
    assert error(hvp(None, x, v, jac=g), expected) < 1e-9
    assert g.nfev == 2
    for scale in (1e-150, 1e-9, 1e9, 1e150):
        assert error(hvp(None, x, scale * v, jac=g), scale * expected) < 1e-9
        assert error(hvp(f, x, scale * v), scale * expected) < 1e-7


@pytest.mark.parametrize("by", ["values", "jac"])
def test_hvp_with_its_error(by, counted):
    x, v = np.tile(TUTORIAL, 2), np.cos(np.arange(10.0))
    f = counted(rosen if by == "values" else rosen_der)
    options = {"jac": f} if by == "jac" else {}
    for scale in (1e-150, 1.0, 1e150):
        f.nfev = 0
        result = hvp(f, x, scale * v, full_output=True, **options)
        expected = rosen_hess(x) @ (scale * v)
        assert result.value.tobytes() == hvp(f, x, scale * v, **options).tobytes()
        assert result.nfev == f.nfev / 2 == (2 if by == "jac" else 40)
        assert (np.abs(result.value - expected) <= result.error).all()
        assert (result.error <= 1e-5 * np.abs(expected).max()).all()
        assert not result.flag.any()
        assert result.method == "central"
        assert result.step.shape == result.error.shape == result.flag.shape == (10,)
    assert np.isfinite(hvp(f, x, v, full_output=True, **options).step).all()


def test_the_length_of_v_does_not_matter_to_hvp():
    A = np.array([[2.0, 1.0], [1.0, 4.0]])
    for tiny in (5e-324, 1e-310, 1e-200, 1e200, 1e307):
        v = np.array([tiny, 0.0])
        assert hvp(None, [1.0, 2.0], v, jac=lambda x: A @ x) == pytest.approx(A @ v, rel=1e-9, abs=0)
        assert hvp(lambda x: 0.5 * x @ A @ x, [1.0, 2.0], v) == pytest.approx(A @ v, rel=1e-6, abs=0)


def test_hvp_that_steps_across_the_end_of_a_domain():
    with np.errstate(all="ignore"):
        result = hvp(None, [1e-6, 1.0], [1.0, 1.0], jac=lambda x: 1 / x, full_output=True)
        assert result.value == pytest.approx(np.array([-1e12, -1.0]), rel=2e-3)
        assert (np.abs(result.value - np.array([-1e12, -1.0])) <= result.error).all()
        assert result.flag.tolist() == [Flag.shrunk, Flag.ok]
        assert result.nfev == 4
        lost = hvp(lambda x: float(np.log(x - 2.0).sum()), [1.0, 1.0], [1.0, 0.0], full_output=True)
    assert (lost.flag == Flag.nonfinite).all()
    assert np.isnan(lost.error).all()
    # no end at 0: the longer step stays
    result = hvp(None, [1e-6, 1.0], [1.0, 1.0], jac=lambda x: np.exp(x), full_output=True)
    assert result.value == pytest.approx(np.exp([1e-6, 1.0]), rel=1e-9)
    assert not result.flag.any()


def test_hvp_of_a_coarse_function():
    x = np.array([1.0, 2.0, -1.5])
    result = hvp(lambda x: np.float32((x**3).sum()), x, np.ones(3), full_output=True)
    assert (result.flag == Flag.low_precision).all()
    assert (np.abs(result.value - 6 * x) <= result.error).all()
    assert result.nfev == 13


def test_hvp_with_zeros_makes_no_calls(counted):
    f = counted(rosen)
    assert hvp(f, [1.0, 2.0], [0.0, 0.0]).tolist() == [0.0, 0.0]
    assert hvp(None, [1.0, 2.0], [0.0, 0.0], jac=f).tolist() == [0.0, 0.0]
    assert f.nfev == 0


def test_hvp_near_the_end_of_a_domain():
    with np.errstate(all="ignore"):
        expected = [-1e18, 0.0]
        assert hvp(None, [1e-9, 1.0], [1.0, 0.0], jac=lambda x: 1 / np.sqrt(x) ** 2) == pytest.approx(
            expected, rel=1e-2
        )
        found = hvp(lambda x: float(np.log(x).sum()), [1e-9, 1.0], [1.0, 0.0])
        assert found[0] == pytest.approx(-1e18, rel=1e-2)
        found = hvp(lambda x: float(np.log(x - 2.0).sum()), [1.0, 1.0], [1.0, 0.0])
        assert np.isnan(found).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_vectors(bad):
    with pytest.raises(ValueError, match=r"`v` must be finite; v\[1\] is"):
        hvp(rosen, [1.0, 2.0], [0.0, bad])
    with pytest.raises(ValueError, match=r"`v` must have the shape of `x0`, \(2,\); it has \(3,\)"):
        hvp(rosen, [1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="`v` must be"):
        hvp(rosen, [1.0, 2.0], "ab")


def test_hess():
    H = hess(lambda x, a, b=1.0: a * b * float(x[0] * x[1]))
    assert np.allclose(H(np.array([1.0, 2.0]), 3.0), [[0, 3], [3, 0]], atol=1e-6)
    assert np.allclose(H(np.array([1.0, 2.0]), 3.0, b=2.0), [[0, 6], [6, 0]], atol=1e-6)
    assert np.allclose(hess(None, jac=rosen_der)(np.ones(3)), rosen_hess(np.ones(3)), atol=1e-6)
    with pytest.raises(TypeError, match="unknown option `f0`"):
        hess(rosen, f0=1.0)
    with pytest.raises(ValueError, match="`method`"):
        hess(rosen, method="backward")


# Arguments


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (
            {"method": "backward"},
            ValueError,
            "`method` must be one of 'forward', '2-point', 'central', '3-point', 'richardson'; it is 'backward'",
        ),
        ({"method": 2}, ValueError, "`method`"),
        ({"rel_step": 0.0}, ValueError, "`rel_step` must be positive"),
        ({"abs_step": -1.0}, ValueError, "`abs_step` must be positive"),
        ({"abs_step": 1.0, "rel_step": 1.0}, ValueError, "give `rel_step` or `abs_step`"),
        ({"x_scale": [1.0, 2.0, 3.0]}, ValueError, "`x_scale`"),
        ({"abs_step": 1e-30}, ValueError, r"`abs_step` is too small.*x0\[0\]"),
        ({"abs_step": 1e305}, ValueError, "`abs_step` is too large"),
        ({"noise": -1.0}, ValueError, "`noise` must be a standard deviation, finite and >= 0; it is -1.0"),
        ({"noise": np.nan}, ValueError, "`noise`"),
        ({"noise": "x"}, TypeError, "`noise`"),
        ({"bounds": (2.0, 5.0)}, ValueError, "`x0` must be within `bounds`"),
        ({"f0": [1.0, 2.0]}, ValueError, "`f0`"),
        ({"kwargs": 3}, TypeError, "`kwargs`"),
    ],
)
def test_bad_arguments(options, kind, said, counted):
    f = counted(rosen)
    for call in (hessian, hessian_diagonal):
        with pytest.raises(kind, match=said):
            call(f, [1.0, 2.0], **options)
    assert f.nfev == 0


def test_bad_functions_and_points():
    for call in (hessian, hessian_diagonal, lambda f, x: hvp(f, x, np.ones(np.shape(x)))):
        with pytest.raises(TypeError, match="`fun` must be callable"):
            call(None, [1.0])
        with pytest.raises(TypeError, match="`fun` returned None"):
            call(lambda x: None, [1.0])
        with pytest.raises(ValueError, match=r"`fun` must return one number.*\(2,\)"):
            call(lambda x: x, [1.0, 2.0])
        with pytest.raises(ValueError, match=r"`x0` must be finite; x0\[1\]"):
            call(rosen, [1.0, np.nan])
        with pytest.raises(TypeError, match="`x0` must be"):
            call(rosen, "ab")


@pytest.mark.parametrize("wrap", [float, np.float64, np.array, lambda v: [v], np.longdouble, lambda v: np.array([[v]])])
def test_one_number_in_any_wrapping(wrap):
    assert np.allclose(hessian(lambda x: wrap(x[0] * x[1]), [1.0, 2.0]), [[0, 1], [1, 0]], atol=1e-6)


def test_args_and_kwargs():
    H = hessian(lambda x, a, b: a * b * float(x[0] ** 2), [1.0], args=(2.0,), kwargs={"b": 3.0})
    assert H == pytest.approx(12, rel=1e-6)


# Bounds


@pytest.mark.parametrize("method", METHODS)
def test_one_sided_at_a_bound(method, counted):
    x = np.array([0.5, 1.5, -2.0])
    lb = np.array([0.5, -9.0, -9.0])
    ub = np.array([9.0, 9.0, -2.0])
    f = counted(coupled)
    result = hessian(f, x, method=method, bounds=(lb, ub), full_output=True)
    assert error(result.value, coupled_hessian(x)) < 1e-3
    assert (np.abs(result.value - coupled_hessian(x)) <= result.error).all()
    assert all((lb <= seen).all() and (seen <= ub).all() for seen in f.seen)
    assert result.nfev == f.nfev <= calls(3, method)
    assert result.flag[2, 2] & Flag.one_sided
    assert result.step[2] < 0


def test_equal_bounds_fix_a_variable(counted):
    x = np.array([0.5, 1.5, -2.0])
    f = counted(coupled)
    for method in METHODS:
        result = hessian(f, x, method=method, bounds=([-9, 1.5, -9], [9, 1.5, 9]), full_output=True)
        rest = [0, 2]
        assert np.isnan(result.value[1]).all()
        assert np.isnan(result.value[:, 1]).all()
        assert (result.flag[1] & Flag.fixed).all()
        assert error(result.value[np.ix_(rest, rest)], coupled_hessian(x)[np.ix_(rest, rest)]) < 1e-3
        assert not result.flag[np.ix_(rest, rest)].any()
        assert all(seen[1] == 1.5 for seen in f.seen)
        assert np.isnan(result.step[1])
    f.nfev = 0
    assert np.isnan(hessian(f, x, bounds=(x, x))).all()
    assert f.nfev == 0


@given(data=st.data())
def test_never_outside_the_bounds(data):
    n = data.draw(st.integers(1, 3))
    number = st.floats(-1e6, 1e6) | st.floats(-1e-6, 1e-6) | st.floats(allow_nan=False, allow_infinity=False)
    lb = np.array(data.draw(st.lists(number, min_size=n, max_size=n)))
    width = np.array(data.draw(st.lists(st.floats(0, 1e-3) | st.floats(0, 1e6), min_size=n, max_size=n)))
    with np.errstate(over="ignore"):
        ub = np.minimum(lb + width, np.finfo(float).max)
    t = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.5, 1e-9, 1 - 1e-9]), min_size=n, max_size=n)))
    with np.errstate(over="ignore", invalid="ignore"):
        x0 = np.clip(np.nan_to_num(lb + t * (ub - lb)), lb, ub)
    outside = []
    hole = data.draw(st.booleans())

    def fun(x):
        if np.any(x < lb) or np.any(x > ub):
            outside.append(x.copy())
        with np.errstate(all="ignore"):
            return np.nan if hole and x[0] > x0[0] else float(np.sum(x))

    step = data.draw(st.none() | st.floats(1e-12, 1e3))
    noise = data.draw(st.none() | st.floats(1e-12, 1e3))
    for method in METHODS:
        for options in ({}, {"abs_step": step}, {"noise": noise}):
            try:
                result = hessian(fun, x0, method=method, bounds=(lb, ub), full_output=True, **options)
            except ValueError as problem:
                assert "too small" in str(problem)  # noqa: PT017
                continue
            assert result.value.tobytes() == result.value.T.copy().tobytes() or np.isnan(result.value).any()
    assert not outside


# Where fun is not finite


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("x", [1e-9, 1e-6, 1.3e-4, 3e-4, 1e-3])
@pytest.mark.parametrize(
    ("fun", "second"), [(np.log, lambda x: -1 / x**2), (np.sqrt, lambda x: -0.25 * x**-1.5)], ids=["log", "sqrt"]
)
def test_near_the_end_of_a_domain(method, fun, second, x):
    def f(v):
        with np.errstate(all="ignore"):
            return float(fun(v[0]) + v[1] ** 2 + v[0] * v[1])

    result = hessian(f, [x, 1.0], method=method, full_output=True)
    assert result.value[0, 0] == pytest.approx(second(x), rel=1e-2)
    assert result.value[1, 1] == pytest.approx(2.0, abs=1e-4)
    assert not np.any(result.flag & Flag.nonfinite)


def test_shrunk_steps_are_flagged():
    def f(v):
        with np.errstate(all="ignore"):
            return float(np.log(v[0]) + v[1] ** 2)

    result = hessian(f, [1e-9, 1.0], full_output=True)
    assert result.flag[0, 0] & Flag.shrunk
    assert result.flag[0, 1] & Flag.shrunk
    assert result.flag[1, 1] == Flag.ok
    assert np.abs(result.value[0, 0] + 1e18) <= result.error[0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_nan_in_one_row_and_column_alone(method, counted):
    f = counted(lambda x: float(x[0] ** 2 + x[0] * x[2] ** 2) + (0.0 if x[1] == 2.0 else np.nan))
    result = hessian(f, [1.0, 2.0, 3.0], method=method, full_output=True)
    assert np.isnan(result.value[1]).all()
    assert np.isnan(result.value[:, 1]).all()
    assert (result.flag[1] & Flag.nonfinite).all()
    rest = np.ix_([0, 2], [0, 2])
    assert np.allclose(result.value[rest], [[2, 6], [6, 2]], atol=1e-3)
    assert not result.flag[rest].any()
    assert result.nfev == f.nfev


def test_one_side_only_at_the_end_of_a_domain():
    def f(v):
        with np.errstate(all="ignore"):
            return float(np.sqrt(v[0] - 1.0) ** 6 + np.cos(v[0]) + v[0] * v[1])

    result = hessian(f, [1.0, 2.0], full_output=True)
    assert result.value == pytest.approx(np.array([[-np.cos(1.0), 1.0], [1.0, 0.0]]), abs=1e-3)
    assert result.flag[0, 0] & Flag.one_sided


@pytest.mark.parametrize("method", METHODS)
def test_nan_at_the_points_of_a_pair_only(method):
    def f(v):
        with np.errstate(all="ignore"):
            return float(np.log(v[0] + v[1]) + v[0] ** 2)

    # beside each other they go below 0 only together
    x, y = 1.0, -1.0 + 1.8e-4
    s = x + y
    result = hessian(f, [x, y], method="central", full_output=True)
    assert result.value[0, 1] == pytest.approx(-1 / s**2, rel=0.05)
    assert result.flag[0, 1] & Flag.shrunk
    assert np.isfinite(hessian(f, [x, y], method=method)).all()


def test_nan_everywhere(counted):
    f = counted(lambda x: np.nan)
    for method in METHODS:
        result = hessian(f, [1.0, 2.0], method=method, full_output=True)
        assert np.isnan(result.value).all()
        assert (result.flag == Flag.nonfinite).all()
    assert f.nfev == 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [20.0, 50.0, 200.0])
@pytest.mark.parametrize("x", [0.3, 2.2, 10.0])
def test_oscillations_do_not_deceive_richardson(k, x, method):
    result = hessian(lambda v: float(np.sin(k * v[0]) + v[1] ** 2), [x, 1.0], method=method, full_output=True)
    exact = -k * k * np.sin(k * x)
    if method == "richardson":
        assert abs(result.value[0, 0] - exact) <= max(10 * result.error[0, 0], 1e-6 * k * k)
        assert result.value[0, 0] == pytest.approx(exact, abs=0.02 * k * k)


# Precision, scales, noise


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("f32", [lambda x: np.float32((x**3).prod()), lambda x: (x.astype(np.float32) ** 3).prod()])
def test_float32_functions(method, f32, counted):
    x = np.array([1.0, 2.0, -1.5])
    f = counted(f32)
    result = hessian(f, x, method=method, full_output=True)
    p = (x**3).prod()
    exact = 9 * p / np.outer(x, x)
    np.fill_diagonal(exact, 6 * p / x**2)
    assert error(result.value, exact) < {"forward": 0.1, "central": 1e-2, "richardson": 2e-3}[method]
    assert (np.abs(result.value - exact) <= result.error).all()
    assert (result.flag & Flag.low_precision).all()
    assert result.nfev == f.nfev == calls(3, method)
    assert hvp(f, x, np.ones(3)) == pytest.approx(exact.sum(axis=1), rel=0.02, abs=0.2)
    assert (hessian(f, x, f0=f32(x), full_output=True).flag & Flag.low_precision).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
def test_huge_and_tiny_scales(method, scale):
    x = np.array([0.5, 1.5, -2.0])
    H = hessian(lambda x: coupled(x / scale), x * scale, method=method, x_scale=scale)
    with np.errstate(over="ignore"):
        assert error(H * scale * scale, coupled_hessian(x)) < 1e-3


@pytest.mark.parametrize("x", [1e300, -1e300, 1e-300, 1.7e308, 5e-324])
def test_huge_and_tiny_x(x):
    for method in METHODS:
        with np.errstate(all="ignore"):
            H = hessian(lambda v: float(v[0]), [x], method=method)
        assert H[0, 0] == 0 or abs(H[0, 0]) < 1e-3 / abs(x) or abs(H[0, 0]) < 1e-3


@pytest.mark.parametrize("level", [1e-10, 1e-6, 1e-3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_noise(level, method, offset, counted):
    rng = np.random.default_rng(5)
    x = np.array([0.5, 1.5, -2.0])
    f = counted(lambda v: coupled(v) + offset + level * rng.standard_normal())
    result = hessian(f, x, method=method, noise=level, full_output=True)
    assert result.nfev == f.nfev <= calls(3, method) + 4 * 3
    off = np.abs(result.value - coupled_hessian(x))
    assert (off <= result.error + 2e-2 * np.abs(coupled_hessian(x))).all()
    if level <= 1e-6 and method == "central":
        assert error(result.value, coupled_hessian(x)) < 30 * np.sqrt(level)


def test_noise_estimated():
    rng, x = np.random.default_rng(2), np.array([0.2, -0.4])
    result = hessian(
        lambda v: float(np.exp(v).sum() + 1e-7 * rng.standard_normal()), x, noise="estimate", full_output=True
    )
    errors = np.abs(result.value - np.diag(np.exp(x)))
    assert errors.max() < 1e-2
    assert (errors <= 3 * result.error).all()


# Fast variation: the steps of richardson become as short as the diagonal asks for


FAST = [
    (lambda x: np.sin(20 * x), lambda x: -400 * np.sin(20 * x), -506.0),
    (lambda x: np.sin(50 * x), lambda x: -2500 * np.sin(50 * x), 1e4),
    (lambda x: np.sin(1e6 * x), lambda x: -1e12 * np.sin(1e6 * x), 0.3),
    (lambda x: 1 / (1 - x), lambda x: 2 / (1 - x) ** 3, 1 - 1e-4),
]


@pytest.mark.parametrize(("f", "second", "x"), FAST)
def test_richardson_finds_the_scale(f, second, x, counted):
    fun = counted(lambda v: float(f(v[0]) + np.sum(v[1:] ** 2)))
    result = hessian(fun, [x, 1.0, 1.0, 1.0, 1.0], method="richardson", full_output=True)
    assert result.value[0, 0] == pytest.approx(second(x), rel=1e-4)
    assert abs(result.value[0, 0] - second(x)) <= result.error[0, 0]
    assert result.value[1, 1] == pytest.approx(2.0, abs=result.error[1, 1])
    assert result.nfev == fun.nfev <= 4 * 30 + 1


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(("f", "second", "x"), FAST)
def test_richardson_says_so_where_its_calls_do_not_suffice(f, second, x, n, counted):
    fun = counted(lambda v: float(f(v[0]) + np.sum(v[1:] ** 2)))
    result = hessian(fun, [x, 1.0][:n], method="richardson", full_output=True)
    assert result.nfev == fun.nfev <= 4 * (n * n + n) + 1
    assert abs(result.value[0, 0] - second(x)) <= result.error[0, 0] or result.flag[0, 0] & Flag.noisy


@pytest.mark.parametrize("x", np.random.default_rng(30).uniform(-1.5, 1.5, (10, 30)))
def test_richardson_where_a_second_derivative_is_near_0(x, counted):
    f = counted(rosen)
    result = hessian(f, x, method="richardson", full_output=True)
    exact = rosen_hess(x)
    assert np.abs(result.value - exact).max() <= 1e-12 * np.abs(exact).max()
    assert (np.abs(result.value - exact) <= result.error).all()
    assert f.nfev == 3721
    assert not result.flag.any()


@pytest.mark.parametrize("x", [0.3, -0.7, 2.0])
def test_richardson_says_where_its_steps_do_not_settle(x):
    result = hessian(lambda v: abs(v[0] - x) ** 1.5, [x], method="richardson", full_output=True)
    assert result.flag[0, 0] & Flag.noisy  # the second derivative is infinite
    assert result.error[0, 0] > 0.1 * abs(result.value[0, 0])


def test_noise_at_a_minimum_of_value_0():
    rng = np.random.default_rng(5)
    H = hessian(lambda v: rosen(v) + 1e-9 * rng.standard_normal(), np.ones(4), noise=1e-9)
    assert error(H, rosen_hess(np.ones(4))) < 1e-3


# Richardson's doubts: a number that may be wrong has a flag, and an error as large


def honest(fun, x, exact, most=1.0):
    """Whether the first second derivative is within `most` of its errors, and its flags."""
    result = hessian(fun, x, method="richardson", full_output=True)
    assert np.isfinite(result.value[0, 0])
    assert result.nfev <= calls(np.size(x), "richardson")
    return abs(result.value[0, 0] - exact) <= most * result.error[0, 0], Flag(int(result.flag[0, 0]))


def test_richardson_keeps_the_step_at_which_fun_is_finite():
    def f(x):
        return np.nan if np.any((0 < abs(x - 1)) & (abs(x - 1) < 0.01)) else np.sin(200 * x).sum()

    exact = -40000 * np.sin(200.0)
    for call in (hessian, hessian_diagonal):
        result = call(f, np.ones(3), method="richardson", full_output=True)
        assert (result.step == 1 / 64).all()
        assert (result.flag & Flag.noisy).all()
        value, bar = (np.diag(v) if v.ndim == 2 else v for v in (result.value, result.error))
        assert (np.abs(value - exact) <= bar).all()
        assert (np.abs(value) > 1.0).all()  # no memory that was never written


@pytest.mark.parametrize("call", [hessian, hessian_diagonal])
@pytest.mark.parametrize("seed", range(8))
def test_richardson_is_finite_or_flagged_nan(call, seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        n = rng.integers(1, 4)
        x = 10 ** rng.uniform(-300, 2, n)
        bounds = (x - 10 ** rng.uniform(-200, 1, n) * rng.choice([0, 1], n), x + 10 ** rng.uniform(-200, 1, n))
        with np.errstate(all="ignore"):
            result = call(
                lambda x: float(np.log(x).sum() * x.sum()), x, method="richardson", bounds=bounds, full_output=True
            )
        lost = (result.flag & (Flag.nonfinite | Flag.fixed)) != 0
        assert np.array_equal(np.isnan(result.value), lost)
        assert np.array_equal(np.isnan(result.error), lost)
        assert not np.any((result.value != 0) & (np.abs(result.value) < 1e-307))


@pytest.mark.parametrize("d", [0.0, 1e-12, 1e-8, -1e-8, 1e-4, -1e-4, 1e-3, -1e-3, 5e-3])
def test_richardson_feels_a_jump_of_the_second_derivative(d):
    inside, flag = honest(lambda x: float(max(x[0] - 1, 0) ** 2 + x[0] ** 2), [1 + d], 4.0 if d > 0 else 2.0, 1.01)
    assert inside
    assert flag & (Flag.kink | Flag.noisy)
    inside, flag = honest(lambda x: x[0] ** 2 / 2 if abs(x[0]) < 1 else abs(x[0]) - 0.5, [1 + d], float(d < 0), 1.01)
    assert inside
    assert flag & (Flag.kink | Flag.noisy)


def test_a_jump_across_a_surface_is_felt_by_the_mixed_derivative_too():
    result = hessian(
        lambda x: float(max(x[0] + 2 * x[1] - 3, 0) ** 2 + x[0] * x[1]), [1, 1], method="richardson", full_output=True
    )
    assert (result.flag == Flag.kink).all()
    jump = np.array([[2.0, 4.0], [4.0, 8.0]])  # of rank one
    assert result.error == pytest.approx(jump / 2, rel=0.01)
    assert result.value == pytest.approx(np.array([[1, 3], [3, 4]]), rel=0.01)


@pytest.mark.parametrize(
    "f",
    [np.exp, np.sin, np.cos, np.tanh, lambda x: x**4 - 3 * x**2, lambda x: 1 / (1 + x * x), lambda x: x**7, np.arctan],
    ids=["exp", "sin", "cos", "tanh", "x4", "Runge", "x7", "arctan"],
)
def test_smooth_functions_raise_no_doubts(f):
    raised = 0
    for x in np.linspace(-2, 2, 17):
        result = hessian(lambda v: float(f(v[0])), [x], method="richardson", full_output=True)
        raised += result.flag[0, 0] != Flag.ok
        assert result.error[0, 0] < 1e-5 * max(1.0, abs(result.value[0, 0]))
    assert raised <= 2  # where two derivatives of high order are near 0 together


@pytest.mark.parametrize("digits", [3, 4, 5, 6, 8])
def test_richardson_feels_values_of_few_digits(digits):
    rng, outside = np.random.default_rng(digits), 0
    for x in rng.uniform(-1, 1, 60):
        inside, flag = honest(lambda v: float(f"{np.exp(v[0]):.{digits}g}"), [x], np.exp(x))
        assert inside or flag & Flag.noisy
        outside += not inside
    assert outside <= 6


@pytest.mark.parametrize("f", [np.exp, np.cos])
def test_richardson_feels_single_precision_that_no_dtype_tells(f):
    rng, outside = np.random.default_rng(1), 0
    for x in rng.uniform(-1, 1, 60):
        exact = np.exp(x) if f is np.exp else -np.cos(x)
        inside, flag = honest(lambda v: float(np.float32(f(v[0]))), [x], exact)
        assert flag & Flag.noisy
        outside += not inside
    assert outside <= 5


@pytest.mark.parametrize(
    ("fun", "x", "exact"),
    [
        (lambda x: float(np.hypot(*x)), [0.002, 0.001], 1e-6 / np.hypot(0.002, 0.001) ** 3),
        (lambda x: 1 / (1 + (110.1054 * (x[0] - 2.00516776)) ** 2), [1.99987043], 206.9),
        (lambda x: np.sin(37.258662345037706 * x[0]), [-869.5322910796251], 1385.4),
        (lambda x: np.sin(20 * x[0]), [-506.0], -400 * np.sin(-10120.0)),
    ],
    ids=["hypot", "Lorentz", "sin(37x)", "sin(20x)"],
)
def test_richardson_doubts_narrow_features(fun, x, exact):
    inside, flag = honest(fun, x, exact, 100.0 if x[0] < -800 else 1.0)  # of what it misses, steps of 1.7 tell little
    assert inside
    assert flag & Flag.noisy


@pytest.mark.parametrize(("n", "silent"), [(1, 3), (2, 0), (3, 0)])
def test_no_alias_deceives_richardson(n, silent):
    rng, deceived = np.random.default_rng(3), 0
    for _ in range(300):
        k, x = 10 ** rng.uniform(0, 2), rng.uniform(100, 1000, n)
        exact = -k * k * np.sin(k * x[0])
        inside, flag = honest(lambda v, k=k: float(np.sin(k * v[0]) + np.sum(v[1:] ** 2)), x, exact, 10.0)
        deceived += not (inside or flag)
    assert deceived <= silent


@pytest.mark.parametrize("room", [0.0, 1e-6, 1e-3, 1e-2])
def test_noise_beside_a_bound(room):
    # as good as at the bound: short steps on both sides are not worth it
    rng, off = np.random.default_rng(0), []
    for _ in range(60):
        result = hessian(
            lambda x: float(np.exp(x[0]) + 1e-4 * rng.normal()),
            [0.5],
            noise=1e-4,
            bounds=(0.5 - room, 1.5),
            full_output=True,
        )
        off.append(abs(result.value[0, 0] - np.exp(0.5)))
        assert off[-1] <= result.error[0, 0]
    assert np.median(off) < 0.4


# Traps


@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize("method", METHODS)
def test_fun_keeps_every_x(method, n):
    history = []

    def fun(x):
        history.append((x, x.copy()))
        return float(rosen(x))

    x = np.linspace(0.5, 1.5, n)
    result = hessian(fun, x, method=method, full_output=True)
    assert np.array_equal(result.value, hessian(rosen, x, method=method))
    assert all(np.array_equal(kept, then) for kept, then in history)
    assert result.nfev == len(history) == len({id(kept) for kept, _ in history})


WRITES = {
    "zeroes it": lambda x: x.fill(0.0),
    "x *= -1": lambda x: np.multiply(x, -1, out=x),
    "reverses it": lambda x: x.__setitem__(slice(None), x[::-1].copy()),
    "toggles one entry": lambda x: x.__setitem__(0, 1.0 - x[0]),
    "x -= x.mean()": lambda x: np.subtract(x, x.mean(), out=x),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("method", METHODS)
def test_fun_writes_into_its_argument(write, method, counted):
    x0 = np.linspace(0, 3, 5)
    before = x0.copy()

    def fun(x):
        value = float(rosen(x))
        WRITES[write](x)
        return value

    f = counted(fun)
    result = hessian(f, x0, method=method, full_output=True)
    assert np.array_equal(result.value, hessian(rosen, x0, method=method))
    assert np.array_equal(x0, before)
    assert result.nfev == f.nfev
    assert np.allclose(hvp(fun, x0, np.ones(5)), hvp(rosen, x0, np.ones(5)), rtol=1e-12)
    assert np.array_equal(x0, before)


def test_fun_writes_at_the_kth_call_only():
    x0 = np.linspace(1, 2, 4)
    expected = hessian(rosen, x0)
    for k in range(21):
        made = []

        def fun(x, made=made, k=k):
            value = float(rosen(x))
            made.append(1)
            if len(made) == k + 1:
                x[(3 * k) % 4] = 1e6
            return value

        result = hessian(fun, x0, full_output=True)
        assert np.array_equal(result.value, expected)
        assert result.nfev == len(made)


def test_fun_returns_one_buffer_or_a_view_of_x():
    buffer = np.empty(())

    def fun(x):
        buffer[...] = x[0] * x[1]
        return buffer

    assert np.allclose(hessian(fun, [1.0, 2.0]), [[0, 1], [1, 0]], atol=1e-6)
    assert np.allclose(hessian(lambda x: x[1:], [1.0, 2.0]), 0, atol=1e-6)
    assert np.allclose(hessian(None, [1.0, 2.0], jac=lambda x: x), np.eye(2), atol=1e-9)
    assert np.allclose(hessian(None, [1.0, 2.0], jac=lambda x: x[::-1]), [[0, 1], [1, 0]], atol=1e-9)


@pytest.mark.parametrize("problem", [ValueError("mine"), KeyboardInterrupt(), StopIteration(), SystemExit(3)])
def test_exceptions_pass_untouched_at_every_call(problem):
    x0 = np.array([1.0, 2.0, 3.0])
    v = np.ones(3)
    names = [lambda f, m=m: hessian(f, x0, method=m) for m in METHODS]
    names += [
        lambda f: hessian_diagonal(f, x0),
        lambda f: hvp(f, x0, v),
        lambda f: hessian(None, x0, jac=lambda x: x * f(x)),
    ]
    for call in names:
        made = []
        call(lambda x, made=made: made.append(1) or float((x**2).sum()))
        for k in range(len(made)):
            now = []

            def fun(x, now=now, k=k):
                now.append(1)
                if len(now) == k + 1:
                    raise problem
                return float((x**2).sum())

            with pytest.raises(type(problem)) as caught:
                call(fun)
            assert caught.value is problem
            assert len(now) == k + 1
            assert x0.tolist() == [1.0, 2.0, 3.0]


def test_fun_calls_hessian():
    def outer(x):
        return float(hessian(lambda y: float((y**4).sum()), x, abs_step=2.0**-6).sum())

    assert np.allclose(hessian(outer, [1.0, 2.0], abs_step=2.0**-6), 24 * np.eye(2), atol=1e-2)


# The kernels


def kernels_of(backend):
    return importlib.import_module({"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}[backend])


@pytest.fixture
def kernels(backend):
    return kernels_of(backend)


def run(kernels, fun, x0, h, one_sided=None, index=None, f0=0.0, first=None, args=()):
    x0 = np.asarray(x0, float)
    count = x0.size if index is None else len(index)
    h = np.full(count, h) if np.ndim(h) == 0 else np.asarray(h, float)
    index = None if index is None else np.asarray(index, np.intp)
    one_sided = None if one_sided is None else np.asarray(one_sided, bool)
    near, diagonal, out = np.full((count, 2), 777.0), np.full(count, 777.0), np.full((count, count), 777.0)
    status = kernels.hessian_diagonal(fun, args, float, x0, index, h, one_sided, f0, first, near, diagonal)
    if status[0] < 0:
        return out, diagonal, near, status, None
    return (
        out,
        diagonal,
        near,
        status,
        kernels.hessian_mixed(fun, args, float, x0, index, h, one_sided, f0, near, out, 0, h.size),
    )


def test_points_in_order(kernels, counted):
    f = counted(quadratic)
    x0 = np.array([1.0, 2.0, 4.0])
    out, diagonal, near, _, _ = run(kernels, f, x0, [0.5, 0.25, -0.5], [False, False, True], f0=quadratic(x0))
    d = [
        (0.5, 0, 0), (-0.5, 0, 0), (0, 0.25, 0), (0, -0.25, 0), (0, 0, -0.5), (0, 0, -1.0),
        (0.5, 0.25, 0), (-0.5, -0.25, 0), (0.5, 0, -0.5), (-0.5, 0, -0.5), (0, 0.25, -0.5), (0, -0.25, -0.5),
    ]  # fmt: skip
    assert np.array_equal(f.seen, x0 + np.array(d))
    assert near.ravel().tolist() == [quadratic(x0 + np.array(step)) for step in d[:6]]
    assert diagonal.tolist() == np.diag(A).tolist()
    off = ~np.eye(3, dtype=bool)
    assert out[off].tolist() == A[off].tolist()
    assert np.diag(out).tolist() == [777.0] * 3


def test_some_of_the_coordinates(kernels):
    x0 = np.array([1.0, 2.0, 4.0])
    out, diagonal, _, one, two = run(kernels, quadratic, x0, 0.5, index=[2, 0], f0=quadratic(x0))
    assert diagonal.tolist() == [A[2, 2], A[0, 0]]
    assert out[0, 1] == out[1, 0] == A[2, 0]
    assert (one, two) == ((0, 4), (0, 2))


def test_first_value_saves_its_call(kernels, counted):
    f = counted(lambda x: float(x[0] ** 2))
    _, diagonal, _, status, _ = run(kernels, f, [2.0], 0.5, f0=4.0, first=2.5**2)
    assert (diagonal[0], status, f.nfev) == (2.0, (0, 1), 1)


def test_statuses(kernels):
    assert run(kernels, rosen, [1.0, 1e20], 1e-3)[3] == (NO_STEP, 0)
    assert run(kernels, lambda x: np.nan, [1.0, 2.0], 1e-3)[3] == (NONFINITE, 4)
    assert run(kernels, lambda x: x.fill(0) or 1.0, [1.0, 2.0], 1e-3)[3] == (WRITTEN, 1)


@pytest.mark.parametrize("n", [3, 9])
def test_one_write_at_any_call_to_any_place_is_seen(kernels, n):
    for k in range(n * n + n):
        for place in range(n):
            made = iter(range(10**6))

            def fun(x, made=made, k=k, place=place):
                if next(made) == k:
                    x[place] = 99.5
                return 1.0

            _, _, _, one, two = run(kernels, fun, np.arange(1.0, n + 1), 0.5, f0=1.0)
            assert (one[0] == WRITTEN) or two[0] == WRITTEN, (k, place)


def test_a_write_into_a_long_x_is_seen(kernels):
    # all of x after the first two calls and the last, in between the moved coordinates and one block in turn
    n, made = 300, []

    def fun(x):
        made.append(1)
        if len(made) == 100:
            x[250] = -1.0
        return 1.0

    _, _, _, status, _ = run(kernels, fun, np.arange(1.0, n + 1), 0.5, f0=1.0)
    assert status[0] == WRITTEN
    assert len(made) <= 105


@given(
    x0=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8),
    h=st.floats(1e-9, 1.0),
    sides=st.integers(0, 255),
    down=st.integers(0, 255),
    writes_at=st.none() | st.integers(0, 80),
    keeps=st.booleans(),
)
def test_both_backends_give_the_same_bits_statuses_and_counts(x0, h, sides, down, writes_at, keeps):
    x0 = np.array(x0)
    bits = 1 << np.arange(x0.size)
    one_sided = (sides & bits) != 0
    steps = np.where(one_sided & ((down & bits) != 0), -h, h)
    specials = np.array([0.0, -0.0, np.nan, np.inf, 1e308])

    def answer(kernels):
        kept, made, seen = [], iter(range(10**6)), []

        def fun(x):
            call = next(made)
            seen.append(x.tobytes())
            if keeps:
                kept.append(x)
            value = float(np.sin(x).sum() + 3.0 * x[0] * x[-1])
            if call % 11 == 7:
                value = float(specials[call % 5])
            if call == writes_at:
                x[call % x.size] += 1.0
            return value

        out, diagonal, near, one, two = run(kernels, fun, x0, steps, one_sided, f0=0.25)
        done = one[0] >= 0 and two is not None and two[0] >= 0
        return (np.hstack([out.ravel(), diagonal, near.ravel()]) if done else None), seen, one, two

    with np.errstate(all="ignore"):
        a, b = (answer(kernels_of(backend)) for backend in ("c", "python"))
    assert a[1:] == b[1:]
    if a[0] is not None:
        assert np.array_equal(a[0], b[0], equal_nan=True)
        real = ~np.isnan(a[0])
        assert np.array_equal(np.signbit(a[0][real]), np.signbit(b[0][real]))


def test_the_surface_of_the_backends_is_equal():
    import inspect

    for name in ("hessian_diagonal", "hessian_mixed"):
        twin, door = (inspect.signature(getattr(kernels_of(backend), name)) for backend in ("python", "c"))
        assert list(twin.parameters) == list(door.parameters)


# Extrapolation


def test_extrapolation_is_exact_for_polynomials():
    z = np.array([1.0, 0.25, 0.0625, 1 / 64])
    value, bar = extrapolate(5.0 + 3.0 * z - 7.0 * z**2, z, np.full(4, 1e-16))
    assert value == pytest.approx(5.0, abs=1e-14)
    assert abs(value - 5.0) <= bar < 1e-12


def test_extrapolation_stops_at_the_rounding():
    z = np.array([1.0, 0.25, 0.0625, 1 / 64])
    rounding = 1e-12 / z
    value, bar = extrapolate(2.0 + z + rounding * np.array([1, -1, 1, -1]), z, rounding)
    assert abs(value - 2.0) <= bar < 1e-10


def test_extrapolation_of_nan():
    z = np.array([1.0, 0.25, 0.0625, 1 / 64])
    value, bar = extrapolate(np.array([np.nan, 1.0, 1.0, 1.0]), z, np.full(4, 1e-16))
    assert value == 1.0
    assert bar < 1e-14
