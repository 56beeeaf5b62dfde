"""Device and precision are as asked, or an error; nothing moves to the CPU without a message."""

import os

import keras
import pytest

from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import devices


@pytest.fixture
def gpus(monkeypatch):
    """`gpus("gpu:0")`: the GPUs that the backend sees. The environment is restored afterwards."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    return lambda *names: monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: list(names))


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(gpus):
    gpus()
    with pytest.raises(UserError, match=r"train\.device: gpu.*auto or cpu"):
        devices.choose("gpu")


@pytest.mark.parametrize(
    ("device", "seen", "chosen", "visible"),
    [
        ("auto", [], "cpu", "0"),
        ("auto", ["gpu:0"], "gpu", "0"),
        ("gpu", ["gpu:0"], "gpu", "0"),
        ("cpu", ["gpu:0"], "cpu", "-1"),
    ],
)
def test_the_device_is_as_asked_and_cpu_hides_the_gpus(device, seen, chosen, visible, gpus):
    gpus(*seen)
    assert devices.choose(device) == chosen
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_auto_precision_is_bfloat16_where_it_is_native_and_a_named_one_is_kept(device, native, monkeypatch):
    monkeypatch.setattr(devices, "NATIVE_BFLOAT16", {"cpu": lambda: not native, "gpu": lambda: not native})
    monkeypatch.setitem(devices.NATIVE_BFLOAT16, device, lambda: native)
    assert devices.choose_precision("auto", device) == ("mixed_bfloat16" if native else "float32")
    for named in ("float32", "mixed_bfloat16", "mixed_float16"):
        assert devices.choose_precision(named, device) == named


@pytest.mark.parametrize(
    ("script", "native"),
    [("echo 8.0; echo 8.6", True), ("echo 9; echo 7", False), ("echo [N/A]", False), ("exit 9", False), (None, False)],
)
def test_the_oldest_gpu_of_nvidia_smi_decides(script, native, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    if script:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert devices.gpu_has_bfloat16() is native
