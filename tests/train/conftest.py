"""A network of two small convolutions that trains in seconds, and images that it can learn."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

import stages.evaluate
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.rows import HeadLayer, Phase
from skinlesion.runtime.params.sections import Train
from skinlesion.train.network import heads, preprocessing
from tests.helpers import trainings

SIDE = 16
layers = keras.layers


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    """Resets the dtype policy, which `build` sets for the whole process."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def tiny(make_tiny: Callable[..., keras.Model]) -> keras.Model:
    return make_tiny()


@pytest.fixture(scope="session")
def make_tiny() -> Callable[..., keras.Model]:
    """`make_tiny({"dropout": 0.3}, attention="se")`: a new classifier; equal calls return equal weights."""
    return build_tiny


def build_tiny(*head: dict, attention: str = "none") -> keras.Model:
    """A classifier as `build` makes them. Its backbone's layers: 0 input, 1 conv, 2 norm, 3 relu, 4 conv, 5 norm."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=2, name="first")(pixels)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.8, name="first_norm")(x))
    x = layers.Conv2D(16, 3, strides=2, name="second")(x)
    features = layers.BatchNormalization(momentum=0.8, name="second_norm")(x)
    backbone = keras.Model(pixels, features, name="backbone")
    row = [HeadLayer(**layer) for layer in head or [{"average_pool": "global"}]]
    image = keras.Input((SIDE, SIDE, 3), dtype="float32")
    part = heads.build_head(row, features.shape[1:], attention)
    return keras.Model(image, part(backbone(preprocessing.build_preprocessing("tf", SIDE)(image))))


def coloured(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one colour per class, with noise; labels in turn."""
    colours = np.random.default_rng(0).integers(30, 225, (7, 3))
    labels = np.arange(number) % 7
    noise = np.random.default_rng(seed).normal(0, 8, (number, SIDE, SIDE, 3))
    return np.clip(colours[labels][:, None, None] + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def easy() -> tuple[np.ndarray, np.ndarray]:
    return coloured(44, seed=1)


@pytest.fixture(scope="session")
def easy_validation() -> tuple[np.ndarray, np.ndarray]:
    return coloured(14, seed=2)


@pytest.fixture(scope="session")
def contrary(easy_validation: tuple) -> tuple[np.ndarray, np.ndarray]:
    """A validation set whose figures fall while the model learns: each class has the next one's label."""
    images, labels = easy_validation
    return images, (labels + 1) % 7


@pytest.fixture(scope="session")
def train_params(settings: Params) -> Callable[..., Train]:
    """`train_params(early_stopping=2)`: the section `train` with batches of 8, a constant rate, and changes."""
    constant = {"schedule": "constant", "warmup_epochs": 0, "early_stopping": None, "reduce_learning_rate": None}
    plain = {**settings.train.model_dump(), "batch_size": 8, **constant}
    return lambda **changes: Train.model_validate({**plain, **changes})


@pytest.fixture(scope="session")
def phase() -> Callable[..., Phase]:
    return lambda train="all", epochs=2, learning_rate=1e-2, batch_norm=None: Phase(
        train=train,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_norm=batch_norm or ("frozen" if train == "head" else "train"),
    )


@pytest.fixture(scope="session")
def make_trained(shared: Callable, write_params: Callable) -> Callable[[str, str], Path]:
    """`make_trained("tensorflow", "augmented, bfloat16")`: a folder with three folders.

    `whole` was trained without a break, on a set without test images; `resumed` was killed after an epoch and run
    again; `evaluated` has the model and was evaluated, on a set without training images. output.txt: of the stages.
    """

    def get(backend: str, case: str) -> Path:
        def make(folder: Path) -> None:
            parts = {"whole": ["train", "validation"], "resumed": ["train", "validation"]}
            whole, resumed, evaluated = (
                trainings.write_set(folder / name, *splits)
                for name, splits in (parts | {"evaluated": ["validation", "test"]}).items()
            )
            for place in (whole, resumed, evaluated):
                write_params(place / "params.yaml", trainings.SMALL | trainings.CASES[case])
            first, second = (trainings.start("train", place, backend) for place in (whole, resumed))
            trainings.kill_after_an_epoch(second, resumed)
            output = trainings.finish(first)
            second = trainings.start("train", resumed, backend)
            shutil.copytree(whole / "models", evaluated / "models")
            if backend == keras.backend.backend():
                with pytest.MonkeyPatch.context() as patch:
                    patch.chdir(evaluated)
                    stages.evaluate.main()
            else:
                output += trainings.finish(trainings.start("evaluate", evaluated, backend))
            (folder / "output.txt").write_text(output + trainings.finish(second))

        return shared(f"trained by {backend}, {case}", make)

    return get
