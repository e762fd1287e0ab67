"""sgd: the plain loop, batches, seeds, the digits of the quickstart, what is recorded and what it costs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import numdiff
from numdiff import sgd

T = np.linspace(-1.0, 1.0, 50)
Y = 3 - 2 * T


def loss(x, t, y):
    return float(np.mean((x[0] + x[1] * t - y) ** 2))


def slope(x, t, y):
    residual = 2 * (x[0] + x[1] * t - y) / len(t)
    return np.array([residual.sum(), residual @ t])


@pytest.fixture(scope="module")
def quickstart():
    path = Path(__file__).parents[1] / "examples" / "quickstart.py"
    spec = importlib.util.spec_from_file_location("quickstart_for_sgd", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bits_of_the_plain_loop():
    x, v = np.zeros(2), np.zeros(2)
    rng = np.random.default_rng(7)
    for _ in range(3):
        order = rng.permutation(50)
        for begin in range(0, 50, 8):
            rows = order[begin : begin + 8]
            v = 0.5 * v - 0.05 * slope(x, T[rows], Y[rows])
            x = x + v
    found = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, learning_rate=0.05, momentum=0.5, batch_size=8, epochs=3, rng=7)
    np.testing.assert_array_equal(found.x, x)
    assert (found.nit, found.njev, found.nfev) == (3, 21, 1)
    assert (found.success, found.status) == (True, 9)
    assert found.fun == loss(x, T, Y)


def test_batches_are_rows_and_the_last_is_short():
    sizes, rows = [], []

    def jac(x, t, y):
        np.testing.assert_array_equal(y, 3 - 2 * t)
        sizes.append(len(t))
        rows.append(t.copy())
        return slope(x, t, y)

    sgd(loss, [0.0, 0.0], (T, Y), jac=jac, batch_size=20, epochs=2, rng=1)
    assert sizes == [20, 20, 10] * 2
    first, second = np.concatenate(rows[:3]), np.concatenate(rows[3:])
    np.testing.assert_array_equal(np.sort(first), T)
    np.testing.assert_array_equal(np.sort(second), T)
    assert not np.array_equal(first, second)


def test_without_shuffling_the_batches_are_slices():
    rows = []
    sgd(loss, [0.0, 0.0], (T, Y), jac=lambda x, t, y: rows.append(t.copy()) or slope(x, t, y), shuffle=False, epochs=1)
    np.testing.assert_array_equal(np.concatenate(rows), T)


def test_one_array_is_one_argument():
    data = np.column_stack([T, Y])
    found = sgd(lambda x, rows: loss(x, *rows.T), [0.0, 0.0], data, epochs=100, rng=0)
    np.testing.assert_allclose(found.x, [3, -2], atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"method": "forward"}, {"jac": "richardson"}, {"jac": slope}])
def test_numerical_and_analytic_gradients_agree(options):
    exact = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, epochs=5, rng=3)
    found = sgd(loss, [0.0, 0.0], (T, Y), epochs=5, rng=3, **options)
    np.testing.assert_allclose(found.x, exact.x, rtol=1e-5)


def test_fun_that_returns_both(counted):
    fun = counted(lambda x, t, y: (loss(x, t, y), slope(x, t, y)))
    found = sgd(fun, [0.0, 0.0], (T, Y), jac=True, epochs=2, rng=3)
    np.testing.assert_array_equal(found.x, sgd(loss, [0.0, 0.0], (T, Y), jac=slope, epochs=2, rng=3).x)
    assert found.nfev == fun.nfev == 5


@pytest.mark.parametrize("rng", [5, np.random.SeedSequence(5)])
def test_a_seed_gives_the_same_numbers(rng):
    one, two = (sgd(loss, [0.0, 0.0], (T, Y), jac=slope, rng=seed) for seed in (5, rng))
    np.testing.assert_array_equal(one.x, two.x)
    assert not np.array_equal(one.x, sgd(loss, [0.0, 0.0], (T, Y), jac=slope, rng=6, epochs=9).x)


def test_calls_of_a_numerical_gradient(counted):
    fun = counted(loss)
    found = sgd(fun, [0.0, 0.0], (T, Y), epochs=3, batch_size=25, rng=0)
    assert fun.nfev == found.nfev == 3 * 2 * 4 + 1


def test_history(counted):
    fun, jac = counted(loss), counted(slope)
    found = sgd(fun, [0.0, 0.0], (T, Y), jac=jac, epochs=4, batch_size=25, rng=0, history=True)
    assert (fun.nfev, jac.nfev) == (found.nfev, found.njev) == (5, 8)
    path, values, norms = (found.history[key] for key in ("x", "fun", "grad_norm"))
    assert path.shape == (found.nit + 1, 2)
    assert values.shape == norms.shape == (5,)
    np.testing.assert_array_equal(path[0], [0, 0])
    assert list(values) == [loss(x, T, Y) for x in path]
    assert found.fun == values.min()
    rows = np.random.default_rng(0).permutation(50)
    first, second = slope(path[0], T[rows[:25]], Y[rows[:25]]), jac(jac.seen[1], T[rows[25:]], Y[rows[25:]])
    np.testing.assert_allclose(norms[:2], [np.linalg.norm(first), np.linalg.norm((first + second) / 2)], rtol=1e-12)


def test_the_best_epoch_is_kept():
    found = sgd(loss, [3.0, -2.1], (T, Y), jac=slope, learning_rate=1.2, epochs=5, rng=0, history=True)
    assert found.fun == found.history["fun"].min() < found.history["fun"][-1]
    assert found.fun == loss(found.x, T, Y)


def test_xtol():
    found = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, epochs=1000, rng=0, xtol=1e-3)
    assert (found.success, found.status) == (True, 2)
    assert found.nit < 100


def test_one_quiet_batch_is_no_convergence():
    def hinge(x, t, y):
        return float(np.maximum(0, 1 - y * (x[0] * t)).mean())

    def hinge_slope(x, t, y):
        return np.array([-(y * t * (y * x[0] * t < 1)).mean()])

    t = np.r_[np.full(5, 3.0), np.full(5, 0.1)]
    found = sgd(hinge, [0.5], (t, np.ones(10)), jac=hinge_slope, batch_size=5, shuffle=False, epochs=9, xtol=1e-6)
    assert (found.status, found.njev) == (9, 18)
    still = sgd(hinge, [20.0], (t, np.ones(10)), jac=hinge_slope, batch_size=5, shuffle=False, epochs=9, xtol=1e-6)
    assert (still.status, still.njev) == (2, 2)


@pytest.mark.parametrize("history", [False, True])
def test_divergence(history):
    found = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, learning_rate=50.0, rng=0, history=history)
    assert (found.status, found.success) == (5, False)
    assert np.isfinite(found.x).all()
    if history:
        np.testing.assert_array_equal(found.x, [0, 0])  # the best


def test_no_success_where_the_start_is_the_best():
    found = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, learning_rate=4.0, epochs=2, rng=0, history=True)
    np.testing.assert_array_equal(found.x, [0, 0])
    assert (found.status, found.success) == (7, False)


def test_no_epochs(counted):
    fun = counted(loss)
    found = sgd(fun, [1.0, 2.0], (T, Y), jac=slope, epochs=0, history=True)
    assert (found.nit, found.njev, found.nfev, fun.nfev, found.success) == (0, 0, 1, 1, True)
    np.testing.assert_array_equal(found.history["x"], [[1, 2]])
    np.testing.assert_array_equal(found.history["fun"], [loss([1, 2], T, Y)])
    assert np.isnan(found.history["grad_norm"]).all()
    assert np.isnan(found.jac).all()


@pytest.mark.parametrize("shuffle", [False, True])
def test_fun_and_jac_may_write_into_their_rows(shuffle):
    def wild(x, t, y):
        value = loss(x, t, y)
        t[:] = y[:] = 99
        return value

    def wild_slope(x, t, y):
        g = slope(x, t, y)
        t[:] = y[:] = 99
        return g

    t, y = T.copy(), Y.copy()
    found = sgd(wild, [0.0, 0.0], (t, y), jac=wild_slope, rng=0, shuffle=shuffle, history=True)
    np.testing.assert_array_equal([t, y], [T, Y])
    clean = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, rng=0, shuffle=shuffle, history=True)
    np.testing.assert_array_equal(found.history["fun"], clean.history["fun"])


def test_a_gradient_that_is_not_finite():
    def jac(x, t, y):
        return np.array([np.nan, 0.0]) if x[0] > 2 else slope(x, t, y)

    for history in (False, True):
        found = sgd(loss, [0.0, 0.0], (T, Y), jac=jac, rng=0, history=history)
        assert (found.success, found.status) == (False, 4)
        assert found.fun == loss(found.x, T, Y) < loss(np.zeros(2), T, Y)
        assert history or found.x[0] <= 2


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite(bad, history):
    found = sgd(lambda x, t, y: bad, [0.0, 0.0], (T, Y), jac=slope, rng=0, history=history)
    assert (found.success, found.status) == (False, 4)


def test_callback():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result.fun)
        return len(seen) == 3

    found = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, rng=0, callback=callback)
    assert (found.nit, found.status) == (3, 99)
    assert found.fun == min(seen)


def test_progress(capsys):
    pytest.importorskip("tqdm")
    sgd(loss, [0.0, 0.0], (T, Y), jac=slope, epochs=12, callback=numdiff.progress())
    assert "12/12" in capsys.readouterr().err


def test_overwrite_x():
    x = np.zeros(2)
    found = sgd(loss, x, (T, Y), jac=slope, epochs=100, rng=0, overwrite_x=True)
    assert found.x is x
    np.testing.assert_allclose(x, [3, -2], atol=1e-4)
    with pytest.raises(ValueError, match="`overwrite_x`"):
        sgd(loss, [0, 0], (T, Y), jac=slope, overwrite_x=True)


def test_fun_that_writes_into_x_or_keeps_it():
    kept = []

    def jac(x, t, y):
        kept.append(x)
        return slope(x, t, y)

    def wild(x, t, y):
        g = slope(x, t, y)
        x[:] = 99
        return g

    clean = sgd(loss, [0.0, 0.0], (T, Y), jac=slope, rng=0)
    np.testing.assert_array_equal(sgd(loss, [0.0, 0.0], (T, Y), jac=wild, rng=0).x, clean.x)
    np.testing.assert_array_equal(sgd(loss, [0.0, 0.0], (T, Y), jac=jac, rng=0).x, clean.x)
    assert len({x.tobytes() for x in kept}) == len(kept)


def test_digits_by_sgd_and_by_random_search(quickstart):
    """EXAMPLES.md E5: following the slope, and drawing W at random."""
    X, y = quickstart.load_digits()
    train, test = slice(0, 200), slice(200, 300)
    W0 = np.zeros((10, X.shape[1]))

    def accuracy(W):
        return np.mean((X[test] @ W.T).argmax(axis=1) == y[test])

    found = sgd(
        quickstart.softmax_loss, W0, (X[train], y[train]), jac=quickstart.softmax_gradient, learning_rate=0.5,
        momentum=0.5, epochs=40, rng=0, history=True,
    )  # fmt: skip
    losses = found.history["fun"]
    assert losses[0] == pytest.approx(np.log(10))
    assert found.fun < 0.3
    assert (np.diff(losses[:5]) < 0).all()
    assert found.x.shape == W0.shape
    assert accuracy(found.x) > 0.93

    rng = np.random.default_rng(0)
    draws = [rng.normal(scale=0.1, size=W0.shape) for _ in range(1000)]
    best = min(draws, key=lambda W: quickstart.softmax_loss(W, X[train], y[train]))
    assert quickstart.softmax_loss(best, X[train], y[train]) > 1.5
    assert accuracy(best) < 0.6


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": -1}, ValueError, "`learning_rate` must be positive"),
        ({"momentum": 1}, ValueError, "`momentum` must be at least 0 and below 1"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1; it is 0"),
        ({"batch_size": 2.0}, TypeError, "`batch_size` must be an integer"),
        ({"epochs": -1}, ValueError, "`epochs` must be at least 0"),
        ({"xtol": -1}, ValueError, "`xtol`"),
        ({"data": (T, Y[:-1])}, ValueError, "`data` must be arrays with equal first axes; they have 50, 49 rows"),
        ({"data": (T, 3.0)}, ValueError, "`data` must be an array with a row for each sample"),
        ({"data": ()}, ValueError, "`data` must be"),
        ({"data": (T[:0], Y[:0])}, ValueError, "`data` must have at least one row"),
        ({"jac": lambda x, t, y: np.ones(3)}, ValueError, "`jac` must return the gradient"),
        ({"jac": None, "steps": 1}, TypeError, "unknown option `steps`"),
        ({"rng": "seed"}, TypeError, "`rng` must be what numpy.random.default_rng takes; it is 'seed'"),
        ({"rng": -1}, ValueError, "`rng` must be"),
        ({"data": [[1.0], [1.0, 2.0]]}, ValueError, "`data` must be an array with a row for each sample"),
        ({"nesterov": "no"}, TypeError, "`nesterov` must be True or False; it is 'no'"),
        ({"shuffle": "no"}, TypeError, "`shuffle` must be True or False"),
    ],
)
def test_bad_input(options, error, message):
    x0 = np.zeros(2)
    with pytest.raises(error, match=message):
        sgd(loss, x0, **{"data": (T, Y), "jac": slope, **options})
    assert not x0.any()
