"""SciPy's optimisers under numdiff.accelerate_scipy beside themselves.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test. On a busy machine set
OPENBLAS_NUM_THREADS=1: threads that wait for each other make SciPy's optimisers many times slower.
"""

import cases
import peers
import pytest

import numdiff


@pytest.mark.parametrize("peer", [peers.NUMDIFF, "scipy"])
@pytest.mark.parametrize(("name", "n"), peers.SOLVES)
def test_solve(benchmark, name, n, peer):
    benchmark.group = f"{name}, n = {n}"
    benchmark.extra_info["backend"] = numdiff.backend
    solve = peers.SOLVES[name, n]
    chosen = peers.accelerated(solve) if peer == peers.NUMDIFF else solve
    cases.check_same(chosen(), solve())
    benchmark(chosen)
