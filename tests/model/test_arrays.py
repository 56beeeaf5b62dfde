"""Beyond the budget an array lies in a file that nobody sees, in memory where it is used alone, and is as any other."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from skinlesion.core import images
from skinlesion.model import arrays, dataset, predict
from skinlesion.runtime.params import Params
from skinlesion.train.batches import Batches
from skinlesion.train.resume import key

BUDGET = 10_000  # bytes: three pages of memory hold more


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(arrays, "BUDGET", BUDGET)
    monkeypatch.chdir(tmp_path)


def mapped(number: int = 40, side: int = 16) -> np.ndarray:
    """Images of noise (number, side, side, 3), beyond the budget."""
    array = arrays.empty((number, side, side, 3), np.uint8)
    array[:] = noisy(number, side)
    return array


def noisy(number: int = 40, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, side, side, 3), np.uint8)


@pytest.mark.parametrize(("dtype", "size"), [(np.uint8, 1), (np.float32, 4), ("float16", 2)])
def test_up_to_the_budget_an_array_is_in_memory_and_beyond_it_in_a_file(dtype: object, size: int) -> None:
    for more in (0, 1):
        array = arrays.empty((BUDGET // size + more, 1), dtype)
        assert array.shape == (BUDGET // size + more, 1)
        assert array.dtype == dtype
        assert (arrays.mapping(array) is not None) == bool(more)
        assert array.flags.writeable
        assert type(array) is np.ndarray


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads what Linux says of a process")
def test_the_file_has_no_name_and_lies_in_data(tmp_path: Path) -> None:
    def mapped_files() -> list[str]:
        return [line for line in Path("/proc/self/maps").read_text().splitlines() if f"{tmp_path}/data/" in line]

    array = mapped()
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]
    assert [line.endswith(" (deleted)") for line in mapped_files()] == [True]
    del array
    assert mapped_files() == []


def test_what_is_dropped_comes_back_as_it_was() -> None:
    array, expected = mapped(), noisy()
    for part in (array, array[3:7], array[-1], array[5:5], array[::3], array[7, 2, 2], array[:, ::-1]):
        arrays.drop(part)
        np.testing.assert_array_equal(array, expected)


def test_nothing_happens_to_an_array_in_memory() -> None:
    array = noisy()
    arrays.drop(array)
    arrays.drop(array[2:5])
    np.testing.assert_array_equal(array, noisy())


@pytest.mark.parametrize("number", [0, 1, 40])
def test_parts_are_the_whole_in_order(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "PART", 5 * 16 * 16 * 3)
    for array in (noisy(number), noisy(number)[:, 0, 0, 0].astype(float), mapped()[:number]):
        found = list(arrays.parts(array))
        assert sum(len(part) for part in found) == len(array)
        assert max((part.nbytes for part in found), default=0) <= arrays.PART
        np.testing.assert_array_equal(np.concatenate([array[:0], *found]), array)


USES = {
    "batches": "batches = Batches(array, np.zeros(len(array)), 32, seed=1)\n"
    "for index in range(len(batches)): batches[index]",
    "predicting": "predict.probabilities(Model(), array, 32)",
    "hashing": "for part in arrays.parts(array): part.sum()",
    "loading": "images.write_png(Path('x.png'), array[0])\ndataset.read_images(['x.png'] * len(array), 'loading')",
    "no dropping": "array.sum()",
}
SHAPE = (1000, 128, 128, 3)


@pytest.fixture(scope="module")
def growth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """By how many bytes the most memory that a process ever had grew with each use of an array of SHAPE."""
    code = f"""
from pathlib import Path
import numpy as np
from skinlesion.core import images
from skinlesion.model import arrays, dataset, predict
from skinlesion.train.batches import Batches
class Model:
    def predict_on_batch(self, images): return np.full((len(images), 7), images.mean())
def most():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
arrays.BUDGET, arrays.PART = {BUDGET}, 2**20
array = arrays.empty({SHAPE}, np.uint8)
for use in {list(USES.values())}:
    before = most()
    exec(use)
    print(most() - before)
"""
    folder = tmp_path_factory.mktemp("uses")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return dict(zip(USES, map(int, done.stdout.split()), strict=True))


@pytest.mark.chain
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' account of memory")
@pytest.mark.parametrize("use", USES)
def test_memory_does_not_grow_by_the_array_unless_nothing_is_dropped(use: str, growth: dict[str, int]) -> None:
    part = growth[use] / math.prod(SHAPE)
    assert part > 0.8 if use == "no dropping" else part < 0.3


def test_a_key_of_progress_is_that_of_memory(settings: Params) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    labels = np.arange(40) % 7
    found, expected, other = (
        key.key_of(settings, model, (array, labels)) for array in (mapped(), noisy(), noisy()[::-1])
    )
    assert found == expected != other


def test_batches_predictions_and_loaded_images_are_those_of_memory(tmp_path: Path, noise: Callable) -> None:
    one, other = (Batches(array, np.arange(40), 7, seed=3) for array in (mapped(), noisy()))
    for index in range(len(one)):
        for found, expected in zip(one[index], other[index], strict=True):
            np.testing.assert_array_equal(found, expected)
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, keras.layers.Softmax()(keras.layers.Dense(7)(keras.layers.Flatten()(pixels))))
    for tta in predict.VIEWS:
        found, expected = (predict.probabilities(model, array, 7, tta=tta) for array in (mapped(), noisy()))
        np.testing.assert_array_equal(found, expected)
    files = [str(tmp_path / f"{number}.png") for number in range(40)]
    for number, file in enumerate(files):
        images.write_png(Path(file), noise(number, 16, 16))
    loaded = dataset.read_images(files, "loading")
    assert arrays.mapping(loaded) is not None
    np.testing.assert_array_equal(loaded, [noise(number, 16, 16) for number in range(40)])


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal, numpy as np; from skinlesion.model import arrays; arrays.BUDGET = 0\n"
        "arrays.empty((9999,), np.uint8)[:] = 1; os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]


def test_a_full_disk_is_said_with_the_place_and_the_size() -> None:
    """And not at the write that finds no room, which would end the process."""
    code = (
        "import resource, numpy as np; from skinlesion.model import arrays; arrays.BUDGET = 0\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "try: arrays.empty((3 * 10**9,), np.uint8)\n"
        "except OSError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[Errno 27] File too large for 3.0 GB that memory is to be spared: 'data'\n"


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="where the system can promise room on the disk")
def test_room_on_the_disk_is_taken_at_once(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        arrays.reserve(file.fileno(), 10**6)
        found = os.fstat(file.fileno())
    assert found.st_size == 10**6
    assert found.st_blocks * 512 >= 10**6
