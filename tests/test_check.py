"""check_grad and check_derivative: SciPy's numbers, and errors where SciPy broadcasts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import _numdiff
from scipy.sparse import csr_array

from numdiff import check_derivative, check_grad


def fun(x, a=1.0):
    return a * np.sum(np.sin(x) * x)


def der(x, a=1.0):
    return a * (np.cos(x) * x + np.sin(x))


x0 = np.array([0.5, -1.5, 2.0])


@pytest.mark.parametrize("grad", [der, lambda x, a=1.0: 2 * der(x, a), lambda x, a=1.0: der(x, a) * np.nan])
def test_scipys_numbers(grad):
    for args in ((), (3.0,)):
        for options in (
            {},
            {"epsilon": 1e-6},
            {"direction": "random", "rng": 1},
            {"direction": "random", "seed": 1},
            {"direction": "random", "seed": np.random.default_rng(3)},
        ):
            ours, scipys = (
                f(
                    fun,
                    grad,
                    x0,
                    *args,
                    **{
                        k: np.random.default_rng(3) if isinstance(v, np.random.Generator) else v
                        for k, v in options.items()
                    },
                )
                for f in (check_grad, scipy.optimize.check_grad)
            )
            assert type(ours) is type(scipys)
            assert ours == scipys or (np.isnan(ours) and np.isnan(scipys))


def test_the_global_generator_by_default():
    np.random.seed(5)
    ours = check_grad(fun, der, x0, direction="random")
    np.random.seed(5)
    assert ours == scipy.optimize.check_grad(fun, der, x0, direction="random")


@pytest.mark.parametrize(
    ("options", "grad"),
    [
        ({"direction": "up"}, der),
        ({"rng": 1, "seed": 1}, der),
        ({"direction": "random"}, lambda x: np.ones((3, 3))),
    ],
)
def test_scipys_errors(options, grad):
    texts = []
    for f in (check_grad, scipy.optimize.check_grad):
        with pytest.raises((ValueError, TypeError)) as caught:
            f(fun, grad, x0, **options)
        texts.append((type(caught.value), str(caught.value)))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (), (2,), (1,)])
def test_a_gradient_of_another_shape_is_an_error(shape):
    # USERS.md section 0: SciPy broadcasts (n, 1) to (n, n) and calls a right gradient wrong
    with pytest.raises(ValueError, match="`grad` returned an array of shape .* where .* is due"):
        check_grad(fun, lambda x: np.resize(der(x), shape), x0)


def test_random_directions_of_vector_functions():
    with pytest.raises(ValueError, match="scalar valued"):
        check_grad(lambda x: x * 2, lambda x: np.ones(3), x0, direction="random")
    with pytest.raises(ValueError, match="is due"):
        check_grad(fun, lambda x: 1.0, x0, direction="random")


def test_a_jacobian_fits():
    assert check_grad(lambda x: x**2, lambda x: np.diag(2 * x), x0) < 1e-6


def test_x0_is_not_handed_out():
    point = x0.copy()

    def writes(x):
        g = der(x)
        x[:] = 0
        return g

    assert check_grad(fun, writes, point) < 1e-6
    assert np.array_equal(point, x0)


def jacobian(x):
    return np.array([[x[0] * 2, 0.0], [x[1], x[0]]])


def vector(x):
    return np.array([x[0] ** 2, x[0] * x[1]])


@pytest.mark.parametrize("wrap", [np.asarray, csr_array])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_check_derivative(wrap, factor):
    jac = lambda x: wrap(factor * jacobian(x))  # noqa: E731
    point = np.array([1.2, -3.4])
    assert check_derivative(vector, jac, point) == _numdiff.check_derivative(vector, jac, point)


def test_check_derivative_of_an_exact_sparse_jacobian():
    # PEERS.md 7, 2: SciPy raises "truth value of an array" where the difference has no nonzero
    identity = lambda x: csr_array(np.eye(2))  # noqa: E731
    assert check_derivative(lambda x: x, identity, np.array([1.0, 2.0])) == 0.0
    partly = lambda x: csr_array(np.array([[1.0, 0.0], [0.0, 1.25]]))  # noqa: E731
    assert check_derivative(lambda x: x, partly, np.array([1.0, 2.0])) == pytest.approx(0.25)


def test_check_derivative_does_not_broadcast():
    with pytest.raises(ValueError, match="`jac` returned"):
        check_derivative(fun, lambda x: der(x)[:, None], x0)
    assert check_derivative(fun, lambda x: der(x)[None, :], x0) < 1e-9


def test_check_derivative_with_the_wrong_shape():
    with pytest.raises(ValueError, match="`jac` returned"):
        check_derivative(vector, lambda x: np.ones(3), np.array([1.0, 2.0]))
