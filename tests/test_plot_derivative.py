"""examples/plot_derivative.py: the tangent, and a picture where Matplotlib is installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "examples" / "plot_derivative.py"


def test_tangents():
    spec = importlib.util.spec_from_file_location("plot_derivative_example", PATH)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    for f in example.CURVES.values():
        near = example.AT + np.array([-1e-4, 0.0, 1e-4])
        assert np.allclose(example.tangent(f, example.AT, near), f(near), atol=1e-6)


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "plot.png"
    subprocess.run([sys.executable, str(PATH), str(picture)], check=True, capture_output=True, timeout=120)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


def test_without_matplotlib(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('matplotlib')")
    code = (
        f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['x', 'y.png']; "
        f"runpy.run_path({str(PATH)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "needs Matplotlib: python -m pip install matplotlib" in done.stderr
