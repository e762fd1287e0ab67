"""The quick way of the default gradient is the way of all options: same bits, same calls, same errors."""

from __future__ import annotations

import numpy as np
import pytest

import numdiff
from numdiff import _gradient

X = np.array([0.3, -1.7, 2.0, 1.25])


def rosen(x):
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def writes(x):
    value = rosen(x)
    x *= -1
    return value


FUNCTIONS = {
    "float": rosen,
    "float64": lambda x: np.sum(np.sin(x)),
    "int": lambda x: int(100 * x[0]),
    "list of one": lambda x: [rosen(x)],
    "0-d": lambda x: np.array(rosen(x)),
    "float32": lambda x: np.float32(np.sin(x).sum()),
    "float32 array": lambda x: np.sin(x).sum(keepdims=True).astype(np.float32),
    "float16": lambda x: np.float16(np.sin(x).sum()),
    "longdouble": lambda x: np.longdouble(rosen(x)),
    "writes": writes,
    "turns": lambda x: (rosen(x), x.__setitem__(slice(None), x[::-1].copy()))[0],
    "writes, nan on one side": lambda x: (rosen(x) if x[1] > -1.7 else np.nan, x.fill(7.0))[0],
    "nan on one side": lambda x: rosen(x) if x[1] > -1.7 else np.nan,
    "inf on one side": lambda x: rosen(x) if x[0] <= 0.3 else np.inf,
    "nan at x": lambda x: np.nan if x[0] == 0.3 else rosen(x),
    "nan": lambda x: np.nan,
    "overflow": lambda x: 1e308 * np.sign(x[2] - 2.0),
    "near the end": lambda x: np.log(x[0] - 0.3 + 1e-9) if x[0] > 0.3 - 1e-9 else np.nan,
}


def other_way(monkeypatch):
    monkeypatch.setattr("numdiff._derivatives.default_gradient", lambda fun, *rest: (None, fun))


@pytest.fixture
def both(monkeypatch):
    """The gradient by the quick way and by the other, and the points that fun saw."""

    def both(fun, x0, method, **options):
        found = []
        for _ in range(2):
            seen = []

            def recorded(x, *args, seen=seen):
                seen.append(x.tobytes())
                return fun(x, *args)

            found.append((numdiff.gradient(recorded, x0, method=method, **options), seen))
            other_way(monkeypatch)
        return found

    return both


@pytest.mark.parametrize("method", ["central", "forward"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_bits_and_calls(both, name, method):
    (quick, seen), (value, expected) = both(FUNCTIONS[name], X, method)
    assert quick.dtype == np.float64
    assert quick.tobytes() == value.tobytes()
    assert seen == expected


@pytest.mark.parametrize("method", ["central", "forward"])
@pytest.mark.parametrize(
    "x0", [np.array([1e-9, 1.0]), np.array([0.0]), np.array([-0.0, 3.0]), np.zeros(0), np.array([1e305, 1.0]),
           np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, np.linspace(-2, 2, 1500)],
    ids=["near 0", "0", "-0", "none", "huge", "2-D", "transposed", "long"],
)  # fmt: skip
def test_same_at_any_point(both, x0, method):
    (quick, seen), (value, expected) = both(lambda x, a: a * np.cos(x).sum(), x0, method, args=(2.0,))
    assert quick.shape == value.shape == x0.shape
    assert quick.tobytes() == value.tobytes()
    assert seen == expected


def test_the_end_of_a_domain():
    """A step to one side from 1e-9 leaves what log is near 0: not for the quick way."""
    found = numdiff.gradient(lambda x: np.log(x).sum(), np.array([1e-9, 1.0]), method="forward")
    np.testing.assert_allclose(found, [1e9, 1.0], rtol=0.01)


@pytest.mark.parametrize("method", ["central", "forward"])
def test_is_the_quick_way(method, monkeypatch):
    monkeypatch.setattr("numdiff._derivatives.differentiate", None)
    np.testing.assert_allclose(numdiff.gradient(lambda x: x.dot(x), X, method=method), 2 * X, rtol=1e-4)


@pytest.mark.parametrize("method", ["central", "forward"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(None, TypeError), (True, TypeError), (1j, TypeError), ("1", TypeError), ([1.0, 2.0], ValueError)],
)
@pytest.mark.parametrize("good", [0, 1, 3])
def test_same_errors(value, error, method, good, monkeypatch):
    """At once, and after some calls."""
    messages = []
    for _ in range(2):
        values = iter([1.0] * good)
        with pytest.raises(error) as caught:
            numdiff.gradient(lambda x, values=values: next(values, value), X, method=method)
        messages.append(str(caught.value))
        other_way(monkeypatch)
    assert messages[0] == messages[1]


def test_keeps_and_reads_in_any_order():
    """fun may keep x, and what it keeps stays; x0 is never written."""
    kept = []

    def fun(x):
        kept.append((x, x.copy()))
        return rosen(x)

    x0 = X.copy()
    numdiff.gradient(fun, x0)
    assert len(kept) == 2 * X.size
    assert all(a.tobytes() == b.tobytes() for a, b in kept)
    assert x0.tobytes() == X.tobytes()


def test_other_arguments_go_the_other_way():
    for x0, args, method, workers in (
        ([1.0], (), "central", None),
        (X, [], "central", None),
        (X, (), "3-point", None),
        (X, (), np.array("central"), None),
        (X, (), "central", 2),
    ):
        assert _gradient.default_gradient(rosen, x0, args, method, workers) == (None, rosen)
    with pytest.raises(ValueError, match="`method` must be one of"):
        numdiff.gradient(rosen, X, method=np.array(["central", "forward"]))
    with pytest.raises(TypeError, match="`fun` must be callable"):
        numdiff.gradient(3.0, X)
    with pytest.raises(TypeError, match="`args` must be a tuple"):
        numdiff.gradient(rosen, X, args=3)
