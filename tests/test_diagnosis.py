"""What kind of wrong: each kind with a test."""

import numpy as np
import pytest

from numdiff import gradcheck

RNG = np.random.default_rng(3)
X = RNG.uniform(0.5, 2.0, 8)
BIG = RNG.uniform(0.5, 2.0, 2000)


def fun(x):
    return float(np.sum(np.sin(x) * x) + x[0] * x[-1])


def grad(x):
    g = np.sin(x) + x * np.cos(x)
    g[0] += x[-1]
    g[-1] += x[0]
    return g


WHOLE = {
    "sign": (lambda x: -grad(x), "the sign is flipped"),
    "2": (lambda x: 2 * grad(x), "2 times"),
    "1/2": (lambda x: grad(x) / 2, "1/2 times"),
    "n": (lambda x: x.size * grad(x), "n = "),
    "1/n": (lambda x: grad(x) / x.size, "1/n = "),
    "constant": (lambda x: 1.7 * grad(x), "1.7 times"),
    "shifted": (lambda x: np.roll(grad(x), 1), "shifted by 1"),
    "shifted back": (lambda x: np.roll(grad(x), -2), "shifted by -2"),
    "reversed": (lambda x: grad(x)[::-1], "reverse"),
    "L2": (lambda x: grad(x) - 0.1 * x, "0.1 times x"),
    "all zero": (np.zeros_like, "0 where the derivative is not"),
    "stale": (lambda x: grad(np.full(x.size, 1.1)), "another point"),
}
KINDS = {
    "2": "factor", "1/2": "factor", "n": "factor", "1/n": "factor", "constant": "factor", "shifted back": "shifted",
    "reversed": "permuted", "L2": "missing", "all zero": "missing",
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("x", [X, BIG], ids=["full", "directional"])
def test_the_whole_gradient(name, x):
    jac, text = WHOLE[name]
    report = gradcheck(fun, jac, x)
    assert report.verdict == "disagree"
    assert report.kind == KINDS.get(name, name)
    assert text in report.diagnosis
    assert text in str(report)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda g: g * np.where(np.arange(8) < 3, -1, 1), "sign"),
        (lambda g: g * np.where(np.arange(8) < 3, 2, 1), "factor"),
        (lambda g: g * np.where(np.arange(8) < 3, 0, 1), "missing"),
        (lambda g: g[[0, 1, 4, 3, 2, 5, 6, 7]], "permuted"),
        (lambda g: g[[3, 0, 6, 1, 2, 5, 7, 4]], "permuted"),
        (lambda g: np.full(8, g.sum()), "summed"),
        (lambda g: np.full(8, g.mean()), "summed"),
        (lambda g: g + 0.25, "missing"),
        (lambda g: g + 0.3 * (np.arange(8) == 4), "isolated"),
        (lambda g: g * np.where(np.arange(8) == 4, 0, 1), "missing"),
        (lambda g: g * np.where(np.arange(8) == 4, -1, 1), "sign"),
        (lambda g: g * np.where(np.arange(8) == 4, np.nan, 1), "nonfinite"),
    ],
)
def test_a_part(change, kind):
    report = gradcheck(fun, lambda x: change(grad(x)), X)
    assert (report.verdict, report.kind) == ("disagree", kind), report.diagnosis


def test_transposed():
    square = RNG.normal(size=(4, 4))

    def jac(x):
        return np.cos(square @ x)[:, None] * square

    report = gradcheck(lambda x: np.sin(square @ x), lambda x: jac(x).T, X[:4])
    assert report.kind == "transposed"
    tall = square[:, :3]
    report = gradcheck(lambda x: np.sin(tall @ x), lambda x: (np.cos(tall @ x)[:, None] * tall).T, X[:3])
    assert report.kind == "transposed"
    assert "(3, 4)" in report.diagnosis
    assert "(4, 3)" in report.diagnosis
    report = gradcheck(lambda a: np.trace(a @ a), lambda a: 2 * a, square)
    assert report.kind == "transposed"


def test_summed_to_a_number():
    """A statistics question: the asker's gradient sums over the components (EXAMPLES.md A)."""

    def s(w):
        return -np.sin(np.pi * (w @ w)) + np.log(w @ w)

    def wrong(w):
        return np.pi * np.sum(2 * w) * -np.cos(np.pi * (w @ w)) + np.sum(2 * w) / (w @ w)

    assert gradcheck(s, lambda w: -2 * np.pi * w * np.cos(np.pi * (w @ w)) + 2 * w / (w @ w), [0.5, 0.5])
    report = gradcheck(s, wrong, [0.5, 0.5])
    assert (report.verdict, report.kind) == ("disagree", "summed")
    assert "shape () where (2,)" in report.diagnosis
    assert "summed" in report.diagnosis


def test_blocks():
    point = {"w": RNG.uniform(0, 1, (3, 4)), "b": RNG.uniform(1, 2, 4)}

    def loss(p):
        return np.sum(np.sin(p["w"])) + np.sum(p["b"] ** 2) + 0.05 * np.sum(p["w"] ** 2)

    report = gradcheck(loss, lambda p: {"w": np.cos(p["w"]) + 0.1 * p["w"], "b": 0 * p["b"]}, point)
    assert (report.kind, report.diagnosis) == ("missing", "the block b is missing: its derivative is not 0")
    report = gradcheck(loss, lambda p: {"w": np.cos(p["w"]), "b": 2 * p["b"]}, point)
    assert report.kind == "missing"
    assert "0.1 times x: a forgotten" in report.diagnosis


def test_stale():
    seen = []

    def of_the_last_point(x):
        seen.append(x.copy())
        return grad(seen[-2] if len(seen) > 1 else x + 0.3)

    report = gradcheck(fun, of_the_last_point, X)
    assert report.kind == "stale"
    assert "an earlier point" in report.diagnosis
    assert gradcheck(fun, lambda x: grad(x + 0.1), X).kind == "stale"
    assert gradcheck(fun, lambda x: grad(np.round(x, 1)), X).kind == "stale"


def test_no_kind_is_made_up():
    noise = RNG.normal(size=8)
    report = gradcheck(fun, lambda x: grad(x) * (1 + 0.3 * noise) + 0.2 * noise[::-1] * x**2, X)
    assert (report.verdict, report.kind, report.diagnosis) == ("disagree", None, "")


def test_a_guess_never_hides_an_exception_of_jac():
    def jac(x):
        if not np.array_equal(x, X):
            raise RuntimeError("only there")
        return grad(x) ** 2

    assert gradcheck(fun, jac, X).verdict == "disagree"


def test_the_gradient_of_a_linear_function_is_not_called_stale():
    slopes = RNG.normal(size=8)
    report = gradcheck(lambda x: slopes @ x, lambda x: slopes + slopes**2 - 0.3, X)
    assert (report.verdict, report.kind) == ("disagree", None)


def test_what_fun_raises_while_a_guess_is_tested_passes_through():
    """Whether jac is that of another point is asked 5 % away."""

    def fun(x):
        if abs(x[0] - 1) > 0.03:
            raise ArithmeticError("too far")
        return float(np.exp(x).sum())

    with pytest.raises(ArithmeticError, match="too far"):
        gradcheck(fun, lambda x: np.array([3.3, 1.2]), [1.0, 2.0])


def test_the_diagonal_alone_is_a_shape():
    report = gradcheck(np.sin, np.cos, [0.7, 1.9])
    assert report.kind == "shape"
    assert "the diagonal of the Jacobian" in report.diagnosis


def test_exchanged_rows():
    m = np.random.default_rng(0).normal(size=(4, 3))

    def jac(x):
        return np.cos(m @ x)[:, None] * m

    x = np.array([0.3, 0.4, 0.5])
    exchanged = gradcheck(lambda x: np.sin(m @ x), lambda x: jac(x)[[1, 0, 2, 3]], x)
    assert (exchanged.kind, exchanged.diagnosis) == ("permuted", "rows 0 and 1 are exchanged")
    permuted = gradcheck(lambda x: np.sin(m @ x), lambda x: jac(x)[[2, 1, 3, 0]], x)
    assert (permuted.kind, permuted.diagnosis) == ("permuted", "the rows 0, 2, 3 are permuted")


def test_a_short_number_does_not_change_with_x():
    report = gradcheck(lambda x: np.exp(x).sum(), lambda x: np.exp(x).astype(np.float16), X)
    assert (report.verdict, report.kind) != ("disagree", "stale")
    assert "does not change" not in report.diagnosis


def test_one_number_is_any_factor():
    m = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    report = gradcheck(lambda x: m @ x, lambda x: m + np.eye(2, 3) * [1, 0, 0], np.ones(3))
    assert (report.kind, report.wrong) == ("isolated", [(0, 0)])


def test_an_array_where_a_dict_is_due():
    report = gradcheck(lambda p: (p["w"] ** 2).sum(), lambda p: 2 * p["w"], {"w": X[:2]})
    assert report.kind == "shape"
    assert "(2,)" in report.diagnosis


def test_components_are_missing():
    report = gradcheck(lambda x: x @ x, lambda x: np.where((np.arange(8) > 3) & (np.arange(8) < 6), 0, 2 * x), X)
    assert report.diagnosis == "components 4 to 5 of the gradient are missing: 0 where the derivative is not"
