"""progress=True: a bar of the calls of fun, on every derivative; off, it costs nothing and needs no tqdm."""

import sys
import time

import numpy as np
import pytest
import tqdm

import numdiff

X = np.array([0.5, -1.25, 2.0])


def smooth(x):
    return x[0] * x[1] ** 2 + x[2] ** 3


def several(x):
    return np.stack([x[0] * x[1], x[1], x[2] ** 2])


@pytest.fixture
def bars(monkeypatch):
    """The bars that were made, as (n, total, refreshes, closed)."""
    made = []

    class Bar(tqdm.tqdm):
        def __init__(self, *args, **kwargs):
            self.refreshes, self.closed = 0, 0
            super().__init__(*args, **kwargs)
            made.append(self)

        def refresh(self, *args, **kwargs):
            self.refreshes += 1
            return super().refresh(*args, **kwargs)

        def close(self):
            self.closed += 1
            super().close()

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    return made


@pytest.mark.parametrize(
    ("derivative", "options"),
    [
        (numdiff.gradient, {}),
        (numdiff.gradient, {"method": "forward"}),
        (numdiff.gradient, {"method": "richardson"}),
        (numdiff.gradient, {"method": "complex"}),
        (numdiff.gradient, {"noise": "estimate"}),
        (numdiff.gradient, {"vectorized": True}),
        (numdiff.gradient, {"vectorized": True, "method": "richardson"}),
        (numdiff.gradient, {"workers": map}),
        (numdiff.jacobian, {}),
        (numdiff.jacobian, {"workers": map, "order": 4}),
        (numdiff.hessian, {}),
        (numdiff.hessian, {"method": "richardson"}),
        (numdiff.hessian, {"vectorized": True}),
        (numdiff.hessian, {"workers": map, "method": "forward"}),
        (numdiff.hessian_diagonal, {}),
    ],
)
def test_the_bar_ends_at_the_calls_made(bars, derivative, options, capsys):
    fun = several if derivative is numdiff.jacobian else smooth
    found = derivative(fun, X, progress=True, full_output=True, **options)
    np.testing.assert_array_equal(found.value, derivative(fun, X, **options))
    (bar,) = bars
    assert bar.n == bar.total == found.nfev
    assert bar.closed
    assert f"{found.nfev}/{found.nfev}" in capsys.readouterr().err


def test_derivative_and_sparse_ones(bars):
    found = numdiff.derivative(lambda x: x**3, X, n=2, progress=True, full_output=True)
    np.testing.assert_allclose(found.value, 6 * X, rtol=1e-6)
    assert bars[-1].n == found.nfev == 3
    calls = []
    numdiff.jacobian(lambda x: calls.append(1) or x**2, X, sparsity=np.eye(3), progress=True)
    assert bars[-1].n == len(calls) > 0
    calls.clear()
    numdiff.hessian(None, X, jac=lambda x: calls.append(1) or x**2, sparsity=np.eye(3), progress=True)
    assert bars[-1].n == len(calls) > 0
    assert len(bars) == 3
    numdiff.grad(smooth, progress=True)(X)
    numdiff.value_and_grad(smooth, progress=True)(X)
    numdiff.jac(several, progress=True)(X)
    numdiff.hess(smooth, progress=True)(X)
    assert [bar.n for bar in bars[3:]] == [6, 7, 6, 13]
    assert all(bar.closed for bar in bars)


def test_the_total_is_known_before_the_calls(bars):
    def fun(x):
        totals.append(bars[0].total)
        return smooth(x)

    totals = []
    for derivative, expected in ((numdiff.gradient, [0, *[6] * 5]), (numdiff.hessian, [0, *[7] * 6, *[13] * 6])):
        totals.clear()
        bars.clear()
        derivative(fun, X, progress=True)
        assert totals == expected


def test_at_most_ten_refreshes_a_second(bars):
    begin = time.perf_counter()
    numdiff.gradient(lambda x: x @ x, np.arange(3000.0), progress=True)
    seconds = time.perf_counter() - begin
    assert bars[0].n == 6000
    assert bars[0].refreshes <= 3 + seconds / 0.1


def test_an_error_closes_the_bar(bars):
    def fails(x):
        if len(calls) == 4:
            raise KeyError("four")
        calls.append(1)
        return 1.0

    calls = []
    with pytest.raises(KeyError, match="four"):
        numdiff.gradient(fails, X, progress=True)
    assert bars[0].n == 4
    assert bars[0].closed


def test_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    for derivative in (numdiff.gradient, numdiff.hessian, numdiff.derivative):
        fun = np.sin if derivative is numdiff.derivative else smooth
        derivative(fun, X)
        with pytest.raises(ImportError, match=r"`progress` needs tqdm.*\[progress\]"):
            derivative(fun, X, progress=True)
        with pytest.raises(TypeError, match="`progress` must be True or False; it is 1"):
            derivative(fun, X, progress=1)


def test_arguments_are_looked_at_as_before():
    for derivative in (numdiff.gradient, numdiff.derivative):
        with pytest.raises(TypeError, match="`fun` must be callable"):
            derivative(3, X, progress=True)
