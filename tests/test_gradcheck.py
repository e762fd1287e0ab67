"""gradcheck: verdicts, tolerances, shapes, points, messages. Evaluation counts are exact."""

import json
import pickle
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import numdiff
from numdiff import assert_gradient, gradcheck

X = np.array([0.7, -1.3, 2.1, 0.4, -0.9, 1.6])


def wave(x):
    return float(np.sum(np.sin(x) * x) + x[0] * x[-1])


def wave_grad(x):
    g = np.sin(x) + x * np.cos(x)
    g[0] += x[-1]
    g[-1] += x[0]
    return g


def altered(index, factor, grad=wave_grad):
    def jac(x):
        g = grad(x)
        g[index] *= factor
        return g

    return jac


def test_right_gradient_in_n_plus_3_calls(counted):
    fun = counted(lambda x: x @ x)
    report = gradcheck(fun, lambda x: 2 * x, X)
    assert report
    assert report.verdict == "agree"
    assert report.wrong == []
    assert report.nfev == fun.nfev == X.size + 3
    assert report.njev == 1


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.0, 1.01, 1.0001, 1.00001])
def test_names_the_one_that_is_wrong(factor, counted):
    fun = counted(wave)
    report = gradcheck(fun, altered(2, factor), X)
    assert not report
    assert report.verdict == "disagree"
    assert report.wrong == [2]
    assert report.nfev == fun.nfev
    assert report.worst.name == "x[2]"
    assert report.worst.numerical == pytest.approx(wave_grad(X)[2], rel=1e-9)


def test_rtol_and_atol():
    jac = altered(2, 1.001)
    assert gradcheck(wave, jac, X, rtol=0.01)
    assert gradcheck(wave, jac, X, atol=0.1)
    assert gradcheck(wave, jac, X, atol=1e-6).verdict == "disagree"


@pytest.mark.parametrize("options", [{"rtol": 1e-10}, {"rtol": 1e-10, "atol": 0.0}, {"rtol": 1e-9, "atol": 1e-9}])
def test_a_fine_tolerance_is_kept(options):
    """Forward differences know a derivative to 1e-7 at best."""
    for offset in (1e-7, 1e-8):
        report = gradcheck(wave, lambda x, c=offset: wave_grad(x) * (1 + c), X, **options)
        assert report.verdict == "disagree"
    assert gradcheck(wave, wave_grad, X, **options).verdict != "disagree"


def test_where_scipys_absolute_error_misleads():
    """4.5e-9 for a gradient that is 100 % wrong; 256 for a right one."""
    small = gradcheck(lambda x: 1e-9 * (x @ x), lambda x: -2e-9 * x, [3.0, 2.0])
    assert small.verdict == "disagree"
    assert gradcheck(lambda x: 1e9 * np.exp(x).sum(), lambda x: 1e9 * np.exp(x), X).verdict == "agree"


@pytest.mark.parametrize("c", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("d", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "agree"), (1.01, "disagree"), (-1.0, "disagree")])
def test_the_verdict_does_not_depend_on_scales(c, d, factor, verdict):
    jac = altered(3, factor)
    report = gradcheck(lambda x: c * wave(x / d), lambda x: c * jac(x / d) / d, d * X)
    assert report.verdict == verdict
    assert report.wrong == ([] if factor == 1.0 else [3])


def test_one_percent_in_one_of_a_thousand():
    x = np.random.default_rng(0).uniform(0.5, 2.0, 1000)
    assert gradcheck(wave, wave_grad, x).verdict == "agree"
    for mode in ("auto", "full"):
        report = gradcheck(wave, altered(617, 1.01), x, mode=mode)
        assert (report.verdict, report.wrong) == ("disagree", [617])


def test_zeros():
    assert gradcheck(lambda x: x[0] ** 2, lambda x: np.array([2 * x[0], 1e-17]), [1.0, 2.0])
    assert gradcheck(lambda x: 5.0, np.zeros_like, np.ones(3))
    assert gradcheck(lambda x: x @ x, lambda x: 2 * x, np.zeros(3))
    assert gradcheck(lambda x: ((x - 3) ** 2).sum() + 10, lambda x: 2 * (x - 3), [3.0, 3.0])
    assert gradcheck(lambda x: x @ x, lambda x: 2 * x + 1e-3, np.zeros(3)).verdict == "disagree"
    assert gradcheck(lambda x: 5.0, np.ones_like, np.ones(3)).verdict == "disagree"


def test_too_noisy_to_say():
    def fun(x):
        return 1e10 + 1e-9 * np.sin(x).sum()

    for factor in (1.0, -1.0):
        report = gradcheck(fun, lambda x, c=factor: c * 1e-9 * np.cos(x), X)
        assert report.verdict == "inconclusive"
        assert not report


def test_small_x_beside_ordinary_ones():
    assert gradcheck(lambda x: np.sin(x).sum(), np.cos, [0.5, 1e-17, 0.0])
    assert gradcheck(lambda x: np.sin(x).sum(), lambda x: -np.cos(x), [0.5, 1e-17, 0.0]).wrong == [0, 1, 2]


def test_vector_function():
    m = np.random.default_rng(1).normal(size=(4, 3))

    def jac(x):
        return np.cos(m @ x)[:, None] * m

    x = np.array([0.3, 0.1, 2.0])
    assert gradcheck(lambda x: np.sin(m @ x), jac, x)
    report = gradcheck(lambda x: np.sin(m @ x), lambda x: jac(x) + 0.1 * (np.arange(12).reshape(4, 3) == 7), x)
    assert report.wrong == [(2, 1)]
    assert report.worst.name == "fun[2] by x[1]"


def test_small_row_beside_a_large_one():
    def fun(x):
        return np.array([1e9 * x[0], 1e-9 * x[1]])

    assert gradcheck(fun, lambda x: np.diag([1e9, 1e-9]), np.ones(2))
    assert gradcheck(fun, lambda x: np.diag([1e9, 2e-9]), np.ones(2)).wrong == [(1, 1)]


@pytest.mark.parametrize("x0", [2.0, [2.0], [[1.0, 2.0], [3.0, 4.0]], np.float32([1, 2]), [1, 2]])
def test_points_of_any_shape(x0):
    assert gradcheck(lambda x: (x**3).sum(), lambda x: 3 * x**2, x0)
    report = gradcheck(lambda x: (x**3).sum(), lambda x: -3 * x**2, x0)
    shape = np.shape(x0)
    first = () if not shape else 0 if len(shape) == 1 else (0, 0)
    assert report.wrong[0] == first


def test_dicts():
    def fun(p):
        return (p["layer"]["w"] ** 2).sum() + np.sin(p["b"][0]).sum() * p["b"][1]

    def jac(p):
        b, c = p["b"]
        return {"b": [c * np.cos(b), np.sin(b).sum()], "layer": {"w": 2 * p["layer"]["w"]}}

    point = {"layer": {"w": np.arange(6.0).reshape(2, 3) + 1}, "b": [np.array([0.3, 0.4]), 2.0]}
    assert gradcheck(fun, jac, point)

    def wrong(p):
        g = jac(p)
        g["layer"]["w"][1, 2] = 0.0
        g["b"][1] *= 3
        return g

    report = gradcheck(fun, wrong, point)
    assert report.wrong == ["layer.w[1, 2]", "b[1]"]
    missing = gradcheck(fun, lambda p: {"b": jac(p)["b"]}, point)
    assert (missing.verdict, missing.kind) == ("disagree", "shape")


def test_wrong_shape_is_a_verdict():
    report = gradcheck(wave, lambda x: wave_grad(x)[:5], X)
    assert (report.verdict, report.kind, report.wrong) == ("disagree", "shape", [])
    assert "(5,)" in report.diagnosis
    assert "(6,)" in report.diagnosis
    assert "(5,)" in str(report)


def test_names_and_indices(counted):
    fun = counted(wave)
    report = gradcheck(fun, altered(2, 2.0), X, names=list("abcdef"), indices=[0, 2])
    assert report.wrong == [2]
    assert [row.name for row in report.rows] == ["c", "a"]
    assert {i for x in fun.seen for i in np.flatnonzero(x != X)} <= set(range(6))
    assert gradcheck(wave, altered(2, 2.0), X, indices=[0, 1])


def test_bounds_are_kept():
    lb, ub = np.array([0.0, 0.0, 0.5]), np.array([1.0, 1.0, 0.5])

    def fun(x):
        assert (x >= lb).all()
        assert (x <= ub).all()
        return np.sqrt(x[0] + 0.1) + x[1] ** 3 + x[2]

    def jac(x):
        return np.array([0.5 / np.sqrt(x[0] + 0.1), 3 * x[1] ** 2, 7.0])

    x = np.array([0.0, 1.0, 0.5])
    report = gradcheck(fun, jac, x, bounds=(lb, ub))
    assert report
    assert report.rows[-1].verdict == "not checked"
    assert gradcheck(fun, lambda x: jac(x) * [1.2, 1, 1], x, bounds=(lb, ub)).wrong == [0]


def test_what_fun_and_jac_do_to_arrays():
    buffer = np.empty(6)

    def jac(x):
        buffer[:] = wave_grad(x)
        x[:] = 99.0
        return buffer

    def fun(x):
        value = wave(x)
        x *= 0
        return value

    x = X.copy()
    assert gradcheck(fun, jac, x)
    assert np.array_equal(x, X)
    stale = gradcheck(fun, lambda x: altered(1, 2.0, jac)(x), x)
    assert stale.wrong == [1]


def test_exceptions_are_raised_as_themselves():
    class OwnError(Exception):
        pass

    def broken(x):
        raise OwnError

    def later(x):
        if x[0] != X[0]:
            raise OwnError
        return 1.0

    for fun, jac in ((broken, wave_grad), (wave, broken), (later, wave_grad)):
        with pytest.raises(OwnError):
            gradcheck(fun, jac, X)


def test_random_values():
    rng = np.random.default_rng(0)

    def fun(x):
        return wave(x) + 1e-8 * rng.normal()

    with pytest.warns(RuntimeWarning, match="different values at one point"):
        assert gradcheck(fun, wave_grad, X)
    with pytest.warns(RuntimeWarning, match="seed it"):
        report = gradcheck(fun, altered(2, -1.0), X)
    assert report.wrong == [2]
    assert any("different values" in note for note in report.notes)


@pytest.mark.parametrize("noise", [1e-12, 1e-10, 1e-8])
def test_noise(noise):
    def fun(x):
        return wave(x) + noise * np.sin(1e9 * (x @ np.arange(1, 7)))

    assert gradcheck(fun, wave_grad, X)
    assert gradcheck(fun, altered(2, 1.05), X).wrong == [2]


@pytest.mark.parametrize("outside", [np.float32, float])
def test_float32(outside):
    def fun(x):
        x = x.astype(np.float32)
        return outside(np.sum(np.sin(x) * x))

    def grad(x):
        return np.sin(x) + x * np.cos(x)

    assert gradcheck(fun, grad, X).verdict != "disagree"
    assert gradcheck(fun, altered(2, -1.0, grad), X).wrong == [2]


def test_nan_and_inf():
    report = gradcheck(wave, altered(2, np.nan), X)
    assert (report.verdict, report.wrong, report.kind) == ("disagree", [2], "nonfinite")
    assert gradcheck(lambda x: x @ x, lambda x: np.array([2.0, np.inf]), [1.0, 1.0]).wrong == [1]
    assert gradcheck(lambda x: np.nan, wave_grad, X).verdict == "inconclusive"


KINKS = [
    (lambda x: np.abs(x).sum(), 0.0, -1.0, 1.0),
    (lambda x: np.maximum(x, 0).sum(), 0.0, 0.0, 1.0),
    (lambda x: np.maximum(x, 0.1 * x).sum(), 0.0, 0.1, 1.0),
    (lambda x: np.clip(x, 0, 1).sum(), 1.0, 1.0, 0.0),
    (lambda x: max(x[0], x[1], 0.5), 1.0, 0.0, 1.0),
    (lambda x: np.sort(x)[0] + 2 * np.sort(x)[1], 1.0, 1.0, 2.0),
]


@pytest.mark.parametrize(("fun", "at", "left", "right"), KINKS)
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_kinks(fun, at, left, right, share):
    other = fun(np.array([at, at + 1e-3])) - fun(np.array([at, at]))
    x = np.array([at, 1.0])
    smooth = 1e3 * (fun(np.array([at, 1.001])) - fun(np.array([at, 1.0])))
    # where both are at the kink, they share it
    second = smooth if other and at != 1.0 else left + share * (right - left)
    a = np.array([left + share * (right - left), second])
    report = gradcheck(fun, lambda x: a, x)
    assert report, str(report)
    row = next(row for row in report.rows if row.index == 0)
    assert f"kink: slopes {left:.6g} and {right:.6g}" in row.flag
    assert gradcheck(fun, lambda x: a, x, strict=True).verdict == "disagree"
    outside = a + np.array([2.5, 0.0])
    assert 0 in gradcheck(fun, lambda x: outside, x).wrong


@pytest.mark.parametrize("distance", [1e-9, 1e-8, 1e-7, 1e-6, 1e-4])
@pytest.mark.parametrize("sign", [1, -1])
def test_near_a_kink(distance, sign):
    def fun(x):
        return abs(x[0] - 1) + x[1] ** 2

    x = np.array([1.0 + sign * distance, 2.0])
    report = gradcheck(fun, lambda x: np.array([np.sign(x[0] - 1), 2 * x[1]]), x)
    assert report.verdict == "agree"
    assert "kink" not in str(report)
    assert gradcheck(fun, lambda x: np.array([-np.sign(x[0] - 1), 2 * x[1]]), x).wrong == [0]


@pytest.mark.parametrize(
    ("fun", "grad"),
    [
        (lambda x: np.tanh(20 * x).sum(), lambda x: 20 / np.cosh(20 * x) ** 2),
        (lambda x: np.exp(np.sin(3 * x)).sum(), lambda x: 3 * np.cos(3 * x) * np.exp(np.sin(3 * x))),
        (lambda x: np.sin(x).sum() + 1e-10 * np.sin(1e9 * x.sum()), np.cos),
    ],
)
def test_no_false_kinks(fun, grad):
    for x in ([0.01, -0.03, 0.1], [0.0, 0.5, -2.0], [1e-3, 1.0, 0.2]):
        report = gradcheck(fun, grad, x)
        assert report.verdict != "disagree"
        assert "slopes" not in str(report)


def test_max_nfev(counted):
    fun = counted(lambda x: x @ x)
    report = gradcheck(fun, lambda x: 2 * x, np.ones(50), max_nfev=20)
    assert report.verdict == "inconclusive"
    assert report.nfev == fun.nfev <= 20
    assert any("max_nfev" in note for note in report.notes)
    fun = counted(lambda x: x @ x)
    assert gradcheck(fun, lambda x: -2 * x, np.ones(50), max_nfev=60).nfev == fun.nfev <= 60


def test_the_table():
    report = gradcheck(wave, altered(2, -1.0), X)
    head, kind, columns, first, *rest = str(report).splitlines()
    assert head == f"gradcheck: disagree (full, {report.nfev} evaluations of fun, {report.njev} of jac)"
    assert "sign" in kind
    assert columns.split()[:3] == ["component", "analytic", "numerical"]
    assert first.split()[0] == "x[2]"
    assert first.endswith("DISAGREE")
    assert len(rest) == 5
    assert repr(report) == str(report)
    assert "<table>" in report._repr_html_()
    assert "x[2]" in report._repr_html_()
    whole = json.loads(json.dumps(report.to_dict()))
    assert whole["verdict"] == "disagree"
    assert whole["wrong"] == [2]
    assert len(whole["rows"]) == 6


def test_assert_gradient():
    assert_gradient(wave, wave_grad, X)
    with pytest.raises(AssertionError, match=r"x\[2\].*DISAGREE"):
        assert_gradient(wave, altered(2, -1.0), X)
    with pytest.raises(AssertionError, match=r"and 1 more"):
        assert_gradient(wave, lambda x: -wave_grad(x), X)


def test_progress(counted):
    seen = []
    gradcheck(wave, lambda x: -wave_grad(x), np.resize(X, 100) + 0.1, mode="full", progress=lambda *at: seen.append(at))
    assert seen == sorted(seen)
    assert seen[-1] == (100, 100)
    assert len(seen) > 2
    seen.clear()
    fun = counted(lambda x: float((x - 1.5).sum()))
    x = np.linspace(1.0, 2.0, 100)
    assert gradcheck(fun, np.ones_like, x, mode="full", progress=lambda *at: seen.append(at))
    assert seen == [(64, 100), (100, 100), (100, 100)]
    assert fun.nfev == 100 + 2 + 2  # forward, and one step back for each 64


def test_tqdm_is_closed(monkeypatch):
    closed = []

    class Bar:
        def __init__(self, desc):
            self.total = self.n = 0

        def refresh(self):
            pass

        def close(self):
            closed.append((self.n, self.total))

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=Bar))
    assert gradcheck(wave, wave_grad, X, progress=True)
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda x: 1 / 0, wave_grad, X, progress=True)
    assert closed == [(6, 6), (0, 0)]


def test_tqdm_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"needs tqdm.*the extra \"progress\""):
        gradcheck(wave, wave_grad, X, progress=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mode": "quick"}, ValueError, "`mode` must be one of 'auto', 'full', 'directional'; it is 'quick'"),
        ({"rtol": -1.0}, ValueError, "`rtol` must be a finite number >= 0; it is -1.0"),
        ({"names": ["a"]}, ValueError, "`names` must be as many"),
        ({"max_nfev": 1}, ValueError, "`max_nfev` must be an integer of at least 2"),
        ({"directions": 0}, ValueError, "`directions` must be at least 1"),
        ({"directions": np.zeros(6)}, ValueError, "`directions` must be finite, and none"),
        ({"progress": 3}, TypeError, "`progress` must be True, False or callable"),
        ({"noise": -1.0}, ValueError, "`noise`"),
        ({"indices": [0], "mode": "directional"}, ValueError, "`indices` are for components one by one"),
        ({"indices": [0], "directions": 2}, ValueError, "`indices` are for components one by one"),
    ],
)
def test_messages(options, error, message):
    with pytest.raises(error, match=message.replace("(", r"\(")):
        gradcheck(wave, wave_grad, X, **options)


def test_jac_that_is_none():
    with pytest.raises(TypeError, match="`jac` must be callable"):
        gradcheck(wave, None, X)
    with pytest.raises(TypeError, match="`jac` returned None"):
        gradcheck(wave, lambda x: None, X)
    with pytest.raises(TypeError, match="`jac` must return real numbers"):
        gradcheck(wave, lambda x: x * 1j, X)


def test_args_and_kwargs():
    def fun(x, a, b=1.0):
        return a * b * (x @ x)

    def jac(x, a, b=1.0):
        return 2 * a * b * x

    assert gradcheck(fun, jac, X, args=(3.0,), kwargs={"b": 2.0})


def test_no_warning_for_a_right_gradient():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gradcheck(wave, wave_grad, X)


def test_exports():
    for name in ("gradcheck", "assert_gradient", "taylor_test", "GradientReport", "TaylorTest"):
        assert name in numdiff.__all__


def test_kinks_that_central_differences_hide():
    """A sparse regression with an L1 term: the slopes at 0 are those of the rest, plus or minus 0.1."""
    rng = np.random.default_rng(7)
    m, y = rng.normal(size=(5, 20)), rng.normal(size=5)
    x = np.where(np.arange(20) % 3 == 0, rng.normal(size=20), 0.0)

    def fun(x):
        return ((m @ x - y) ** 2).sum() + 0.1 * np.abs(x).sum()

    def jac(x, at_0):
        return 2 * m.T @ (m @ x - y) + 0.1 * np.where(x == 0, at_0, np.sign(x))

    for at_0 in (-1.0, 0.0, 0.5):
        assert gradcheck(fun, lambda x, s=at_0: jac(x, s), x)
    assert gradcheck(fun, lambda x: jac(x, 1.5), x).wrong == np.flatnonzero(x == 0).tolist()


def test_infinite_slopes_are_not_called_wrong():
    with np.errstate(all="ignore"):
        assert gradcheck(lambda x: np.sqrt(x).sum(), lambda x: 0.5 / np.sqrt(x), [0.0, 0.5]).verdict == "inconclusive"


def test_a_function_of_no_values():
    with pytest.raises(ValueError, match="`fun` must return at least one value"):
        gradcheck(lambda x: np.zeros(0), lambda x: np.zeros((0, 2)), [1.0, 2.0])


def test_a_subgradient_is_shown_beside_the_nearer_slope():
    report = gradcheck(lambda x: abs(x[0]) + x[1], lambda x: np.array([0.3, 1.0]), [0.0, 1.0])
    assert report
    row = report.rows[0]
    assert (row.name, row.verdict) == ("x[0]", "agree")
    assert row.numerical == pytest.approx(1.0)
    assert row.difference == pytest.approx(0.7)
    assert "kink: slopes -1 and 1" in row.flag


def test_notes_of_noise():
    """Neither rounding nor noise that is known is news."""
    assert gradcheck(wave, lambda x: -wave_grad(x), X).notes == []
    assert gradcheck(wave, wave_grad, X, noise=1e-12).notes == []
    rough = gradcheck(lambda x: wave(x) + 1e-8 * np.sin(1e12 * x.sum()), lambda x: -wave_grad(x), X)
    assert any("fun is noisy" in note for note in rough.notes)


def test_nan_at_the_second_call_is_told():
    calls = []

    def fun(x):
        calls.append(0)
        return np.nan if len(calls) == 2 else float(x @ x)

    with pytest.warns(RuntimeWarning, match="different values at one point"):
        report = gradcheck(fun, lambda x: 2 * x, X)
    assert any("different values" in note for note in report.notes)


@pytest.mark.parametrize("rng", [-1, "a"])
def test_rng_is_named(rng):
    with pytest.raises((TypeError, ValueError), match="`rng` must be an integer >= 0"):
        gradcheck(wave, wave_grad, X, rng=rng)


def test_reports_can_be_pickled():
    report = gradcheck(wave, lambda x: wave_grad(x), X)
    again = pickle.loads(pickle.dumps(report))
    assert str(again) == str(report)
    assert again.rows == report.rows
