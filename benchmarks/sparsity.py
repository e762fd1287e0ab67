"""Structures, and a function with a tridiagonal Jacobian, for report.py; what the results there must be."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize._numdiff import approx_derivative, group_columns

__all__ = ["approx_derivative", "broyden", "check", "group_columns", "structures", "tridiagonal"]


def tridiagonal(n):
    return sparse.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(n, n)).tocsc()


def grid(side):
    """The five-point Laplacian of side x side points."""
    return (
        sparse.kron(sparse.eye_array(side), tridiagonal(side)) + sparse.kron(tridiagonal(side), sparse.eye_array(side))
    ).tocsc()


def structures():
    """By name: what the colours of color_columns and of group_columns are counted on."""
    rng = np.random.default_rng(0)
    arrow = sparse.lil_array((300, 300))
    arrow[0], arrow[:, 0] = 1, 1
    arrow.setdiag(1)
    shuffled = rng.permutation(900)
    found = {
        "tridiagonal": tridiagonal(1000),
        "band of 7": sparse.diags_array([1.0] * 7, offsets=range(-3, 4), shape=(1000, 1000)).tocsc(),
        "arrow": arrow.tocsc(),
        "five-point grid": grid(30),
        "five-point grid, shuffled": grid(30)[shuffled][:, shuffled],
        "seven-point grid": (
            sparse.kron(grid(10), sparse.eye_array(10)) + sparse.kron(sparse.eye_array(100), tridiagonal(10))
        ).tocsc(),
    }
    for m, n, density in ((200, 200, 0.02), (100, 100, 0.1), (2000, 1000, 0.002), (100, 1000, 0.02)):
        found[f"random, {m} rows, {density:g} full"] = sparse.random_array((m, n), density=density, rng=rng).tocsc()
    return found


def broyden(x):
    """Broyden's tridiagonal function."""
    y = (3 - 2 * x) * x + 1
    y[1:] -= x[:-1]
    y[:-1] -= 2 * x[1:]
    return y


def check(jacobian, x):
    n = x.size
    assert jacobian.nnz == 3 * n - 2
    exact = sparse.diags_array([np.full(n - 1, -1.0), 3 - 4 * x, np.full(n - 1, -2.0)], offsets=[-1, 0, 1])
    assert abs(jacobian - exact).max() < 1e-6
