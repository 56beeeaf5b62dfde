"""Training steps of configuration A: ResNet50 at 128 px from random weights, every layer trains, batch 32, on the CPU.

Ours is the pipeline's own training with `precision: auto`, and `deterministic: true` where nothing else is said; plain
Keras is keras.applications.ResNet50 with a classifier, trained by model.fit on arrays. Neither it nor PyTorch is set to
repeat its weights, as ours is by default; the targets hold for ours both ways. Images of random pixels; the median time
of 12 steps after 3 of warm-up, so that what else the machine does for a moment counts for little. What comes between
epochs (validation, keeping weights and state) counts for none.
"""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import once

if TYPE_CHECKING:
    import keras

UNIT = "images/s"
ROUNDS = 5
SIZE, BATCH, WARM_UP, STEPS = 128, 32, 3, 12
IMAGES = (WARM_UP + STEPS) * BATCH
CLASSES = 7


def pictures(count: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (count, SIZE, SIZE, 3) and labels (count,)."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8), np.arange(count) % CLASSES


def on_cpu() -> None:
    """Hide GPUs; without the pipeline's own code, which would make plain Keras faster."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def clock(times: list[float]) -> "keras.callbacks.Callback":
    """Notes when each step has ended."""
    import keras

    return keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: times.append(time.perf_counter()))


def rate(times: list[float]) -> float:
    """Images/s of the median of the last STEPS steps, of which the ends are given."""
    return float(BATCH / np.median(np.diff(times)[-STEPS:]))


def ours(precision: str = "auto", deterministic: bool = True) -> dict:
    """The pipeline's training, as the stage train starts it."""
    from skinlesion import backend, params
    from skinlesion.model.build import build
    from skinlesion.rows import Phase
    from skinlesion.training import determinism, devices
    from skinlesion.training.fit import fit

    settings = params.load()
    if deterministic:
        determinism.enable()
    on_cpu()
    backend.keras.utils.set_random_seed(1)
    precision = devices.choose_precision(precision, "cpu")
    model = build(settings.backbones["resnet50"], settings.heads["gap"], SIZE, None, precision)
    times: list[float] = []
    keras_fit = model.fit
    model.fit = lambda *args, callbacks, **more: keras_fit(*args, callbacks=[clock(times), *callbacks], **more)
    how = settings.train.model_copy(update={"batch_size": BATCH, "augmentation": None, "max_epochs": None})
    fit(model, pictures(), pictures(CLASSES), [Phase(train="all", epochs=1, learning_rate=1e-4)], how, seed=1)
    return {"value": rate(times), "precision": precision}


def plain_model() -> "keras.Model":
    """What people write: images (N, SIZE, SIZE, 3), 0-1, to probabilities (N, CLASSES)."""
    import keras

    backbone = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")(x))


def plain(policy: str) -> float:
    import keras

    on_cpu()
    keras.config.set_dtype_policy(policy)
    model = plain_model()
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    images, labels = pictures()
    times: list[float] = []
    model.fit(images / np.float32(255), labels, batch_size=BATCH, callbacks=[clock(times)], verbose=0)
    return rate(times)


def pytorch() -> float:
    import torch

    from benchmarks.torch_resnet50 import as_input, bfloat16, resnet50

    model = resnet50(CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    loss = torch.nn.CrossEntropyLoss()
    images, labels = map(torch.from_numpy, pictures())
    times = []
    for rows in torch.randperm(IMAGES).split(BATCH):
        optimizer.zero_grad()
        with bfloat16():
            found = loss(model(as_input(images[rows])), labels[rows])
        found.backward()
        optimizer.step()
        times.append(time.perf_counter())
    return rate(times)


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    "ours": ours,
    "plain Keras float32": lambda: plain("float32"),
    "ours, not deterministic": lambda: ours(deterministic=False),
    "PyTorch bfloat16": pytorch,
    "ours, float32": lambda: ours("float32"),
    "plain Keras bfloat16": lambda: plain("mixed_bfloat16"),
}
NEEDS = {"PyTorch bfloat16": "torch"}
TARGETS = [
    ("ours", "plain Keras float32", 2.0),
    ("ours", "PyTorch bfloat16", 0.85),
    ("ours, not deterministic", "plain Keras float32", 2.0),
    ("ours, not deterministic", "PyTorch bfloat16", 0.85),
]

if __name__ == "__main__":
    once.main(VARIANTS)
