"""The noise table of both backends, and estimate_noise: known noise, rounding, honesty, bounds, counts."""

from __future__ import annotations

import dataclasses
import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numdiff
from numdiff import _noise, estimate_noise, gradient, jacobian

E = math.e


@pytest.fixture
def table(backend):
    return importlib.import_module({"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}[backend]).noise_table


# ---------------------------------------------------------------------------------------------------- the kernel


def test_table_by_hand(table):
    # differences 1 -3 5; -4 8; 12. (k!)^2 / (2k)! = 1/2, 1/6, 1/20
    levels, changes = table(np.array([0.0, 1.0, -2.0, 3.0]))
    assert levels == pytest.approx([math.sqrt(35 / 6), math.sqrt(40 / 6), math.sqrt(144 / 20)], rel=1e-15)
    assert changes == [True, True, False]


@pytest.mark.parametrize("k", range(1, 8))
def test_differences_of_a_power_are_its_factorial_and_then_zero(table, k):
    levels, changes = table(np.arange(9.0) ** k)
    assert levels[k - 1] == pytest.approx(math.factorial(k) ** 2 / math.sqrt(math.factorial(2 * k)), rel=1e-14)
    assert levels[k:] == [0.0] * (8 - k)
    assert not any(changes)


def test_every_level_is_the_standard_deviation_of_noise(table):
    values = np.random.default_rng(0).normal(size=(20_000, 9))
    squares = np.mean([np.square(table(row)[0]) for row in values], axis=0)
    assert squares == pytest.approx(np.ones(8), rel=0.03)


def test_changes_of_sign_leave_zeros_out(table):
    assert table(np.array([0.0, 0.0, 1.0, 1.0]))[1] == [False, True, False]
    assert table(np.array([0.0, 0.0, -1.0, -1.0]))[1] == [False, True, False]


def test_table_of_the_shortest(table):
    assert table(np.array([1.0])) == ([], [])
    assert table(np.array([1.0, 3.0])) == ([math.sqrt(2)], [False])


def test_table_leaves_its_argument_alone(table):
    values = np.array([1.0, 4.0, 2.0])
    table(values)
    assert values.tolist() == [1.0, 4.0, 2.0]


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=12))
def test_both_backends_give_the_same_bits(values):
    c = pytest.importorskip("numdiff._kernels_c")
    python = importlib.import_module("numdiff._kernels_py")
    array = np.array(values)
    (c_levels, c_changes), (levels, changes) = c.noise_table(array), python.noise_table(array)
    assert np.array(c_levels).tobytes() == np.array(levels).tobytes()
    assert c_changes == changes


# ------------------------------------------------------------------------------------------------- known noise


def within(factor, sigma, make, x0, seeds=100):
    """The share of seeds with a noise within that factor of sigma, and the mean of evaluations."""
    found = [estimate_noise(make(np.random.default_rng(seed)), x0) for seed in range(seeds)]
    good = [e.status == "ok" and sigma / factor <= e.noise <= factor * sigma for e in found]
    return np.mean(good), np.mean([e.nfev for e in found])


@pytest.mark.parametrize("sigma", 10.0 ** np.arange(-12, -1))
def test_normal_noise(sigma):
    share, nfev = within(4, sigma, lambda rng: lambda x: float(np.exp(x[0])) + sigma * rng.normal(), [1.0])
    assert share >= 0.97
    assert nfev < 10
    share, nfev = within(2, sigma, lambda rng: lambda x: float(np.sin(x).sum()) + sigma * rng.normal(), np.arange(10.0))
    assert share >= 0.7
    assert nfev < 10


@pytest.mark.parametrize("sigma", [1e-12, 1e-5, 1e-2, 1e5])
def test_nothing_but_noise(sigma):
    # looked at twice, with steps far apart
    share, nfev = within(4, sigma, lambda rng: lambda x: sigma * rng.normal(), [1.0, 2.0])
    assert share >= 0.97
    assert 18 <= nfev < 20


@pytest.mark.parametrize("sigma", [1e-8, 1e-3])
def test_other_noise(sigma):
    share, _ = within(4, sigma, lambda rng: lambda x: np.cos(x[0]) + sigma * 12**0.5 * rng.uniform(), [0.3])
    assert share >= 0.97
    share, _ = within(4, sigma, lambda rng: lambda x: 1e3 + x[0] ** 2 + sigma * rng.choice([-1, 1]), [0.3])
    assert share >= 0.9


SMOOTH = {
    "exp": (lambda x: np.exp(x[0]), [1.0]),
    "sin": (lambda x: np.sin(x[0]), [0.7]),
    "square": (lambda x: x[0] ** 2, [1.3]),
    "rosen": (lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, [-1.2, 1.0]),
    "far": (lambda x: np.sin(x[0] * 1e-10), [1e10]),
    "huge": (lambda x: 1e200 * np.exp(x[0]), [1.0]),
    "tiny": (lambda x: 1e-250 * np.exp(x[0]), [1.0]),
    "subnormal": (lambda x: 1e-300 * np.exp(x[0]), [1.0]),
    "log": (lambda x: np.log(x[0]) if x[0] > 0 else np.nan, [1e-9]),
    "short scale": (lambda x: np.sin(x[0] / 1e-8), [1e-8]),
    "sin 1000 x": (lambda x: np.sin(1e3 * x[0]), [1e-3]),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_rounding_is_noise_of_the_size_of_eps(name):
    fun, x0 = SMOOTH[name]
    found = estimate_noise(fun, x0)
    size = abs(fun(np.array(x0)))
    assert found.status == "ok"
    assert 1e-18 * size <= found.noise <= 1e-13 * size


@pytest.mark.parametrize("fun", [lambda x: x[0], lambda x: 2 * x[0] + 1, lambda x: 3.0, lambda x: 0.0])
def test_no_noise(fun):
    found = estimate_noise(fun, [1.0])
    assert (found.noise, found.status) == (0.0, "ok")
    assert found.nfev <= 27


FLOAT32 = {
    "result": (lambda x: np.float32(np.exp(x[0])), [1.0]),
    "inside": (lambda x: float(np.sin(x.astype(np.float32)).sum()), np.linspace(0.1, 2, 10)),
    "argument": (lambda x: np.exp(np.float32(x[0])), [1.0]),
    "linear": (lambda x: np.float32(x[0]), [1.0]),
    "flat": (lambda x: np.float32(np.cos(x[0])), [0.0]),
    "printed": (lambda x: float(f"{np.exp(x[0]):.8g}"), [1.0]),
}


@pytest.mark.parametrize("name", FLOAT32)
def test_float32(name):
    fun, x0 = FLOAT32[name]
    found = estimate_noise(fun, x0)
    assert found.status == "ok"
    assert 3e-9 <= found.noise / abs(fun(np.array(x0))) <= 3e-7


def test_noise_that_is_not_random():
    # a fast oscillation, as from a tolerance or a table
    found = estimate_noise(lambda x: 1 + x[0] ** 2 + 1e-7 * np.sin(1e9 * x[0]), [1.0])
    assert found.status == "ok"
    assert 2e-8 < found.noise < 3e-7


def test_a_fast_oscillation_around_zero_is_no_noise():
    found = estimate_noise(lambda x: np.sin(1e8 * x[0]), [1.0])
    assert found.status == "ok"
    assert found.noise < 1e-7  # the rounding of 1e8 x
    assert found.h < 1e-9


# ----------------------------------------------------------------------------------------------------- honesty


def test_a_kink_is_no_noise():
    for fun in (lambda x: abs(x[0]), lambda x: max(x[0], 0.0), lambda x: abs(x[0]) + np.exp(x[0])):
        found = estimate_noise(fun, [0.0])
        assert math.isnan(found.noise) or found.noise < 1e-15
        assert found.status != "ok" or found.noise < 1e-15
    assert estimate_noise(lambda x: abs(x[0]), [0.0]).status == "a kink or a jump"
    assert estimate_noise(lambda x: np.sign(x[0]) + x[0], [0.0]).status == "a kink or a jump"
    # beside it there is none
    assert estimate_noise(lambda x: abs(x[0]) + 1, [1e-7]).noise < 1e-15


def test_nan_and_inf(counted):
    for bad in (np.nan, np.inf):
        f = counted(lambda x, bad=bad: bad)
        found = estimate_noise(f, [1.0])
        assert math.isnan(found.noise)
        assert found.status == "fun is not finite"
        assert found.nfev == f.nfev == 1


def test_judge_on_its_own():
    noise = np.random.default_rng(5).normal(size=9)
    assert _noise.judge(1000 + noise).status == "ok"
    assert _noise.judge(np.arange(9.0) ** 8).status == "too large a step"
    assert _noise.judge(np.array([1.0, 1, 1, 1, 1, 1, 2, 3, 4])).status == "too small a step"
    assert _noise.judge(np.zeros(9)).status == "too small a step"
    assert _noise.judge(noise).wild
    assert not _noise.judge(1000 + noise).wild
    assert _noise.judge(np.arange(9.0)).straight
    # four values of nine that are equal are fewer than half
    assert _noise.judge(np.array([5.0, 5, 6, 7, 7, 8, 8, 9, 9])).status == "ok"
    # scaling by a power of two changes nothing else, nowhere in the range
    for scale in (2.0**-1000, 2.0**1000):
        assert _noise.judge(scale * (8 + noise)).noise == scale * _noise.judge(8 + noise).noise


def test_three_levels_must_agree():
    # -1, 1, -1, ...: differences of order k are 2^k, levels grow by 1.41, 1.15, 1.10, ...
    alternating = np.array([100.0, 101] * 4 + [100])
    assert _noise.judge(alternating).noise == pytest.approx(math.sqrt(0.5))
    # a parabola above it: orders 1 and 2 do not count
    found = _noise.judge(alternating + 1e6 * np.arange(9.0) ** 2)
    assert found.noise == found.levels[2]
    assert found.levels[1] > 1000 * found.levels[2]


@pytest.mark.parametrize("name", [*SMOOTH, *FLOAT32])
def test_counts_are_exact(counted, name):
    fun, x0 = (SMOOTH | FLOAT32)[name]
    f = counted(fun)
    assert estimate_noise(f, x0).nfev == f.nfev <= 72


def test_nine_evaluations_around_x0(counted):
    f = counted(lambda x: np.exp(x[0]))
    found = estimate_noise(f, [1.0])
    assert found.nfev == 9
    at = np.sort([float(x[0]) for x in f.seen])
    assert at[4] == 1.0
    assert np.unique(np.diff(at)).size == 1  # equally spaced, exactly
    assert at[5] - at[4] == pytest.approx(found.h, rel=1e-9)


# --------------------------------------------------------------------------------------- directions, steps, bounds


def test_direction_and_h(counted):
    f = counted(lambda x: np.exp(x).sum())
    estimate_noise(f, [1.0, 2.0], direction=1, h=1e-5)
    assert {float(x[0]) for x in f.seen} == {1.0}
    assert max(x[1] for x in f.seen) == pytest.approx(2 + 4e-5, rel=1e-12)
    f = counted(lambda x: np.exp(x).sum())
    estimate_noise(f, [[1.0, 2.0]], direction=[[1.0, -2.0]], h=1e-5)
    assert f.seen[-1].shape == (1, 2)
    moved = np.array([x - [[1.0, 2.0]] for x in f.seen])
    assert np.allclose(moved[:, 0, 1], -2 * moved[:, 0, 0], rtol=1e-9, atol=1e-15)
    assert np.abs(moved).max() == pytest.approx(8e-5, rel=1e-9)


def test_the_default_direction_is_always_the_same_and_scaled(counted):
    x0 = np.array([1e6, 1.0, -1e-3])
    seen = []
    for _ in range(2):
        f = counted(lambda x: np.sin(x).sum())
        estimate_noise(f, x0)
        seen.append(np.array(f.seen))
    assert seen[0].tobytes() == seen[1].tobytes()
    moved = np.abs(seen[0] - x0).max(axis=0)
    assert np.all(moved > 0)
    assert np.all(moved <= 1e-4 * np.maximum(np.abs(x0), 1))


def test_number_and_one_element_x0(counted):
    assert estimate_noise(np.exp, 1.0).noise < 1e-14
    f = counted(lambda x: np.exp(x))
    estimate_noise(f, 1.0)
    assert {x.shape for x in f.seen} == {()}


BOXES = [
    ([1.0, 1.0], 0.0, 1.0),
    ([0.0, 1.0], 0.0, 1.0),
    ([0.0, 1.0], [-1e-9, 0.0], [1e-9, 1.0]),
    ([0.5, 1.0], [0.5, 0.0], [0.5, 1.0]),
    ([0.1, 0.3], [0.1, 0.3 - 1e-15], [0.1 + 1e-13, 0.3]),
    ([1e10, -1e10], [1e10, -np.inf], [np.inf, -1e10]),
]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("h", [None, 1e-3, 10.0])
@pytest.mark.parametrize("direction", [None, 1, [1.0, 1.0], [-0.3, 0.7]])
def test_never_outside_the_bounds(counted, box, h, direction):
    x0, lb, ub = box
    rng = np.random.default_rng(3)
    for fun in (lambda x: np.exp(-(x**2)).sum(), lambda x: 1 + 1e-6 * rng.normal(), lambda x: 1.0):
        f = counted(fun)
        found = estimate_noise(f, x0, direction=direction, h=h, bounds=(lb, ub))
        assert found.nfev == f.nfev
        assert all(np.all((x >= lb) & (x <= ub)) for x in f.seen)
        assert math.isnan(found.noise) == (found.status != "ok")


def test_noise_in_a_corner():
    rng = np.random.default_rng(0)
    found = estimate_noise(lambda x: x @ x + 1e-6 * rng.normal(), [0.0, 1.0, 5.0], bounds=([0, 0, 0], [1, 1, 5]))
    assert found.status == "ok"
    assert found.nfev == 9
    assert 0.25e-6 < found.noise < 4e-6


def test_no_room(counted):
    f = counted(lambda x: 1.0)
    found = estimate_noise(f, [1.0, 2.0], bounds=([1, 2], [1, 2]))
    assert (found.status, found.nfev, f.nfev) == ("no room within the bounds", 0, 0)
    assert math.isnan(found.noise)
    assert estimate_noise(f, [1.0, 2.0], h=1.0, bounds=([1, 2], [1, 2])).status == "no room within the bounds"
    assert estimate_noise(f, [1.0, 2.0], direction=0, bounds=([1, 0], [1, 9])).status == "no room within the bounds"


def test_a_fun_that_writes_into_its_argument_or_keeps_it():
    kept = []

    def writes(x):
        value = float(np.exp(x).sum())
        kept.append(x)
        x[:] = 77
        return value

    x0 = np.array([1.0, 2.0])
    assert estimate_noise(writes, x0) == estimate_noise(lambda x: float(np.exp(x).sum()), x0)
    assert x0.tolist() == [1.0, 2.0]
    assert len({id(x) for x in kept}) == len(kept)


def test_a_returned_buffer_is_read_at_once():
    buffer = np.empty(1)

    def fun(x):
        buffer[0] = np.exp(x[0])
        return buffer

    assert estimate_noise(fun, [1.0]) == estimate_noise(lambda x: np.exp(x[0]), [1.0])


def test_args_and_kwargs():
    found = estimate_noise(lambda x, a, b: a * np.exp(b * x[0]), [1.0], args=(1e6,), kwargs={"b": 2.0})
    assert 1e-12 < found.noise < 1e-8


def test_exceptions_of_fun_pass_untouched():
    class OwnError(Exception):
        pass

    def fun(x):
        raise OwnError("mine")

    with pytest.raises(OwnError, match="^mine$"):
        estimate_noise(fun, [1.0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x0": [np.nan, 1.0]}, ValueError, r"`x0` must be finite; x0\[0\] is nan"),
        ({"x0": []}, ValueError, "`x0` must have at least one component"),
        ({"x0": "a"}, TypeError, "`x0` must be a real number"),
        ({"direction": [1.0]}, ValueError, r"`direction` must be .* shape of `x0`, \(2,\); it has \(1,\)"),
        ({"direction": [0.0, 0.0]}, ValueError, "`direction` must not be zero"),
        ({"direction": [np.inf, 0.0]}, ValueError, r"`direction` must be finite; direction\[0\] is inf"),
        ({"direction": 2}, ValueError, "`direction`, as a coordinate, must be from -2 to 1; it is 2"),
        ({"direction": True}, TypeError, "`direction` must be .* it is True"),
        ({"direction": "x"}, TypeError, "`direction` must be"),
        ({"h": 0.0}, ValueError, "`h` must be positive and finite; it is 0.0"),
        ({"h": -1}, ValueError, "`h` must be positive and finite; it is -1.0"),
        ({"h": np.inf}, ValueError, "`h` must be positive and finite; it is inf"),
        ({"h": "1"}, TypeError, r"`h` must be a positive number; it is '1' \(str\)"),
        ({"fun": 3}, TypeError, "`fun` must be callable"),
        ({"fun": lambda x: None}, TypeError, "`fun` returned None"),
        ({"fun": lambda x: 1j}, TypeError, "`fun` must return real numbers"),
        ({"fun": lambda x: x}, ValueError, "`fun` must return one number; it returned an array of 2"),
        ({"bounds": (2, 3)}, ValueError, "`x0` must be within `bounds`"),
        ({"args": 3}, TypeError, "`args` must be a tuple"),
    ],
)
def test_errors(change, error, message):
    arguments = {"fun": lambda x: 1.0, "x0": [1.0, 1.0]} | change
    with pytest.raises(error, match=message):
        estimate_noise(arguments.pop("fun"), arguments.pop("x0"), **arguments)


def test_result():
    found = estimate_noise(lambda x: np.exp(x[0]), [1.0])
    assert len(found.levels) == 8
    assert "status='ok'" in repr(found)
    assert str(found).startswith("noise ")
    assert "unknown" in str(estimate_noise(lambda x: np.nan, [1.0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.noise = 1.0
    assert numdiff.NoiseEstimate is type(found)


def test_the_backends_agree(monkeypatch):
    c = pytest.importorskip("numdiff._kernels_c")
    python = importlib.import_module("numdiff._kernels_py")
    answers = []
    for kernels in (c, python):
        monkeypatch.setattr(numdiff._difference, "kernels", kernels)
        answers.append([estimate_noise(fun, x0) for fun, x0 in (SMOOTH | FLOAT32).values()])
    assert answers[0] == answers[1]


@settings(max_examples=50, derandomize=True)  # of the noise itself some is taken for a step too large
@given(st.floats(-1e8, 1e8), st.floats(1e-12, 1e-3), st.integers(0, 1000))
def test_noise_anywhere(x, relative, seed):
    rng = np.random.default_rng(seed)
    size = max(abs(x), 1.0)
    found = estimate_noise(lambda v: size + v[0] + size * relative * rng.normal(), [x])
    assert found.status == "ok"
    assert relative * size / 20 < found.noise < relative * size * 20


def test_a_step_so_long_that_all_other_values_are_inf():
    with np.errstate(over="ignore"):
        found = estimate_noise(lambda x: x[0] * x[0], [1.0], h=1e305)
    assert found.status != "ok"
    assert np.isnan(found.noise)


def test_no_variables_with_noise_to_be_estimated():
    assert gradient(lambda x: 0.0, [], noise="estimate").shape == (0,)
    assert jacobian(lambda x: np.zeros(2), [], noise="estimate").shape == (2, 0)
    assert gradient(lambda x: 0.0, [], noise=1e-3).shape == (0,)
