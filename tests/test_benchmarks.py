"""The benchmarks run with the code as it is."""

import subprocess
import sys

import pytest

from tests.helpers.chain import ROOT


@pytest.mark.slow
@pytest.mark.training
def test_our_training_is_measured():
    words = ["benchmarks.run", "training_float32", "--quick", "--only", "ours,ResNet18"]
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| ours, ResNet18 at 80 px |" in done.stdout
