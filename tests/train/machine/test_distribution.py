"""Devices are as asked, or an error that names what is there and the remedy."""

import keras
import numpy as np
import pytest

from skinlesion.runtime import processes
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import distribution
from skinlesion.train.machine.distribution import Distribution, Predictor


@pytest.fixture
def see(monkeypatch):
    """`see(3, "jax")`: the backend has so many GPUs."""

    def see(number: int, backend: str = "tensorflow") -> None:
        names = [f"gpu:{device}" for device in range(number)]
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: names)
        monkeypatch.setattr(distribution, "gpus", lambda: names)
        monkeypatch.setattr(keras.backend, "backend", lambda: backend)

    return see


@pytest.mark.parametrize(("wanted", "there"), [(1, 1), (1, 3), ("all", 1)])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_one_device_changes_nothing(wanted, there, backend, see):
    see(there, backend)
    chosen = distribution.choose(wanted, "gpu", 7)
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
        distribution.choose(wanted, "gpu", batch_size)


def test_one_of_several_processes_trains_with_all_devices(see, monkeypatch):
    see(2, "jax")
    monkeypatch.setenv(processes.COUNT, "2")
    with pytest.raises(UserError, match=r"train\.devices is 1.*2 processes.*train\.devices: all"):
        distribution.choose(1, "gpu", 8)


@pytest.mark.parametrize(
    ("variable", "backend"), [("TF_CONFIG", "tensorflow"), (processes.COUNT, "tensorflow"), (processes.COUNT, "torch")]
)
def test_several_hosts_under_another_backend_are_refused_and_jax_is_named(variable, backend, see, monkeypatch):
    see(1, backend)
    monkeypatch.setenv(variable, "2")
    with pytest.raises(UserError, match=rf"{variable}.*KERAS_BACKEND=jax"):
        distribution.join()


def test_a_batch_that_the_devices_cannot_share_is_filled_up_and_cut():
    sizes = []
    predictor = Predictor(lambda images: sizes.append(len(images)) or 2 * images, 4)
    for number in (1, 4, 6):
        np.testing.assert_array_equal(predictor.predict_on_batch(np.arange(number)), 2 * np.arange(number))
    assert sizes == [4, 4, 8]
