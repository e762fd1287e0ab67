"""numdiff.gradient beside SciPy's approx_derivative, statsmodels and the bare calls of fun, which are the limit.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test. On a busy machine set
OPENBLAS_NUM_THREADS=1: threads that wait for each other make minimize ten times slower.
"""

import cases
import peers
import pytest

import numdiff

gradients = pytest.mark.parametrize(("case", "n"), cases.GRADIENT, ids=lambda value: getattr(value, "name", None))


@pytest.mark.parametrize("peer", [*peers.FORWARD, "bare calls"])
@gradients
def test_forward(benchmark, case, n, peer):
    run(benchmark, "forward", case, n, peers.FORWARD.get(peer), n + 1)


@pytest.mark.parametrize("peer", [*peers.CENTRAL, "bare calls"])
@gradients
def test_central(benchmark, case, n, peer):
    run(benchmark, "central", case, n, peers.CENTRAL.get(peer), 2 * n)


def run(benchmark, method, case, n, gradient, calls):
    """gradient is None for the bare calls, which have no result to look at."""
    benchmark.group = f"gradient, {method}, {case.name}, n = {n}"
    benchmark.extra_info["backend"] = numdiff.backend
    x = cases.point(n)
    if gradient is None:
        benchmark(case.bare_calls(x, calls))
        return
    case.check_gradient(gradient(x, case.fun), x, central=method == "central")
    benchmark(gradient, x, case.fun)


@pytest.mark.parametrize("peer", [peers.NUMDIFF, "bare calls"])
def test_some_of_a_long_gradient(benchmark, peer):
    # The alignment of an array is chance, and a factor of 1.4 here: report.py compares at equal alignment.
    case, indices = cases.DOT, cases.LONG_INDICES
    benchmark.group = f"gradient, forward, {len(indices)} components, {case.name}, n = {cases.LONG}"
    benchmark.extra_info["backend"] = numdiff.backend
    x = cases.point(cases.LONG)
    if peer != peers.NUMDIFF:
        benchmark(case.bare_calls(x, len(indices) + 1))
        return
    gradient = peers.numdiff_gradient("forward", indices=indices)
    case.check_gradient(gradient(x, case.fun), x, indices=indices)
    benchmark(gradient, x, case.fun)
