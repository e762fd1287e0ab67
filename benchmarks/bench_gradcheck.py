"""Full checks per second of a right gradient at n = 10 and 100, beside scipy.optimize.check_grad: pytest-benchmark."""

import numpy as np
import pytest
from scipy.optimize import check_grad

import numdiff


def fun(x):
    return x.dot(x)


def jac(x):
    return 2 * x


@pytest.mark.parametrize("n", [10, 100])
def test_gradcheck(benchmark, n):
    benchmark.group = f"check of a right gradient, n = {n}"
    assert benchmark(numdiff.gradcheck, fun, jac, np.linspace(0.5, 2.0, n))


@pytest.mark.parametrize("n", [10, 100])
def test_scipy(benchmark, n):
    benchmark.group = f"check of a right gradient, n = {n}"
    assert benchmark(check_grad, fun, jac, np.linspace(0.5, 2.0, n)) < 1e-5
