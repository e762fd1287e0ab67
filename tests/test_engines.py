"""workers=: a Dask client and an MPI pool, real ones, with two processes of this machine on loopback."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sent_functions as sent
from sent_functions import CALLS, ERRORS, SHORT, X, assert_same, noted, rosen

import numdiff

# Workers call fun alone, and the kernels are in the parent: on one backend here, on the other where that is asked for.
BACKEND = {"python": "python"}.get(os.environ.get("NUMDIFF_BACKEND", ""), "c")
pytestmark = [pytest.mark.usefixtures("limited"), pytest.mark.parametrize("backend", [BACKEND], indirect=True)]

# Dask


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (the extra dask)")
    import dask

    with (
        dask.config.set({"temporary-directory": str(tmp_path_factory.mktemp("dask"))}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any free port: None would take 8787, which may be taken
            silence_logs=logging.CRITICAL,  # of every error of fun, and of every worker lost
        ) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


@pytest.mark.parametrize("name", CALLS)
def test_dask_bits_counts_and_flags(name, client):
    assert_same(CALLS[name](workers=client), CALLS[name]())


def test_dask_as_an_executor(client):
    for name in ("central", "hessian"):
        assert_same(CALLS[name](workers=client.get_executor(pure=False)), CALLS[name]())


def test_dask_sends_lambdas_and_closures(client):
    scale = 2.0
    found = numdiff.gradient(lambda x: scale * rosen(x), X, workers=client)
    np.testing.assert_array_equal(found, numdiff.gradient(lambda x: scale * rosen(x), X))
    np.testing.assert_array_equal(
        numdiff.hess(lambda x: rosen(x), workers=client)(SHORT), numdiff.hessian(rosen, SHORT)
    )


def test_dask_calls_again_each_time(client, tmp_path):
    path = tmp_path / "calls"
    calls = 0
    for _ in range(2):  # the same function of the same points
        calls += numdiff.gradient(sent.counted, X, args=(str(path),), workers=client, full_output=True).nfev
        assert path.stat().st_size == calls


def test_dask_works_in_two_processes(client, tmp_path):
    found = numdiff.gradient(sent.meets, X, args=(os.getpid(), str(tmp_path)), workers=client)
    np.testing.assert_array_equal(found, numdiff.gradient(rosen, X))
    here = {int(path.name) for path in tmp_path.iterdir()}
    assert len(here) == 2
    assert os.getpid() not in here


@pytest.mark.parametrize("derivative", [numdiff.gradient, numdiff.hessian])
def test_dask_replaces_a_killed_worker(derivative, client, tmp_path):
    path = tmp_path / "killed"
    found = derivative(sent.killed_once, SHORT, args=(os.getpid(), str(path)), workers=client, full_output=True)
    assert path.exists()
    assert_same(found, derivative(rosen, SHORT, full_output=True))


@pytest.mark.parametrize("name", [name for name in ERRORS if not name.startswith("Cannot")])
def test_dask_exceptions_come_back_as_themselves(name, client):
    expected = ERRORS[name]()
    with pytest.raises(type(expected)) as caught:
        numdiff.gradient(sent.raises, X, args=(name, 3, 17), workers=client)
    assert type(caught.value) is type(expected)
    assert caught.value.args == expected.args
    assert noted(caught.value, "numdiff", "x0[3]")


@pytest.mark.parametrize("name", ["CannotBeSent", "CannotBeRead"])
def test_dask_exceptions_that_cannot_be_sent(name, client):
    with pytest.raises(RuntimeError, match=name):
        numdiff.gradient(sent.raises, X, args=(name, 3), workers=client)


def test_dask_functions_that_cannot_be_sent(client):
    with pytest.raises(TypeError, match=r"(?s)`fun`.*Locked.*top level of a module"):
        numdiff.gradient(sent.Locked(), X, workers=client)
    assert_same(CALLS["central"](workers=client), CALLS["central"]())


# MPI


def mpi_run(backend, folder):
    """What mpi_pool.py found."""
    # That beside this Python first: the PyPI package mpich puts it there.
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("no mpiexec: neither the PyPI package mpich nor an MPI of the system is installed")
    script = Path(__file__).with_name("mpi_pool.py")
    settings = {
        "NUMDIFF_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join([str(script.parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "OPENBLAS_NUM_THREADS": "1",
        # MPICH: no port but on loopback
        "HYDRA_IFACE": "lo",
        "UCX_NET_DEVICES": "lo",
        # Open MPI: also as root, and with more processes than cores; 4 and 5 name it differently
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_btl_tcp_if_include": "lo",
        "OMPI_MCA_oob_tcp_if_include": "lo",
    }
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script), folder]
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_mpi(backend, tmp_path_factory):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed (the extra mpi)")
    found = mpi_run(backend, str(tmp_path_factory.mktemp("mpi")))
    assert found["backend"] == backend
    assert found["workers"] == 2
    assert found["ran"] > len(CALLS)
    assert not found["failed"], "\n".join(f"{name}: {error}" for name, error in found["failed"].items())
