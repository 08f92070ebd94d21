"""No thread waits busily: it would take the cores from the work beside it. None varies."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = (
    *("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_NUM_THREADS"),
    *("MKL_CBWR", "MKL_DYNAMIC"),
)


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What Python says to some code, with none of the settings but those given."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run(
        [sys.executable, "-c", code], env={**clean, **env}, capture_output=True, text=True
    )


def libgomp_of(package: str) -> Path:
    """The OpenMP library that a package brings, which reads its settings as it is loaded."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    folders = {"torch": site / "torch/lib", "sklearn": site / "scikit_learn.libs"}
    return next(folders[package].glob("libgomp*"))


@pytest.mark.slow  # starts a process
@pytest.mark.parametrize("package", ["torch", "sklearn"])
def test_openmp_of_a_package_sleeps_at_once_where_newsrec_was_imported(package: str) -> None:
    load = f"import ctypes; ctypes.CDLL({str(libgomp_of(package))!r})"
    shown = run(f"import newsrec; {load}", OMP_DISPLAY_ENV="VERBOSE")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown.stderr
    assert "GOMP_SPINCOUNT = '0'" in shown.stderr
    assert "GOMP_SPINCOUNT = '0'" not in run(load, OMP_DISPLAY_ENV="VERBOSE").stderr


@pytest.mark.slow  # imports PyTorch
def test_products_of_pytorch_are_equal_from_run_to_run_where_newsrec_was_imported() -> None:
    product = "import torch; torch.ones(64, 64) @ torch.ones(64, 64)"
    usual = run(product, MKL_VERBOSE="1").stdout
    if "MKL_VERBOSE" not in usual:
        pytest.skip("this PyTorch does not compute with MKL")
    assert "CNR:AUTO Dyn:0" in run(f"import newsrec; {product}", MKL_VERBOSE="1").stdout
    assert "CNR:AUTO" not in usual


def test_a_setting_of_the_user_holds() -> None:
    code = "import newsrec, os; print(os.environ['OMP_WAIT_POLICY'])"
    assert run(code, OMP_WAIT_POLICY="ACTIVE").stdout == "ACTIVE\n"


@pytest.mark.parametrize("package", ["newsrec", "stages", "benchmarks"])
def test_a_program_has_loaded_no_library_with_threads_before(package: str) -> None:
    loaded = run(
        f"import {package}, sys; print({{'numpy', 'torch', 'sklearn'}} & {{*sys.modules}})"
    )
    assert loaded.stdout == "set()\n"
