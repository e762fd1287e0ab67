"""Sparse Jacobians, groups and linear operators, against SciPy; invalid structures are errors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import _numdiff
from scipy.sparse import csc_array, csr_array, csr_matrix, issparse
from scipy.sparse.linalg import LinearOperator

from numdiff import approx_derivative, group_columns

n = 8
TRIDIAGONAL = np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)


def fun(x):
    y = np.zeros(n + 2, x.dtype)
    y[1:-1] = x
    return np.sin(y[1:-1]) + y[2:] ** 2 * y[:-2]


x0 = np.linspace(-1.0, 2.0, n)


@given(st.data())
def test_groups_are_scipys(data):
    m, k = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    A = np.array(
        data.draw(st.lists(st.lists(st.sampled_from([0, 0, 1]), min_size=k, max_size=k), min_size=m, max_size=m))
    )
    order = data.draw(st.sampled_from([0, 1, 7]) | st.permutations(range(k)))
    for matrix in (A, csr_array(A), csc_array(A)):
        ours, scipys = (f(matrix, order) for f in (group_columns, _numdiff.group_columns))
        assert ours.dtype == scipys.dtype
        assert np.array_equal(ours, scipys)


def test_groups_of_odd_input():
    assert np.array_equal(group_columns([1, 0, 1]), _numdiff.group_columns([1, 0, 1]))
    for bad in (np.ones((2, 2, 2)),):
        with pytest.raises(ValueError, match="`A` must be 2-dimensional."):
            group_columns(bad)
    with pytest.raises(ValueError, match="`order` has incorrect shape."):
        group_columns(np.eye(3), [0, 1])
    with pytest.raises(ValueError, match="permutation"):
        group_columns(np.eye(3), [0, 1, 1])


@pytest.mark.parametrize("method", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (x0 - 1e-9, x0 + 5.0), (x0, np.inf)], ids=["free", "near", "at"])
@pytest.mark.parametrize("kind", [np.asarray, csr_array, csr_matrix, csc_array])
def test_sparse_jacobians_have_scipys_bits(method, bounds, kind):
    for sparsity in (kind(TRIDIAGONAL), (kind(TRIDIAGONAL), np.arange(n) % 3)):
        (ours, a), (scipys, b) = (
            f(fun, x0, method, bounds=bounds, sparsity=sparsity, full_output=True)
            for f in (approx_derivative, _numdiff.approx_derivative)
        )
        assert type(ours) is type(scipys)
        assert a == b
        assert ours.toarray().tobytes() == scipys.toarray().tobytes()
        assert np.allclose(ours.toarray(), approx_derivative(fun, x0, method, bounds=bounds), atol=1e-6)


def test_a_dense_array_with_two_rows_is_a_structure():
    # PEERS.md 7, 3: SciPy takes it for (structure, groups)
    two = lambda x: np.array([x[0] ** 2, x[1] * x[2]])  # noqa: E731
    structure = np.array([[1, 0, 0], [0, 1, 1]])
    expected = [[2.0, 0, 0], [0, 3.0, 2.0]]
    for sparsity in (structure, structure.tolist(), [structure, [0, 0, 1]], (structure, [0, 0, 1])):
        assert np.allclose(approx_derivative(two, [1.0, 2.0, 3.0], sparsity=sparsity).toarray(), expected)


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        ((TRIDIAGONAL, np.zeros(n, int)), "columns 0 and 1 are in group 0, but both have a nonzero in row 0"),
        ((TRIDIAGONAL, np.arange(n) - 1), "groups must be 8 integers from 0 to 7"),
        ((TRIDIAGONAL, np.arange(n - 1)), "groups must be 8 integers"),
        ((TRIDIAGONAL, np.arange(n) / 2), "groups must be 8 integers"),
        (np.ones((n, n + 1)), r"`sparsity` must be a structure of the Jacobian's shape, \(8, 8\); it has \(8, 9\)"),
        (np.ones((n - 1, n)), "Jacobian's shape"),
    ],
)
def test_invalid_structures_are_errors(sparsity, message):
    # PEERS.md 7, 4: SciPy accepts them silently, and the matrix is wrong
    with pytest.raises(ValueError, match=message):
        approx_derivative(fun, x0, sparsity=sparsity)


def test_empty_columns_and_explicit_zeros():
    structure = csr_array(TRIDIAGONAL)
    structure.data[3] = 0.0
    J = approx_derivative(fun, x0, sparsity=structure)
    assert issparse(J)
    missing = (np.asarray(structure.toarray()) == 0) & (TRIDIAGONAL != 0)
    assert np.all(J.toarray()[missing] == 0)
    J = approx_derivative(lambda x: x[:2] * 2, x0[:3], sparsity=[[1, 0, 0], [0, 1, 0]])
    assert np.allclose(J.toarray(), [[2, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("method", ["2-point", "3-point", "cs"])
def test_linear_operator(method):
    ours, scipys = (
        f(fun, x0, method, as_linear_operator=True) for f in (approx_derivative, _numdiff.approx_derivative)
    )
    assert isinstance(ours, LinearOperator)
    assert ours.shape == scipys.shape
    for p in (np.ones(n), np.linspace(-1, 1, n), np.zeros(n)):
        assert ours.matvec(p).tobytes() == scipys.matvec(p).tobytes()


def test_without_scipy_the_extra_is_named():
    code = """
import sys
sys.modules["scipy"] = None
import numpy as np, numdiff
assert np.allclose(numdiff.gradient(lambda x: x @ x, [1.0, 2.0]), [2, 4])
assert numdiff.group_columns(np.eye(3)).tolist() == [0, 0, 0]
assert numdiff.check_derivative(lambda x: x, lambda x: np.eye(2), [1.0, 2.0]) < 1e-9
for options in ({"sparsity": np.eye(2)}, {"as_linear_operator": True}):
    try:
        numdiff.approx_derivative(lambda x: x, [1.0, 2.0], **options)
    except ImportError as error:
        assert 'extra "sparse"' in str(error), error
    else:
        raise AssertionError
assert "scipy.sparse" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
