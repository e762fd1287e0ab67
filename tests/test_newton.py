"""newton: the worked examples, kinds of points, singular Hessians, counts, SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess

from numdiff import newton

GIVEN = pytest.mark.parametrize("given", ["nothing", "jac", "jac and hess"])


def search(fun, x0, jac, hess, given, **options):
    derivatives = {"nothing": {}, "jac": {"jac": jac}, "jac and hess": {"jac": jac, "hess": hess}}[given]
    return newton(fun, x0, **derivatives, **options)


def density(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def quartic(p):
    x, y = p
    return x**4 + 0.8 * y**4 + 4 * x**2 + 2 * y**2 - x * y - 0.2 * x**2 * y


def quartic_slope(p):
    x, y = p
    return np.array([4 * x**3 + 8 * x - y - 0.4 * x * y, 3.2 * y**3 + 4 * y - x - 0.2 * x**2])


def quartic_hessian(p):
    x, y = p
    return np.array([[12 * x**2 + 8 - 0.4 * y, -1 - 0.4 * x], [-1 - 0.4 * x, 9.6 * y**2 + 4]])


# EXAMPLES.md C8 and C9


@GIVEN
def test_one_variable(given):
    result = search(lambda x: np.exp(x) - np.log(x), 1.75, lambda x: np.exp(x) - 1 / x, lambda x: np.exp(x) + 1 / x**2,
                    given, history=True)  # fmt: skip
    assert (result.nit, result.success, result.kind) == (4, True, "minimum")
    assert result.x == pytest.approx(0.5671432904097838, abs=1e-9)  # x e^x = 1
    assert isinstance(result.x, float)
    path = result.history["x"]
    assert path.shape == (5,)
    assert path[0] == 1.75
    assert (np.abs(np.diff(path)) >= 1e-4).all()
    assert abs(result.x - path[-1]) < 1e-4
    assert result.history["fun"].shape == result.history["grad_norm"].shape == (5,)


@GIVEN
@pytest.mark.parametrize(("sign", "kind"), [(1, "minimum"), (-1, "maximum")])
def test_parabolas(given, sign, kind):
    result = search(lambda x: sign * x**2, 1.75, lambda x: 2 * sign * x, lambda x: 2 * sign, given)
    assert (result.nit, result.kind, result.success) == (1, kind, True)
    assert result.x == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(result.eigenvalues, [2 * sign], rtol=1e-6)


@GIVEN
def test_no_curvature(given):
    result = search(density, 1.0, lambda x: -x * density(x), lambda x: (x * x - 1) * density(x), given)
    assert (result.status, result.success, result.nit, result.kind) == (8, False, 0, "undetermined")
    assert result.x == 1.0
    assert "singular" in result.message


@GIVEN
def test_a_quadratic_of_two_variables(given):
    H = np.array([[4.0, -1.0], [-1.0, 6.0]])
    result = search(
        lambda p: 2 * p[0] ** 2 + 3 * p[1] ** 2 - p[0] * p[1], [1.0, 3.0], lambda p: H @ p, lambda p: H, given
    )
    assert (result.nit, result.kind) == (1, "minimum")
    np.testing.assert_allclose(result.x, [0, 0], atol=1e-8)
    np.testing.assert_allclose(result.eigenvalues, [3.59, 6.41], atol=5e-3)
    np.testing.assert_allclose(result.hess, H, atol=1e-6)


@GIVEN
def test_a_quartic_of_two_variables(given):
    result = search(quartic, [4.0, 4.0], quartic_slope, quartic_hessian, given)
    assert (result.nit, result.kind) == (7, "minimum")
    np.testing.assert_allclose(result.eigenvalues, [3.76, 8.24], atol=5e-3)


# More


@GIVEN
def test_a_saddle(given):
    result = search(lambda p: p[0] ** 2 - p[1] ** 2 + p[0], [1.0, 2.0], lambda p: np.array([2 * p[0] + 1, -2 * p[1]]),
                    lambda p: np.diag([2.0, -2.0]), given)  # fmt: skip
    assert (result.success, result.kind) == (True, "saddle")
    np.testing.assert_allclose(result.x, [-0.5, 0], atol=1e-8)


def test_a_flat_minimum_is_undetermined():
    result = newton(lambda p: p[0] ** 4 + p[1] ** 2, [0.0, 0.0], jac=lambda p: np.array([4 * p[0] ** 3, 2 * p[1]]))
    assert (result.success, result.kind) == (True, "undetermined")


@pytest.mark.parametrize("power", [3, 4])
def test_curvature_that_vanishes_at_the_point(power):
    result = newton(lambda x: x**power, 1.0)
    assert (result.success, result.kind) == (True, "undetermined")
    assert abs(result.x) < 1e-3


@GIVEN
def test_rosenbrock(given):
    result = search(rosen, [1.2, 1.3, 1.5], rosen_der, rosen_hess, given)
    assert (result.success, result.kind) == (True, "minimum")
    np.testing.assert_allclose(result.x, np.ones(3), atol=1e-6)
    assert result.fun < 1e-10


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: 1e12 + x @ x,
        lambda x: 1 + 1e-12 * (x @ x),
        lambda x: float(np.float32(1000 + x @ x)),
        lambda x: 1e12 + (x[0] - 1) ** 2 + (x[1] + 1) ** 2,
    ],
)
def test_a_gradient_below_its_own_error(fun):
    result = newton(fun, [1.0, 1.0])
    assert (result.status, result.success, result.kind) == (6, False, "undetermined")


def test_gtol_of_a_numerical_gradient_is_for_its_error_too():
    assert newton(lambda x: 1e9 + x @ x, [1.0, 1.0], gtol=1e-6, xtol=0).status == 6
    assert newton(lambda x: 1e9 + x @ x, [1.0, 1.0], gtol=1e-6, jac=lambda x: 2 * x).status == 0


def test_a_cautious_error_is_measured_before_it_ends_the_search():
    scale = np.array([1e4, 1.0, 1e-3])
    M = np.random.default_rng(0).normal(size=(30, 3)) * scale
    result = newton(lambda x: np.sum((M @ x - 1) ** 2), np.zeros(3))
    assert (result.success, result.kind) == (True, "minimum")
    np.testing.assert_allclose(result.x, np.linalg.lstsq(M, np.ones(30))[0], rtol=1e-5)


def test_a_short_step_is_no_convergence():
    result = newton(lambda x: (x - 3) ** 2, 1.0, hess=lambda x: 1e8)
    assert (result.status, result.success, result.kind) == (1, False, "undetermined")
    result = newton(lambda x: (1e8 * x - 3) ** 4 + x, 1e-8)
    assert (result.success, result.kind) == (False, "undetermined")


@pytest.mark.parametrize("jac", [None, lambda x: 1 - 1 / x])
def test_short_steps_from_a_pole_go_on(jac):
    with np.errstate(all="ignore"):
        result = newton(lambda x: x - np.log(x), 5e-6, jac=jac)
    assert (result.success, result.kind) == (True, "minimum")
    assert result.x == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("given", [{}, {"jac": lambda x: np.sinh(x - 0.3)}])
def test_xtol_down_to_rounding(given):
    result = newton(lambda x: np.cosh(x - 0.3).sum(), np.ones(3), xtol=1e-8 if not given else 1e-15, **given)
    assert (result.success, result.kind) == (True, "minimum")
    np.testing.assert_allclose(result.x, 0.3, atol=1e-9 if not given else 1e-15)


def test_a_value_that_is_not_finite():
    result = newton(lambda x: np.nan, 1.0, jac=lambda x: 2 * x)
    assert (result.status, result.success, result.kind) == (4, False, "undetermined")


def test_the_step_that_does_not_count_is_not_barred_by_maxiter():
    result = newton(lambda x: x * x, 1.75, maxiter=1)
    assert (result.status, result.success, result.nit, result.kind) == (2, True, 1, "minimum")


def test_a_degenerate_point_is_undetermined():
    result = newton(lambda x: x**3 + x**4, 0.0, jac=lambda x: 3 * x**2 + 4 * x**3)
    assert result.kind == "undetermined"  # an inflection
    assert newton(lambda x: x**4, 0.0).kind == "undetermined"
    assert newton(abs, 0.0).kind == "undetermined"
    small = newton(lambda x: 1e-9 * x * x, 1.0, jac=lambda x: 2e-9 * x)  # but no number is small in itself
    assert (small.success, small.kind) == (True, "minimum")


def test_the_message_tells_the_kind():
    assert "maximum" in newton(lambda x: -x * x, 1.75).message


def test_counts(counted):
    fun, jac, hess = counted(quartic), counted(quartic_slope), counted(quartic_hessian)
    result = newton(fun, [4.0, 4.0], jac=jac, hess=hess)
    assert (fun.nfev, jac.nfev, hess.nfev) == (result.nfev, result.njev, result.nhev) == (1, 9, 9)
    fun, jac = counted(quartic), counted(quartic_slope)
    result = newton(fun, [4.0, 4.0], jac=jac)
    assert (fun.nfev, jac.nfev) == (result.nfev, result.njev) == (1, 9 + 9 * 4)
    fun = counted(lambda p: quartic(p - 1))  # the minimum is not at 0, where a domain may end
    result = newton(fun, [5.0, 5.0])
    assert fun.nfev == result.nfev == 1 + 9 * (4 + 7)
    fun = counted(lambda p: quartic(p - 1))
    assert newton(fun, [5.0, 5.0], history=True).nfev == fun.nfev == 1 + 8 + 9 * (4 + 7)


def test_fun_that_returns_both():
    both = newton(lambda p: (quartic(p), quartic_slope(p)), [4.0, 4.0], jac=True, history=True)
    alone = newton(quartic, [4.0, 4.0], jac=quartic_slope, history=True)
    np.testing.assert_array_equal(both.x, alone.x)
    np.testing.assert_array_equal(both.history["fun"], alone.history["fun"])


def test_gtol_and_maxiter():
    result = newton(quartic, [4.0, 4.0], jac=quartic_slope, gtol=1.0, xtol=0)
    assert (result.status, result.success) == (0, True)
    assert np.linalg.norm(result.jac) < 1
    result = newton(quartic, [4.0, 4.0], jac=quartic_slope, maxiter=3)
    assert (result.status, result.success, result.nit, result.kind) == (1, False, 3, "undetermined")


def test_where_fun_ends():
    with np.errstate(all="ignore"):
        result = newton(lambda x: x - np.log(x), 5.0)  # the first step leads to -15
    assert (result.status, result.success) == (4, False)
    assert result.x == 5.0


def test_a_step_out_of_all_bounds():
    result = newton(lambda x: float(x[0]), [1.0], jac=lambda x: np.ones(1), hess=lambda x: [[1e-12]])
    assert (result.status, result.success) == (5, False)
    np.testing.assert_array_equal(result.x, [1.0])


def test_x0_is_not_changed_and_jac_may_write():
    def jac(p):
        g = quartic_slope(p)
        p[:] = 0
        return g

    x0 = np.array([4.0, 4.0])
    assert newton(quartic, x0, jac=jac, hess=quartic_hessian).nit == 7
    np.testing.assert_array_equal(x0, [4, 4])


def test_jac_and_hess_that_use_a_buffer():
    g, H = np.empty(2), np.empty((2, 2))

    def jac(p):
        g[:] = quartic_slope(p)
        return g

    def hess(p):
        H[:] = quartic_hessian(p)
        return H

    for options in ({}, {"hess": hess}):
        expected = newton(quartic, [4.0, 4.0], jac=quartic_slope, **({"hess": quartic_hessian} if options else {}))
        result = newton(quartic, [4.0, 4.0], jac=jac, **options)
        np.testing.assert_array_equal(result.x, expected.x)
        np.testing.assert_array_equal(result.jac, expected.jac)


def test_shapes_and_kwargs():
    result = newton(lambda p, a, *, b: quartic(p.reshape(-1) - a - b), np.full((2, 1), 4.0), (1.0,), kwargs={"b": 2.0})
    assert result.x.shape == result.jac.shape == (2, 1)
    np.testing.assert_allclose(result.x, [[3], [3]], atol=1e-7)


def test_jac_names_a_method():
    assert newton(lambda p: quartic(p - 1), [5.0, 5.0], jac="forward").kind == "minimum"


def test_callback():
    path = []
    result = newton(quartic, [4.0, 4.0], callback=lambda xk: path.append(xk) or len(path) == 3)
    assert (result.status, result.nit, len(path)) == (99, 3, 3)


def test_as_a_method_of_minimize():
    ours = newton(quartic, [4.0, 4.0], jac=quartic_slope, hess=quartic_hessian, xtol=1e-6)
    theirs = minimize(quartic, [4.0, 4.0], jac=quartic_slope, hess=quartic_hessian, method=newton, tol=1e-6)
    np.testing.assert_array_equal(ours.x, theirs.x)
    assert ours.nit == theirs.nit
    own = minimize(quartic, [4.0, 4.0], jac=quartic_slope, method=newton, tol=1.0, options={"xtol": 1e-4})
    assert own.nit == 7
    from_values = minimize(quartic, [4.0, 4.0], method=newton, options={"maxiter": 20})
    assert from_values.kind == "minimum"
    scipys = minimize(quartic, [4.0, 4.0], jac=quartic_slope, hess=quartic_hessian, method="trust-exact", tol=1e-10)
    np.testing.assert_allclose(ours.x, scipys.x, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"xtol": -1}, ValueError, "`xtol`"),
        ({"gtol": "small"}, TypeError, "`gtol` must be a number"),
        ({"maxiter": -1}, ValueError, "`maxiter`"),
        ({"hess": 3}, TypeError, "`hess` must be callable or None"),
        ({"hess": lambda x: np.eye(3)}, ValueError, r"`hess` must return an array of shape \(2, 2\)"),
        ({"hess": lambda x: None}, TypeError, "`hess` must return real numbers; it returned None"),
        ({"jac": lambda x: np.eye(3)}, ValueError, "`jac` must return the gradient"),
        ({"bounds": [(0, 1), (0, 1)]}, ValueError, "newton does not take `bounds`"),
        ({"constraints": [{}]}, ValueError, "newton does not take `constraints`"),
        ({"hessp": print}, ValueError, "newton does not take `hessp`"),
        ({"order": 4}, TypeError, "unknown option `order`"),
        ({"method": "backward"}, ValueError, "`method` must be"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        newton(quartic, [4.0, 4.0], **options)
