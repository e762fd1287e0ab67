"""The elementwise kernels: the bits and remarks of both backends; that derivative runs them."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import numdiff._elementwise
from numdiff import _kernels_py

SPECIALS = st.sampled_from([0.0, -0.0, np.nan, np.inf, 1e300, 1e-300])
NUMBERS = st.floats(-1e6, 1e6) | st.floats(-1e-4, 1e-4) | SPECIALS


@given(
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=40),
    repeats=st.integers(1, 60),
    relative=st.sampled_from([6e-6, 1.5e-8, 0.005]),
    x_scale=st.sampled_from([1.0, 1e-8, 1e5]),
    offsets=st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-1.0, 0.0)]),
    aliased=st.integers(0, 2),
)
def test_both_backends_give_the_same_bits_and_remarks(rows, repeats, relative, x_scale, offsets, aliased):
    x, left, right = np.repeat(np.array(rows), repeats, axis=0).T.copy()
    answers = []
    for name in ("numdiff._kernels_c", "numdiff._kernels_py"):
        kernels = importlib.import_module(name)
        arrays = [left.copy(), right.copy(), np.empty_like(x)]
        moved = np.empty_like(x)
        said = kernels.move(x, relative, x_scale, offsets[0] or 1.0, moved)
        stencil = (offsets, (-1.0, 1.0), 1.0)
        remarks = kernels.quotient(x, relative, x_scale, stencil, 40.0, arrays[0], arrays[1], arrays[aliased])
        answers.append((said, remarks, moved, arrays[aliased]))
    (said, remarks, moved, out), (said2, remarks2, moved2, out2) = answers
    assert said == said2
    if not said:  # else the steps are none, and fun is not called
        assert remarks == remarks2
        assert np.array_equal(moved, moved2, equal_nan=True)
        assert np.array_equal(out, out2, equal_nan=True)
        assert np.array_equal(np.signbit(out[out == 0]), np.signbit(out2[out2 == 0]))


def test_the_surface_of_the_backends_is_equal():
    door = importlib.import_module("numdiff._kernels_c")
    for name in ("move", "quotient"):
        twin = inspect.signature(getattr(_kernels_py, name))
        assert list(twin.parameters) == list(inspect.signature(getattr(door, name)).parameters)


def test_the_kernels_of_the_backend_are_those_that_run(backend):
    assert numdiff._elementwise.kernels.__name__.endswith(f"_kernels_{'c' if backend == 'c' else 'py'}")
