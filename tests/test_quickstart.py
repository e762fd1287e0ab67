"""examples/quickstart.py: a known loss, gradients right and wrong, and the report."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import numdiff

PATH = Path(__file__).parents[1] / "examples" / "quickstart.py"


@pytest.fixture(scope="module")
def quickstart():
    spec = importlib.util.spec_from_file_location("quickstart_example", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits(quickstart):
    return quickstart.load_digits()


@pytest.fixture
def W():
    return np.random.default_rng(1).normal(scale=0.3, size=(10, 65))


def test_the_digits(digits):
    X, y = digits
    assert X.shape == (300, 65)
    assert X.min() == 0
    assert X.max() == 1
    assert np.all(X[:, -1] == 1)
    assert np.array_equal(X * 16, np.round(X * 16))
    assert np.array_equal(y[:10], np.arange(10))
    assert set(y) == set(range(10))


def test_svm_losses_of_three_images(quickstart):
    scores_by_class = np.array([[3.2, 1.3, 2.2], [5.1, 4.9, 2.5], [-1.7, 2.0, -3.1]])  # cat, car, frog
    losses = quickstart.svm_losses(scores_by_class.T, np.array([0, 1, 2]))
    np.testing.assert_allclose(losses, [2.9, 0, 12.9], atol=1e-12)
    assert round(losses.mean(), 2) == 5.27


def test_svm_loss_is_the_mean_and_the_l2_term(quickstart):
    W = np.array([[3.2, 1.3, 2.2], [5.1, 4.9, 2.5], [-1.7, 2.0, -3.1]])  # X = I: image k has the scores W[:, k]
    loss = quickstart.svm_loss(W, np.eye(3), np.array([0, 1, 2]))
    assert loss == pytest.approx(15.8 / 3 + quickstart.L2 * np.sum(W**2), rel=1e-14)


def test_softmax_loss_of_equal_scores(quickstart, digits):
    assert quickstart.softmax_loss(np.zeros((10, 65)), *digits) == pytest.approx(np.log(10), rel=1e-14)


@pytest.mark.parametrize("name", ["softmax", "svm"])
def test_hand_written_gradient_agrees(quickstart, digits, W, name):
    loss, by_hand = getattr(quickstart, f"{name}_loss"), getattr(quickstart, f"{name}_gradient")
    numerical = numdiff.gradient(loss, W, args=digits)
    np.testing.assert_allclose(by_hand(W, *digits), numerical, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["softmax", "svm"])
def test_loop_gives_the_numbers_of_forward_differences(quickstart, digits, W, name):
    def loss(W):
        return getattr(quickstart, f"{name}_loss")(W, *digits)

    before = W.copy()
    loop = quickstart.loop_gradient(loss, W)
    assert np.array_equal(W, before)
    numerical = numdiff.gradient(loss, W, method="forward", abs_step=quickstart.H)
    np.testing.assert_allclose(loop, numerical, rtol=0, atol=1e-9)


def test_wrong_gradient_is_caught(quickstart, digits, W):
    numerical = numdiff.gradient(quickstart.softmax_loss, W, args=digits)
    error, entry = quickstart.largest_difference(quickstart.wrong_softmax_gradient(W, *digits), numerical)
    assert error > 1
    assert numerical[entry] != 0
    with pytest.raises(SystemExit, match="agrees with the numerical one"):
        quickstart.show_by_hand(quickstart.wrong_softmax_gradient(W, *digits), numerical)


def test_a_right_gradient_does_not_pass_for_a_wrong_one(quickstart, digits, W):
    numerical = numdiff.gradient(quickstart.softmax_loss, W, args=digits)
    with pytest.raises(SystemExit, match="is caught"):
        quickstart.show_wrong(quickstart.softmax_gradient(W, *digits), numerical)


def test_report(quickstart, capsys):
    quickstart.main(runs=1)
    out, err = capsys.readouterr()
    assert f"backend: {numdiff.backend} " in out
    assert "Softmax (cross-entropy) loss" in out
    assert "Multiclass SVM loss" in out
    assert out.endswith("All checks passed.\n")
    assert max(map(len, out.splitlines())) <= 120
    assert err == ""
