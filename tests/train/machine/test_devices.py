"""Device and precision are as asked, or an error; nothing moves to the CPU without a message."""

import os

import keras
import pytest

from skinlesion.runtime import processes
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import devices
from skinlesion.train.machine.distribution import Distribution


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


@pytest.fixture
def see(monkeypatch):
    """`see(3, "jax")`: the backend has so many GPUs."""

    def see(number: int, backend: str = "tensorflow") -> None:
        names = [f"gpu:{device}" for device in range(number)]
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: names)
        monkeypatch.setattr(devices, "gpus", lambda: names)
        monkeypatch.setattr(keras.backend, "backend", lambda: backend)

    return see


@pytest.mark.parametrize(("wanted", "there"), [(1, 1), (1, 3), ("all", 1)])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_one_device_changes_nothing(wanted, there, backend, see):
    see(there, backend)
    chosen = devices.distribute(wanted, "gpu", 7)
    assert type(chosen) is Distribution
    assert (chosen.devices, chosen.describe()) == (["gpu:0"], {})


@pytest.mark.parametrize(
    ("wanted", "there", "batch_size", "backend", "message"),
    [
        (4, 3, 8, "tensorflow", r"train\.devices is 4.*sees 3: gpu:0, gpu:1, gpu:2.*Set train\.devices: 3"),
        (3, 3, 32, "jax", r"train\.batch_size is 32.*3 devices.*30 or 33"),
        ("all", 4, 3, "tensorflow", r"train\.batch_size is 3.*4 devices.*Set 4"),
        ("all", 2, 8, "torch", r"train\.devices.*torch.*Set train\.devices: 1"),
    ],
)
def test_what_cannot_be_is_refused(wanted, there, batch_size, backend, message, see):
    see(there, backend)
    with pytest.raises(UserError, match=message):
        devices.distribute(wanted, "gpu", batch_size)


def test_one_of_several_processes_trains_with_all_devices(see, monkeypatch):
    see(2, "jax")
    monkeypatch.setenv(processes.COUNT, "2")
    with pytest.raises(UserError, match=r"train\.devices is 1.*2 processes.*train\.devices: all"):
        devices.distribute(1, "gpu", 8)
