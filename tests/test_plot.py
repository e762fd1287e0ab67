"""numdiff.plot: the data of what is drawn, the errors, and that Matplotlib is imported only when it is needed."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.animation import FuncAnimation
from matplotlib.quiver import Quiver

import numdiff
import numdiff.plot

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def descended(start, rate=0.25, steps=8):
    """A descent of the sum of squares, as a result with its history."""
    x = np.array(start, dtype=float) * (1 - 2 * rate) ** np.arange(steps + 1)[:, None]
    history = {"x": x, "fun": (x**2).sum(axis=1), "grad_norm": 2 * np.sqrt((x**2).sum(axis=1))}
    return {"x": x[-1], "history": history}


def squares(x):
    assert x.dtype == np.float64
    return (x**2).sum()


class TestFunction:
    def test_the_function_and_its_derivative(self):
        ax = numdiff.plot.function(np.sin, -6, 6)
        f, slope = ax.lines
        x = f.get_xdata()
        assert (x[0], x[-1]) == (-6, 6)
        assert np.array_equal(f.get_ydata(), np.sin(x))
        np.testing.assert_allclose(slope.get_ydata(), np.cos(x), atol=1e-9)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["f", "f'"]
        assert ax.get_xlim() == (-6, 6)

    def test_a_tangent(self):
        ax = numdiff.plot.function(lambda x, a: a * x**3, 0, 4, tangent=1, args=(2.0,))
        line, point = ax.lines[2:]
        assert line.get_label() == "tangent at 1"
        x, y = line.get_data()
        np.testing.assert_allclose(x, [0.5, 1.5])
        np.testing.assert_allclose(y, 2 + 6 * (x - 1), rtol=1e-9)
        assert [*point.get_xdata(), *point.get_ydata()] == [1, 2]

    def test_a_tangent_ends_with_the_curve(self):
        for at, ends in ((0, [0, 0.5]), (4, [3.5, 4])):
            ax = numdiff.plot.function(np.sin, 0, 4, tangent=at)
            assert ax.lines[2].get_xdata().tolist() == ends

    def test_on_given_axes_and_point_by_point(self):
        import math

        _, axes = plt.subplots(1, 2)
        assert numdiff.plot.function(math.exp, 0, 1, vectorized=False, tangent=0.5, ax=axes[1]) is axes[1]
        assert not axes[0].lines
        x, y = axes[1].lines[1].get_data()
        np.testing.assert_allclose(y, np.exp(x), rtol=1e-8)

    def test_nothing_where_it_is_not_defined(self):
        f, slope = numdiff.plot.function(np.sqrt, -1, 1).lines
        x = f.get_xdata()
        assert np.array_equal(np.isnan(f.get_ydata()), x < 0)
        assert np.array_equal(np.isnan(slope.get_ydata()), x < 0)

    @pytest.mark.parametrize(
        ("fun", "poles"), [(lambda x: 1 / x, [0.0]), (np.tan, np.pi * np.array([-1.5, -0.5, 0.5, 1.5]))]
    )
    def test_poles(self, fun, poles):
        ax = numdiff.plot.function(fun, -6, 6)
        x, y = ax.lines[0].get_data()
        gaps = np.flatnonzero(np.isnan(y))
        np.testing.assert_allclose(x[gaps], poles, atol=12 / 399)
        assert np.array_equal(y[~np.isnan(y)], fun(x[~np.isnan(y)]))  # nothing is bent or cut
        low, high = ax.get_ylim()
        assert np.nanmax(y) > high
        assert np.nanmin(y) < low

    def test_the_tangent_is_in_view(self):
        ax = numdiff.plot.function(np.log, -6, 6, tangent=0.1)
        assert ax.get_ylim()[0] < np.log(0.1)

    def test_no_gap_in_a_steep_line(self):
        (f, _) = numdiff.plot.function(np.exp, -6, 20).lines
        assert np.isfinite(f.get_ydata()).all()
        assert f.get_ydata().size == 400

    @pytest.mark.parametrize(
        ("fun", "at", "message"),
        [
            (np.abs, 0, "fun has a kink or a jump at 0.0, where it has none"),
            (lambda x: np.maximum(x, 0), 0, "fun has a kink"),
            (np.sqrt, -1, r"`tangent`: fun or its slope is not finite at -1.0"),
            (np.sin, [1.0, 2.0], r"`tangent` must be one number; it has the shape \(2,\)"),
            (np.sin, np.nan, "`tangent` must be finite"),
            (np.sin, 5, r"`tangent` must be in \[a, b\], from -2.0 to 2.0; it is 5.0"),
        ],
    )
    def test_no_tangent(self, fun, at, message):
        with pytest.raises(ValueError, match=message):
            numdiff.plot.function(fun, -2, 2, tangent=at)
        assert not plt.get_fignums()

    def test_ends(self):
        with pytest.raises(ValueError, match="`a` must be less than `b`; they are 1.0 and 1.0"):
            numdiff.plot.function(np.sin, 1, 1)
        with pytest.raises(ValueError, match=r"`a, b` must be finite; .* is inf"):
            numdiff.plot.function(np.sin, 1, np.inf)


class TestContours:
    def test_contours_lie_on_the_function(self):
        ax = numdiff.plot.contours(lambda x, a: a * x[0] ** 2 + x[1], ((-1, 2), (0, 4)), args=(3.0,))
        (drawn,) = ax.collections
        levels, paths = drawn.levels, drawn.get_paths()
        assert len(levels) > 20
        checked = 0
        for level, path in zip(levels, paths, strict=True):
            if len(path.vertices):
                # linear interpolation on a grid of 3/100
                np.testing.assert_allclose(3 * path.vertices[:, 0] ** 2 + path.vertices[:, 1], level, atol=3 * 0.03**2)
                checked += 1
        assert checked > 15
        assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 2), (0, 4))
        assert not ax.lines

    @pytest.mark.parametrize("as_result", [True, False])
    def test_the_path_and_its_arrows(self, as_result):
        result = descended([4.0, 3.0])
        points = result["history"]["x"]
        ax = numdiff.plot.contours(squares, ((-5, 5), (-4, 4)), result if as_result else points.tolist())
        assert np.array_equal(np.column_stack(ax.lines[0].get_data()), points)
        (arrows,) = [artist for artist in ax.collections if isinstance(artist, Quiver)]
        assert np.array_equal(arrows.get_offsets(), points[:-1])
        assert np.array_equal(np.column_stack([arrows.U, arrows.V]), np.diff(points, axis=0))
        assert arrows.angles == arrows.scale_units == "xy"
        assert arrows.scale == 1

    def test_the_box_of_a_path(self):
        points = descended([4.0, 3.0])["history"]["x"]
        ax = numdiff.plot.contours(squares, path=points)
        for limits, along in ((ax.get_xlim(), points[:, 0]), (ax.get_ylim(), points[:, 1])):
            assert limits[0] < along.min()
            assert limits[1] > along.max()
            assert limits[1] - limits[0] == pytest.approx(1.4 * np.ptp(points[:, 0]))
        assert numdiff.plot.contours(squares, path=[[1.0, 2.0]]).get_xlim() == (0, 2)

    def test_a_path_of_one_point_has_no_arrows(self):
        ax = numdiff.plot.contours(squares, path=[[1.0, 2.0]])
        assert ax.lines[0].get_xdata() == 1

    def test_where_fun_is_not_finite(self):
        ax = numdiff.plot.contours(lambda x: np.log(x[0]) + x[1], ((-1, 1), (0, 1)))
        vertices = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
        assert vertices[:, 0].min() > 0

    @pytest.mark.parametrize(
        ("box", "path", "message"),
        [
            (None, None, "`box` or `path` must be given"),
            ((0, 1), None, r"`box` must be \(\(a, b\), \(c, d\)\) with a < b and c < d; it is \(0, 1\)"),
            (((0, 1), (1, 1)), None, "`box` must be"),
            (((0, 1), (0, np.inf)), None, "`box` must be finite"),
            (None, np.ones((3, 4)), r"`path` must be of shape \(k, 2\), a point in each row; it is \(3, 4\)"),
            (None, np.ones((0, 2)), "`path` must be of shape"),
            (None, [[1, np.nan]], "`path` must be finite"),
            (None, {"x": 1}, "`result` has no history; call the descent with history=True"),
            (None, {"history": None}, "`result` has no history"),
        ],
    )
    def test_bad_input(self, box, path, message):
        with pytest.raises(ValueError, match=message):
            numdiff.plot.contours(squares, box, path)
        assert not plt.get_fignums()

    def test_fun_returns_something_else(self):
        with pytest.raises(TypeError, match="`fun` returned None"):
            numdiff.plot.contours(lambda x: None, ((0, 1), (0, 1)))
        with pytest.raises(ZeroDivisionError):
            numdiff.plot.contours(lambda x: 1 // 0, ((0, 1), (0, 1)))

    @pytest.mark.parametrize("x0", [{"a": np.array([4.0]), "b": 3.0}, (np.array([4.0, 3.0]),), {"a": 4.0}])
    def test_a_descent_from_a_tree(self, x0, tmp_path):
        pytest.importorskip("optree")
        seen = []

        def fun(x):
            seen.append(type(x))
            return float(sum(np.sum(np.square(leaf)) for leaf in (x.values() if isinstance(x, dict) else x)))

        result = numdiff.gradient_descent(fun, x0, maxiter=3, history=True)
        if len(x0) == 2 or isinstance(x0, tuple):
            numdiff.plot.contours(fun, path=result)
        numdiff.plot.animate(result, fun, file=tmp_path / "a.gif")
        assert set(seen) == {type(x0)}


class TestDescent:
    def test_both_curves(self):
        result = descended([4.0, 3.0])
        loss, norm = numdiff.plot.descent(result)
        for ax, name in ((loss, "fun"), (norm, "grad_norm")):
            x, y = ax.lines[0].get_data()
            assert np.array_equal(x, np.arange(9))
            assert np.array_equal(y, result["history"][name])
        assert (loss.get_yscale(), norm.get_yscale()) == ("linear", "log")
        assert loss.figure is norm.figure

    def test_on_given_axes(self):
        _, axes = plt.subplots(2)
        assert numdiff.plot.descent(descended([1.0]), axes=axes) is axes
        assert len(axes[0].lines) == len(axes[1].lines) == 1

    def test_a_start_at_the_minimum(self):
        assert numdiff.plot.descent(descended([0.0]))[1].get_yscale() == "linear"

    def test_no_history(self):
        with pytest.raises(ValueError, match="`result` has no history; call the descent with history=True"):
            numdiff.plot.descent({"x": 1.0, "fun": 2.0})


class TestAnimate:
    def frames(self, animation):
        return list(animation.new_frame_seq())

    @pytest.mark.parametrize("start", [[4.0], [4.0, 3.0]])
    def test_the_path_grows(self, start, tmp_path):
        result = descended(start, steps=3)
        history = result["history"]
        points = history["x"] if len(start) == 2 else np.column_stack([history["x"], history["fun"]])
        file = tmp_path / "descent.GIF"
        animation = numdiff.plot.animate(result, squares, file=file)
        assert isinstance(animation, FuncAnimation)
        assert file.read_bytes().startswith(b"GIF89a")
        assert self.frames(animation) == [0, 1, 2, 3]
        for k in range(4):
            line, here, title = animation._func(k)
            assert np.array_equal(np.column_stack(line.get_data()), points[: k + 1])
            assert np.array_equal(np.column_stack(here.get_data()), points[k : k + 1])
            assert title.get_text() == f"iteration {k}: loss {history['fun'][k]:.6g}"

    def test_the_graph_of_one_variable(self, tmp_path):
        animation = numdiff.plot.animate(descended([4.0], steps=1), squares, (-5, 5), file=tmp_path / "a.gif")
        x, y = animation._fig.axes[0].lines[0].get_data()
        assert (x[0], x[-1]) == (-5, 5)
        np.testing.assert_allclose(y, x**2)

    def test_a_number_as_the_start(self, tmp_path):
        import math

        result = numdiff.newton(lambda x: math.exp(x) - math.log(x), 1.75, history=True)
        animation = numdiff.plot.animate(result, lambda x: math.exp(x) - math.log(x), (0.1, 2), file=tmp_path / "a.gif")
        line, _, _ = animation._func(4)
        assert np.array_equal(line.get_xdata(), result.history["x"])
        assert np.array_equal(line.get_ydata(), result.history["fun"])

    def test_html(self, tmp_path, monkeypatch):
        monkeypatch.setitem(matplotlib.rcParams, "animation.embed_limit", 0.001)  # shall not drop frames
        file = tmp_path / "descent.html"
        numdiff.plot.animate(descended([4.0, 3.0], steps=2), squares, ((-5, 5), (-5, 5)), file=str(file))
        page = file.read_text(encoding="utf-8")
        assert page.count("data:image/png;base64") == 3

    def test_long_ones_have_a_hundred_frames(self, monkeypatch):
        # Matplotlib's own would complain that it is not shown
        monkeypatch.setattr("numdiff.plot._descents.FuncAnimation", lambda *_, frames, **options: frames)
        frames = numdiff.plot.animate(descended([4.0], rate=0.001, steps=1000), squares)
        assert len(frames) == 100
        assert (frames[0], frames[-1]) == (0, 1000)

    @pytest.mark.parametrize(
        ("start", "box", "file", "message"),
        [
            ([1.0, 2.0], None, "a.mp4", r"`file` must end in .gif or .html; it is 'a.mp4'"),
            ([1.0, 2.0, 3.0], None, None, "`result` must be of one or two variables to be animated; it has 3"),
            ([1.0], (1, 0), None, r"`box` must be \(a, b\) with a < b; it is \(1, 0\)"),
            ([1.0, 2.0], (0, 1), None, r"`box` must be \(\(a, b\), \(c, d\)\)"),
        ],
    )
    def test_bad_input(self, start, box, file, message):
        with pytest.raises(ValueError, match=message):
            numdiff.plot.animate(descended(start), squares, box, file=file)


class TestStepSweep:
    def test_the_v_curve(self):
        sweep = numdiff.step_sweep(np.exp, 0.0)
        ax = numdiff.plot.step_sweep(sweep)
        curve, best = ax.lines
        assert np.array_equal(curve.get_xdata(), sweep.h)
        assert np.array_equal(curve.get_ydata(), sweep.error)
        assert [*best.get_xdata(), *best.get_ydata()] == [sweep.best_h, sweep.best_error]
        assert best.get_label() == f"best: h = {sweep.best_h:.1e}"

    def test_no_best_step(self):
        ax = numdiff.plot.step_sweep(numdiff.step_sweep(lambda x: np.nan * x, 0.0))
        assert len(ax.lines) == 1

    def test_something_else(self):
        with pytest.raises(TypeError, match=r"`result` must be what numdiff.step_sweep returns; it is 1.0 \(float\)"):
            numdiff.plot.step_sweep(1.0)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_only_those_who_ask_import_matplotlib():
    code = (
        "import sys, numdiff; print('matplotlib' in sys.modules, 'optree' in sys.modules)\n"
        "numdiff.plot.function; print('matplotlib' in sys.modules)"
    )
    assert run(code).split() == ["False", "False", "True"]
    with pytest.raises(AttributeError, match="module 'numdiff' has no attribute 'plots'"):
        numdiff.plots


def test_without_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None; import numdiff\n"
        "try: numdiff.plot\nexcept ImportError as error: print(error)\n"
        "try: import numdiff.plot\nexcept ImportError as error: print(error)"
    )
    message = (
        'numdiff.plot needs Matplotlib, which is not installed: install numdiff with the extra "plot", '
        'as in: python -m pip install -e ".[plot]"'
    )
    assert run(code).splitlines() == [message, message]
