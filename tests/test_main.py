"""python -m numdiff: exit codes, output."""

import json
import subprocess
import sys

import numpy as np
import pytest

from numdiff.__main__ import main

MODULE = """
import numpy as np
def fun(x): return float(np.sin(x).sum())
def jac(x): return np.cos(x)
def wrong(x): return -np.cos(x)
def unclear(x): return 1e10 + 1e-9 * float(np.sin(x).sum())
def unclear_jac(x): return -1e-9 * np.cos(x)
def broken(x): raise RuntimeError("broken")
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "checked_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "checked_module"
    sys.modules.pop("checked_module", None)


@pytest.mark.parametrize(
    ("names", "status"),
    [(("fun", "jac"), 0), (("fun", "wrong"), 1), (("unclear", "unclear_jac"), 2), (("fun", "broken"), 3)],
)
def test_status(module, names, status, capsys):
    assert main(["check", *(f"{module}:{name}" for name in names), "--at", "0.5,1.5"]) == status
    said = capsys.readouterr()
    if status < 3:
        assert said.out.startswith("gradcheck: ")
    else:
        assert "RuntimeError: broken" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["check", "m:fun", "m:jac"],
        ["check", "m", "m:jac", "--at", "1"],
        ["check", "m:nothing", "m:jac", "--at", "1"],
        ["check", "m:number", "m:jac", "--at", "1"],
        ["check", "no_such_module:fun", "m:jac", "--at", "1"],
        ["check", "m:fun", "m:jac", "--at", "one"],
        ["check", "m:fun", "m:jac", "--at", "missing.npy"],
        ["check", "m:fun", "m:jac", "--at", "1", "--mode", "quick"],
    ],
)
def test_bad_usage(module, arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(
            [argument.replace("m:", f"{module}:") if argument.startswith("m:") else argument for argument in arguments]
        )
    assert stopped.value.code == 3
    assert "error" in capsys.readouterr().err


def test_npy_and_json(module, tmp_path, capsys):
    np.save(tmp_path / "x0.npy", np.array([[0.5, 1.5], [2.0, 2.5]]))
    status = main(["check", f"{module}:fun", f"{module}:wrong", "--at", str(tmp_path / "x0.npy"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert status == 1
    assert report["verdict"] == "disagree"
    assert report["kind"] == "sign"
    assert report["wrong"][-1] == [1, 1]


def test_as_a_program():
    done = subprocess.run([sys.executable, "-m", "numdiff", "info"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for word in ("numdiff", "backend:", "compiler:", "NumPy:"):
        assert word in done.stdout


@pytest.mark.parametrize("text", ["def fun(:", "1 / 0", "import sys; sys.exit(0)"])
def test_a_module_that_cannot_be_imported_is_no_verdict(text, tmp_path, monkeypatch, capsys):
    (tmp_path / "broken_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["check", "broken_module:fun", "broken_module:jac", "--at", "1"])
    assert left.value.code == 3
    sys.modules.pop("broken_module", None)


def test_an_empty_file_is_no_verdict(module, tmp_path):
    (tmp_path / "x.npy").write_bytes(b"")
    with pytest.raises(SystemExit) as left:
        main(["check", f"{module}:fun", f"{module}:jac", "--at", str(tmp_path / "x.npy")])
    assert left.value.code == 3


def test_sys_exit_in_jac_is_no_verdict(module, capsys):
    sys.path_importer_cache.clear()
    found = __import__(module)
    found.leaves = lambda x: sys.exit(0)
    assert main(["check", f"{module}:fun", f"{module}:leaves", "--at", "1,2"]) == 3


def test_closed_stdout_keeps_the_verdict(module, tmp_path):
    command = f"{sys.executable} -m numdiff check {module}:fun {module}:jac --at 1,2"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
