"""Colourings: known numbers of colours, validity, both backends, and never more than SciPy's groups."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from scipy import sparse
from scipy.optimize._numdiff import group_columns

import numdiff
from numdiff import approx_derivative, color_columns, jacobian

ORDERS = ("best", "natural", "largest-first", "smallest-last", "saturation")
KINDS = (0, 1)


def band(n, reach):
    return sparse.diags_array([1.0] * (2 * reach + 1), offsets=range(-reach, reach + 1), shape=(n, n)).tocsc()


def grid(k, l):
    across, down = band(l, 1), band(k, 1)
    return (sparse.kron(sparse.eye_array(k), across) + sparse.kron(down, sparse.eye_array(l))).tocsc()


def arrow(n):
    structure = np.eye(n)
    structure[0] = structure[:, 0] = 1
    return structure


def is_valid(structure, colors):
    """No two columns of a colour share a row."""
    dense = np.asarray(structure.todense() if sparse.issparse(structure) else structure) != 0
    return all(dense[:, colors == color].sum(axis=1).max(initial=0) <= 1 for color in np.unique(colors))


def is_star(structure, colors):
    """Each entry (i, j) is alone of its colour in row i, or (j, i) in row j."""
    alone = np.zeros(structure.shape, bool)
    for i, row in enumerate(structure):
        columns = np.flatnonzero(row)
        for j in columns:
            alone[i, j] = np.count_nonzero(colors[columns] == colors[j]) == 1
    return bool((alone | alone.T)[structure != 0].all())


@pytest.mark.parametrize("order", ORDERS)
def test_bands_take_as_many_colours_as_their_rows_have_entries(order):
    assert color_columns(band(40, 1), order=order).max() + 1 == 3
    assert color_columns(band(40, 3), order=order).max() + 1 == 7
    assert group_columns(band(40, 1)).max() + 1 == 5


@pytest.mark.parametrize(("k", "l"), [(10, 10), (7, 20), (2, 9), (30, 30)])
def test_five_point_grids(k, l):
    colors = color_columns(grid(k, l))
    assert is_valid(grid(k, l), colors)
    assert colors.max() + 1 == np.diff(grid(k, l).indptr).max()  # 5, the fewest that there can be
    assert color_columns(grid(k, l), symmetric=True).max() + 1 <= 6


def test_arrows():
    assert np.array_equal(color_columns(arrow(9)), np.arange(9))
    assert color_columns(arrow(9), symmetric=True).tolist() == [0] + 8 * [1]
    assert color_columns(arrow(9)[::-1, ::-1], symmetric=True).max() + 1 == 2


def test_a_hessian_of_a_path_needs_three():
    assert is_star(band(12, 1).toarray(), color_columns(band(12, 1), symmetric=True))
    assert color_columns(band(12, 1), symmetric=True).max() + 1 == 3


def test_never_more_than_scipys():
    rng = np.random.default_rng(0)
    shapes = [(30, 20, 0.1), (100, 100, 0.1), (80, 300, 0.02), (300, 80, 0.02), (500, 500, 0.01), (40, 40, 0.5)]
    structures = [sparse.random_array((m, n), density=d, rng=rng).tocsc() for m, n, d in shapes for _ in range(5)]
    shuffled = grid(12, 12)[rng.permutation(144)][:, rng.permutation(144)]
    fewer = 0
    for structure in (*structures, shuffled, band(50, 2)):
        own, scipys = color_columns(structure), group_columns(structure)
        assert is_valid(structure, own)
        assert own.max() <= scipys.max()
        fewer += own.max() < scipys.max()
    assert fewer > 20


@given(stn.arrays(bool, st.tuples(st.integers(0, 9), st.integers(0, 9))), st.sampled_from(ORDERS))
def test_any_structure(structure, order):
    colors = color_columns(structure, order=order)
    assert colors.shape == (structure.shape[1],)
    assert is_valid(structure, colors)
    assert set(colors) == set(range(colors.max(initial=-1) + 1))
    for kind in (sparse.csr_array, sparse.csc_array, sparse.coo_array):
        assert np.array_equal(color_columns(kind(structure), order=order), colors)


@given(st.integers(0, 9).flatmap(lambda n: stn.arrays(bool, (n, n))), st.sampled_from(ORDERS))
def test_any_star(structure, order):
    symmetric = structure | structure.T
    assert is_star(symmetric, color_columns(symmetric, order=order, symmetric=True))


@given(st.integers(1, 9).flatmap(lambda n: stn.arrays(bool, (n, n))), st.sampled_from(KINDS), st.randoms())
def test_both_backends_give_the_same_integers(structure, kind, random):
    c, python = (importlib.import_module(f"numdiff._kernels_{name}") for name in ("c", "py"))
    structure |= np.eye(len(structure), dtype=bool)
    n = len(structure)
    by_columns, by_rows = sparse.csc_array(structure), sparse.csr_array(structure)
    lists = [a.astype(np.intp) for s in (by_columns, by_rows) for a in (s.indptr, s.indices)]
    star = sparse.csr_array(structure | structure.T)
    star_lists = [a.astype(np.intp) for a in (star.indptr, star.indices)]
    order = np.array(random.sample(range(n), n))
    results = []
    for kernels in (c, python):
        out = [np.empty(n, np.intp) for _ in range(4)]
        kernels.order_columns(*lists, kind, out[0])
        counts = [kernels.color_columns(*lists, order, saturated, out[1 + saturated]) for saturated in (False, True)]
        counts.append(kernels.color_star(*star_lists, order, out[3]))
        assert sorted(out[0]) == list(range(n))
        assert counts == [colors.max() + 1 for colors in out[1:]]
        results.append(np.array(out))
    assert np.array_equal(*results)


def test_orders_by_hand():
    # a path 0 - 1 - 2 - 3 of columns that share rows, and 4 alone
    kernels = importlib.import_module("numdiff._kernels_py")
    edges = sparse.csc_array(np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]))
    lists = [a.astype(np.intp) for s in (edges, edges.tocsr()) for a in (s.indptr, s.indices)]
    out = np.empty(5, np.intp)
    kernels.order_columns(*lists, kernels.LARGEST_FIRST, out)
    assert out.tolist() == [1, 2, 0, 3, 4]
    kernels.order_columns(*lists, kernels.SMALLEST_LAST, out)
    assert out[-1] == 4
    assert out[-2] == 0


def test_more_than_64_colours():
    # the saturation counts the first 64 only
    dense = np.ones((1, 80), bool)
    dense = np.vstack([dense, np.eye(80, dtype=bool)])
    wide = np.block([[dense, np.zeros((81, 1), bool)], [np.zeros((1, 80), bool), np.ones((1, 1), bool)]])
    for order in ORDERS:
        assert color_columns(wide, order=order).max() + 1 == 80


def test_what_is_not_there_takes_the_first_colour():
    assert color_columns(np.zeros((3, 4))).tolist() == [0, 0, 0, 0]
    assert color_columns([[0, 1, 1], [0, 0, 0]]).tolist() == [0, 0, 1]
    assert color_columns(np.zeros((0, 2))).tolist() == [0, 0]
    assert color_columns(np.zeros((2, 0))).tolist() == []
    twice = sparse.coo_array(([1, 1, 0], ([0, 0, 0], [1, 1, 0])), shape=(1, 3))  # a duplicate and an explicit zero
    assert color_columns(twice).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("S", "options", "error", "message"),
    [
        (np.ones(3), {}, ValueError, "`S` must be a matrix; it has 1 dimensions"),
        ([["a"]], {}, TypeError, "`S` must be a sparse or dense matrix"),
        (np.eye(2), {"order": "random"}, ValueError, "`order` must be one of 'best', .*; it is 'random'"),
        ([[1, 1], [0, 1]], {"symmetric": True}, ValueError, "`S` must be symmetric"),
        (np.ones((2, 3)), {"symmetric": True}, ValueError, r"`S` must be symmetric .* \(2, 3\)"),
    ],
)
def test_errors(S, options, error, message):
    with pytest.raises(error, match=message):
        color_columns(S, **options)


def test_the_door_does_not_follow_a_damaged_structure():
    c = pytest.importorskip("numdiff._kernels_c")
    good = [np.array([0, 1, 2]), np.array([0, 1]), np.array([0, 1, 2]), np.array([0, 1])]
    colors = np.empty(2, np.intp)
    for k, bad in ((0, [0, 3, 2]), (1, [0, 5]), (2, [0, 1, 9]), (3, [0, -1])):
        arrays = [np.array(bad) if l == k else array for l, array in enumerate(good)]
        with pytest.raises(ValueError, match="not a structure"):
            c.color_columns(*arrays, None, False, colors)
    with pytest.raises(ValueError, match="no permutation"):
        c.color_columns(*good, np.array([0, 2]), False, colors)


@pytest.mark.parametrize("far", [7, -1, 99_999_999])
@pytest.mark.parametrize(
    ("kind", "damage"),
    [(kind, lambda S, far: S.indices.__setitem__(1, far)) for kind in (sparse.csr_array, sparse.csc_matrix)]
    + [(kind, lambda S, far: S.indptr.__setitem__(1, far)) for kind in (sparse.csr_array, sparse.csc_array)]
    + [(kind, lambda S, far: S.indptr.__setitem__(0, far)) for kind in (sparse.csr_array, sparse.bsr_array)]
    + [(sparse.csr_array, lambda S, far: setattr(S, "data", S.data[:2]))]
    + [(kind, lambda S, far, k=k: (S.row, S.col)[k].__setitem__(1, far))
       for kind in (sparse.coo_array, sparse.coo_matrix) for k in (0, 1)]
    + [(sparse.bsr_array, lambda S, far: S.indices.__setitem__(1, far))]
    + [(sparse.lil_array, lambda S, far: S.rows[1].__setitem__(0, far))],
)  # fmt: skip
def test_a_damaged_sparse_array_is_an_error(kind, damage, far):
    # SciPy would follow the indices out of its arrays.
    S = kind(np.eye(4))
    damage(S, far)
    for name, call in (
        ("S", lambda: color_columns(S)),
        ("A", lambda: numdiff.group_columns(S)),
        ("sparsity", lambda: jacobian(np.sin, np.ones(4), sparsity=S)),
        ("sparsity", lambda: approx_derivative(np.sin, np.ones(4), sparsity=(S, np.arange(4)))),
    ):
        with pytest.raises(ValueError, match=f"`{name}` is a damaged sparse array"):
            call()


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
def test_room_to_spare_is_no_damage(kind):
    S = kind(np.eye(3) + np.eye(3, k=1))
    S.indices, S.data = (np.append(array, array[:2]) for array in (S.indices, S.data))
    found = jacobian(lambda x: x**2 + np.append(x[1:], 0.0), np.ones(3), sparsity=S)
    assert found.toarray() == pytest.approx(2 * np.eye(3) + np.eye(3, k=1))
    assert color_columns(S).tolist() == [0, 1, 0]
    assert S.data.size == 7


@pytest.mark.parametrize("kind", [sparse.coo_array, sparse.coo_matrix, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("data", [np.array([128, 128, 1], np.uint8), np.array([1.0, -1.0, 1.0]), np.ones(3, bool)])
def test_what_is_stored_twice_is_an_entry_whatever_its_sum(kind, data):
    if kind in (sparse.coo_array, sparse.coo_matrix):
        S = kind((data, ([0, 0, 1], [0, 0, 0])), shape=(2, 2))
    else:
        S = kind((data, [0, 0, 0] if kind is sparse.csr_array else [0, 0, 1], [0, 2, 3] if kind is sparse.csr_array
                  else [0, 3, 3]), shape=(2, 2))  # fmt: skip
    fun = lambda x: x[0] ** np.array([2.0, 3.0])  # noqa: E731
    for derivative in (jacobian, approx_derivative):
        found = derivative(fun, np.ones(2), sparsity=S)
        assert found.nnz == 2
        assert found.toarray() == pytest.approx(np.array([[2, 0], [3, 0]]), abs=1e-6)
    assert S.nnz == 3


def test_dense_structures_need_no_scipy():
    code = (
        "import sys; sys.modules['scipy'] = None; import numpy as np, numdiff; "
        "print(numdiff.color_columns(np.eye(3), order='natural').tolist())\n"
        "try: numdiff.jacobian(lambda x: x, np.ones(2), sparsity=np.eye(2))\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[0, 0, 0]\na sparse Jacobian needs SciPy")
