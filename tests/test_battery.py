"""The battery's gradients, which the accuracy table takes for exact, beside complex steps in longdouble."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import battery

SMOOTH = [problem for problem in battery.PROBLEMS if problem.kind != "nonsmooth"]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="longdouble is float64 here, and its range too small")
@pytest.mark.parametrize("problem", SMOOTH, ids=lambda problem: problem.name)
def test_gradient(problem):
    with np.errstate(all="ignore"):
        for x in problem.points:
            exact, expected = problem.grad(x), problem.check_gradient(x)
            assert exact.shape == x.shape
            assert exact.dtype == np.float64
            # rtol: SciPy's gamma, digamma, J1 and erf are no more exact. atol: terms that cancel
            atol = 1e-15 * np.abs(expected).max() + 1e-17 * abs(problem.fun(x))
            np.testing.assert_allclose(exact, expected, rtol=2e-13, atol=atol, err_msg=f"at {x}")


@pytest.mark.parametrize("problem", battery.PROBLEMS, ids=lambda problem: problem.name)
def test_fun(problem):
    with np.errstate(all="ignore"):
        for x in problem.points:
            before, value = x.copy(), problem.fun(x)
            assert np.isfinite(value)
            assert np.ndim(value) == 0
            assert problem.fun(x) == value
            np.testing.assert_array_equal(x, before)
            if problem.dtype == np.float32:
                assert value.dtype == np.float32
            if problem.analytic:  # the function that test_gradient differentiates is this one
                rounding = 1e-13 if problem.dtype == np.float64 else 1e-5
                atol = rounding * (1 + abs(value)) + 6 * problem.noise
                assert abs(value - problem.analytic(x.astype(complex)).real) <= atol


def test_size():
    kinds = Counter(problem.kind for problem in battery.PROBLEMS)
    assert set(kinds) == set(battery.KINDS)
    assert sum(kinds[kind] for kind in battery.KINDS if kind not in battery.ASIDE) >= 70
    assert kinds["mgh"] >= 15
    assert len({problem.name for problem in battery.PROBLEMS}) == len(battery.PROBLEMS)


def test_noise():
    x = np.linspace(0, 1, 4000)[:, None]
    found = np.array([battery.noise(point, 1) for point in x])
    assert abs(found.mean()) < 0.05
    assert abs(found.std() - 1) < 0.05
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05
