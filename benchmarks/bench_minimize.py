"""scipy.optimize.minimize with numdiff's derivatives beside SciPy's own (jac=None).

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test. On a busy machine set
OPENBLAS_NUM_THREADS=1: threads that wait for each other make minimize ten times slower.
"""

import cases
import peers
import pytest

import numdiff


@pytest.mark.parametrize("peer", peers.MINIMIZE)
def test_minimize(benchmark, peer):
    benchmark.group = f"minimize, L-BFGS-B, rosen, n = {len(cases.MINIMIZE_START)}"
    benchmark.extra_info["backend"] = numdiff.backend
    minimize = peers.MINIMIZE[peer]
    cases.check_minimum(minimize(cases.MINIMIZE_START))
    benchmark(minimize, cases.MINIMIZE_START)
