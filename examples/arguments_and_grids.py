"""How to get a gradient: of a function of several arguments, on a grid, and by SciPy's name.

Run it with ``python examples/arguments_and_grids.py``; it needs numdiff and NumPy.
"""

import numpy as np

import numdiff

AXIS = np.arange(-100.0, 101.0, 25.0)  # of the grid, in all three directions


def product(q: float, chi: float, delta: float) -> float:
    """A function of three arguments."""
    return q * chi * delta


def by_all_arguments(q: float, chi: float, delta: float) -> tuple[float, float, float]:
    """The three derivatives of product, in one call.

    Examples
    --------
    >>> [round(float(slope), 6) for slope in by_all_arguments(2.0, 3.0, 5.0)]
    [15.0, 10.0, 6.0]
    """
    return numdiff.gradient(product, (q, chi, delta), unpack=True)


def potential(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return 2 * x**2 + 3 * y**2 - 4 * z


def field(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
    """The derivatives of potential along each axis, at all points of a grid at once: 4x, 6y, -4, also at its edges."""
    return [
        numdiff.derivative(lambda x: potential(x, y, z), x),
        numdiff.derivative(lambda y: potential(x, y, z), y),
        numdiff.derivative(lambda z: potential(x, y, z), z),
    ]


def main() -> None:
    slopes = by_all_arguments(2.0, 3.0, 5.0)
    print("q·chi·delta at (2, 3, 5), by all three: {:.6f}, {:.6f}, {:.6f}".format(*slopes))

    grid = np.meshgrid(AXIS, AXIS, AXIS, indexing="ij")
    x, y, _ = grid
    exact = [4 * x, 6 * y, np.full_like(x, -4)]
    by_values = np.gradient(potential(*grid), AXIS, AXIS, AXIS)
    print(f"\n2x² + 3y² - 4z on a grid of {x.shape}, largest error along x, y, z:")
    for name, found in (
        ("numdiff.derivative, from the function", field(*grid)),
        ("numpy.gradient, from values", by_values),
    ):
        print(f"  {name:<38}", *(f"{np.abs(one - true).max():>8.1e}" for one, true in zip(found, exact, strict=True)))
    print("  numpy.gradient is right inside; at the edges it has values on one side only.")

    print(f"\nnumdiff.approx_fprime(2, x², 1e-6), as SciPy's: {numdiff.approx_fprime(2, lambda x: x**2, 1e-6)[0]:.6f}")


if __name__ == "__main__":
    main()
