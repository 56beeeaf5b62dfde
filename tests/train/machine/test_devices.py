"""Where and how a model computes is as asked, or an error; nothing moves to the CPU in silence."""

import os
import stat

import keras
import pytest

from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import devices


@pytest.fixture
def gpus(monkeypatch):
    """`gpus("gpu:0")`: what the backend is made to see."""

    def see(*names: str) -> None:
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: list(names) if kind == "gpu" else [])

    return see


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Puts back what `choose` changes."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error(gpus):
    gpus()
    with pytest.raises(UserError, match=r"train\.device: gpu, but tensorflow sees no GPU.*auto or cpu"):
        devices.choose("gpu")


@pytest.mark.parametrize(
    ("device", "seen", "chosen"), [("auto", [], "cpu"), ("auto", ["gpu:0"], "gpu"), ("gpu", ["gpu:0"], "gpu")]
)
def test_the_device_is_as_asked(device, seen, chosen, gpus):
    gpus(*seen)
    assert devices.choose(device) == chosen
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_cpu_hides_the_gpus(gpus):
    gpus("gpu:0")
    assert devices.choose("cpu") == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_auto_is_what_the_backend_sees_on_this_machine():
    assert devices.choose("auto") == ("gpu" if keras.distribution.list_devices("gpu") else "cpu")


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_auto_precision_is_bfloat16_where_it_is_native(device, native, monkeypatch):
    monkeypatch.setattr(devices, "NATIVE_BFLOAT16", {"cpu": lambda: not native, "gpu": lambda: not native})
    monkeypatch.setitem(devices.NATIVE_BFLOAT16, device, lambda: native)
    assert devices.choose_precision("auto", device) == ("mixed_bfloat16" if native else "float32")


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_named_precision_is_taken_whatever_the_machine(precision, device, monkeypatch):
    monkeypatch.setattr(devices, "NATIVE_BFLOAT16", {})
    assert devices.choose_precision(precision, device) == precision


@pytest.mark.parametrize(
    ("script", "native"),
    [
        ("echo 9.0", True),
        ("echo 8.0; echo 8.6", True),
        ("echo 7.5", False),
        ("echo 9.0; echo 7.0", False),
        ("exit 9", False),
    ],
)
def test_the_gpu_is_asked_through_nvidia_smi_and_the_oldest_counts(script, native, monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.gpu_has_bfloat16() is native


def test_a_gpu_without_nvidia_smi_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.gpu_has_bfloat16() is False
