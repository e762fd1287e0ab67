"""Losses of a classifier by hand: scores of three images, what moves them, and why weights are kept small.

Run it with ``python examples/losses.py``; it needs numdiff and NumPy. The figures are small enough to follow with
pencil and paper; digits_descent.py minimises such a loss on images.
"""

from collections.abc import Callable

import numpy as np

import numdiff

CLASSES = ("cat", "car", "frog")  # also the true classes of the three images
SCORES = np.array(
    [[3.2, 1.3, 2.2], [5.1, 4.9, 2.5], [-1.7, 2.0, -3.1]]
)  # a row for each class, a column for each image
CERTAIN = {"clear": [10.0, -2.0, 3.0], "close": [10.0, 9.0, 9.0], "far": [10.0, -100.0, -100.0]}  # class 0 is true

PENALTIES: dict[str, Callable[[np.ndarray], float]] = {
    "L2": lambda W: np.sum(W**2),
    "L1": lambda W: np.sum(np.abs(W)),
    "elastic net": lambda W: np.sum(0.5 * W**2 + np.abs(W)),
}


def svm_loss(scores: np.ndarray, true: int) -> float:
    """The sum of max(0, s_j - s_true + 1) over the wrong classes j.

    Examples
    --------
    >>> [round(float(svm_loss(SCORES[:, image], image)), 6) for image in range(3)]
    [2.9, 0.0, 12.9]
    """
    margins = np.maximum(0, np.asarray(scores) - scores[true] + 1)
    return margins.sum() - margins[true]


def softmax_loss(scores: np.ndarray, true: int) -> float:
    """-ln(e^{s_true} / sum_j e^{s_j}).

    Examples
    --------
    >>> round(float(softmax_loss([0.0, 0.0], 0)), 6)  # ln 2
    0.693147
    """
    scores = np.asarray(scores)
    return np.log1p(np.exp(np.delete(scores, true) - scores[true]).sum())  # the same, and exact where it is tiny


def jiggled(loss: Callable[[np.ndarray, int], float], scores: list[float]) -> np.ndarray:
    """The derivatives of the loss by the scores, where class 0 is true: which of them still matter.

    Examples
    --------
    >>> jiggled(svm_loss, CERTAIN["clear"])
    array([0., 0., 0.])
    """
    return numdiff.gradient(loss, scores, args=(0,))


def scaled_losses(factor: float) -> list[float]:
    """The SVM losses of the three images, all weights, and with them the scores, times a factor."""
    return [float(svm_loss(factor * SCORES[:, image], image)) for image in range(3)]


def main() -> None:
    print("One entry of W moved by 0.0001 takes a loss from 1.25347 to 1.25322:")
    print(f"  a slope of {(1.25322 - 1.25347) / 0.0001:.1f}")
    print(f"The gradient of x² + y² at (5, 3): {numdiff.gradient(lambda x: x @ x, [5.0, 3.0]).round(6)}")

    losses = scaled_losses(1.0)
    print(
        "\nSVM losses:", ", ".join(f"{name} {loss:.1f}" for name, loss in zip(CLASSES, losses, strict=True)), end="; "
    )
    print(f"their mean {np.mean(losses):.2f}")
    print(f"With 2W the second image has the loss {scaled_losses(2.0)[1]:.0f} too: the loss alone does not choose.")
    W = np.array([[1.0, -2.0], [0.5, 3.0]])
    print("Penalties that do, at W = [[1, -2], [0.5, 3]] and at 2W, and their gradients at W:")
    for name, penalty in PENALTIES.items():
        print(f"  {name:<11}  {penalty(W):>5}  {penalty(2 * W):>5}  {numdiff.gradient(penalty, W).round(6).tolist()}")

    print("\nThe true class has the score 10, the others:")
    for scores in CERTAIN.values():
        print(f"  {scores[1]:g} and {scores[2]:g}:")
        for name, loss in (("SVM", svm_loss), ("softmax", softmax_loss)):
            slopes = ", ".join(f"{slope:.2g}" for slope in jiggled(loss, scores))
            print(f"    {name:<7} loss {loss(scores, 0):.2g}, slopes {slopes}")
    print(
        "  Softmax is never quite content. At (10, 9, 9) the SVM loss has kinks, and its slopes are means of two sides."
    )


if __name__ == "__main__":
    main()
