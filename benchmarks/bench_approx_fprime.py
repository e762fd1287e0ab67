"""numdiff.approx_fprime beside SciPy's and statsmodels'.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test. On a busy machine set
OPENBLAS_NUM_THREADS=1: threads that wait for each other make minimize ten times slower.
"""

import cases
import peers
import pytest
import scipy.optimize

import numdiff


@pytest.mark.parametrize("peer", peers.APPROX_FPRIME)
@pytest.mark.parametrize(("case", "n"), cases.APPROX_FPRIME, ids=lambda value: getattr(value, "name", None))
def test_approx_fprime(benchmark, case, n, peer):
    benchmark.group = f"approx_fprime, {case.name}, n = {n}"
    benchmark.extra_info["backend"] = numdiff.backend
    x, approx_fprime = cases.point(n), peers.APPROX_FPRIME[peer]

    found = approx_fprime(x, case.fun)
    case.check_gradient(found, x)
    if peer == peers.NUMDIFF:
        cases.check_bits(found, scipy.optimize.approx_fprime(x, case.fun))

    benchmark(approx_fprime, x, case.fun)
