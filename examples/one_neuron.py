"""One neuron learns: with the squared loss of a line, and with the log loss of two classes.

Run it with ``python examples/one_neuron.py [file.png]``: it prints how the losses fall, and opens a window or saves the
picture to the file. It needs numdiff, Matplotlib and optree (``python -m pip install -e ".[plot,pytree]"``).

The parameters are a dict, {"w": ..., "b": ...}, and so are the gradients and the result. Each training stops when the
loss falls by no more than 1e-4. It is done with the numerical gradient and with that worked out by hand.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import numdiff

Parameters = dict[str, np.ndarray]
LINE_START = {"w": np.array([[0.48486637, 0.41658183]]), "b": np.zeros((1, 1))}
CLASSES_START = {"w": np.array([[0.08225363, 0.1875735]]), "b": np.zeros((1, 1))}


def line_data() -> tuple[np.ndarray, np.ndarray]:
    """X, (2, 40), and a noisy linear function of it, (1, 40)."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((2, 40))
    return X, np.array([[0.37, 0.57]]) @ X + 0.1 + rng.normal(size=(1, 40))


def classes_data() -> tuple[np.ndarray, np.ndarray]:
    """X, (2, 40), twenty points around (-1, -1) and twenty around (1, 1), and their classes 0 and 1, (1, 40)."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.standard_normal((20, 2)) - 1, rng.standard_normal((20, 2)) + 1]).T
    return X, np.repeat([[0.0, 1.0]], 20, axis=1)


def squared_loss(p: Parameters, X: np.ndarray, Y: np.ndarray) -> float:
    """Half the mean of the squares."""
    return np.sum((Y - (p["w"] @ X + p["b"])) ** 2) / (2 * Y.size)


def squared_loss_gradient(p: Parameters, X: np.ndarray, Y: np.ndarray) -> Parameters:
    return _through_the_neuron(p["w"] @ X + p["b"] - Y, X)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def log_loss(p: Parameters, X: np.ndarray, Y: np.ndarray) -> float:
    """The mean of -ln of the probability of the true class."""
    q = sigmoid(p["w"] @ X + p["b"])
    return -np.mean(Y * np.log(q) + (1 - Y) * np.log(1 - q))


def log_loss_gradient(p: Parameters, X: np.ndarray, Y: np.ndarray) -> Parameters:
    return _through_the_neuron(sigmoid(p["w"] @ X + p["b"]) - Y, X)


def _through_the_neuron(errors: np.ndarray, X: np.ndarray) -> Parameters:
    return {"w": errors @ X.T / errors.size, "b": errors.mean(axis=1, keepdims=True)}


def train(loss: Callable[..., float], start: Parameters, data: tuple[np.ndarray, np.ndarray], jac: Any = None) -> Any:
    """Gradient descent at learning rate 0.1, until the loss falls by no more than 1e-4."""
    return numdiff.gradient_descent(loss, start, data, jac, learning_rate=0.1, ftol=1e-4, gtol=0.0, history=True)


train_line = partial(train, squared_loss, LINE_START, line_data())
train_classes = partial(train, log_loss, CLASSES_START, classes_data())


def losses(result: Any, every: int) -> list[tuple[int, float]]:
    """(iteration, loss) at the start, at every so many updates, and before the last one, which was too small to go on.

    Examples
    --------
    >>> [(k, round(float(loss), 6)) for k, loss in losses(train_line(), 5)]
    [(0, 0.439887), (5, 0.420053), (10, 0.412665), (15, 0.409886), (20, 0.408831), (22, 0.408717)]
    """
    values = result.history["fun"]
    return [(k, values[k]) for k in range(0, result.nit, every)] + [(result.nit, values[result.nit - 1])]


def draw(axes: np.ndarray, line: Any, classes: Any) -> None:
    """For each training its losses, and what the neuron makes of the data."""
    from matplotlib.colors import TwoSlopeNorm

    for row, result, (X, Y), start, name in (
        (axes[0], line, line_data(), LINE_START, "squared loss"),
        (axes[1], classes, classes_data(), CLASSES_START, "log loss"),
    ):
        numdiff.plot.descent(result, axes=row[:2])
        row[0].set_title(name)
        row[2].scatter(*X, c=Y[0], cmap="coolwarm", norm=TwoSlopeNorm(Y.mean()))
        x = np.linspace(-3, 3, 2)
        middle = Y.mean() if name == "squared loss" else 0.0
        for p, style in ((start, ":"), (result.x, "-")):
            row[2].plot(x, (middle - p["b"][0, 0] - p["w"][0, 0] * x) / p["w"][0, 1], "k" + style)
        row[2].set_xlim(-3.5, 3.5)
        row[2].set_ylim(-3.5, 3.5)
        row[2].set_title("where the neuron says the mean" if name == "squared loss" else "where it sees 0 and 1 alike")


def main() -> None:
    for name, run, by_hand, every in (
        ("Squared loss", train_line, squared_loss_gradient, 5),
        ("Log loss", train_classes, log_loss_gradient, 100),
    ):
        print(name)
        for kind, result in (("numerical gradient", run()), ("gradient by hand", run(by_hand))):
            print(f"  {kind}: {result.nit} updates, {result.nfev} calls of the loss")
            print("   ", ", ".join(f"{k}: {loss:.6f}" for k, loss in losses(result, every)))

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(13, 8), layout="constrained")
    draw(axes, train_line(), train_classes())
    figure.savefig(sys.argv[1], dpi=80) if len(sys.argv) > 1 else plt.show()


if __name__ == "__main__":
    main()
