"""jacobian and hessian with sparsity=: random structures against dense results, missing entries, counts, bounds."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from scipy import sparse
from scipy.optimize import approx_fprime, least_squares, rosen, rosen_der, rosen_hess
from scipy.optimize._numdiff import group_columns

from numdiff import Flag, color_columns, grad, hess, hessian, jac, jacobian
from numdiff._stencils import central, forward


def function_of(structure, seed=0):
    """A function whose Jacobian has this structure, and nowhere a zero in it."""
    rng = np.random.default_rng(seed)
    A, B = (rng.uniform(0.5, 2.0, structure.shape) * structure for _ in range(2))
    return lambda x: A @ np.sin(x) + (B @ x) * (A @ x)


def broyden(x):
    y = (3 - 2 * x) * x + 1
    y[1:] -= x[:-1]
    y[:-1] -= 2 * x[1:]
    return y


def tridiagonal(n):
    return sparse.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(n, n)).tocsc()


def broyden_jacobian(x):
    n = x.size
    return np.diag(3 - 4 * x) - np.eye(n, k=-1) - 2 * np.eye(n, k=1)


structures = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(lambda shape: stn.arrays(bool, shape))
points = st.integers(0, 1000).map(lambda seed: np.random.default_rng(seed).normal(size=8))
BOUNDS = {
    "free": lambda x: None,
    "at": lambda x: (x, np.inf),
    "close": lambda x: (x - 1e-9, x + 1e-7),
    "some": lambda x: (np.where(np.arange(x.size) % 2, x, -9e9), 9e9),
    "fixed": lambda x: (np.where(np.arange(x.size) % 3, -9.0, x), np.where(np.arange(x.size) % 3, 9.0, x)),
}


@given(structures, points, st.sampled_from(["forward", "backward", "central"]), st.sampled_from(list(BOUNDS)))
def test_random_structures_give_the_dense_jacobian(structure, points, method, bounds):
    x, fun = points[: structure.shape[1]], function_of(structure)
    limits = BOUNDS[bounds](x)
    dense = jacobian(fun, x, method=method, bounds=limits)
    found = jacobian(fun, x, method=method, bounds=limits, sparsity=structure, full_output=True)
    # The columns moved at once change nothing in a row but what that row depends on: the bits are those of one by one.
    assert np.array_equal(found.value.toarray()[structure], dense[structure], equal_nan=True)
    assert found.value.toarray()[~structure].tolist() == [0.0] * int((~structure).sum())
    assert isinstance(found.value, sparse.csr_array)
    flags = jacobian(fun, x, method=method, bounds=limits, full_output=True).flag
    assert np.array_equal(found.flag.toarray()[structure], flags[structure])


@given(structures.filter(np.any), points, st.sampled_from(["forward", "central"]), st.data())
def test_a_missing_entry_is_an_error(structure, points, method, data):
    x, fun = points[: structure.shape[1]], function_of(structure)
    i, j = data.draw(st.sampled_from(np.argwhere(structure).tolist()))
    less = structure.copy()
    less[i, j] = False
    with pytest.raises(ValueError, match=rf"`sparsity` misses an entry: value {i} of `fun` changes with x0\[{j}\]"):
        jacobian(fun, x, method=method, sparsity=less)


@given(
    st.integers(4, 12),
    st.integers(0, 1000),
    st.sampled_from(["forward", "backward", "central"]),
    st.sampled_from(["own", "one", "jac"]),
)
def test_missing_entries_that_cancel_are_an_error(n, seed, method, groups):
    # Where all variables move by the same step, as the derivative's are, row i does not change with j and k.
    rng = np.random.default_rng(seed)
    i, j, k = rng.choice(n, 3, replace=False)
    size, x, A = rng.choice([1e-3, 1.0, 35.0]), rng.uniform(0.5, 0.9, n), np.diag(rng.uniform(1.0, 2.0, n))
    A[i, j], A[i, k] = size, -size
    if groups == "jac":
        A[j, i], A[k, i] = size, -size
        with pytest.raises(ValueError, match=r"`sparsity` misses an entry: component \d+ of `jac`"):
            hessian(None, x, jac=lambda x: A @ x, method=method.replace("back", "for"), sparsity=np.eye(n))
        return
    sparsity = np.eye(n) if groups == "one" else (np.eye(n), np.arange(n))
    with pytest.raises(ValueError, match=rf"value {i} of `fun` changes with x0\[({j}|{k})\]"):
        jacobian(lambda x: A @ x, x, method=method, sparsity=sparsity)


@pytest.mark.parametrize("method", ["forward", "central"])
def test_differences_of_neighbours_that_are_missing(method):
    # The realistic case: advection on a periodic grid, with a structure that misses one axis.
    n = 12

    def advection(u):
        u = u.reshape(n, n)
        return (u * sum(np.roll(u, -1, axis) - np.roll(u, 1, axis) for axis in (0, 1))).ravel()

    ring = np.eye(n) + np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)
    u = np.random.default_rng(0).uniform(0.5, 1.0, n * n)
    with pytest.raises(ValueError, match="`sparsity` misses an entry: value"):
        jacobian(advection, u, method=method, sparsity=np.kron(np.eye(n), ring))
    both = np.kron(np.eye(n), ring) + np.kron(ring, np.eye(n))
    assert jacobian(advection, u, method=method, sparsity=both).nnz == 5 * n * n
    with pytest.raises(ValueError, match="misses an entry: value"):
        jacobian(
            lambda x: np.roll(x, -1) - np.roll(x, 1), np.linspace(0.1, 0.9, 20), method=method, sparsity=np.eye(20)
        )


@pytest.mark.parametrize(
    ("limit", "options", "dtype"),
    [
        (1e-7, {}, np.float64),
        (1e-5, {"method": "forward"}, np.float64),
        (0.01, {}, np.float32),
        (0.1, {"method": "forward"}, np.float32),
        (1e-3, {"abs_step": 0.1}, np.float64),
        (0.01, {"abs_step": 1e-12}, np.float64),
    ],
    ids=str,
)
def test_ten_times_the_limits_in_the_docs(limit, options, dtype):
    n, S = 30, tridiagonal(30).toarray()
    for size in (10 * limit, 1000 * limit):
        for seed in range(20):
            rng = np.random.default_rng(seed)
            A, x = rng.uniform(0.5, 1.0, (n, n)) * S, rng.uniform(0.3, 1.0, n)
            i, j = rng.permutation(np.argwhere(S == 0))[0]
            A[i, j] = size
            with pytest.raises(ValueError, match=rf"value {i} of `fun` changes with x0\[{j}\]"):
                jacobian(lambda x, A=A: (A @ x).astype(dtype), x, sparsity=S, **options)


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({}, 2),
        ({"method": "forward"}, 1),
        ({"order": 4}, 2),
        ({"method": "backward", "order": 2}, 1),
        ({"bounds": 1}, 1),
    ],
    ids=str,
)
def test_a_smooth_function_raises_no_doubt(counted, options, check):
    # Also where the order of the entries is not that of the check.
    x, S = np.linspace(0.5, 1.5, 30), tridiagonal(30)
    if "bounds" in options:
        options = {"bounds": (x, np.inf)}
    for dtype, directions in ((np.float64, 1), (np.float32, 3)):
        calls = []
        for checked in (False, True):
            fun = counted(lambda x: (S @ np.sin(x) + x**2).astype(dtype))  # noqa: B023
            jacobian(fun, x, sparsity=S, check_sparsity=checked, **options)
            calls.append(fun.nfev)
        assert calls[1] - calls[0] == check * directions


def test_tridiagonal_jacobian_in_four_evaluations(counted):
    x = np.linspace(0.0, 1.0, 1000)
    for options, calls in (
        ({"method": "forward", "check_sparsity": False}, 4),
        ({"method": "forward"}, 5),
        ({"method": "forward", "f0": broyden(x)}, 4),
        ({"check_sparsity": False}, 6),
        ({}, 8),
        ({"order": 4, "check_sparsity": False}, 12),
        ({"full_output": True}, 9),
    ):
        fun = counted(broyden)
        found = jacobian(fun, x, sparsity=tridiagonal(1000), **options)
        assert fun.nfev == calls
        if "full_output" in options:
            assert found.nfev == calls
            exact = broyden_jacobian(x)
            assert (np.abs(found.value.toarray() - exact) <= found.error.toarray()).all()
        else:
            assert np.abs(found.toarray() - broyden_jacobian(x)).max() < (1e-7 if "method" in options else 1e-9)


def test_every_kind_of_structure_and_groups():
    x = np.linspace(-1.0, 1.0, 12)
    S = tridiagonal(12)
    expected = jacobian(broyden, x, sparsity=S)
    twice = sparse.coo_array(
        (np.ones(2 * S.nnz + 1), [np.append(np.tile(a, 2), b) for a, b in zip(S.nonzero(), (0, 5), strict=True)]),
        shape=S.shape,
    )
    zero = twice.copy()
    zero.data[-1] = 0.0
    for given_ in (S.tocsr(), S.toarray(), S.toarray().tolist(), S.astype(bool), sparse.csr_matrix(S), zero,
                   (S, np.arange(12) % 3), [S, (np.arange(12) % 3).tolist()], (S, group_columns(S)),
                   (S, color_columns(S, order="smallest-last"))):  # fmt: skip
        found = jacobian(broyden, x, sparsity=given_)
        assert isinstance(found, sparse.csr_array)
        assert np.array_equal(found.toarray(), expected.toarray())
    assert jacobian(broyden, x, sparsity=twice).nnz == S.nnz + 1  # more than needed does no harm


def test_the_structure_given_stays_as_it_was():
    S = tridiagonal(5).tocsr()
    copy = S.copy()
    found = jacobian(broyden, np.ones(5), sparsity=S)
    found.data[:] = found.indices[:] = found.indptr[:] = 0
    assert (S != copy).nnz == 0
    assert np.array_equal(S.indptr, copy.indptr)


def test_empty_rows_and_columns():
    fun = lambda x: np.array([x[1] ** 2, 0.0 * x[0], x[1] * x[3]])  # noqa: E731
    S = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]])
    found = jacobian(fun, [5.0, 2.0, 7.0, 3.0], sparsity=S)
    assert np.allclose(found.toarray(), [[0, 4, 0, 0], [0, 0, 0, 0], [0, 3, 0, 2]])
    assert found.nnz == 3
    assert jacobian(lambda x: np.zeros(3), np.ones(2), sparsity=np.zeros((3, 2))).nnz == 0
    assert jacobian(lambda x: np.zeros(0), np.ones(2), sparsity=np.zeros((0, 2))).shape == (0, 2)
    assert jacobian(lambda x: np.zeros(3), np.zeros(0), sparsity=np.zeros((3, 0))).shape == (3, 0)
    assert jacobian(lambda x: float(x[0] ** 2), np.ones(2), sparsity=[[1, 0]]).data == pytest.approx(2)
    with pytest.raises(ValueError, match="misses an entry"):
        jacobian(lambda x: np.array([x[0], x[1]]), np.ones(2), sparsity=np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("sparsity", "options", "error", "message"),
    [
        (np.eye(4), {}, ValueError, r"a column for each component of `x0`, 3; it has shape \(4, 4\)"),
        (np.ones((2, 3)), {}, ValueError, r"a row for each value of `fun`, 3; it has shape \(2, 3\)"),
        (np.ones((2, 3)), {"f0": [1.0, 2.0, 3.0]}, ValueError, "a row for each value of `fun`, 3"),
        (np.ones(3), {}, ValueError, "`sparsity` must be a matrix"),
        ("all", {}, TypeError, "`sparsity` must be a sparse or dense matrix"),
        ((np.ones((3, 3)), [0, 0, 1]), {}, ValueError, "columns 0 and 1 are in group 0, but both .* row 0"),
        ((np.eye(3), [0, 1]), {}, ValueError, "groups must be 3 integers"),
        ((np.eye(3), [0, -1, 1]), {}, ValueError, "groups must be 3 integers from 0 to 2"),
        ((np.eye(3), [0, 0, 3]), {}, ValueError, "`sparsity`: groups must be 3 integers from 0 to 2"),
        ((np.eye(3), [0, 0, 10**12]), {}, ValueError, "`sparsity`: groups must be 3 integers from 0 to 2"),
        ((np.eye(3), np.array([0, 0, 2**63], np.uint64)), {}, ValueError, "`sparsity`: groups must be 3 integers"),
        (np.eye(3), {"method": "richardson"}, ValueError, "`method` must be one of 'forward'"),
        (np.eye(3), {"noise": 0.1}, ValueError, "cannot be given with `sparsity`"),
        (np.eye(3), {"indices": [0]}, ValueError, "cannot be given with `sparsity`"),
    ],
)
def test_errors(sparsity, options, error, message):
    with pytest.raises(error, match=message):
        jacobian(lambda x: x * x, np.arange(3.0), sparsity=sparsity, **options)


def test_funs_own_exception_passes():
    def fun(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        jacobian(fun, np.ones(2), sparsity=np.eye(2))


def test_a_function_that_keeps_or_writes_its_argument():
    seen = []

    def fun(x):
        seen.append(x)
        y = x * x
        x[:] = 7.0
        return y

    x0 = np.arange(3.0)
    assert np.allclose(jacobian(fun, x0, sparsity=np.eye(3)).toarray(), np.diag(2 * x0))
    assert x0.tolist() == [0.0, 1.0, 2.0]
    assert len({id(x) for x in seen}) == len(seen)


def test_a_returned_buffer_is_read_at_once():
    buffer = np.empty(4)

    def fun(x):
        np.multiply(x, x, out=buffer)
        return buffer

    assert np.allclose(jacobian(fun, np.arange(4.0), sparsity=np.eye(4)).toarray(), np.diag(2 * np.arange(4.0)))


def test_a_false_doubt_is_cleared(counted):
    # x^2 at 0: the forward differences are all truncation, and so is the check
    for n in (5, 50):
        fun = counted(lambda x: x**2)
        found = jacobian(fun, np.zeros(n), method="forward", sparsity=np.eye(n))
        assert np.abs(found.toarray()).max() < 2e-8
        assert fun.nfev <= 3 + (31 if n == 5 else 9)


def test_a_doubt_is_cleared_once(counted):
    # Three directions, as the steps are long; each row is looked at by itself in the first that raises a doubt.
    for method, calls in (("forward", 2 + 3 + 5), ("central", 2 + 6 + 10)):
        fun = counted(lambda x: x**2 + x**3)
        jacobian(fun, np.zeros(5), method=method, sparsity=np.eye(5), abs_step=0.01)
        assert fun.nfev == calls


def test_noise_is_no_missing_entry():
    for n, noise, seed in [(n, noise, seed) for n in (4, 30) for noise in (1e-12, 1e-10, 1e-8) for seed in range(5)]:
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(n, n)) * (rng.random((n, n)) < 2 / n) + np.eye(n)
        jacobian(lambda x, A=A, n=n: A @ x**2 * (1 + noise * rng.normal(size=n)), rng.normal(size=n), sparsity=A)  # noqa: B023


@pytest.mark.parametrize("bend", [np.minimum, np.maximum])
def test_a_missing_entry_that_shows_on_one_side_only(bend):
    for k in range(1, 7):
        with pytest.raises(ValueError, match=rf"value 0 of `fun` changes with x0\[{k}\]"):
            jacobian(lambda x, k=k: x + np.eye(7)[0] * bend(x[k], 0.0), np.zeros(7), sparsity=np.eye(7))


@pytest.mark.parametrize("method", ["forward", "central"])
def test_a_missing_entry_among_false_doubts(method):
    # Every row is in doubt, and without a check of its own the missing entry would be taken for one more parabola.
    for n, reach in ((12, 0), (60, 0), (60, 1), (200, 1)):
        S = np.tri(n, k=reach) - np.tri(n, k=-reach - 1)
        for seed in range(5):
            i, j, k = np.random.default_rng(seed).choice(n, 3, replace=False)
            if S[i, j] or S[i, k]:
                continue

            def fun(x, i=i, j=j, k=k * (seed % 2), S=S):
                y = S @ x**2
                y[i] += x[j] - (x[k] if k else 0.0)
                return y

            with pytest.raises(ValueError, match=rf"value {i} of `fun` changes with x0\[({j}|{k})\]"):
                jacobian(fun, np.zeros(n), method=method, sparsity=S)


def test_the_end_of_a_domain_as_in_the_dense_case():
    x = np.array([1e-9, 1.0, 2.0, 0.0])
    fun = lambda x: np.append(np.log(x[:3]), x[3] ** 2)  # noqa: E731
    with np.errstate(all="ignore"):
        for method in ("forward", "central"):
            found = jacobian(fun, x, method=method, sparsity=np.eye(4), full_output=True)
            dense = jacobian(fun, x, method=method, full_output=True)
            assert np.array_equal(found.value.diagonal(), dense.value.diagonal())
            assert np.array_equal(found.flag.diagonal(), dense.flag.diagonal())
            assert found.value.diagonal()[:3] * x[:3] == pytest.approx(1, rel=1e-2)
            assert "[0, 0] shrunk" in repr(found)


def test_values_in_less_than_float64():
    found = jacobian(lambda x: np.float32(x * x), np.arange(1.0, 4.0), sparsity=np.eye(3), full_output=True)
    assert found.value.diagonal() == pytest.approx(2 * np.arange(1.0, 4.0), rel=1e-3)
    assert (found.flag.diagonal() == Flag.low_precision).all()


def test_x0_of_two_dimensions():
    found = jacobian(lambda x: (x * x).ravel(), np.ones((2, 3)), sparsity=np.eye(6), full_output=True)
    assert found.value.diagonal() == pytest.approx(np.full(6, 2.0))
    assert found.step.shape == (2, 3)


def test_many_groups_are_taken_in_parts(monkeypatch):
    import numdiff._compressed

    x, S = np.linspace(0.1, 1.0, 9), np.ones((9, 9))
    fun = function_of(S)
    expected = jacobian(fun, x, sparsity=S, bounds=(x, 9.0), full_output=True)
    monkeypatch.setattr(numdiff._compressed, "_AT_ONCE", 40)
    found = jacobian(fun, x, sparsity=S, bounds=(x, 9.0), full_output=True)
    assert np.array_equal(found.value.toarray(), expected.value.toarray())
    assert np.array_equal(found.error.toarray(), expected.error.toarray())


# ---------------------------------------------------------------------------------------------------- the kernels


@given(structures.filter(np.any), st.sampled_from([forward(1), forward(2), central(2), central(4)]), st.data())
def test_both_backends_give_the_same_bits(structure, stencil, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    m, n = structure.shape
    by_rows = sparse.csr_array(structure)
    lists = by_rows.indptr.astype(np.intp), by_rows.indices.astype(np.intp)
    groups = rng.integers(0, 4, n)
    x, h, entries, step = rng.normal(size=n), rng.normal(size=n), rng.normal(size=by_rows.nnz), rng.normal(size=n)
    entries[0] = data.draw(st.sampled_from([1.0, np.nan, np.inf]))
    calls = sum(offset != 0 for offset in stencil[0])
    values, f0 = rng.normal(size=(2, calls, m)), rng.normal(size=m)
    values[0, 0, 0] = data.draw(st.sampled_from([1.0, np.nan]))
    chosen = data.draw(st.sampled_from([None, rng.uniform(size=n) < 0.5]))
    results = []
    for name in ("c", "py"):
        kernels = importlib.import_module(f"numdiff._kernels_{name}")
        alone, out, sums = np.zeros(by_rows.nnz, bool), np.zeros(by_rows.nnz), np.empty((3, m))
        shared = kernels.entries_alone(*lists, groups, alone)
        remarks = kernels.entries(*lists, groups, 1, stencil, chosen, x, h, f0, values, out)
        kernels.along(*lists, entries, step, x, sums)
        assert shared == np.count_nonzero(~alone)
        results.append((alone.tobytes(), out.tobytes(), sums.tobytes(), remarks))
    assert results[0] == results[1]


# ---------------------------------------------------------------------------------------------------- Hessians


def hessian_function(structure, seed=0):
    """f, its gradient, for a symmetric structure with a full diagonal."""
    rng = np.random.default_rng(seed)
    A = np.triu(rng.uniform(0.5, 2.0, structure.shape) * structure, 1)

    def fun(x):
        return float(np.sin(x) @ A @ np.cos(x) + np.exp(x).sum())

    def jac(x):
        return np.cos(x) * (A @ np.cos(x)) - np.sin(x) * (A.T @ np.sin(x)) + np.exp(x)

    return fun, jac


symmetric = st.integers(1, 8).flatmap(lambda n: stn.arrays(bool, (n, n))).map(lambda S: S | S.T | (np.eye(len(S)) > 0))


@given(symmetric, points, st.sampled_from(["forward", "central"]), st.sampled_from(["free", "some", "fixed"]))
def test_random_structures_give_the_dense_hessian(structure, points, method, bounds):
    x = points[: len(structure)]
    limits = BOUNDS[bounds](x)
    fun, jac = hessian_function(structure)
    options = {"method": method, "bounds": limits}
    found = hessian(fun, x, sparsity=structure, full_output=True, **options)
    dense = hessian(fun, x, full_output=True, **options)
    assert np.array_equal(found.value.toarray()[structure], dense.value[structure], equal_nan=True)
    assert np.array_equal(found.flag.toarray()[structure], dense.flag[structure])
    found = hessian(None, x, jac=jac, sparsity=structure, full_output=True, **options)
    value, error, flags = (part.toarray() for part in (found.value, found.error, found.flag))
    assert np.array_equal(value, value.T, equal_nan=True)
    assert np.array_equal(error, error.T, equal_nan=True)
    tolerance = 1e-6 if method == "forward" or limits is not None else 1e-8
    dense = hessian(None, x, jac=jac, full_output=True, **options)
    assert np.allclose(value[structure], dense.value[structure], atol=tolerance, equal_nan=True)
    assert np.array_equal(flags[structure], dense.flag[structure])
    assert np.array_equal(np.isnan(error[structure]), np.isnan(value[structure]))


@given(symmetric, st.integers(0, 10**6), st.sampled_from(["forward", "central"]))
def test_hessians_with_jac_at_bounds_and_ends_of_domains(structure, seed, method):
    # Fixed variables, points next to 0, and a row that is not finite: no nan without a flag that tells why, and
    # otherwise what the dense Hessian has, or better.
    rng = np.random.default_rng(seed)
    n = len(structure)
    A = rng.normal(size=(n, n)) * structure
    A += A.T
    x = np.abs(rng.normal(size=n)) * 10.0 ** rng.integers(-8, 1, n)
    fixed = rng.random(n) < 0.2
    bounds = np.where(fixed, x, -9.0), np.where(fixed, x, 9.0)
    lost = rng.integers(0, 3 * n)

    def jac(x):  # of the sum of A_ij sqrt(x_i x_j) / 2
        g = np.array([A[i, structure[i]] @ np.sqrt(x[structure[i]]) for i in range(n)]) / (2 * np.sqrt(x))
        g[lost : lost + 1] = np.nan
        return g

    with np.errstate(all="ignore"):
        dense = hessian(None, x, jac=jac, method=method, bounds=bounds, full_output=True)
        found = hessian(None, x, jac=jac, method=method, bounds=bounds, sparsity=structure, full_output=True)
        exact = A / (4 * np.sqrt(np.outer(x, x)))
    value, flags = found.value.toarray(), found.flag.toarray()
    nan = np.isnan(value) & structure
    assert (flags[nan] & (Flag.fixed | Flag.nonfinite) != 0).all()
    assert not (nan & ~np.isnan(dense.value)).any()
    assert np.array_equal((flags & Flag.fixed != 0)[structure], (fixed | fixed[:, None])[structure])
    wrong, dense_wrong = (np.abs(part - exact) > limit * np.abs(exact) for part, limit in
                          ((value, 1e-2), (dense.value, 1e-3)))  # fmt: skip
    here = structure & ~np.eye(n, dtype=bool) & ~np.isnan(value) & ~np.isnan(dense.value)
    assert not (wrong & ~dense_wrong & here & (flags == 0)).any()


@pytest.mark.parametrize("lost", [0.0, np.nan])
def test_calls_and_flags_of_a_hessian_with_a_fixed_variable(counted, lost):
    # The row of a fixed variable is not differenced again, and its nan has the flag that says why, on both sides.
    x, S = np.array([0.3, 1.0, 1.5]), np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1]])
    jac = counted(lambda x: S @ np.sin(x) + [0.0, lost, 0.0])
    bounds = ([-9, 1.0, -9], [9, 1.0, 9])
    found = hessian(None, x, jac=jac, sparsity=S, bounds=bounds, full_output=True, check_sparsity=False)
    assert jac.nfev == found.nfev == 2 * 2 + 1
    assert found.flag.toarray().tolist() == [[0, 8, 0], [8, 8, 0], [0, 0, 0]]
    assert np.isnan(found.value.toarray()).tolist() == (found.flag.toarray() == 8).tolist()


@pytest.mark.parametrize("method", ["forward", "central"])
def test_of_two_mirrored_entries_the_good_one_is_taken(method):
    # Next to 0 a difference by x0[0] reaches beyond the end of its domain, or far within it; that by x0[1] does not.
    x = np.array([1.8e-8, 0.5])
    A = np.array([[1.0, 2.0], [2.0, 3.0]])
    with np.errstate(all="ignore"):
        found = hessian(
            None, x, jac=lambda x: A @ np.sqrt(x) / (2 * np.sqrt(x)), method=method, sparsity=A, full_output=True
        )
    exact = A[0, 1] / (4 * np.sqrt(x[0] * x[1]))
    assert found.value[0, 1] == pytest.approx(exact, rel=1e-6)
    assert found.value[0, 1] == found.value[1, 0]
    assert found.flag.toarray().tolist() == [[Flag.shrunk, 0], [0, 0]]
    assert found.error[0, 1] < 1e-6 * exact


def test_the_error_of_a_hessian_whose_jac_is_wrong():
    A = np.array([[2.0, 1.0], [3.0, 4.0]])
    found = hessian(None, np.ones(2), jac=lambda x: A @ x, sparsity=np.ones((2, 2)), full_output=True)
    assert found.value.toarray() == pytest.approx(0.5 * (A + A.T))
    assert found.error[0, 1] == found.error[1, 0] == pytest.approx(1.0)
    assert found.error[0, 0] < 1e-8


@given(symmetric, points, st.data())
def test_a_missing_entry_of_a_hessian_is_an_error(structure, points, data):
    x = points[: len(structure)]
    fun, jac = hessian_function(structure)
    i, j = data.draw(st.sampled_from(np.argwhere(structure).tolist()))
    less = structure.copy()
    less[i, j] = less[j, i] = False
    with pytest.raises(ValueError, match="`sparsity` misses an entry: component"):
        hessian(None, x, jac=jac, sparsity=less)
    what = r"fun has a mixed second derivative by" if i != j else "the second derivative by"
    with pytest.raises(ValueError, match=f"`sparsity` misses an entry: {what}"):
        hessian(fun, x, sparsity=less)


@given(st.integers(4, 10), st.integers(0, 1000), st.sampled_from(["forward", "central"]), st.booleans())
def test_missing_pairs_that_cancel_are_an_error(n, seed, method, four):
    rng = np.random.default_rng(seed)
    i, j, k, m = rng.choice(n, 4, replace=False)
    size, x = rng.choice([0.3, 1.0, 35.0]), rng.uniform(0.3, 0.9, n)

    def fun(x):
        return float((x[i] - four * x[m]) * size * (x[j] - x[k]) + x @ x)

    with pytest.raises(ValueError, match="`sparsity` misses an entry: fun has a mixed second derivative by"):
        hessian(fun, x, method=method, sparsity=np.eye(n))


@pytest.mark.parametrize("method", ["forward", "central"])
def test_coarse_rounding_is_no_missing_pair(method):
    # The second differences are multiples of 1e-13, which |f| does not tell; they are no smaller for shorter steps.
    S = tridiagonal(8).toarray()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A, x = np.triu(rng.normal(size=(8, 8)) * S), rng.normal(size=8) * 1e-2
        hessian(lambda x, A=A: float(np.sin(x) @ A @ np.cos(x)) + 1e3 - 1e3, x, method=method, sparsity=S)


def test_no_missing_pair_where_fun_is_not_finite():
    # x0[0] bends, which raises a doubt; in the closer look others move without it.
    x = np.array([0.0, 0.0, 1.0, 1.0])

    def fun(x):
        return np.nan if x[0] == 0 and x[2] != 1 and x[3] != 1 else float(x @ x + 1e4 * x[0] ** 4)

    assert hessian(fun, x, sparsity=np.eye(4)).toarray() == pytest.approx(2 * np.eye(4), abs=1e-2)


def test_a_small_missing_pair_among_many_large_ones():
    n = 150
    x, S = np.linspace(-1.0, 1.5, n), tridiagonal(n)
    for seed in range(4):
        i, j = np.random.default_rng(seed).choice(n, 2, replace=False)
        with pytest.raises(ValueError, match=rf"mixed second derivative by x0\[({i}|{j})\] and x0\[({i}|{j})\]"):
            hessian(lambda x, i=i, j=j: rosen(x) + x[i] * x[j], x, sparsity=S)


def test_calls_of_a_hessian(counted):
    n = 20
    x, S = np.linspace(0.5, 1.5, n), tridiagonal(n)
    for options, calls in (
        ({}, 2 * n + 1 + 2 * (n - 1) + 6),
        ({"check_sparsity": False}, 2 * n + 1 + 2 * (n - 1)),
        ({"method": "forward", "check_sparsity": False}, 2 * n + 1 + n - 1),
    ):
        fun = counted(rosen)
        found = hessian(fun, x, sparsity=S, full_output=True, **options)
        assert fun.nfev == found.nfev == calls
    for method, calls in (("forward", 5), ("central", 8)):
        jac = counted(rosen_der)
        found = hessian(None, x, jac=jac, method=method, sparsity=S)
        assert jac.nfev == calls
        assert np.allclose(found.toarray(), rosen_hess(x), rtol=1e-6, atol=1e-3 if method == "forward" else 1e-6)
    assert (np.abs(found.toarray() - rosen_hess(x)) < 1e-6).all()


def test_an_arrow_takes_two_groups(counted):
    n = 30
    S = np.eye(n)
    S[0] = S[:, 0] = 1
    jac = counted(lambda x: np.append(x[1:] @ x[1:] + x[0], 2 * x[0] * x[1:] + np.exp(x[1:])))
    x = np.linspace(-1.0, 1.0, n)
    found = hessian(None, x, jac=jac, sparsity=S, check_sparsity=False).toarray()
    assert jac.nfev == 4
    exact = np.diag(np.append(1.0, 2 * x[0] + np.exp(x[1:])))
    exact[0, 1:] = exact[1:, 0] = 2 * x[1:]
    assert np.allclose(found, exact, atol=1e-9)


def test_errors_of_a_hessian():
    fun = lambda x: x @ x  # noqa: E731
    for sparsity, options, message in (
        (np.ones((2, 3)), {}, r"the Hessian's shape, \(2, 2\)"),
        ([[1, 1], [0, 1]], {}, "symmetric"),
        ([[1, 1], [0, 1]], {"jac": lambda x: 2 * x}, "symmetric"),
        ((np.ones((2, 2)), [0, 0]), {"jac": lambda x: 2 * x}, "columns 0 and 1 are in group 0"),
        (np.eye(2), {"method": "richardson"}, "`method` must be one of"),
        (np.eye(2), {"noise": 0.1}, "`noise` cannot be given with `sparsity`"),
    ):
        with pytest.raises(ValueError, match=message):
            hessian(fun, np.ones(2), sparsity=sparsity, **options)
    with pytest.raises(TypeError, match="`jac` must be callable"):
        hessian(fun, np.ones(2), jac=True, sparsity=np.eye(2))


def test_scipy_agrees():
    x = np.linspace(0.0, 1.0, 9)
    assert np.allclose(jacobian(broyden, x, sparsity=tridiagonal(9)).toarray(), approx_fprime(x, broyden), atol=1e-6)


def test_callables_take_a_structure(counted):
    x, S = np.linspace(0.5, 1.5, 9), tridiagonal(9)
    fun = counted(broyden)
    J = jac(fun, method="forward", sparsity=(S, color_columns(S)), check_sparsity=False)
    assert np.array_equal(J(x).toarray(), jacobian(broyden, x, method="forward"))
    assert fun.nfev == 4
    H = hess(None, jac=rosen_der, sparsity=S)
    assert np.allclose(H(x).toarray(), rosen_hess(x))
    solved = least_squares(broyden, np.full(9, -1.0), jac=jac(broyden, sparsity=(S, color_columns(S))))
    assert solved.cost < 1e-16
    with pytest.raises(TypeError, match="unknown option `sparsity`"):
        grad(rosen, sparsity=S)
