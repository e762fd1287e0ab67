"""What forward differences say of derivatives: the kernel of both backends, by its rule and bit for bit."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdiff import _forward
from numdiff._difference import Run
from numdiff._kernels_py import BENT, DOUBTFUL, FINEST, SHORT

EPS = 2.0**-52
MODULES = {"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}


@pytest.fixture
def settle(backend):
    kernel = importlib.import_module(MODULES[backend]).settle

    def settle(a, rows, h=None, part=None, f0=1.0, values=None, back=None, eps=EPS, rtol=1e-6):
        """The bits, the doubtful ones and the size; by default all is right, on lines through pi at steps of 1e-3."""
        rows = np.array(rows)
        count, m = rows.shape
        h = np.full(count, 1e-3) if h is None else np.array(h)
        part = 0.75 * h if part is None else np.array(part)
        f0 = np.full(m, np.pi) * f0
        values = f0 + h[:, None] * rows if values is None else np.array(values)
        back = f0 - part @ rows if back is None else np.array(back)
        f0, back = (float(v[0]) if m == 1 else v for v in (f0, back))
        doubtful = np.ones(count, bool)
        said, size = kernel(m, np.array(a), rows, h, part, f0, values.reshape(count, 1, m), back, eps, rtol, doubtful)
        return said, doubtful.tolist(), size

    return settle


def test_all_is_settled(settle):
    assert settle([[2.0], [3.0]], [[2.0], [3.0]]) == (0, [False, False], np.pi + 3e-3)
    assert settle([[2.0, 3.0, 4.0]], [[2.0, 3.0, 4.0]]) == (0, [False], np.pi + 4e-3)


@pytest.mark.parametrize(("error", "doubtful"), [(0.9e-6, False), (-0.9e-6, False), (1.1e-6, True), (-1.1e-6, True)])
def test_how_far_apart(settle, error, doubtful):
    """rtol of the difference, 4 eps of the largest value over the step being 3e-12."""
    said, marks, _ = settle([[2.0], [3.0 * (1 + error)]], [[2.0], [3.0]])
    assert marks == [False, doubtful]
    assert said == (DOUBTFUL if doubtful else 0)


def test_the_bar_counts(settle):
    """bar = 4 eps size / h is 0.9e-6 at 1e-9: with rtol 1e-6 it may be as long as 4e-6 of a difference of 1."""
    size = 1.0 / EPS * 1e-16  # 4 eps size = 4e-16
    values, back = [[size], [-size / 2]], [size / 2]
    one = {"h": [1e-9, 1e-9], "f0": size / 2 / np.pi, "values": values, "back": back}
    assert settle([[1.0 + 1.3e-6], [1.0 + 1.5e-6]], [[1.0], [1.0]], **one)[1] == [False, True]
    assert settle([[0.11], [0.09]], [[0.11], [0.09]], **one)[1] == [False, True]  # 4e-7 of it
    assert settle([[0.11], [0.09]], [[0.11], [0.09]], rtol=1e-9, **one)[1] == [True, True]
    assert settle([[1.1], [0.9]], [[1.1], [0.9]], rtol=1e-9, **one)[1] == [False, True]  # no finer than FINEST
    assert FINEST == 1e-7


def test_one_value_of_many(settle):
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert settle([[1.0, 2.0], [3.0, 4.1]], rows)[:2] == (DOUBTFUL, [False, True])
    assert settle([[1.1, 2.0], [3.0, 4.0]], rows)[:2] == (DOUBTFUL, [True, False])


@pytest.mark.parametrize("a", [np.nan, np.inf, -np.inf])
def test_not_finite(settle, a):
    assert settle([[2.0], [a]], [[2.0], [3.0]])[:2] == (DOUBTFUL, [False, True])


def test_a_kink(settle):
    """|x|, at 0: the other side has another slope. 1e-6 of the change is let pass, of many components 1e-7 each."""
    assert settle([[1.0]], [[1.0]], back=[np.pi + 0.75e-3])[0] == BENT
    for count, share in ((1, 1e-6), (10, 1e-6), (40, 4e-6)):
        change = 0.75e-3 * count
        for factor, expected in ((0.9, 0), (1.1, BENT)):
            back = [np.pi - change * (1 + factor * share)]
            assert settle([[1.0]] * count, [[1.0]] * count, back=back)[0] == expected
    assert settle([[1.0]], [[1.0]], back=[np.nan])[0] == BENT
    rows = [[1.0, 1.0]]
    for r in range(2):
        back = np.full(2, np.pi - 0.75e-3)
        back[r] += 1e-8
        assert settle(rows, rows, back=back)[0] == BENT


def test_rounding_is_no_kink(settle):
    """8 eps size sqrt(n) beside a change that is small."""
    for factor, expected in ((0.9, 0), (1.1, BENT)):
        size = 1.0 + 1e-12  # of the values
        back = [1.0 + factor * 8 * EPS * 2 * size]
        said = settle([[0.0]] * 4, [[0.0]] * 4, f0=1 / np.pi, values=[[1.0]] * 3 + [[size]], back=back)[0]
        assert said & BENT == expected


def test_values_of_float32(settle):
    def said(f0, *values, back=None):
        return settle([[0.0]] * len(values), [[0.0]] * len(values), f0=f0 / np.pi, values=[[v] for v in values])[0]

    assert said(1.5, 1.25, 1.5) & SHORT
    assert not said(1.5, 1.5, 1.5) & SHORT  # nothing changed
    assert not said(1.5, 1.25, 0.1) & SHORT
    assert not said(0.1, 1.25, 1.5) & SHORT
    assert not said(1.5, 2.0**200, 1.5) & SHORT
    assert said(2.0**127, 2.0**-149) & SHORT
    assert not said(1.5, 2.0**-150) & SHORT


def test_size(settle):
    assert settle([[0.0]], [[0.0]], f0=-1.0, values=[[2.0]])[2] == np.pi
    assert settle([[0.0]], [[0.0]], f0=1.0, values=[[-4.0]])[2] == 4.0


def test_nothing_to_settle(settle):
    assert settle(np.zeros((0, 1)), np.zeros((0, 1)), back=[np.pi]) == (0, [], np.pi)
    assert settle(np.zeros((0, 1)), np.zeros((0, 1)), back=[3.0]) == (BENT, [], np.pi)


def kernels():
    return [pytest.importorskip(module).settle for module in MODULES.values()]


numbers = st.one_of(st.floats(-1e3, 1e3), st.floats(), st.sampled_from([0.0, -0.0, 1.0, 1e308, 5e-324, np.nan, np.inf]))


@given(st.data(), st.integers(0, 6), st.integers(1, 3))
def test_same_bits(data, count, m):
    def draw(size, of=numbers):
        return np.array(data.draw(st.lists(of, min_size=size, max_size=size)), np.float64)

    h, part = (draw(count, st.floats(1e-300, 1e300)) for _ in range(2))
    rows, f0, back = draw(count * m).reshape(count, m), draw(m), draw(m)
    with np.errstate(all="ignore"):
        a = np.where(draw(count * m).reshape(count, m) > 0, rows, rows * (1 + 1e-7))
    values = draw(count * m)
    f0, back = (float(v[0]) if m == 1 else v for v in (f0, back))
    eps, rtol = data.draw(st.sampled_from([EPS, 2.0**-23])), data.draw(st.sampled_from([1e-6, 1e-9, 0.1, 0.0]))
    found = []
    for kernel in kernels():
        doubtful = np.ones(count, bool)
        said, size = kernel(m, a, rows, h, part, f0, values.reshape(count, 1, m), back, eps, rtol, doubtful)
        found.append((said, np.float64(size).tobytes(), doubtful.tolist()))
    assert found[0] == found[1]


@given(st.integers(1, 30), st.integers(0, 2**32))
def test_same_sums(count, seed):
    """Sums of many terms, at the limit: the order of the terms decides."""
    rng = np.random.default_rng(seed)
    rows, h = rng.normal(size=(count, 1)), np.full(count, 1e-3)
    part = h * rng.uniform(0.5, 1.0, count)
    change, reach = (float(part @ terms) for terms in (rows[:, 0], abs(rows[:, 0])))
    limit = max(1e-6, 1e-7 * count) * reach - change
    arrays = (rows, rows, h, part, 0.0, np.zeros((count, 1, 1)))
    backs = [limit + j * np.spacing(reach) for j in range(-20, 21)]
    c, python = ([settle(1, *arrays, b, EPS, 1e-6, np.ones(count, bool))[0] for b in backs] for settle in kernels())
    assert c == python
    assert (c[0], c[-1]) == (0, BENT)


def test_the_steps_need_no_scale():
    """Where no x is 0, the kernel's steps are those by scale_of."""
    x = np.array([1e-300, -5e-324, 1e-280, 0.3, -7.0, 1e20, 1e299])
    found = []
    for scale in (None, _forward.scale_of(x)):
        run = Run(lambda x: float(np.sum(x / 1e300)), (), x, False, None)
        run.need_f0()
        found.append(_forward.forward(run, np.full((7, 1), 1e-300), None, x, scale, 1e-6))
    assert found[0].h.tobytes() == found[1].h.tobytes()
    assert found[0].rows.tobytes() == found[1].rows.tobytes()
    assert found[0].bars(run).tobytes() == found[1].bars(run).tobytes()


def test_arrays_of_wrong_sizes():
    kernels = pytest.importorskip("numdiff._kernels_c")
    good = [np.ones((2, 3)), np.ones((2, 3)), np.ones(2), np.ones(2), np.ones(3), np.ones((2, 1, 3)), np.ones(3)]
    kernels.settle(3, *good, EPS, 1e-6, np.ones(2, bool))
    for k, array in enumerate(good):
        wrong = [*good[:k], np.ones(array.size + 1), *good[k + 1 :]]
        with pytest.raises(ValueError, match="size"):
            kernels.settle(3, *wrong, EPS, 1e-6, np.ones(2, bool))
    with pytest.raises(ValueError, match="size"):
        kernels.settle(3, *good, EPS, 1e-6, np.ones(3, bool))
