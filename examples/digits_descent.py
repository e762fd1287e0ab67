"""A linear classifier learns handwritten digits: a random search, and minibatch gradient descent.

Run it with ``python examples/digits_descent.py [file.png]``: it prints losses and accuracies, and opens a window or
saves the picture to the file. It needs numdiff and Matplotlib (``python -m pip install -e ".[plot]"``).

W is 10 x 65: for each digit 64 weights of pixels and a bias. It learns from 200 images and is tested on 100 others. The
gradient of the softmax loss is that written by hand in quickstart.py, which also checks it.
"""

import sys
from typing import Any

import numpy as np
from quickstart import load_digits, softmax_gradient, softmax_loss

import numdiff

SEED = 0
DRAWS = 1000
TRAINING = 200  # images; the others are for the test


def split_digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The images and digits to learn from, and those for the test."""
    X, y = load_digits()
    return (X[:TRAINING], y[:TRAINING]), (X[TRAINING:], y[TRAINING:])


def accuracy(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The share of the images where the right digit has the highest score."""
    return float(np.mean((X @ W.T).argmax(axis=1) == y))


def random_search(data: tuple[np.ndarray, np.ndarray], draws: int = DRAWS) -> tuple[np.ndarray, float]:
    """Strategy 1: the best of so many random W, and its loss."""
    rng = np.random.default_rng(SEED)
    candidates = (rng.normal(scale=0.1, size=(10, 65)) for _ in range(draws))
    best = min(candidates, key=lambda W: softmax_loss(W, *data))
    return best, softmax_loss(best, *data)


def follow_the_slope(data: tuple[np.ndarray, np.ndarray], momentum: float = 0.0) -> Any:
    """Strategy 2: fifty epochs of gradient descent, with 32 images for each step."""
    return numdiff.sgd(
        softmax_loss,
        np.zeros((10, 65)),
        data,
        jac=softmax_gradient,
        learning_rate=0.5,
        momentum=momentum,
        epochs=50,
        rng=SEED,
        history=True,
    )


def draw(axes: np.ndarray, result: Any) -> None:
    """The descent, and the weights of the ten digits as pictures."""
    numdiff.plot.descent(result, axes=axes[:2])
    axes[0].set_xlabel("epoch")
    axes[1].set_xlabel("epoch")
    pictures = result.x[:, :-1].reshape(2, 5, 8, 8).transpose(0, 2, 1, 3).reshape(16, 40)
    axes[2].imshow(pictures, cmap="coolwarm", vmin=-np.abs(pictures).max(), vmax=np.abs(pictures).max())
    axes[2].set_title("the weights of 0 1 2 3 4, and of 5 6 7 8 9")
    axes[2].axis("off")


def main() -> None:
    training, test = split_digits()
    print(f"{len(training[1])} images to learn from, {len(test[1])} for the test.")
    W, loss = random_search(training)
    print(f"The best of {DRAWS} random W: loss {loss:.3f}, test accuracy {accuracy(W, *test):.0%}")
    for momentum in (0.0, 0.9):
        result = follow_the_slope(training, momentum)
        values = result.history["fun"]
        print(f"Gradient descent, momentum {momentum}: loss {values[0]:.3f}, {values[1]:.3f} after one epoch,", end=" ")
        print(f"{values[-1]:.3f} after {result.nit}, test accuracy {accuracy(result.x, *test):.0%}")

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    draw(axes, follow_the_slope(training))
    figure.savefig(sys.argv[1], dpi=80) if len(sys.argv) > 1 else plt.show()


if __name__ == "__main__":
    main()
