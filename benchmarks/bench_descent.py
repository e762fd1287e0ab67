"""numdiff.gradient_descent beside the plain NumPy loop and the bare calls of jac, which are the limit.

NUMDIFF_BACKEND=c python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only
NUMDIFF_BACKEND=python python -m pytest benchmarks/bench_*.py --benchmark-enable --benchmark-only

With --benchmark-disable, which pyproject.toml sets, each benchmark runs once, as a test.
"""

import cases
import peers
import pytest

import numdiff

numbers = pytest.mark.parametrize("n", cases.DESCENT)
gradients = pytest.mark.parametrize("which", [0, 1], ids=[case.name for case in cases.descents(1)])


@pytest.mark.parametrize("peer", [*peers.DESCENT, "bare calls"])
@gradients
@numbers
def test_with_a_gradient(benchmark, n, which, peer):
    x, steps, case = cases.point(n), cases.DESCENT[n], cases.descents(n)[which]
    start(benchmark, case.name, n, steps)
    if peer not in peers.DESCENT:
        benchmark(case.bare_calls(x, steps))
        return
    cases.check_bits(peers.DESCENT[peer](case, x, steps), case.loop(x, steps))
    benchmark(peers.DESCENT[peer], case, x, steps)


@pytest.mark.parametrize("n", [2, 100])
def test_with_a_numerical_gradient(benchmark, n):
    x, steps = cases.point(n), 20
    start(benchmark, "from values, x.dot(x)", n, steps)

    def descend():
        return numdiff.gradient_descent(cases.DOT.fun, x, maxiter=steps, gtol=0)

    assert abs(descend().x - 0.8**steps * x).max() < 1e-8
    benchmark(descend)


def start(benchmark, what, n, steps):
    benchmark.group = f"gradient_descent, {what}, n = {n}, {steps} steps"
    benchmark.extra_info["backend"] = numdiff.backend
