"""numdiff.hessian beside statsmodels, numdifftools and the bare calls of fun, which are the limit.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test.
"""

import cases
import peers
import pytest
from scipy.optimize import rosen_der

import numdiff

numbers = pytest.mark.parametrize("n", cases.HESSIAN)


@pytest.mark.parametrize("peer", [*peers.HESSIAN, "bare calls"])
@numbers
def test_from_values(benchmark, n, peer):
    start(benchmark, "from values", n)
    x, fun = cases.point(n), cases.ROSEN.fun
    if peer not in peers.HESSIAN:
        benchmark(cases.ROSEN.bare_calls(x, n * n + n + 1))
        return
    cases.check_hessian(peers.HESSIAN[peer](x, fun), x)
    benchmark(peers.HESSIAN[peer], x, fun)


@pytest.mark.parametrize("method", ["forward", "richardson"])
@numbers
def test_methods(benchmark, n, method):
    start(benchmark, method, n)
    x = cases.point(n)
    if method == "richardson":
        cases.check_hessian(numdiff.hessian(cases.ROSEN.fun, x, method=method), x)
    benchmark(numdiff.hessian, cases.ROSEN.fun, x, method=method)


@numbers
def test_from_a_gradient(benchmark, n):
    start(benchmark, "from a gradient", n)
    x = cases.point(n)
    cases.check_hessian(numdiff.hessian(None, x, jac=rosen_der), x)
    benchmark(numdiff.hessian, None, x, jac=rosen_der)


def start(benchmark, what, n):
    benchmark.group = f"hessian, {what}, rosen, n = {n}"
    benchmark.extra_info["backend"] = numdiff.backend
