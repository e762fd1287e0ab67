"""The point that fun sees: never x0 itself, safe to keep, and looked at for writes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from numdiff._kernels_py import WRITTEN
from numdiff._stencils import CENTRAL

sys.path.append(str(Path(__file__).parent))
from test_difference import kernels_of, run


@pytest.fixture
def kernels(backend):
    return kernels_of(backend)


def test_x0_is_never_touched_and_fun_sees_the_right_points(kernels, counted):
    x0 = np.array([1.0, -0.0, 3.0])
    before = x0.tobytes()
    f = counted(lambda x: 0.0)
    run(kernels, f, x0, 0.5, CENTRAL)
    assert x0.tobytes() == before
    expected = [x0 + s * 0.5 * e for e in np.eye(3) for s in (-1, 1)]
    assert np.array_equal(f.seen, expected)


def test_kept_arrays_keep_their_values(kernels):
    kept = []
    x0 = np.arange(200.0)

    def fun(x):
        kept.append(x if len(kept) % 2 else x[:])  # the array, or a view of it
        return float(x.sum())

    df, status, nfev = run(kernels, fun, x0, 0.5, CENTRAL)
    assert (status, nfev) == (0, 400)
    assert np.allclose(df, 1.0, atol=1e-11)
    for k, x in enumerate(kept):
        expected = x0.copy()
        expected[k // 2] += 0.5 if k % 2 else -0.5
        assert np.array_equal(x, expected)


def test_kept_by_a_method_that_stores_its_tuple(kernels):
    # an exception keeps the very tuple it was called with: its array is kept with it
    kept = []

    def value(error):
        kept.append(error)
        return float(error.args[0][0])

    _, status, _ = run(kernels, ValueError, [1.0, 2.0], 0.5, CENTRAL, values=value)
    assert status == 0
    assert [error.args[0].tolist() for error in kept] == [[0.5, 2.0], [1.5, 2.0], [1.0, 1.5], [1.0, 2.5]]


def test_no_array_is_shared_with_what_was_kept_earlier(kernels):
    seen = []

    def fun(x):
        seen.append(id(x))
        return 0.0

    run(kernels, fun, np.zeros(50), 0.5, CENTRAL)
    assert len(set(seen)) == 1  # and without need none is copied


WRITERS = {
    "zeroes": lambda x, k: x.fill(0),
    "negates": lambda x, k: np.negative(x, out=x),
    "reverses": lambda x, k: x.__setitem__(slice(None), x[::-1].copy()),
    "toggles one": lambda x, k: x.__setitem__(-1, -x[-1]),
    "centres": lambda x, k: np.subtract(x, x.mean(), out=x),
}


@pytest.mark.parametrize("n", [2, 64, 65, 300])
@pytest.mark.parametrize("writer", WRITERS)
def test_systematic_writes_are_seen_at_the_first_call(kernels, writer, n):
    x0 = np.arange(1.0, n + 1)
    write = WRITERS[writer]

    def fun(x):
        write(x, 0)
        return 1.0

    _, status, nfev = run(kernels, fun, x0, 0.5, CENTRAL)
    assert (status, nfev) == (WRITTEN, 1)


@pytest.mark.parametrize("n", [3, 65, 200])
def test_one_write_at_any_call_to_any_place_is_seen(kernels, n):
    x0 = np.arange(1.0, n + 1)
    for k in range(0, 2 * n, max(1, n // 10)):
        for place in range(0, n, max(1, n // 10)):
            calls = iter(range(10**6))

            def fun(x, calls=calls, k=k, place=place):
                if next(calls) == k:
                    x[place] = 99.5
                return 1.0

            _, status, _ = run(kernels, fun, x0, 0.5, CENTRAL)
            assert status == WRITTEN, (k, place)


def test_a_write_in_the_last_call_is_seen_by_the_last_look(kernels):
    n = 200
    for place in (0, 70, 130, n - 2):  # behind the coordinates that are moved, one in each block
        calls = iter(range(10**6))

        def fun(x, calls=calls, place=place):
            if next(calls) == 2 * n - 1:
                x[place] = 99.5
            return 1.0

        _, status, nfev = run(kernels, fun, np.arange(1.0, n + 1), 0.5, CENTRAL)
        assert (status, nfev) == (WRITTEN, 2 * n)


def test_a_write_that_is_undone_much_later_is_seen_by_the_block_in_turn(kernels):
    n = 300  # five blocks
    calls = iter(range(10**6))

    def fun(x):
        call = next(calls)
        if call in (10, 100):
            x[250] = 251.0 if call == 100 else 99.5
        return 1.0

    _, status, nfev = run(kernels, fun, np.arange(1.0, n + 1), 0.5, CENTRAL)
    assert status == WRITTEN
    assert 11 <= nfev <= 11 + 5
