"""A large array is mapped to a file without a name, holds in memory only what is in use, and behaves as any other."""

import math
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from skinlesion.core import arrays, images
from skinlesion.model import dataset, predict
from skinlesion.runtime.params import Params
from skinlesion.train.batches import Batches
from skinlesion.train.resume import key

BUDGET = 10_000  # bytes, more than two pages of memory


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(arrays, "BUDGET", BUDGET)
    monkeypatch.chdir(tmp_path)


def random_images(number: int = 40, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, side, side, 3), np.uint8)


def mapped(number: int = 40, side: int = 16) -> np.ndarray:
    """The same images, beyond the budget."""
    array = arrays.allocate((number, side, side, 3), np.uint8)
    array[:] = random_images(number, side)
    return array


@pytest.mark.parametrize(("dtype", "size"), [(np.uint8, 1), (np.float32, 4), ("float16", 2)])
@pytest.mark.parametrize("more", [0, 1])
def test_up_to_the_budget_an_array_is_in_memory_and_beyond_it_in_a_file(dtype: object, size: int, more: int) -> None:
    array = arrays.allocate((BUDGET // size + more, 1), dtype)
    assert (array.shape, array.dtype, type(array)) == ((BUDGET // size + more, 1), dtype, np.ndarray)
    assert (arrays.mapping(array) is not None) == bool(more)
    assert array.flags.writeable


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads the memory map of a process on Linux")
def test_the_file_has_no_name_and_is_in_data(tmp_path: Path) -> None:
    def mapped_files() -> list[str]:
        return [line for line in Path("/proc/self/maps").read_text().splitlines() if f"{tmp_path}/data/" in line]

    array = mapped()
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]
    assert [line.endswith(" (deleted)") for line in mapped_files()] == [True]
    del array
    assert mapped_files() == []


@pytest.mark.parametrize("make", [mapped, random_images])
def test_released_parts_keep_their_values(make: Callable) -> None:
    array = make()
    for part in (array, array[3:7], array[-1], array[5:5], array[::3], array[7, 2, 2], array[:, ::-1]):
        arrays.release(part)
        np.testing.assert_array_equal(array, random_images())


@pytest.mark.parametrize("number", [0, 1, 40])
def test_parts_are_the_whole_in_order(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "PART", 5 * 16 * 16 * 3)
    for array in (random_images(number), random_images(number)[:, 0, 0, 0].astype(float), mapped()[:number]):
        parts = list(arrays.iterate_parts(array))
        assert max((part.nbytes for part in parts), default=0) <= arrays.PART
        np.testing.assert_array_equal(np.concatenate([array[:0], *parts]), array)


USES = {
    "batches": "batches = Batches(array, np.zeros(len(array)), 32, seed=1)\n"
    "for index in range(len(batches)): batches[index]",
    "predicting": "predict.probabilities(Model(), array, 32)",
    "hashing": "for part in arrays.iterate_parts(array): part.sum()",
    "loading": "images.write_png(Path('x.png'), array[0])\ndataset.read_images(['x.png'] * len(array), 'loading')",
    "no release": "array.sum()",
}
SHAPE = (1000, 128, 128, 3)


@pytest.fixture(scope="module")
def growth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """By how many bytes the peak memory of a process grew with each use of an array of SHAPE."""
    code = f"""
from pathlib import Path
import numpy as np
from skinlesion.core import arrays, images
from skinlesion.model import dataset, predict
from skinlesion.train.batches import Batches
class Model:
    def predict_on_batch(self, images): return np.full((len(images), 7), images.mean())
def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
arrays.BUDGET, arrays.PART = {BUDGET}, 2**20
array = arrays.allocate({SHAPE}, np.uint8)
for use in {list(USES.values())}:
    before = peak()
    exec(use)
    print(peak() - before)
"""
    folder = tmp_path_factory.mktemp("uses")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return dict(zip(USES, map(int, done.stdout.split()), strict=True))


@pytest.mark.chain
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory of a process on Linux")
@pytest.mark.parametrize("use", USES)
def test_memory_does_not_grow_by_the_array_unless_nothing_is_released(use: str, growth: dict[str, int]) -> None:
    part = growth[use] / math.prod(SHAPE)
    assert part > 0.8 if use == "no release" else part < 0.3


def test_keys_batches_predictions_and_loaded_images_are_those_of_an_array_in_memory(
    settings: Params, tmp_path: Path
) -> None:
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, keras.layers.Softmax()(keras.layers.Dense(7)(keras.layers.Flatten()(pixels))))
    labels = np.arange(40) % 7
    keys = [
        key.hash_training(settings, model, (array, labels))
        for array in (mapped(), random_images(), random_images()[::-1])
    ]
    assert keys[0] == keys[1] != keys[2]
    ours, expected = (Batches(array, labels, 7, seed=3) for array in (mapped(), random_images()))
    for index in range(len(ours)):
        for pair in zip(ours[index], expected[index], strict=True):
            np.testing.assert_array_equal(*pair)
    for tta in predict.VIEWS:
        pair = (predict.probabilities(model, array, 7, tta=tta) for array in (mapped(), random_images()))
        np.testing.assert_array_equal(*pair)
    files = [str(tmp_path / f"{number}.png") for number in range(40)]
    for image, file in zip(random_images(), files, strict=True):
        images.write_png(Path(file), image)
    loaded = dataset.read_images(files, "loading")
    assert arrays.mapping(loaded) is not None
    np.testing.assert_array_equal(loaded, random_images())


def run(code: str, folder: Path) -> subprocess.CompletedProcess:
    code = f"import numpy as np; from skinlesion.core import arrays; arrays.BUDGET = 0\n{code}"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_a_killed_process_leaves_no_file(tmp_path: Path) -> None:
    code = "import os; arrays.allocate((9999,), np.uint8)[:] = 1; os.kill(os.getpid(), 9)"
    assert run(code, tmp_path).returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]


def test_a_full_disk_is_an_error_with_place_and_size_before_anything_is_written(tmp_path: Path) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "try: arrays.allocate((3 * 10**9,), np.uint8)\n"
        "except OSError as error: print(error.errno, error.filename, error.strerror)"
    )
    output = run(code, tmp_path).stdout
    assert output.startswith("27 data ")
    assert "3.0 GB" in output
