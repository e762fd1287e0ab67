"""Detected structures: of random functions, of grids at n = 2500 in few calls, of entries that vanish at x0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from scipy import sparse
from scipy.optimize import rosen, rosen_der

from numdiff import hessian, hessian_sparsity, jacobian, jacobian_sparsity


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda shape: stn.arrays(bool, shape)), st.integers(0, 99)
)
def test_structures_of_random_functions(structure, seed):
    rng = np.random.default_rng(seed)
    A, B = (rng.uniform(0.5, 2.0, structure.shape) * structure for _ in range(2))
    n, calls = structure.shape[1], []

    def fun(x):
        calls.append(1)
        return A @ np.sin(x) + (B @ x) * (A @ x)

    x = rng.normal(size=n) if seed % 2 else np.zeros(n)
    found = jacobian_sparsity(fun, x)
    assert np.array_equal(found.toarray(), structure)
    assert found.dtype == bool
    assert isinstance(found, sparse.csr_array)
    assert len(calls) <= 2 * (3 * n + 2) + 10


@given(st.integers(1, 9).flatmap(lambda n: stn.arrays(bool, (n, n))), st.integers(0, 99))
def test_structures_of_random_hessians(structure, seed):
    rng = np.random.default_rng(seed)
    n = len(structure)
    A = np.triu(rng.uniform(0.5, 2.0, (n, n)) * structure, 1)
    expected = (A + A.T != 0) | np.eye(n, dtype=bool)
    x = rng.normal(size=n)
    found = hessian_sparsity(lambda x: float(np.sin(x) @ A @ np.cos(x) + np.exp(x).sum()), x)
    assert np.array_equal(found.toarray(), expected)


def grid(x):
    u = x.reshape(50, 50)
    r = 4 * u + u**3
    r[1:] -= u[:-1]
    r[:-1] -= u[1:]
    r[:, 1:] -= u[:, :-1]
    r[:, :-1] -= u[:, 1:]
    return r.ravel()


def test_a_grid_takes_few_calls(counted):
    fun = counted(grid)
    found = jacobian_sparsity(fun, np.zeros(2500), probes=1)
    band = sparse.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(50, 50))
    eye = sparse.eye_array(50)
    exact = (sparse.kron(eye, band) + sparse.kron(band, eye)).tocsr()
    assert np.array_equal(found.toarray(), exact.toarray() != 0)
    assert fun.nfev < 120
    fun.nfev = 0
    assert np.allclose(jacobian(fun, np.zeros(2500), sparsity=found).diagonal(), 4.0)
    assert fun.nfev == 2 * 5 + 2


def test_rosenbrock():
    x = np.full(30, 1.1)
    expected = np.eye(30) + np.eye(30, k=1) + np.eye(30, k=-1)
    for found in (hessian_sparsity(rosen, x), hessian_sparsity(None, x, jac=rosen_der)):
        assert np.array_equal(found.toarray(), expected != 0)
        assert np.allclose(hessian(None, x, jac=rosen_der, sparsity=found).toarray(), hessian(None, x, jac=rosen_der))


def test_entries_that_vanish_at_x0_count():
    found = jacobian_sparsity(lambda x: [x[0] * x[1] * x[2], x[2] ** 3], np.zeros(3))
    assert found.toarray().tolist() == [[True, True, True], [False, False, True]]


def test_bounds_and_domains(counted):
    fun = counted(lambda x: np.sqrt(x[::-1]))
    found = jacobian_sparsity(fun, np.array([0.0, 1.0, 2.0]), bounds=(0, [5, 1, 5]))
    assert np.array_equal(found.toarray(), np.eye(3)[::-1] != 0)
    assert all((x >= 0).all() and (x <= [5, 1, 5]).all() for x in fun.seen)
    with np.errstate(all="ignore"):
        found = jacobian_sparsity(np.log, np.array([1e-9, 1.0, 2.0]))
        assert np.array_equal(found.toarray(), np.eye(3) != 0)
        with pytest.raises(ValueError, match="`fun` must be finite near `x0`"):
            jacobian_sparsity(lambda x: np.log(-np.abs(x)), np.ones(2))


def test_odd_shapes():
    assert jacobian_sparsity(lambda x: x**2, 3.0).toarray().tolist() == [[True]]
    assert (
        jacobian_sparsity(lambda x: x.ravel()[:3], np.ones((2, 2))).toarray().tolist()
        == np.eye(3, 4).astype(bool).tolist()
    )
    assert jacobian_sparsity(lambda x: x[:0], np.ones(3)).shape == (0, 3)
    assert jacobian_sparsity(lambda x: np.ones(2), np.zeros(0)).shape == (2, 0)
    assert jacobian_sparsity(lambda x: np.ones(2), np.zeros(4)).nnz == 0


def test_noise_is_an_error():
    rng = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="noisy, or jumps"):
        jacobian_sparsity(lambda x: x + (rng.uniform(size=3) < 0.5), np.ones(3), probes=1)


def test_errors():
    for probes in (0, 1.5, True):
        with pytest.raises(ValueError, match="`probes` must be an integer of at least 1"):
            jacobian_sparsity(lambda x: x, np.ones(2), probes=probes)
    with pytest.raises(TypeError, match="`jac` must be callable"):
        hessian_sparsity(rosen, np.ones(2), jac=True)
    with pytest.raises(ValueError, match="one number"):
        hessian_sparsity(lambda x: x, np.ones(2))
