"""How small a missing entry the check of `sparsity` sees: the table in docs/sparsity.md.

Tridiagonal functions with entries 0.5 to 1 at x from 0.3 to 1, and one entry more, which the structure misses: in how
many of 20 random cases it is an error. Half of those entries share their group with an entry of their row.
"""

from __future__ import annotations

import numpy as np

import numdiff

SIZES = (10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
CASES = 20


def tridiagonal(n, rng):
    return np.diag(rng.uniform(0.5, 1.0, n)) + sum(np.diag(rng.uniform(0.5, 1.0, n - 1), k) for k in (-1, 1))


def elsewhere(n, rng):
    """A place off the three diagonals."""
    i, j = rng.integers(0, n, 2)
    while abs(i - j) < 2:
        i, j = rng.integers(0, n, 2)
    return int(i), int(j)


def is_seen(derivative, fun, x, **options):
    n = x.size
    try:
        derivative(fun, x, sparsity=np.tri(n, k=1) - np.tri(n, k=-2), **options)
    except ValueError as error:
        if "`sparsity` misses an entry" not in str(error):
            raise
        return True
    return False


def of_jacobian(size, seed, dtype=np.float64, n=30, **options):
    rng = np.random.default_rng(seed)
    A = tridiagonal(n, rng)
    A[elsewhere(n, rng)] = size
    return is_seen(numdiff.jacobian, lambda x: (A @ x).astype(dtype), rng.uniform(0.3, 1.0, n), **options)


def of_hessian(size, seed, dtype=np.float64, n=30, **options):
    rng = np.random.default_rng(seed)
    A = tridiagonal(n, rng)
    A[elsewhere(n, rng)] = size
    return is_seen(numdiff.hessian, lambda x: dtype(x @ A @ x), rng.uniform(0.3, 1.0, n), **options)


def main():
    print(f"{'':44}" + "".join(f"{size:>7g}" for size in SIZES))
    central = [{"method": "central", **more} for more in ({}, {"order": 4}, {"abs_step": 0.1}, {"abs_step": 1e-12})]
    forward = [{"method": "forward", **more} for more in ({}, {"order": 2}, {"abs_step": 0.1}, {"abs_step": 1e-12})]
    rows = [(of_jacobian, options) for options in central + forward]
    rows += [(of_jacobian, {"method": m, "dtype": np.float32}) for m in ("central", "forward")]
    rows += [(of_hessian, {"method": m, "n": n}) for m in ("central", "forward") for n in (10, 30, 100)]
    rows += [(of_hessian, {"method": m, "dtype": np.float32}) for m in ("central", "forward")]
    for seen, options in rows:
        counts = [sum(seen(size, seed, **options) for seed in range(CASES)) for size in SIZES]
        name = ", ".join(f"{key}={getattr(value, '__name__', value)}" for key, value in options.items())
        print(f"{seen.__name__ + ' ' + name:44}" + "".join(f"{count:7}" for count in counts))


if __name__ == "__main__":
    main()
