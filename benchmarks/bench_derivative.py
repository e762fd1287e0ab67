"""numdiff.derivative beside scipy.differentiate.derivative and two bare evaluations, which are the limit.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_derivative.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test.
"""

import cases
import peers
import pytest

import numdiff

CONTENDERS = {peers.NUMDIFF: numdiff.derivative, **peers.DERIVATIVE, "two evaluations": None}


@pytest.mark.parametrize("peer", CONTENDERS)
@pytest.mark.parametrize("n", [1, 400, 1_000_000])
@pytest.mark.parametrize("curve", cases.CURVES, ids=lambda curve: curve.name)
def test_derivative(benchmark, curve, n, peer):
    benchmark.group = f"derivative, {curve.name}, n = {n}"
    benchmark.extra_info["backend"] = numdiff.backend
    x = cases.grid(n)
    derivative = CONTENDERS[peer]
    if derivative is None:
        benchmark(curve.two_calls, x)
        return
    curve.check_derivative(derivative(curve.fun, x), x)
    benchmark(derivative, curve.fun, x)
