"""One training on several devices, and in several processes, ends as on one device; a lost process ends all of them.

The devices are parts of the CPU. The tests under JAX are skipped where it is not installed (make setup JAX=1).
"""

import importlib.util
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.model import bundle
from skinlesion.model.predict import probabilities
from skinlesion.runtime import paths
from tests.helpers.trainings import SMALL, finish, kill_after_an_epoch, start, write_set

pytestmark = [pytest.mark.chain, pytest.mark.training]
NUMBERS = {"tensorflow": 2, "jax": 4}  # of devices
CHANGES = {
    "heads.gap": [{"average_pool": "global"}],  # without dropout, whose random numbers differ by number of devices
    "configurations.quick": [
        {"train": "head", "epochs": 1, "learning_rate": 1e-2, "batch_norm": "frozen"},  # on features
        {"train": "all", "epochs": 2, "learning_rate": 1e-3, "batch_norm": "train"},
    ],
    "train.devices": "all",
}


@pytest.fixture(scope="module", params=["tensorflow", pytest.param("jax", marks=pytest.mark.optional)])
def backend(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def make_folder(tmp_path_factory: pytest.TempPathFactory, write_params: Callable) -> Callable[[], Path]:
    """`make_folder()`: a new folder with params and a small set."""

    def make() -> Path:
        folder = write_set(tmp_path_factory.mktemp("distributed"), "train", "validation")
        write_params(folder / "params.yaml", SMALL | CHANGES)
        return folder

    return make


@pytest.fixture(scope="module")
def one(make_folder: Callable[[], Path], backend: str) -> Path:
    """A training on one device, with `train.devices: all`."""
    folder = make_folder()
    finish(start("train", folder, backend))
    return folder


def start_two(folder: Path) -> list[subprocess.Popen]:
    """Processes 0 and 1 of one training under JAX."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    names = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address, "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    return [start("train", folder, "jax", **names, KERAS_DISTRIBUTION_PROCESS_ID=str(number)) for number in (0, 1)]


@pytest.fixture(scope="module")
def two(make_folder: Callable[[], Path], backend: str) -> Iterator[Path]:
    """A training in two processes."""
    if backend != "jax":
        pytest.skip("several processes train under JAX alone")
    folder = make_folder()
    first, second = start_two(folder)
    finish(first)
    assert "poch" not in finish(second), "process 0 alone tells the progress"
    return folder


def assert_ends_as(folder: Path, expected: Path) -> None:
    """Equal losses to 1e-3, and predictions of all images to 1e-2."""
    losses, others = (pd.read_csv(place / paths.HISTORY) for place in (folder, expected))
    assert len(losses) == 3
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(losses[name], others[name], rtol=1e-3)
    files = sorted((folder / "data" / "merged" / "images").glob("*.png"))
    images = np.stack([np.asarray(Image.open(path)) for path in files])
    predicted = [probabilities(bundle.load(place / paths.MODEL).model, images, 16) for place in (folder, expected)]
    np.testing.assert_allclose(*predicted, atol=1e-2)


def read_metrics(folder: Path) -> dict:
    return json.loads((folder / paths.TRAIN_METRICS).read_text())


def test_several_devices_train_as_one(one: Path, make_folder: Callable[[], Path], backend: str) -> None:
    folder, number = make_folder(), NUMBERS[backend]
    finish(start("train", folder, backend, devices=number))
    assert_ends_as(folder, one)
    assert read_metrics(folder)["devices"] == [f"cpu:{device}" for device in range(number)]
    assert "devices" not in read_metrics(one)


def test_two_processes_train_as_one(one: Path, two: Path) -> None:
    assert_ends_as(two, one)
    metrics = read_metrics(two)
    assert (len(metrics["devices"]), metrics["processes"]) == (2, 2)


@pytest.mark.parametrize("victim", [1, 0])
def test_a_lost_process_ends_all_with_one_message_and_training_resumes(
    victim: int, two: Path, make_folder: Callable[[], Path]
) -> None:
    folder = make_folder()
    processes = start_two(folder)
    kill_after_an_epoch(processes[victim], folder)
    survivor = processes[1 - victim]
    output, _ = survivor.communicate(timeout=120)
    assert survivor.returncode == 1, output
    assert output.splitlines()[-1].startswith("train: One of the 2 processes of this training is lost")
    assert "Traceback" not in output
    first, second = start_two(folder)
    assert "train: resumes after epoch 1" in finish(first)
    finish(second)
    for path in (paths.MODEL, paths.HISTORY, paths.TRAIN_METRICS):
        assert (folder / path).read_bytes() == (two / path).read_bytes(), path
