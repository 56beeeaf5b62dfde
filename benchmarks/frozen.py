"""Configuration B, 15 epochs of ResNet50 at 128 px with a frozen backbone; ours runs the backbone once per image.

Plain Keras sets trainable = False and trains by model.fit, as people do. Both compute in float32 with oneDNN on. Both
have the same initial weights, head (without dropout) and order of batches, validate after every epoch and end with the
best epoch; all of it counts.

Measured on drawn images, with random weights. Plain Keras trains on 320 and validates on 40, as its backbone sees each
15 times; ours on 1,600 and 200, since what is done once, whatever their number, such as building graphs, would else
count 44 times in the hours. Of the time of plain Keras that is seconds of two minutes, and is left in: a few percent.
Hours are for 14,000 images and 1,750, by proportion. The accuracy is for both that of training on the 320, on 1,400
images more, predicted by each one's own model, not timed.
"""

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import once
from benchmarks.training import on_cpu

if TYPE_CHECKING:
    import keras

UNIT = "images/s"  # image after image of the 15 epochs, however often the backbone saw it
ROUNDS = 1  # minutes each
SIZE, BATCH, EPOCHS, RATE, SEED = 128, 32, 15, 3e-4, 1
FEW, MANY = (320, 40), (1600, 200)  # images to train with and to validate
TEST = 1400
STRAYS, NOISE = 10, 10  # levels, of the image's colour and of each pixel's
WANTED = 14_000  # images whose hours are told
Images = tuple[np.ndarray, np.ndarray]


def drawn(count: int, seed: int) -> Images:
    """Images uint8 (count, SIZE, SIZE, 3) of their class's colour, which strays, with noise; labels (count,)."""
    random = np.random.default_rng(seed)
    colours = list(itertools.product((70, 190), repeat=3))
    labels = np.arange(count) % 7
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        colour = colours[label] + random.normal(0, STRAYS, 3)
        image[:] = np.clip(colour + random.normal(0, NOISE, image.shape), 0, 255)
    return images, labels


def classifier() -> "keras.Model":
    """ResNet50 of random weights that all variants share, its moving statistics those of a batch.

    At their initial values a network without training would let its features grow out of bounds.
    """
    from skinlesion.model.backend import keras
    from skinlesion.runtime import params
    from skinlesion.train.network.build import build

    settings = params.load()
    head = [layer for layer in settings.heads["gap_dense"] if layer.dropout is None]
    rows = settings.backbones["resnet50"], head, SIZE, None
    keras.utils.set_random_seed(SEED)
    start = build(*rows)
    layers = [layer for layer in start._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.0
    start(drawn(2 * BATCH, seed=3)[0], training=True)
    model = build(*rows)
    model.set_weights(start.get_weights())
    return model


def result(seconds_per_image: float, model: "keras.Model") -> dict:
    """What is told of 15 epochs that took so long for each image, and of a model that they trained with FEW."""
    from skinlesion.model.predict import probabilities

    images, labels = drawn(TEST, seed=2)
    found = probabilities(model, images, 64).argmax(axis=1)
    return {
        "value": EPOCHS / seconds_per_image,
        "hours": seconds_per_image / 3600 * WANTED,
        "accuracy": float((found == labels).mean()),
    }


def ours() -> dict:
    from skinlesion.train.machine import backends

    backends.current.enable_determinism()
    on_cpu()
    seconds_per_image, _ = ours_trained(MANY)
    return result(seconds_per_image, ours_trained(FEW)[1])


def ours_trained(counts: tuple[int, int]) -> tuple[float, "keras.Model"]:
    from skinlesion.runtime import params
    from skinlesion.runtime.params.rows import Phase
    from skinlesion.train.fit import fit

    model = classifier()
    changes = {"batch_size": BATCH, "augmentation": None, "max_epochs": None, "early_stopping": None}
    how = params.load().train.model_copy(update={**changes, "reduce_learning_rate": None})
    data = drawn(counts[0], seed=0), drawn(counts[1], seed=1)
    start = time.perf_counter()
    phases = [Phase(train="head", epochs=EPOCHS, learning_rate=RATE, batch_norm="frozen")]
    fit(model, *data, phases, how, SEED)
    return (time.perf_counter() - start) / counts[0], model


def plain() -> dict:
    from skinlesion.train.batches import Batches

    on_cpu()
    model = classifier()
    import keras

    model.get_layer("backbone").trainable = False
    batches = Batches(*drawn(FEW[0], seed=0), BATCH, SEED)
    validation = drawn(FEW[1], seed=1)
    start = time.perf_counter()
    model.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        batches,
        shuffle=False,
        epochs=EPOCHS,
        validation_data=validation,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=batches.start),
            keras.callbacks.EarlyStopping(patience=EPOCHS, restore_best_weights=True),
        ],
        verbose=0,
    )
    return result((time.perf_counter() - start) / FEW[0], model)


VARIANTS: dict[str, Callable[[], once.Measured]] = {"ours": ours, "plain Keras with oneDNN, without caching": plain}
TARGETS = [("ours", "plain Keras with oneDNN, without caching", 10.0)]

if __name__ == "__main__":
    once.main(VARIANTS)
