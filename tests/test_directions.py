"""Large gradients: random directions, and the search that names the wrong components."""

import numpy as np
import pytest

from numdiff import gradcheck

N = 30_730
FEATURES = 3073


def softmax():
    """Cross-entropy of 10 classes on 3073 features with an L2 term (EXAMPLES.md E5)."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (FEATURES, 8))
    one_hot = np.eye(10)[:, rng.integers(0, 10, 8)]

    def probabilities(w):
        scores = w.reshape(10, FEATURES) @ images
        exp = np.exp(scores - scores.max(axis=0))
        return exp / exp.sum(axis=0)

    def fun(w):
        return float(-np.log((probabilities(w) * one_hot).sum(axis=0)).mean() + 0.005 * (w @ w))

    def grad(w):
        return ((probabilities(w) - one_hot) @ images.T / 8).reshape(-1) + 0.01 * w

    return fun, grad, 0.01 * rng.standard_normal(N)


FUN, GRAD, W = softmax()


def with_wrong(places, factor):
    def jac(w):
        g = GRAD(w)
        g[places] *= factor
        return g

    return jac


def test_right(counted):
    fun = counted(FUN)
    report = gradcheck(fun, GRAD, W)
    assert report.verdict == "agree"
    assert report.mode == "directional"
    assert report.nfev == fun.nfev <= 60
    assert len(report.rows) == 3


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.0, 1.01])
@pytest.mark.parametrize("place", [0, 12_345, N - 1])
def test_one_wrong_in_200_calls(place, factor, counted):
    fun = counted(FUN)
    report = gradcheck(fun, with_wrong(place, factor), W)
    assert (report.verdict, report.wrong) == ("disagree", [place])
    assert report.nfev == fun.nfev <= 200


@pytest.mark.parametrize("seed", range(3))
def test_five_wrong_in_800_calls(seed):
    places = np.sort(np.random.default_rng(seed).choice(N, 5, replace=False))
    report = gradcheck(FUN, with_wrong(places, [-1.0, 2.0, 0.0, 1.5, 1.05]), W)
    assert report.verdict == "disagree"
    assert report.wrong == places.tolist()
    assert report.nfev <= 800


def test_all_of_them_wrong():
    report = gradcheck(FUN, lambda w: -GRAD(w), W)
    assert (report.verdict, report.kind) == ("disagree", "sign")
    assert any("a sample" in note for note in report.notes)
    assert report.nfev <= 800


def test_seeded():
    one, two, other = (str(gradcheck(FUN, GRAD, W, rng=seed)) for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_directional_only_names_nothing(counted):
    fun = counted(FUN)
    report = gradcheck(fun, with_wrong(7, 1.5), W, mode="directional", directions=2)
    assert (report.verdict, report.wrong) == ("disagree", [])
    assert len(report.rows) == 2
    assert report.nfev == fun.nfev <= 60


def test_given_directions():
    x = np.arange(1.0, 6.0)
    assert gradcheck(lambda x: np.sin(x).sum(), np.cos, x, directions=np.eye(5)[:2]).verdict == "agree"
    along = gradcheck(
        lambda x: np.sin(x).sum(), lambda x: np.cos(x) * [1, 1, 2, 1, 1], x, mode="directional", directions=np.eye(5)[2]
    )
    assert along.verdict == "disagree"


def test_small_block_is_not_drowned():
    rng = np.random.default_rng(1)
    point = {"w": rng.uniform(0, 1, (100, 40)), "b": rng.uniform(1, 2, 300)}

    def fun(p):
        return np.sum(np.sin(p["w"])) + 1e-6 * np.sum(p["b"] ** 2)

    def jac(p, factor=1.0):
        b = 2e-6 * p["b"]
        b[123] *= factor
        return {"w": np.cos(p["w"]), "b": b}

    assert gradcheck(fun, jac, point).verdict == "agree"
    report = gradcheck(fun, lambda p: jac(p, 1.01), point)
    assert report.wrong == ["b[123]"]


def test_small_components_are_not_drowned():
    """Gradients over four decades in one array."""
    rng = np.random.default_rng(2)
    size = 10 ** rng.uniform(-2, 2, 2000)
    small = int(np.argsort(size)[400])

    def jac(x, factor=1.0):
        g = size * np.cos(x)
        g[small] *= factor
        return g

    x = rng.uniform(0, 1, 2000)
    assert gradcheck(lambda x: (size * np.sin(x)).sum(), jac, x).verdict == "agree"
    assert gradcheck(lambda x: (size * np.sin(x)).sum(), lambda x: jac(x, 1.01), x).wrong == [small]


def test_vector_function():
    m = np.random.default_rng(3).normal(size=(30, 400))

    def jac(x):
        return np.cos(m @ x)[:, None] * m

    def wrong(x):
        j = jac(x)
        j[7, 333] *= 1.05
        return j

    x = np.random.default_rng(4).normal(size=400)
    assert gradcheck(lambda x: np.sin(m @ x), jac, x).verdict == "agree"
    assert gradcheck(lambda x: np.sin(m @ x), wrong, x).wrong == [(7, 333)]


def test_within_bounds():
    x = np.random.default_rng(5).uniform(0, 1, 500)
    x[::7], x[::11] = 0.0, 1.0

    def fun(x):
        assert (x >= 0).all()
        assert (x <= 1).all()
        return ((x + 1) ** 3).sum()

    def jac(x):
        return 3 * (x + 1) ** 2

    assert gradcheck(fun, jac, x, bounds=(0, 1)).verdict == "agree"
    assert gradcheck(fun, lambda x: jac(x) * (1 + 0.1 * (np.arange(500) == 77)), x, bounds=(0, 1)).wrong == [77]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_that_is_not_finite(value):
    x = np.random.default_rng(6).normal(size=1000)

    def jac(x):
        g = np.cos(x)
        g[5] = value
        return g

    assert gradcheck(lambda x: np.sin(x).sum(), jac, x).verdict == "disagree"


def test_at_a_minimum():
    """Rosenbrock's function: all of its derivatives are 0, and rounding of x is all that its values show."""

    def fun(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    def jac(x):
        g = np.zeros_like(x)
        off = x[1:] - x[:-1] ** 2
        g[:-1] = -400 * x[:-1] * off - 2 * (1 - x[:-1])
        g[1:] += 200 * off
        return g

    x = np.ones(1000)
    assert gradcheck(fun, jac, x).verdict == "agree"
    assert gradcheck(fun, lambda x: jac(x) + 0.01 * (np.arange(1000) == 3), x).wrong == [3]
