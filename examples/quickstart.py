"""The numerical gradient of two losses of a linear classifier, on images of handwritten digits.

Run it with ``python examples/quickstart.py``; it needs numdiff and NumPy. It shows

- the gradient of a loss by a matrix W of 10 x 65 in one call, ``numdiff.gradient(loss, W)``;
- the plain Python loop that does the same: the numbers and the times of both;
- a hand-written gradient that agrees, and one with a mistake, which is caught;
- a kink of the SVM loss, where there is no one slope.

Every comparison is checked: the script ends with an error where one fails.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

import numdiff

DIGITS = Path(__file__).parent / "data" / "digits.csv"
L2 = 1e-3  # the weight of sum(W**2) in both losses
H = 1e-5  # the step of the loop
RUNS = 7

Loss = Callable[[np.ndarray], float]


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """The images and what they show.

    Returns
    -------
    X : ndarray, shape (300, 65)
        A row for each image: 64 pixels from 0 to 1, and a 1 for the bias.
    y : ndarray of int, shape (300,)
        The digits, 0 to 9.
    """
    table = np.loadtxt(DIGITS, delimiter=",", skiprows=1)
    pixels, y = table[:, :-1] / 16, table[:, -1].astype(int)
    return np.column_stack([pixels, np.ones(len(y))]), y


def softmax_loss(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """-ln(e^{s_y} / sum_j e^{s_j}), the mean over the images, plus the L2 term; s are the scores of an image."""
    scores = X @ W.T
    scores -= scores.max(axis=1, keepdims=True)  # so that exp cannot overflow; the loss stays the same
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y]
    return losses.mean() + L2 * np.sum(W * W)


def softmax_gradient(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of softmax_loss by W, worked out by hand."""
    return _score_slopes(W, X, y).T @ X / len(y) + 2 * L2 * W


def wrong_softmax_gradient(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same with a mistake: it takes the sum over the images, where the loss takes the mean."""
    return _score_slopes(W, X, y).T @ X + 2 * L2 * W


def _score_slopes(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The derivatives of each image's softmax loss by its ten scores: the probabilities, less 1 at the true class."""
    scores = X @ W.T
    slopes = np.exp(scores - scores.max(axis=1, keepdims=True))
    slopes /= slopes.sum(axis=1, keepdims=True)
    slopes[np.arange(len(y)), y] -= 1
    return slopes


def svm_margins(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """s_j - s_y + 1 for each image and each wrong class j; -inf at the true class, which does not count."""
    images = np.arange(len(y))
    margins = scores - scores[images, y][:, None] + 1
    margins[images, y] = -np.inf
    return margins


def svm_losses(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The multiclass SVM loss of each image: the sum of its positive margins.

    Examples
    --------
    >>> cat, car, frog = (3.2, 1.3, 2.2), (5.1, 4.9, 2.5), (-1.7, 2.0, -3.1)  # each class on three images
    >>> svm_losses(np.array([cat, car, frog]).T, np.array([0, 1, 2])).round(6)
    array([ 2.9,  0. , 12.9])
    """
    return np.maximum(0, svm_margins(scores, y)).sum(axis=1)


def svm_loss(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The mean of svm_losses over the images, plus the L2 term."""
    return svm_losses(X @ W.T, y).mean() + L2 * np.sum(W * W)


def svm_gradient(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of svm_loss by W, worked out by hand; a margin of 0 counts as flat, one side of its kink."""
    slopes = (svm_margins(X @ W.T, y) > 0).astype(float)
    slopes[np.arange(len(y)), y] = -slopes.sum(axis=1)
    return slopes.T @ X / len(y) + 2 * L2 * W


def loop_gradient(loss: Loss, W: np.ndarray, h: float = H) -> np.ndarray:
    """The loop that students write: move one entry of W, evaluate, put it back, divide.

    It writes into W. If loss raises an exception, W stays changed.
    """
    gradient = np.zeros(W.shape)
    start = loss(W)
    for entry in np.ndindex(W.shape):
        old = W[entry]
        W[entry] = old + h
        gradient[entry] = (loss(W) - start) / h
        W[entry] = old  # without this line every later entry is wrong
    return gradient


def largest_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """The largest absolute difference of two gradients, and its entry."""
    difference = np.abs(a - b)
    entry = np.unravel_index(difference.argmax(), difference.shape)
    return float(difference[entry]), tuple(int(i) for i in entry)


def check(passed: bool, claim: str) -> None:
    """End the script with an error unless the claim holds."""
    if not passed:
        raise SystemExit(f"quickstart: this should hold and does not: {claim}")


def show_numbers(loss: Loss, W: np.ndarray) -> np.ndarray:
    """Print how the numerical gradient compares with that of the loop; return the gradient."""
    before = W.copy()
    result = numdiff.gradient(loss, W, full_output=True)
    gradient = result.value
    check(gradient.shape == W.shape, "the gradient has the shape of W")
    check(bool(np.all(result.flag == numdiff.Flag.ok)), "no entry of the gradient has a flag")
    loop = loop_gradient(loss, W)
    forward = numdiff.gradient(loss, W, method="forward", abs_step=H)
    check(np.array_equal(W, before), "W is as it was")

    error_of_loop, _ = largest_difference(gradient, loop)
    same, _ = largest_difference(forward, loop)
    # The loop is off by h/2 times the second derivative, which is below 1 here.
    check(error_of_loop < H / 2, "numdiff's default and the loop agree up to the error of the loop")
    # numdiff divides by the step really taken, (w + h) - w, and the loop by h; they part at the twelfth digit.
    check(same < 1e-9, "the same formula gives the same numbers up to rounding")
    print(f"  The loss at W is {loss(W):.4f}. numdiff.gradient(loss, W) has the shape of W, {gradient.shape};")
    print(f"  the largest of its {gradient.size} slopes is {np.abs(gradient).max():.4f}. It took {result.nfev} calls.")
    print("\n  Largest difference to the plain Python loop (forward differences, h = 1e-5):")
    print(f"    {error_of_loop:.0e}  numdiff.gradient(loss, W): central differences, more exact than the loop")
    print(f"    {same:.0e}  numdiff.gradient(loss, W, method='forward', abs_step=1e-5): same formula, only rounding")
    return gradient


def show_times(loss: Loss, W: np.ndarray, runs: int) -> None:
    """Print the times of the loop and of numdiff, beside that of calling loss as often and no more."""

    def bare_calls() -> None:
        for _ in range(W.size + 1):
            loss(W)

    jobs: list[tuple[str, int, Callable[[], object]]] = [
        ("only calling loss(W)", W.size + 1, bare_calls),
        ("the loop", W.size + 1, lambda: loop_gradient(loss, W)),
        ("numdiff, method='forward'", W.size + 1, lambda: numdiff.gradient(loss, W, method="forward", abs_step=H)),
        ("numdiff, default (central)", 2 * W.size, lambda: numdiff.gradient(loss, W)),
    ]
    seconds = np.zeros((runs, len(jobs)))
    for run in range(runs):  # in turns, so that a busy moment of the computer hits them all
        for column, (_, _, job) in enumerate(jobs):
            start = perf_counter()
            job()
            seconds[run, column] = perf_counter() - start
    milliseconds = 1e3 * seconds
    medians, fastest = np.median(milliseconds, axis=0), milliseconds.min(axis=0)
    print(f"\n  {f'Milliseconds, each run {runs} times':<34}  calls of loss  median  fastest")
    for (name, calls, _), median, least in zip(jobs, medians, fastest, strict=True):
        print(f"    {name:<32}  {calls:>13}  {median:>6.1f}  {least:>7.1f}")
    print(f"  With as many calls the loop takes {fastest[1] / fastest[2]:.2f} times as long as numdiff (fastest runs).")
    print("  Expect about 1: nearly all of the time goes into the loss, whoever calls it.")


def show_by_hand(by_hand: np.ndarray, gradient: np.ndarray) -> None:
    """Print and check the largest difference of a right hand-written gradient to the numerical one."""
    error, _ = largest_difference(by_hand, gradient)
    check(error < 1e-8, "the hand-written gradient agrees with the numerical one")
    print(f"\n  The gradient written by hand agrees: the largest difference is {error:.0e}.")


def show_wrong(wrong: np.ndarray, gradient: np.ndarray) -> None:
    """Print and check that a wrong gradient is caught, and where it is worst."""
    error, entry = largest_difference(wrong, gradient)
    check(error > 1e-2, "the wrong gradient is caught")
    print(f"  One that forgets to divide by the number of images is caught: the largest difference is {error:.0f}.")
    print(f"  It is worst at W{list(entry)}: {wrong[entry]:.4f} by hand, {gradient[entry]:.4f} from numdiff.")


def show_kink(loss: Loss, W: np.ndarray, X: np.ndarray, y: np.ndarray) -> None:
    """Move W onto a kink of svm_loss, and print the slopes on both sides of it."""
    margins = svm_margins(X @ W.T, y)
    image, digit = np.unravel_index(np.abs(margins).argmin(), margins.shape)
    nearest = margins[image, digit]
    check(abs(nearest) > H, "no kink is within a step of W")
    bias = (int(digit), W.shape[1] - 1)
    W = W.copy()
    W[bias] -= nearest

    def slope(method: str) -> float:
        return float(numdiff.gradient(loss, W, method=method, indices=[np.ravel_multi_index(bias, W.shape)])[0])

    below, between, above = slope("backward"), slope("central"), slope("forward")
    by_hand = svm_gradient(W, X, y)[bias]
    check(abs(above - below - 1 / len(y)) < 1e-6, "the two slopes at the kink differ by one image in all")
    check(abs(between - (above + below) / 2) < 1e-6, "the central difference is the mean of the two slopes")
    # Which side depends on the last digit of the margin, 0 or as good as 0.
    check(min(abs(by_hand - below), abs(by_hand - above)) < 1e-6, "the hand-written slope is that of one side")
    print("\n  This loss has a kink wherever a margin is 0: the slope jumps there, and there is no derivative.")
    print(f"  At W the nearest margin is {abs(nearest):.0e} from 0, farther than any step above: no kink was met.")
    print(f"  Now W{list(bias)} is moved until that margin is 0. The slope along this entry:")
    print(f"    {below:.5f}  on the left (method='backward')")
    print(f"    {above:.5f}  on the right (method='forward')")
    print(f"    {between:.5f}  their mean (method='central')")
    print(f"    {by_hand:.5f}  by hand: one of the two sides, either will do")


def main(runs: int = RUNS) -> None:
    """Print the report.

    Parameters
    ----------
    runs : int
        How often each job is timed.
    """
    X, y = load_digits()
    W = np.random.default_rng(0).normal(scale=0.3, size=(10, X.shape[1]))

    def softmax(W: np.ndarray) -> float:
        return softmax_loss(W, X, y)

    def svm(W: np.ndarray) -> float:
        return svm_loss(W, X, y)

    core = {"c": "compiled", "python": "pure Python, same results"}[numdiff.backend]
    print(f"numdiff {numdiff.__version__}, backend: {numdiff.backend} ({core})")
    print(f"Data: {len(y)} images of handwritten digits, 8 x 8 pixels.")
    print(f"W: {W.shape[0]} x {W.shape[1]} random numbers: for each digit, 64 weights of pixels and a bias.")

    print("\nSoftmax (cross-entropy) loss")
    gradient = show_numbers(softmax, W)
    show_times(softmax, W, runs)
    show_by_hand(softmax_gradient(W, X, y), gradient)
    show_wrong(wrong_softmax_gradient(W, X, y), gradient)

    print("\nMulticlass SVM loss")
    gradient = show_numbers(svm, W)
    show_times(svm, W, runs)
    show_by_hand(svm_gradient(W, X, y), gradient)
    show_kink(svm, W, X, y)

    print("\nAll checks passed.")


if __name__ == "__main__":
    main()
