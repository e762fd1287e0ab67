"""The gallery in examples/: every figure it gives, from numerical derivatives and those by hand; the scripts run."""

import runpy
import sys
from pathlib import Path

import arguments_and_grids
import descent_paths
import digits_descent
import fifteen_functions
import losses
import matplotlib
import newton_method
import numpy as np
import one_neuron
import pytest
import quickstart
import taylor_of_sine

import numdiff

matplotlib.use("Agg")
import matplotlib.pyplot as plt

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class TestArgumentsAndGrids:
    def test_a_function_of_several_arguments(self):
        slopes = arguments_and_grids.by_all_arguments(2.0, 3.0, 5.0)
        assert isinstance(slopes, tuple)
        np.testing.assert_allclose(slopes, (15, 10, 6), rtol=1e-9)

    def test_a_grid(self):
        axis = arguments_and_grids.AXIS
        assert axis.tolist() == [-100, -75, -50, -25, 0, 25, 50, 75, 100]
        grid = np.meshgrid(axis, axis, axis, indexing="ij")
        exact = (4 * grid[0], 6 * grid[1], np.full((9, 9, 9), -4.0))
        by_numpy = np.gradient(arguments_and_grids.potential(*grid), axis, axis, axis)
        inside = (slice(1, -1),) * 3
        for found, values, true in zip(arguments_and_grids.field(*grid), by_numpy, exact, strict=True):
            np.testing.assert_allclose(found, true, atol=1e-9)
            np.testing.assert_allclose(found[inside], values[inside], atol=1e-9)

    def test_by_scipys_name(self):
        assert numdiff.approx_fprime(2, lambda x: x**2, 1e-6).round(9) == 4.000001


class TestFifteenFunctions:
    def test_there_are_fifteen(self):
        assert len(fifteen_functions.FUNCTIONS) == 15
        assert fifteen_functions.X.size == 400

    @pytest.mark.parametrize("name", fifteen_functions.FUNCTIONS)
    def test_derivatives(self, name):
        f, exact = fifteen_functions.FUNCTIONS[name]
        assert fifteen_functions.largest_error(f, exact) < 1e-6
        assert numdiff.derivative(f, 0.25) == pytest.approx(float(exact(np.float64(0.25))), rel=1e-8)

    @pytest.mark.parametrize(("name", "undefined"), [("√x", 200), ("ln x", 200), ("log₁₀ x", 200), ("1 / x", 0)])
    def test_where_they_are_not_defined(self, name, undefined):
        with np.errstate(all="ignore"):
            slopes = numdiff.derivative(fifteen_functions.FUNCTIONS[name][0], fifteen_functions.X)
        assert np.isnan(slopes).sum() == undefined
        assert np.isnan(slopes[:undefined]).all()

    def test_one_over_x_at_0(self):
        with np.errstate(all="ignore"):
            assert np.isnan(numdiff.derivative(lambda x: 1 / x, 0.0))

    def test_average_rates(self):
        rates = {
            name: fifteen_functions.average_rate(fifteen_functions.FUNCTIONS[name][0])
            for name in ("0", "2x", "x²", "x³", "1 / x", "|x|", "e^x")
        }
        exact = {"0": 0, "2x": 2, "x²": 1.75, "x³": 2.6875, "1 / x": -8 / 3, "|x|": 1}
        exact["e^x"] = (np.exp(1.5) - np.exp(0.25)) / 1.25
        assert rates == pytest.approx(exact)

    @pytest.mark.parametrize(("name", "slopes"), [("|x|", (-1, 1)), ("ReLU", (0, 1))])
    def test_kinks(self, name, slopes):
        f = fifteen_functions.FUNCTIONS[name][0]
        assert fifteen_functions.slopes_at_0(f) == slopes
        assert fifteen_functions.kink_at_0(f)
        assert not fifteen_functions.kink_at_0(np.sin)

    def test_the_root_has_no_slope_at_0(self):
        steps = [1e-2, 1e-4, 1e-6]
        np.testing.assert_allclose(fifteen_functions.root_slopes(steps), [10, 100, 1000])

    def test_seven_heads_of_ten(self):
        assert abs(numdiff.derivative(fifteen_functions.heads_of_ten, 0.7)) < 1e-10
        assert numdiff.derivative(fifteen_functions.heads_of_ten, 0.7, n=2) < 0

    def test_what_is_drawn(self):
        figure, axes = plt.subplots(3, 5)
        fifteen_functions.draw(axes)
        for ax, (f, exact) in zip(axes.flat, fifteen_functions.FUNCTIONS.values(), strict=True):
            curve, slope, tangent, point = ax.lines
            x, y = slope.get_data()
            with np.errstate(all="ignore"):
                np.testing.assert_allclose(y[x > 0], exact(x[x > 0]), rtol=1e-6, atol=1e-8)
                x, y = curve.get_data()
                drawn = (x > 0) & ~np.isnan(y)
                assert drawn.sum() == 200
                assert np.array_equal(y[drawn], f(x[drawn]))
            (left, right), heights = tangent.get_data()
            assert (left, right) == (-1.25, 1.75)
            assert (heights[1] - heights[0]) / 3 == pytest.approx(float(exact(np.float64(0.25))), rel=1e-7)
            assert point.get_xdata() == 0.25
        assert len(figure.axes) == 15


class TestDescentPaths:
    def test_the_tangent_plane(self):
        plane = descent_paths.tangent_plane(descent_paths.paraboloid, np.array([2.0, 4.0]))
        for x in ([2.0, 4.0], [0.0, 0.0], [3.0, -1.0]):
            assert plane(np.array(x)) == pytest.approx(20 + 4 * (x[0] - 2) + 8 * (x[1] - 4))

    @pytest.mark.parametrize("jac", [None, descent_paths.sauna_gradient])
    def test_the_sauna(self, jac):
        good = descent_paths.in_the_sauna(0.1, 10, jac)
        assert good.nit == 10
        assert np.abs(good.x - 4).max() < 1e-3
        assert np.all(np.diff(good.history["fun"]) < 0)
        assert good.history["fun"][[0, -1]].round(2).tolist() == [47.3, 29.52]

        leaping = descent_paths.in_the_sauna(0.3, 20, jac)
        x = leaping.history["x"]
        assert leaping.nit == 20
        assert np.all(np.sign(np.diff(x[2:, 0]))[::2] != np.sign(np.diff(x[2:, 0]))[1::2])  # to and fro
        assert np.abs(x[-1] - 4).max() > 0.5
        assert leaping.history["fun"][-1] > 31

    @pytest.mark.parametrize("jac", [None, descent_paths.three_wells_gradient])
    def test_three_wells(self, jac):
        found = [descent_paths.into_a_well(start, jac) for start in descent_paths.STARTS]
        assert all(result.success and result.nit < 50 for result in found)
        ends = np.array([result.x for result in found])
        np.testing.assert_allclose(ends, [[2.9806, 1.5409], [3.4789, 3.9475], [0.5230, 0.5170]], atol=1e-4)
        assert np.argmin([result.fun for result in found]) == 2
        assert all(np.linalg.norm(descent_paths.three_wells_gradient(x)) < 1e-4 for x in ends)

    def test_momentum(self):
        for jac in (None, descent_paths.valley_gradient):
            plain, heavy = (descent_paths.along_the_valley(momentum, jac) for momentum in (0.0, 0.8))
            assert 1.8 * heavy.nit < plain.nit
            np.testing.assert_allclose([plain.x, heavy.x], 0, atol=1e-4)
            assert np.abs(np.diff(plain.history["x"], axis=0)[-1]).max() <= 1e-6

    def test_gradients_by_hand(self):
        for fun, jac in (
            (descent_paths.sauna, descent_paths.sauna_gradient),
            (descent_paths.three_wells, descent_paths.three_wells_gradient),
            (descent_paths.valley, descent_paths.valley_gradient),
        ):
            for x in ([1.0, 3.0], [4.2, 0.3]):
                np.testing.assert_allclose(jac(np.array(x)), numdiff.gradient(fun, x), rtol=1e-7, atol=1e-9)

    def test_what_is_drawn(self):
        found = {name: result for name, result in descent_paths.descents().items() if "0.3" in name or "0.6" in name}
        _, axes = plt.subplots(1, 2)
        descent_paths.draw(axes, found)
        for ax, result in zip(axes, found.values(), strict=True):
            assert np.array_equal(np.column_stack(ax.lines[0].get_data()), result.history["x"])
            assert ax.get_xlim() == (0, 5)

    def test_an_animation(self, tmp_path, monkeypatch):
        file = tmp_path / "well.gif"
        monkeypatch.setattr(descent_paths, "into_a_well", lambda start: descent_paths.in_the_sauna(0.1, 2))
        monkeypatch.setattr(sys, "argv", ["descent_paths.py", str(file)])
        descent_paths.main()
        assert file.read_bytes().startswith(b"GIF89a")


class TestOneNeuron:
    @pytest.mark.parametrize("jac", [None, one_neuron.squared_loss_gradient])
    def test_squared_loss(self, jac):
        result = one_neuron.train_line(jac)
        assert result.nit == 22
        fun = result.history["fun"]
        assert fun[[0, 5, 10, 15, 20]].round(6).tolist() == [0.439887, 0.420053, 0.412665, 0.409886, 0.408831]
        assert fun[result.nit - 1].round(6) == 0.408717
        assert {key: leaf.shape for key, leaf in result.x.items()} == {"w": (1, 2), "b": (1, 1)}

    @pytest.mark.parametrize("jac", [None, one_neuron.log_loss_gradient])
    def test_log_loss(self, jac):
        result = one_neuron.train_classes(jac)
        assert result.nit == 306
        fun = result.history["fun"]
        assert fun[[0, 100, 200, 300]].round(6).tolist() == [0.582076, 0.182397, 0.148754, 0.134595]
        assert fun[result.nit - 1].round(6) == 0.134088

    def test_gradients_by_hand(self):
        p = {"w": np.array([[0.3, -0.2]]), "b": np.array([[0.1]])}
        for loss, jac, data in (
            (one_neuron.squared_loss, one_neuron.squared_loss_gradient, one_neuron.line_data()),
            (one_neuron.log_loss, one_neuron.log_loss_gradient, one_neuron.classes_data()),
        ):
            numeric, by_hand = numdiff.gradient(loss, p, args=data), jac(p, *data)
            for key in p:
                np.testing.assert_allclose(by_hand[key], numeric[key], rtol=1e-8)

    def test_what_is_drawn(self):
        line, classes = one_neuron.train_line(), one_neuron.train_classes()
        _, axes = plt.subplots(2, 3)
        one_neuron.draw(axes, line, classes)
        assert np.array_equal(axes[0, 0].lines[0].get_ydata(), line.history["fun"])
        assert np.array_equal(axes[1, 1].lines[0].get_ydata(), classes.history["grad_norm"])
        x, y = axes[1, 2].lines[1].get_data()
        points = {"w": classes.x["w"], "b": classes.x["b"]}
        np.testing.assert_allclose(points["w"] @ np.array([x, y]) + points["b"], 0, atol=1e-12)


GIVEN = ("values", "gradient", "Hessian")


class TestNewton:
    @pytest.mark.parametrize("given", GIVEN)
    @pytest.mark.parametrize(
        ("name", "steps", "kind", "eigenvalues"),
        [
            ("e^x - ln x", 4, "minimum", None),
            ("x²", 1, "minimum", [2.0]),
            ("-x²", 1, "maximum", [-2.0]),
            ("2x²+3y²-xy", 1, "minimum", [3.59, 6.41]),
            ("x⁴+0.8y⁴+4x²+2y²-xy-0.2x²y", 7, "minimum", [3.76, 8.24]),
            ("x²-y²", 1, "saddle", [-2.0, 2.0]),
        ],
    )
    def test_steps_and_kinds(self, name, steps, kind, eigenvalues, given):
        result = newton_method.solve(name, given)
        assert result.success
        assert (result.nit, result.kind) == (steps, kind)
        if eigenvalues is not None:
            assert result.eigenvalues.round(2).tolist() == eigenvalues
            np.testing.assert_allclose(result.x, 0, atol=1e-8)

    @pytest.mark.parametrize("given", GIVEN)
    def test_a_singular_hessian(self, given):
        result = newton_method.solve("normal density", given)
        assert (result.success, result.nit, result.kind, result.x) == (False, 0, "undetermined", 1.0)
        assert "singular" in result.message

    def test_the_hessian(self):
        case = newton_method.CASES["2x²+3y²-xy"]
        np.testing.assert_allclose(numdiff.hessian(case.fun, case.start), [[4, -1], [-1, 6]], atol=1e-6)
        x = [1.3, -0.7]
        for case in newton_method.CASES.values():
            at = np.array(x) if np.ndim(case.start) else np.array(1.3)
            np.testing.assert_allclose(case.jac(at), numdiff.gradient(case.fun, at), rtol=1e-8)
            np.testing.assert_allclose(case.hess(at), numdiff.hessian(case.fun, at), atol=1e-5)

    def test_what_is_drawn(self):
        _, axes = plt.subplots(1, 2)
        newton_method.draw(axes)
        assert len(axes[0].lines[2].get_xdata()) == 5
        assert len(axes[1].lines[0].get_xdata()) == 8


class TestTaylor:
    def test_coefficients(self):
        x = np.linspace(-10, 10, 101)
        terms = np.cumsum(
            [(-1) ** k * x ** (2 * k + 1) / float(np.prod(np.arange(1.0, 2 * k + 2))) for k in range(13)], axis=0
        )
        found = taylor_of_sine.polynomials(x=x)
        assert list(found) == list(range(1, 26, 2))
        for values, exact in zip(found.values(), terms, strict=True):
            np.testing.assert_allclose(values, exact, rtol=1e-9, atol=1e-9)

    def test_what_is_drawn(self):
        _, ax = plt.subplots()
        taylor_of_sine.draw(ax)
        assert [line.get_label() for line in ax.lines] == [*map(str, range(1, 26, 2)), "sin x"]
        assert ax.get_xlim() == (-10, 10)
        reaches = [taylor_of_sine.reach(line.get_ydata()) for line in ax.lines]
        assert reaches == sorted(reaches)
        assert reaches[-2] > 9


class TestLosses:
    def test_the_slope_of_the_lecture(self):
        assert round((1.25322 - 1.25347) / 0.0001, 6) == -2.5
        np.testing.assert_allclose(numdiff.gradient(lambda x: x @ x, [5.0, 3.0]), [10, 6])

    def test_svm(self):
        found = losses.scaled_losses(1.0)
        np.testing.assert_allclose(found, [2.9, 0, 12.9])
        assert round(np.mean(found), 2) == 5.27
        assert found[1] == losses.scaled_losses(2.0)[1] == 0
        assert quickstart.svm_losses(losses.SCORES.T, np.arange(3)).tolist() == pytest.approx(found)

    def test_penalties(self):
        W = np.array([[1.0, -2.0], [0.5, 3.0]])
        exact = {"L2": 2 * W, "L1": np.sign(W), "elastic net": W + np.sign(W)}
        for name, penalty in losses.PENALTIES.items():
            np.testing.assert_allclose(numdiff.gradient(penalty, W), exact[name])
            assert penalty(2 * W) > penalty(W)
        assert [penalty(W) for penalty in losses.PENALTIES.values()] == [14.25, 6.5, 13.625]

    @pytest.mark.parametrize("scores", losses.CERTAIN.values())
    def test_softmax_is_never_content(self, scores):
        assert losses.svm_loss(scores, 0) == 0
        slopes = losses.jiggled(losses.softmax_loss, scores)
        probabilities = np.exp(np.array(scores) - 10)
        probabilities /= probabilities.sum()
        np.testing.assert_allclose(slopes[1:], probabilities[1:], rtol=1e-6)
        assert losses.softmax_loss(scores, 0) == pytest.approx(-np.log(probabilities[0]), abs=1e-15)
        assert losses.softmax_loss(scores, 0) > 0
        assert np.all(slopes[1:] > 0)

    def test_svm_is_flat(self):
        for name in ("clear", "far"):
            assert losses.jiggled(losses.svm_loss, losses.CERTAIN[name]).tolist() == [0, 0, 0]


class TestDigits:
    def test_both_strategies(self):
        training, test = digits_descent.split_digits()
        assert (len(training[1]), len(test[1])) == (200, 100)
        plain, heavy = (digits_descent.follow_the_slope(training, momentum) for momentum in (0.0, 0.9))
        for result in (plain, heavy):
            fun = result.history["fun"]
            assert fun[0] == pytest.approx(np.log(10))
            assert np.all(np.diff(fun[:5]) < 0)
            assert fun[-1] < 0.25
            assert (result.nit, result.njev) == (50, 350)
        assert digits_descent.accuracy(heavy.x, *test) > 0.93
        assert digits_descent.accuracy(plain.x, *test) > 0.9

        W, loss = digits_descent.random_search(training)
        assert plain.history["fun"][1] < loss < np.log(10)
        assert digits_descent.accuracy(W, *test) < 0.4

    def test_the_gradient_by_hand(self):
        (X, y), _ = digits_descent.split_digits()
        W = np.random.default_rng(1).normal(scale=0.1, size=(10, 65))
        numeric = numdiff.gradient(quickstart.softmax_loss, W, args=(X[:32], y[:32]))
        np.testing.assert_allclose(quickstart.softmax_gradient(W, X[:32], y[:32]), numeric, atol=1e-9)


@pytest.mark.parametrize(
    "name",
    ["arguments_and_grids", "descent_paths", "digits_descent", "fifteen_functions", "losses", "newton_method",
     "one_neuron", "taylor_of_sine"],
)  # fmt: skip
def test_the_script(name, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(picture)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) > 3
    if name not in ("arguments_and_grids", "losses"):
        assert picture.read_bytes().startswith(b"\x89PNG")
