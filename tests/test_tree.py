"""Trees, and functions of several arguments: values, structure, what is a tree, options, errors, counts."""

import collections
import subprocess
import sys

import numpy as np
import pytest

import numdiff
from numdiff._tree import as_tree, is_tree

Line = collections.namedtuple("Line", "slope intercept")

W, B = np.array([[0.5, -1.0]]), np.array([[2.0]])


def loss(p):
    """Sum of squares and a product: the gradient by w is 2w + b, by b the sum of w, plus 3 b²."""
    return (p["w"] ** 2).sum() + p["b"].sum() * p["w"].sum() + p["b"].sum() ** 3


EXACT = {"w": 2 * W + B, "b": np.array([[W.sum() + 3 * B.sum() ** 2]])}
# by the flat vector (b, w0, w1)
HESSIAN = np.array([[6 * B.sum(), 1.0, 1.0], [1.0, 2.0, 0.0], [1.0, 0.0, 2.0]])


@pytest.mark.parametrize("method", ["central", "forward", "backward", "richardson", "complex"])
def test_gradient_by_a_dict(method):
    p = {"w": W.copy(), "b": B.copy()}
    g = numdiff.gradient(loss, p, method=method)
    assert list(g) == ["w", "b"]
    for key in g:
        assert g[key].shape == p[key].shape
        np.testing.assert_allclose(g[key], EXACT[key], rtol=1e-6)
    assert np.array_equal(p["w"], W)
    assert np.array_equal(p["b"], B)


def test_the_same_bits_as_the_flat_vector(counted):
    flat = counted(lambda x: loss({"b": x[:1].reshape(1, 1), "w": x[1:].reshape(1, 2)}))
    expected = numdiff.gradient(flat, [2.0, 0.5, -1.0])
    calls = []
    g = numdiff.gradient(lambda p: calls.append(1) or loss(p), {"w": W, "b": B})
    assert np.array_equal(np.concatenate([g["b"].ravel(), g["w"].ravel()]), expected)
    assert len(calls) == flat.nfev == 6


@pytest.mark.parametrize("method", ["central", "richardson"])
def test_full_output_has_the_structure_everywhere(method):
    def absolute(p):
        return abs(p["w"][0, 0]) + p["b"].sum()

    found = numdiff.gradient(absolute, {"w": np.zeros((1, 2)), "b": B}, method=method, full_output=True)
    for field in (found.value, found.error, found.step, found.flag):
        assert {key: leaf.shape for key, leaf in field.items()} == {"w": (1, 2), "b": (1, 1)}
    assert np.all(np.abs(found.value["b"] - 1) <= found.error["b"])
    if method == "richardson":
        assert found.flag["w"][0, 0] & numdiff.Flag.kink
        assert found.flag["w"][0, 1] == found.flag["b"][0, 0] == 0
        assert "flag: ['w'][0, 0] kink" in repr(found)
    else:
        assert "flag: ok" in repr(found)


def test_repr_shows_ten_flags_and_counts_the_rest():
    found = numdiff.gradient(
        lambda p: p[0].sum(), [np.zeros(12), np.zeros(1)], bounds=([0.0, -1.0], [0.0, 1.0]), full_output=True
    )
    assert repr(found).endswith("[0][9] fixed; and 2 more")


def test_hessian_is_that_of_the_flat_vector():
    p = {"w": W, "b": B}

    def gradient(p):
        b = p["b"].sum()
        return {"b": np.array([[p["w"].sum() + 3 * b**2]]), "w": 2 * p["w"] + b}

    np.testing.assert_allclose(numdiff.hessian(loss, p), HESSIAN, atol=1e-5)
    np.testing.assert_allclose(numdiff.hessian(None, p, jac=gradient), HESSIAN, atol=1e-8)
    np.testing.assert_allclose(numdiff.hess(loss)(p), HESSIAN, atol=1e-5)
    np.testing.assert_allclose(numdiff.hess(None, jac=numdiff.grad(loss))(p), HESSIAN, atol=1e-4)
    found = numdiff.hessian(loss, p, full_output=True)
    assert found.value.shape == found.error.shape == (3, 3)
    assert found.step.shape == (3,)


def test_grad_and_value_and_grad():
    p = {"w": W, "b": B}
    g = numdiff.grad(loss)(p)
    value, same = numdiff.value_and_grad(loss)(p)
    assert value == loss(p)
    for key in p:
        np.testing.assert_allclose(g[key], EXACT[key], rtol=1e-9)
        assert np.array_equal(same[key], g[key])
    assert numdiff.grad(lambda p, a: a * loss(p))(p, 2.0)["b"] == pytest.approx(2 * EXACT["b"])


def test_nested_and_mixed():
    x0 = [{"a": np.array([1.0, 2.0]), "none": None}, (3.0, np.array(4.0)), [[5, 6], [7, 8]], Line(np.array([9.0]), 1)]
    seen = []

    def fun(x):
        seen.append(x)
        return (x[0]["a"] ** 2).sum() + x[1][0] * x[1][1] + x[2].trace() + x[3].slope[0] * x[3].intercept

    g = numdiff.gradient(fun, x0)
    np.testing.assert_allclose(g[0]["a"], [2, 4])
    assert g[0]["none"] is None
    np.testing.assert_allclose(g[1], (4, 3))
    np.testing.assert_allclose(g[2], np.eye(2), atol=1e-10)
    assert isinstance(g[3], Line)
    np.testing.assert_allclose(g[3].slope, [1])
    assert g[3].intercept == pytest.approx(9)
    assert isinstance(seen[0][1], tuple)
    assert all(leaf.dtype == np.float64 for leaf in (*seen[0][1], seen[0][2], seen[0][0]["a"]))
    assert x0[2] == [[5, 6], [7, 8]]


@pytest.mark.parametrize(
    ("x0", "tree"),
    [
        (1.0, False),
        (np.ones(3), False),
        ([1.0, 2.0], False),
        ((1, 2), False),
        ([[1.0, 2.0], [3.0, 4.0]], False),
        ([(1.0, 2.0), (3.0, 4.0)], False),
        ([np.float64(1.0), np.float64(2.0)], False),
        (Line(1.0, 2.0), False),
        ([], False),
        ([np.ones(2), np.ones(2)], True),
        ((np.array(1.0), np.array(2.0)), True),
        ([1.0, np.array([2.0])], True),
        ([[1.0], [[np.ones(1)]]], True),
        ([1.0, {"a": 2.0}], True),
        ({"a": 1.0}, True),
        (collections.OrderedDict(a=1.0), True),
        ({}, True),
    ],
)
def test_what_is_a_tree(x0, tree):
    assert is_tree(x0) is tree
    assert (as_tree(x0) is None) is not tree


def test_plain_numbers_are_an_array_as_before():
    for x0 in ([[1.0, 2.0], [3.0, 4.0]], ((1, 2), (3, 4))):
        g = numdiff.gradient(lambda x: (x**2).sum(), x0)
        assert isinstance(g, np.ndarray)
        np.testing.assert_allclose(g, 2 * np.array(x0))


def test_two_zero_dimensional_arrays_are_a_tree():
    g = numdiff.gradient(lambda x: x[0] * x[1], (np.array(2.0), np.array(3.0)))
    assert g == pytest.approx((3.0, 2.0))
    assert isinstance(g, tuple)


def test_near_overflow():
    assert not as_tree({"a": np.ones(2), "b": 1e305}).moderate
    assert as_tree({"a": np.ones(2), "b": 1e100}).moderate


def test_an_empty_dict():
    assert numdiff.gradient(lambda p: 1.0, {}) == {}
    assert numdiff.hessian(lambda p: 1.0, {}).shape == (0, 0)


def test_sorted_keys():
    for p in ({"b": 1.0, "a": 2.0}, {"a": 2.0, "b": 1.0}):
        np.testing.assert_allclose(np.diag(numdiff.hessian(lambda p: p["a"] ** 2 + 2 * p["b"] ** 2, p)), [2, 4])


def test_options_of_the_structure_of_x0():
    p = {"w": np.array([1.0, 2.0]), "b": 3.0}
    seen = []

    def fun(p):
        seen.append(np.array([p["b"], *p["w"]]))
        return p["w"].sum() * p["b"]

    h = {"w": [0.25, 0.5], "b": 0.125}
    found = numdiff.gradient(fun, p, abs_step=h, full_output=True)
    assert found.step["w"].tolist() == [0.25, 0.5]
    assert found.step["b"] == 0.125
    one = numdiff.gradient(fun, p, abs_step={"w": 0.25, "b": 0.125}, full_output=True)
    assert one.step["w"].tolist() == [0.25, 0.25]
    flat = numdiff.gradient(fun, p, abs_step=np.array([0.125, 0.25, 0.5]), full_output=True)
    assert np.array_equal(flat.step["w"], found.step["w"])
    scaled = numdiff.gradient(fun, p, x_scale={"w": 64.0, "b": 1.0}, full_output=True)
    plain = numdiff.gradient(fun, p, full_output=True)
    assert scaled.step["w"][0] == 64 * plain.step["w"][0]

    seen.clear()
    bounded = numdiff.gradient(fun, p, bounds=({"w": [1.0, 0.0], "b": 3.0}, np.inf), full_output=True)
    assert min(x[0] for x in seen) == 3.0
    assert min(x[1] for x in seen) == 1.0
    assert bounded.flag["b"] == bounded.flag["w"][0] == numdiff.Flag.one_sided
    assert bounded.flag["w"][1] == 0
    H = numdiff.hessian(fun, p, bounds=({"w": 0, "b": 3}, np.inf))
    np.testing.assert_allclose(H, [[0, 1, 1], [1, 0, 0], [1, 0, 0]], atol=1e-6)


def test_indices_are_those_of_the_flat_vector():
    g = numdiff.gradient(loss, {"w": W, "b": B}, indices=[2, 0])
    np.testing.assert_allclose(g, [EXACT["w"][0, 1], EXACT["b"][0, 0]])


def test_a_fun_that_writes_or_keeps():
    kept = []

    def keeps(p):
        kept.append(p["w"])
        return (p["w"] ** 2).sum()

    def writes(p):
        p["w"] *= 2
        p["b"][...] = 0
        return (p["w"] ** 2).sum()

    p = {"w": np.array([1.0, 2.0]), "b": np.array(1.0)}
    np.testing.assert_allclose(numdiff.gradient(keeps, p)["w"], [2, 4])
    assert len({tuple(w) for w in kept}) == 5  # each of 4 points by w, and the one where b moves
    found = numdiff.gradient(writes, p, full_output=True)
    np.testing.assert_allclose(found.value["w"], [8, 16])
    assert found.value["b"] == 0
    assert p["w"].tolist() == [1, 2]
    assert p["b"] == 1


class TestUnpack:
    def test_three_arguments(self, counted):
        """EXAMPLES.md B1."""
        seen = []

        def fun(q, chi, delta):
            seen.append((q, chi, delta))
            return q * chi * delta

        g = numdiff.gradient(fun, (2.0, 3.0, 5.0), unpack=True)
        assert isinstance(g, tuple)
        np.testing.assert_allclose(g, (15, 10, 6))
        assert len(seen) == 6

    def test_arrays_and_args(self):
        g = numdiff.gradient(
            lambda a, x, s, *, k: s * k * a * (x @ x), [2, [3.0, 4.0]], unpack=True, args=(10.0,), kwargs={"k": 0.5}
        )
        assert g[0] == pytest.approx(125)
        np.testing.assert_allclose(g[1], [60, 80])

    def test_full_output(self):
        found = numdiff.gradient(lambda a, x: a * x.sum(), (2.0, np.ones(3)), unpack=True, full_output=True)
        for field in (found.value, found.error, found.step, found.flag):
            assert isinstance(field, tuple)
            assert [np.shape(leaf) for leaf in field] == [(), (3,)]

    def test_a_dict_among_the_arguments(self):
        g = numdiff.gradient(lambda p, t: p["a"] * t, ({"a": 2.0}, 3.0), unpack=True)
        assert g == ({"a": pytest.approx(3)}, pytest.approx(2))

    def test_options(self):
        found = numdiff.gradient(lambda a, b: a * b, (1.0, 2.0), unpack=True, abs_step=(0.5, 0.25), full_output=True)
        assert found.step == (0.5, 0.25)
        with pytest.raises(ValueError, match="`abs_step` must have the structure of `x0`: one entry for each of 2 arg"):
            numdiff.gradient(lambda a, b: a * b, (1.0, 2.0), unpack=True, abs_step=(0.5, 0.25, 1.0))

    def test_not_a_tuple(self):
        with pytest.raises(TypeError, match=r"`x0` must be a tuple of the arguments of `fun`.*it is 2.0 \(float\)"):
            numdiff.gradient(lambda a: a, 2.0, unpack=True)
        with pytest.raises(TypeError, match=r"`x0\[1\]` must be a real number or an array of them; it is 'a' \(str\)"):
            numdiff.gradient(lambda a, b: a, (1.0, "a"), unpack=True)

    def test_needs_no_optree(self):
        code = (
            "import sys; sys.modules['optree'] = None; import numdiff\n"
            "g = numdiff.gradient(lambda q, x: q * x[0], (2.0, [3.0, 4.0]), unpack=True)\n"
            "print(round(g[0], 6), g[1].round(6).tolist())\n"
            "try: numdiff.gradient(lambda p: p['a'], {'a': 1.0})\n"
            "except ImportError as error: print(error)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        lines = done.stdout.splitlines()
        assert lines[0] == "3.0 [2.0, 0.0]"
        assert lines[1].startswith("`x0` as a dict, list or tuple of arrays needs optree, which is not installed")
        assert 'the extra "pytree"' in lines[1]


class TestErrors:
    def test_a_leaf_by_its_place(self):
        with pytest.raises(ValueError, match=r"`x0\['w'\]` must be finite; x0\['w'\]\[1\] is nan"):
            numdiff.gradient(loss, {"w": [1.0, np.nan], "b": 1.0})
        with pytest.raises(TypeError, match=r"`x0\['n'\]\[0\]` must be a real number .*'me'"):
            numdiff.gradient(loss, {"n": ["me", np.ones(1)]})

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            ({"w": 1.0}, "`rel_step` must have the structure of `x0`"),
            ([1.0, 2.0, 3.0], "`rel_step` must have the structure of `x0`"),
            ({"w": np.ones(3), "b": 1}, r"`rel_step\['w'\]` must have the shape of `x0\['w'\]`, \(1, 2\); it has \(3,"),
            (np.ones(4), r"`rel_step` must be a number or have the shape of `x0`, \(3,\)"),
        ],
    )  # fmt: skip
    def test_options_of_another_structure(self, step, message):
        with pytest.raises(ValueError, match=message):
            numdiff.gradient(loss, {"w": W, "b": B}, rel_step=step)

    def test_jac(self):
        p = {"w": W, "b": B}
        with pytest.raises(ValueError, match="`jac` must have the structure of `x0`"):
            numdiff.hessian(None, p, jac=lambda p: {"w": p["w"]})
        with pytest.raises(
            ValueError, match=r"`jac\['b'\]` must have the shape of `x0\['b'\]`, \(1, 1\); it has \(2,\)"
        ):
            numdiff.hessian(None, p, jac=lambda p: {"w": p["w"], "b": np.ones(2)})
        with pytest.raises(ValueError, match=r"`jac\['w'\]` must have the shape of `x0\['w'\]`, \(1, 2\); it has \(\)"):
            numdiff.hessian(None, p, jac=lambda p: {"w": 1.0, "b": p["b"]})
        one = numdiff.hessian(None, p, jac=lambda p: {"w": 2 * p["w"], "b": [3 * p["b"].sum()]})  # one number will do
        np.testing.assert_allclose(one, np.diag([3, 2, 2]), atol=1e-8)
        with pytest.raises(TypeError, match="`jac` returned None"):
            numdiff.hessian(None, p, jac=lambda p: None)

    def test_fun(self):
        with pytest.raises(TypeError, match="`fun` must be callable"):
            numdiff.gradient(3, {"a": 1.0})
        with pytest.raises(KeyError, match="nothere"):
            numdiff.gradient(lambda p: p["nothere"], {"a": 1.0})

    def test_where_a_tree_is_not_taken(self):
        with pytest.raises(
            TypeError, match=r"`x0` must be a real number or an array of them; it is \{'a': 1.0\} \(dict\)"
        ):
            numdiff.jacobian(lambda p: p["a"], {"a": 1.0})


START = {"w": np.array([1.0, 2.0]), "b": 3.0}


class TestDescents:
    """The three descents on a tree and on its flat vector: the same numbers, in the structure of x0."""

    A = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])  # by (b, w0, w1)
    CENTRE = np.array([1.0, -2.0, 0.5])
    FLAT = np.array([3.0, 1.0, 2.0])

    @staticmethod
    def flat(p):
        return np.array([p["b"], *p["w"]])

    @staticmethod
    def tree(x):
        return {"b": x[0], "w": x[1:]}

    def bowl(self, x):
        return 0.5 * (x - self.CENTRE) @ self.A @ (x - self.CENTRE)

    def slope(self, x):
        return self.A @ (x - self.CENTRE)

    def check(self, found, expected):
        assert list(found.x) == list(found.jac) == ["w", "b"]
        assert np.array_equal(self.flat(found.x), expected.x)
        assert np.array_equal(self.flat(found.jac), expected.jac)
        for name in ("fun", "nit", "nfev", "njev", "status"):
            assert found[name] == expected[name]
        for name, values in expected.history.items():
            assert np.array_equal(found.history[name], values)
        np.testing.assert_allclose(self.flat(found.x), self.CENTRE, atol=1e-4)
        assert START["w"].tolist() == [1, 2]

    @pytest.mark.parametrize("way", ["numerical", "jac", "both", "flat jac"])
    def test_gradient_descent(self, way):
        options = {"learning_rate": 0.3, "history": True, "bounds": (-5.0, 5.0)}
        fun, flat_fun = lambda p: self.bowl(self.flat(p)), self.bowl
        jac = flat_jac = None
        if way == "both":
            fun, jac = lambda p: (self.bowl(self.flat(p)), self.tree(self.slope(self.flat(p)))), True
            flat_fun, flat_jac = lambda x: (self.bowl(x), self.slope(x)), True
        elif way != "numerical":
            jac, flat_jac = lambda p: self.tree(self.slope(self.flat(p))), self.slope
            if way == "flat jac":
                jac = lambda p: self.slope(self.flat(p))  # noqa: E731
        found = numdiff.gradient_descent(fun, START, jac=jac, **options)
        self.check(found, numdiff.gradient_descent(flat_fun, self.FLAT, jac=flat_jac, **options))

    def test_bounds_and_steps_of_the_structure_of_x0(self):
        found = numdiff.gradient_descent(
            lambda p: self.bowl(self.flat(p)), START, bounds=({"w": [0.0, -9.0], "b": 2.0}, np.inf),
            learning_rate=0.3, abs_step={"w": 1e-4, "b": 1e-3},
        )  # fmt: skip
        assert found.x["b"] == 2.0
        assert found.x["w"][0] == 0.0
        np.testing.assert_allclose(
            found.x["w"][1], 0.5 - 0.5 * 2.0, atol=1e-3
        )  # a long step has a wide error, where it stops

    def test_newton(self):
        found = numdiff.newton(
            lambda p: self.bowl(self.flat(p)), START, history=True,
            jac=lambda p: self.tree(self.slope(self.flat(p))), hess=lambda p: self.A + 0 * p["b"],
        )  # fmt: skip
        self.check(found, numdiff.newton(self.bowl, self.FLAT, jac=self.slope, hess=lambda x: self.A, history=True))
        assert np.array_equal(found.hess, self.A)
        numerical = numdiff.newton(lambda p: self.bowl(self.flat(p)), START, x_scale={"w": 1.0, "b": 2.0})
        assert numerical.kind == "minimum"
        np.testing.assert_allclose(numerical.hess, self.A, atol=1e-6)

    def test_sgd(self):
        data = np.random.default_rng(0).normal(size=(50, 3)) * 0.0
        found = numdiff.sgd(
            lambda p, rows: self.bowl(self.flat(p) + rows.mean(axis=0)), START, data, rng=1, history=True,
            epochs=100, learning_rate=0.3,
        )  # fmt: skip
        flat = numdiff.sgd(
            lambda x, rows: self.bowl(x + rows.mean(axis=0)), self.FLAT, data, rng=1, history=True, epochs=100,
            learning_rate=0.3,
        )  # fmt: skip
        self.check(found, flat)

    def test_the_callback_gets_the_structure(self):
        seen = []
        numdiff.gradient_descent(
            lambda p: self.bowl(self.flat(p)), START, maxiter=2, callback=lambda p: seen.append(p["w"].shape)
        )
        assert seen == [(2,), (2,)]

    def test_errors(self):
        with pytest.raises(ValueError, match=r"`overwrite_x` needs `x0` as a contiguous.*\(dict\)"):
            numdiff.gradient_descent(lambda p: p["a"], {"a": 1.0}, overwrite_x=True)
        with pytest.raises(ValueError, match="`jac` must have the structure of `x0`"):
            numdiff.gradient_descent(lambda p: p["a"], {"a": 1.0}, jac=lambda p: {"b": 1.0})
        with pytest.raises(TypeError, match="with jac=True `fun` must return its value and gradient"):
            numdiff.gradient_descent(lambda p: p["a"], {"a": 1.0}, jac=True)
        with pytest.raises(ValueError, match="`x0` must have at least one component"):
            numdiff.gradient_descent(lambda p: 1.0, {})
