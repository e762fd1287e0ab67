"""What test_engines.py runs under MPI: mpiexec -n 3 python -m mpi4py.futures tests/mpi_pool.py FOLDER

Prints, as JSON, what failed: of every call its name and the error.
"""

from __future__ import annotations

import json
import os
import sys

import pytest
import sent_functions as sent

import numdiff


def here(x):
    """A function of the script itself."""
    return sent.rosen(x)


def same(executor, call):
    sent.assert_same(call(workers=executor), call())


def function_of_the_script(executor):
    sent.assert_same(numdiff.gradient(here, sent.X, workers=executor, full_output=True), sent.gradient()())


def both_ranks_work(executor):
    found = numdiff.gradient(sent.meets, sent.X, args=(os.getpid(), sys.argv[1]), workers=executor, full_output=True)
    sent.assert_same(found, sent.gradient()())
    assert len(os.listdir(sys.argv[1])) == 2


def exception(executor, name):
    expected = sent.ERRORS[name]()
    with pytest.raises(type(expected)) as caught:
        numdiff.gradient(sent.raises, sent.X, args=(name, 3, 17), workers=executor)
    assert type(caught.value) is type(expected)
    assert caught.value.args == expected.args
    assert sent.noted(caught.value, "numdiff", "x0[3]")


def exception_that_cannot_be_sent(executor, name):
    with pytest.raises(RuntimeError, match=name):
        numdiff.gradient(sent.raises, sent.X, args=(name, 3), workers=executor)


def unsendable(executor):
    with pytest.raises(TypeError, match=r"(?s)`fun`.*Locked.*top level of a module"):
        numdiff.gradient(sent.Locked(), sent.X, workers=executor)


def main():
    from mpi4py.futures import MPIPoolExecutor

    failed, ran = {}, 0
    with MPIPoolExecutor() as executor:
        tests = {name: (same, call) for name, call in sent.CALLS.items()}
        tests |= {f"exception {name}": (exception, name) for name in sent.ERRORS if not name.startswith("Cannot")}
        tests |= {name: (exception_that_cannot_be_sent, name) for name in ("CannotBeSent", "CannotBeRead")}
        tests |= {each.__name__: (each,) for each in (function_of_the_script, both_ranks_work, unsendable)}
        tests["and it still works"] = (same, sent.CALLS["central"])
        for name, (test, *args) in tests.items():
            ran += 1
            try:
                test(executor, *args)
            except (Exception, pytest.fail.Exception) as error:
                failed[name] = f"{type(error).__name__}: {error}"
        number = executor.num_workers
    print(json.dumps({"backend": numdiff.backend, "workers": number, "ran": ran, "failed": failed}))


if __name__ == "__main__":
    main()
