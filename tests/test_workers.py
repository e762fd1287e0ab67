"""workers=: processes, Executors and maps give the numbers of a serial run, or say why not; chunks, counts, errors.

Those of Dask and MPI are in test_engines.py.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sent_functions as sent
from sent_functions import CALLS, ERRORS, SHORT, X, assert_same, noted, rosen, three

import numdiff

# Workers call fun alone, and the kernels are in the parent: on one backend here, on the other where that is asked for.
BACKEND = {"python": "python"}.get(os.environ.get("NUMDIFF_BACKEND", ""), "c")
pytestmark = [pytest.mark.usefixtures("limited"), pytest.mark.parametrize("backend", [BACKEND], indirect=True)]

THREADS_RUN_PYTHON = not getattr(sys, "_is_gil_enabled", lambda: True)()
processes_only = pytest.mark.skipif(THREADS_RUN_PYTHON, reason="an int means threads on a free-threaded CPython")

# not fork, as Python warns of it where there are threads
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def process_pool(number=2):
    return ProcessPoolExecutor(number, mp_context=multiprocessing.get_context(METHOD))


def children():
    return {process.pid for process in multiprocessing.active_children()}


@contextmanager
def own_pool():
    with process_pool() as executor:
        yield executor


@pytest.fixture(scope="module")
def processes():
    with process_pool() as executor:
        yield executor


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def pool():
    with multiprocessing.get_context(METHOD).Pool(2) as made:
        yield made
        made.close()
        made.join()


ENGINES = ["ProcessPoolExecutor", "ThreadPoolExecutor", "Pool.map", "Pool.imap", "map"]
IN_PROCESSES = ["ProcessPoolExecutor", "Pool.map", "Pool.imap"]


@pytest.fixture(params=ENGINES)
def engine(request):
    return made(request)


@pytest.fixture(params=IN_PROCESSES)
def elsewhere(request):
    return made(request)


def made(request):
    fixture = {"ProcessPoolExecutor": "processes", "ThreadPoolExecutor": "threads", "map": None}.get(
        request.param, "pool"
    )
    found = map if fixture is None else request.getfixturevalue(fixture)
    return getattr(found, request.param.partition(".")[2]) if fixture == "pool" else found


class Recorded:
    """The built-in map, and what it was given; `change` makes other results of the right ones."""

    def __init__(self, change=lambda results: results):
        self.sent, self.change = [], change

    def __call__(self, function, iterable):
        tasks = list(iterable)
        self.sent += [(function, task) for task in tasks]
        return self.change([function(task) for task in tasks])


class Immediate(Executor):
    """Does at once what it is given."""

    def __init__(self):
        self.number = 0

    def submit(self, fun, /, *args, **kwargs):
        self.number += 1
        future = Future()
        try:
            future.set_result(fun(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


class Watched(ThreadPoolExecutor):
    """Threads, and how many tasks they were given, in all and at most at a time."""

    def __init__(self, number):
        super().__init__(number)
        self.lock = threading.Lock()
        self.number = self.open = self.most = 0

    def submit(self, fun, /, *args, **kwargs):
        def run():
            try:
                return fun(*args, **kwargs)
            finally:
                with self.lock:
                    self.open -= 1

        with self.lock:
            self.number += 1
            self.open += 1
            self.most = max(self.most, self.open)
        return super().submit(run)


# The numbers are those of a serial run


@pytest.mark.parametrize("name", CALLS)
def test_bits_counts_and_flags(name, engine):
    assert_same(CALLS[name](workers=engine), CALLS[name]())


@processes_only
@pytest.mark.parametrize("workers", [2, -1])
def test_a_number_of_processes(workers):
    before = children()
    names = ["central", "hessian"] if workers == -1 else ["richardson", "jacobian, forward", "hessian_diagonal"]
    for name in names:
        assert_same(CALLS[name](workers=workers), CALLS[name]())
    assert children() == before


def test_one_worker_is_a_serial_run():
    assert_same(sent.gradient(lambda x: rosen(x))(workers=1), sent.gradient()())


def test_the_callables(processes):
    value, gradient = numdiff.value_and_grad(rosen, workers=processes)(X)
    expected_value, expected = numdiff.value_and_grad(rosen)(X)
    assert value == expected_value
    np.testing.assert_array_equal(gradient, expected)
    np.testing.assert_array_equal(numdiff.grad(rosen, workers=processes)(X), numdiff.grad(rosen)(X))
    np.testing.assert_array_equal(numdiff.jac(three, workers=processes)(X), numdiff.jac(three)(X))
    np.testing.assert_array_equal(numdiff.hess(rosen, workers=processes)(SHORT), numdiff.hess(rosen)(SHORT))


def test_the_closed_form(processes):
    found = numdiff.gradient(rosen, X, workers=processes)
    np.testing.assert_allclose(found, sent.rosen_gradient(X), rtol=1e-8, atol=1e-7)


def test_nfev_counts_the_calls_in_all_processes(processes, tmp_path):
    for number, derivative, x0 in (
        (1, numdiff.gradient, X),
        (2, numdiff.hessian, SHORT),
        (3, numdiff.hessian_diagonal, SHORT),
    ):
        path = tmp_path / str(number)
        found = derivative(sent.counted, x0, args=(str(path),), workers=processes, full_output=True)
        assert found.nfev == path.stat().st_size


def test_a_function_that_writes_into_x(engine):
    np.testing.assert_array_equal(numdiff.gradient(sent.writes, X, workers=engine), numdiff.gradient(rosen, X))
    np.testing.assert_array_equal(numdiff.hessian(sent.writes, SHORT, workers=engine), numdiff.hessian(rosen, SHORT))


def test_x0_and_args_stay_as_they_are(engine):
    x0, scale = X.copy(), np.array(2.0)
    numdiff.gradient(sent.writes, x0, workers=engine)
    numdiff.gradient(rosen, x0, args=(scale,), workers=engine)
    np.testing.assert_array_equal(x0, X)
    assert scale == 2.0


# Who works, and on what


@pytest.mark.parametrize("workers", ["ProcessPoolExecutor", pytest.param("2", marks=processes_only)])
def test_two_processes_work_at_once(workers, tmp_path):
    engine = own_pool() if workers != "2" else contextmanager(lambda: (yield 2))()
    with engine as given:
        found = numdiff.gradient(sent.meets, X, args=(os.getpid(), str(tmp_path)), workers=given)
    np.testing.assert_array_equal(found, numdiff.gradient(rosen, X))
    here = {int(path.name) for path in tmp_path.iterdir()}
    assert len(here) == 2
    assert os.getpid() not in here


def test_threads_that_wait_wait_at_once(threads):
    meeting, met = threading.Barrier(2, timeout=60), set()

    def fun(x):
        here = threading.current_thread()
        if here is not threading.main_thread() and here not in met:
            met.add(here)
            meeting.wait()
        return rosen(x)

    np.testing.assert_array_equal(numdiff.gradient(fun, X, workers=threads), numdiff.gradient(rosen, X))
    assert len(met) == 2


@pytest.mark.parametrize("name", ["central", "forward", "jacobian", "hessian", "hessian_diagonal"])
def test_points_go_in_chunks(name):
    recorded = Recorded()
    found = CALLS[name](workers=recorded)
    assert 1 < len(recorded.sent) < found.nfev - 1
    assert_same(found, CALLS[name]())


def test_a_chunk_is_smaller_than_its_points():
    recorded = Recorded()
    x0 = np.linspace(-1.0, 1.0, 300)
    found = numdiff.gradient(rosen, x0, workers=recorded, full_output=True)
    size = sum(len(pickle.dumps(task)) for task in recorded.sent)
    assert size < found.nfev * x0.nbytes / 4


def test_few_chunks_wait_at_a_time():
    with Watched(2) as executor:
        found = numdiff.hessian(rosen, SHORT, workers=executor, full_output=True)
        assert 2 < executor.number < found.nfev - 1
        assert executor.most <= 4
        assert executor.open == 0
    assert_same(found, sent.hessian()())


def test_any_executor():
    executor = Immediate()
    assert_same(CALLS["central"](workers=executor), CALLS["central"]())
    assert 1 < executor.number < 47


def test_maps_of_every_kind():
    for way in (
        lambda fun, tasks: [fun(task) for task in tasks],
        lambda fun, tasks: (fun(task) for task in list(tasks)),
        lambda fun, tasks: iter([*map(fun, tasks)]),
    ):
        assert_same(CALLS["jacobian"](workers=way), CALLS["jacobian"]())


# Exceptions of fun


@pytest.mark.parametrize("name", [name for name in ERRORS if not name.startswith("Cannot")])
def test_an_exception_comes_back_as_itself(name, engine):
    expected = ERRORS[name]()
    for derivative in (numdiff.gradient, numdiff.hessian):
        with pytest.raises(type(expected)) as caught:
            derivative(sent.raises, SHORT, args=(name, 3), workers=engine)
        assert type(caught.value) is type(expected)
        assert caught.value.args == expected.args
        assert str(caught.value) == str(expected)
        assert noted(caught.value, "numdiff", "x0[3]")


def test_the_first_of_several_exceptions(engine):
    for _ in range(3):
        with pytest.raises(LookupError) as caught:
            numdiff.gradient(sent.raises, X, args=("LookupError", 2, 11, 23), workers=engine)
        assert noted(caught.value, "x0[2]")


def test_the_component_is_that_of_x0(engine):
    with pytest.raises(LookupError) as caught:
        numdiff.gradient(sent.raises, X, args=("LookupError", 17), indices=[0, 20, 17, 3], workers=engine)
    assert noted(caught.value, "x0[17]")
    with pytest.raises(LookupError) as caught:
        numdiff.gradient(sent.raises, X.reshape(4, 6), args=("LookupError", 17), workers=engine)
    assert noted(caught.value, "x0[2, 5]")


def test_an_exception_where_two_components_are_moved(engine):
    with pytest.raises(LookupError) as caught:
        numdiff.hessian(sent.raises_for_the_pair, SHORT, workers=engine)
    assert noted(caught.value, "x0[1]", "x0[4]")


@pytest.mark.parametrize(("name", "text"), [("CannotBeSent", "deep in fun"), ("CannotBeRead", "4.0 at there")])
def test_an_exception_that_cannot_be_sent(name, text, elsewhere):
    with pytest.raises(RuntimeError, match=name) as caught:
        numdiff.gradient(sent.raises, X, args=(name, 3), workers=elsewhere)
    message = str(caught.value)
    assert text in message
    assert "sent_functions.py" in message  # the traceback
    assert noted(caught.value, "x0[3]") or "x0[3]" in message


@pytest.mark.parametrize("name", ["CannotBeSent", "CannotBeRead"])
def test_in_threads_and_maps_nothing_need_be_sent(name, threads):
    for engine in (threads, map, Immediate()):
        with pytest.raises(type(ERRORS[name]())) as caught:
            numdiff.gradient(sent.raises, X, args=(name, 3), workers=engine)
        assert noted(caught.value, "x0[3]")


def test_an_executor_can_be_used_after_an_exception(processes, threads):
    for executor in (processes, threads):
        for name in ("LookupError", "CannotBeRead"):
            with pytest.raises((LookupError, RuntimeError, sent.CannotBeRead)):
                numdiff.gradient(sent.raises, X, args=(name, 0), workers=executor)
        assert_same(CALLS["central"](workers=executor), CALLS["central"]())


@processes_only
def test_no_process_is_left_after_an_exception():
    before = children()
    with pytest.raises(LookupError):
        numdiff.gradient(sent.raises, X, args=("LookupError", 3), workers=2)
    assert children() == before


@pytest.mark.parametrize("what", ["text", "two", "none", "complex"])
def test_values_that_are_no_number(what, engine):
    with pytest.raises((TypeError, ValueError)) as expected:
        numdiff.gradient(sent.wrong, X, args=(what,))
    with pytest.raises(expected.type) as caught:
        numdiff.gradient(sent.wrong, X, args=(what,), workers=engine)
    assert str(caught.value) == str(expected.value)


def test_values_of_another_shape(engine):
    with pytest.raises(ValueError, match="2 at first and 3 later"):
        numdiff.jacobian(sent.longer, X, workers=engine)


# What cannot be sent


def nested():
    def local(x):
        return rosen(x)

    return local


UNSENDABLE = {
    "lambda": (lambda x: rosen(x), "<lambda>"),
    "local": (nested(), "local"),
    "Locked": (sent.Locked(), "Locked"),
}


@pytest.mark.parametrize("name", UNSENDABLE)
def test_functions_that_cannot_be_sent(name, elsewhere):
    fun, shown = UNSENDABLE[name]
    for derivative in (numdiff.gradient, numdiff.hessian):
        with pytest.raises(TypeError, match=f"(?s)`fun`.*{shown}.*top level of a module"):
            derivative(fun, SHORT, workers=elsewhere)
    assert_same(CALLS["central"](workers=elsewhere), CALLS["central"]())  # the pool lives


@processes_only
@pytest.mark.parametrize("name", UNSENDABLE)
def test_functions_that_cannot_be_sent_to_processes_of_the_call(name):
    fun, shown = UNSENDABLE[name]
    with pytest.raises(TypeError, match=f"(?s)`fun`.*{shown}.*top level of a module"):
        numdiff.gradient(fun, X, workers=2)


def test_arguments_that_cannot_be_sent(elsewhere):
    with pytest.raises(TypeError, match="args"):
        numdiff.gradient(lambda_free, X, args=(threading.Lock(),), workers=elsewhere)


def lambda_free(x, lock):
    return rosen(x)


def test_they_stay_here_in_threads_and_maps(threads):
    for fun, _ in UNSENDABLE.values():
        for engine in (threads, map, Recorded(), Immediate()):
            np.testing.assert_array_equal(numdiff.gradient(fun, X, workers=engine), numdiff.gradient(rosen, X))


@processes_only
def test_a_function_that_cannot_be_loaded():
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        numdiff.gradient(sent.Unloadable(), X, workers=2)


def test_native_functions_stay_here(elsewhere):
    import ctypes

    prototype = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_double))
    pointer = prototype(lambda n, x: rosen(np.ctypeslib.as_array(x, (n,))))
    with pytest.raises(TypeError, match="`fun`"):
        numdiff.gradient(pointer, X, workers=elsewhere)


# Workers that die


@processes_only
@pytest.mark.parametrize("derivative", [numdiff.gradient, numdiff.hessian_diagonal, numdiff.hessian])
def test_a_killed_worker_is_replaced(derivative, tmp_path):
    before, path = children(), tmp_path / "killed"
    found = derivative(sent.killed_once, SHORT, args=(os.getpid(), str(path)), workers=2, full_output=True)
    assert path.exists()
    assert_same(found, derivative(rosen, SHORT, full_output=True))
    assert children() == before


@processes_only
def test_workers_that_are_always_killed():
    before = children()
    with pytest.raises(RuntimeError, match=r"(?s)worker.*`fun`"):
        numdiff.gradient(sent.killed_always, X, args=(os.getpid(),), workers=2)
    assert children() == before


def test_a_killed_worker_of_an_executor_is_told():
    with own_pool() as executor, pytest.raises(RuntimeError, match="abruptly"):
        numdiff.gradient(sent.killed_always, X, args=(os.getpid(),), workers=executor)


# Workers that are none


@pytest.mark.parametrize(
    ("workers", "error"),
    [(0, ValueError), (-2, ValueError), (2.0, TypeError), (True, TypeError), ("2", TypeError), ([], TypeError)],
)
@pytest.mark.parametrize("derivative", [numdiff.gradient, numdiff.jacobian, numdiff.hessian, numdiff.hessian_diagonal])
def test_wrong_workers(workers, error, derivative):
    with pytest.raises(error, match=f"`workers`.*{re.escape(repr(workers))}"):
        derivative(rosen, X, workers=workers)


@pytest.mark.parametrize(
    "change",
    [
        lambda results: results[:-1],
        lambda results: [*results, results[-1]],
        lambda results: [],
        lambda results: None,
        lambda results: [None for _ in results],
        lambda results: [0.0 for _ in results],
        lambda results: 3,
    ],
    ids=["one less", "one more", "none", "None", "all None", "numbers", "a number"],
)
@pytest.mark.parametrize("name", ["central", "jacobian", "hessian"])
def test_maps_that_are_none(change, name):
    with pytest.raises((TypeError, ValueError, RuntimeError), match="`workers`"):
        CALLS[name](workers=Recorded(change))


@pytest.mark.parametrize("name", ["central", "jacobian", "hessian"])
def test_a_map_in_another_order_gives_no_wrong_number(name):
    try:
        found = CALLS[name](workers=Recorded(lambda results: results[::-1]))
    except (TypeError, ValueError, RuntimeError) as error:
        assert "`workers`" in str(error)  # noqa: PT017
    else:
        assert_same(found, CALLS[name]())


def test_a_map_with_one_argument():
    with pytest.raises(TypeError):
        numdiff.gradient(rosen, X, workers=lambda fun: None)


def test_an_executor_that_is_shut_down():
    executor = ThreadPoolExecutor(2)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        numdiff.gradient(rosen, X, workers=executor)


@pytest.mark.parametrize("derivative", [numdiff.jacobian, numdiff.hessian])
def test_not_with_sparsity(derivative, threads):
    with pytest.raises(ValueError, match="`workers` cannot be given with `sparsity`"):
        derivative(rosen, X, sparsity=np.eye(X.size), workers=threads)


def test_complex_steps_are_refused_or_right(engine):
    expected = numdiff.gradient(np.prod, X[:5], method="complex")
    try:
        found = numdiff.gradient(np.prod, X[:5], method="complex", workers=engine)
    except ValueError as error:
        assert "`workers`" in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(found, expected)


def test_how_processes_start_does_not_change():
    script = """
        import multiprocessing
        import numpy as np
        from sent_functions import rosen
        import numdiff
        from numdiff._pool import process_context

        if __name__ == "__main__":
            first = process_context().get_start_method()
            for _ in range(2):
                numdiff.gradient(rosen, np.ones(4), workers=2)
                numdiff.approx_derivative(rosen, np.ones(4), workers=2)
                assert process_context().get_start_method() == first != "fork", first
            multiprocessing.set_start_method("spawn")  # which is still for others to choose
            assert process_context().get_start_method() == "spawn"
            print("done")
    """
    assert run(script) == "done"


def test_an_interrupt_ends_the_processes_of_a_call():
    script = """
        import multiprocessing, os, signal, threading, time
        import numpy as np
        from sent_functions import naps
        import numdiff

        if __name__ == "__main__":
            threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            begin = time.monotonic()
            try:
                numdiff.gradient(naps, np.ones(4), workers=2)
            except KeyboardInterrupt:
                assert time.monotonic() - begin < 15
                assert not multiprocessing.active_children()
                print("done")
    """
    assert run(script) == "done"


def run(script):
    """What a script prints as a process of its own, where a SIGINT is not ignored."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "script.py")
        path.write_text(textwrap.dedent(script))
        made = subprocess.run(
            [sys.executable, str(path)], env=environment, capture_output=True, text=True, check=False,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_a_traceback_comes_with_the_error(processes):
    with pytest.raises(ValueError, match="deep") as caught:
        numdiff.gradient(sent.deep, X, workers=processes)
    assert "in deep" in "".join(caught.value.__notes__)


def test_numpy_integers():
    np.testing.assert_array_equal(numdiff.gradient(rosen, X, workers=np.int64(1)), numdiff.gradient(rosen, X))


@pytest.mark.parametrize("how", ["ProcessPoolExecutor(2, mp_context=context)", "context.Pool(2)"])
def test_a_function_that_workers_do_not_have(how):
    script = f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        import numpy as np
        import numdiff

        if __name__ == "__main__":
            context = multiprocessing.get_context({METHOD!r})
            with {how} as pool:
                def late(x):
                    return x @ x

                try:
                    workers = pool.map if hasattr(pool, "imap") else pool
                    numdiff.gradient(late, np.ones(4), workers=workers)
                except TypeError as error:
                    assert "`fun` cannot be loaded in a worker" in str(error), error
                    print("done")
    """
    assert run(script) == "done"


def test_the_callers_errstate():
    def overflows(x):
        return float(np.exp(x[0]) * 1e-300) + x[1]

    x0, options = [709.7827, 1.0], {"abs_step": 1e-3}
    with ThreadPoolExecutor(2) as executor:
        for more in ({}, {"workers": map}, {"workers": executor}):
            with np.errstate(over="raise"), pytest.raises(FloatingPointError):
                numdiff.gradient(overflows, x0, **options, **more)
            with np.errstate(all="ignore"):
                numdiff.gradient(overflows, x0, **options, **more)


def test_an_error_does_not_wait_for_later_chunks():
    def waits(x):
        if x[0] != X[0]:
            raise KeyError("first")
        if x[20] != X[20]:
            released.wait()
        return rosen(x)

    released = threading.Event()
    with ThreadPoolExecutor(2) as executor:
        try:
            with pytest.raises(KeyError, match="first"):
                numdiff.gradient(waits, X, workers=executor, f0=1.0, method="forward")
        finally:
            released.set()


def test_exceptions_that_cannot_be_written_to():
    with pytest.raises(sent.Frozen):
        numdiff.gradient(sent.frozen, X, workers=map)
    with pytest.raises(sent.Frozen):
        numdiff.gradient(lambda x: sent.frozen(x[:, 0] + 1.0), X, vectorized=True)
    with pytest.raises(sent.Frozen):
        numdiff.gradient(sent.frozen, X, progress=True)
