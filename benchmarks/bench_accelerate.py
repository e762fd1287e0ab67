"""SciPy's optimisers under numdiff.accelerate_scipy beside themselves.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test. On a busy machine set
OPENBLAS_NUM_THREADS=1: threads that wait for each other make SciPy's optimisers many times slower.
"""

from contextlib import nullcontext

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
    expected = solve()
    with numdiff.accelerate_scipy() if peer == peers.NUMDIFF else nullcontext():
        cases.check_same(solve(), expected)
        benchmark(solve)
