"""Input alone, with the usual augmentation at 128 px: ours, and the ImageDataGenerator that most notebooks still use.

Ours is what training does before the classifier: batches gathered from one array of images, then Keras layers, compiled
for the device at hand. The generator works on the CPU, on one core. Both take batches of 32 from memory, and turn to 30
degrees, zoom, shift and shear by 0.1, flip both ways, and reflect at the borders.
"""

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from benchmarks import once

UNIT = "images/s"
SHAPE = (14_000, 128, 128, 3)
BATCH = 32
WARM, SECONDS = 5, 10  # batches before the clock runs, and its time
USUAL = {"rotate": 30, "zoom": 0.1, "shift": 0.1, "shear": 0.1, "flip_horizontal": 0.5, "flip_vertical": 0.5}


def rate(batches: Iterable[np.ndarray]) -> float:
    """How many images come a second; each batch is waited for."""
    for number, batch in enumerate(batches, 1):
        if number == WARM:
            start, images = time.perf_counter(), 0
        elif number > WARM:
            images += len(batch)
            if time.perf_counter() - start > SECONDS:
                break
    return images / (time.perf_counter() - start)


def gathered() -> Iterator[np.ndarray]:
    """Batches of images, epoch after epoch."""
    from skinlesion.train.batches import Batches

    images = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    batches = Batches(images, np.zeros(len(images)), BATCH, seed=1)
    epoch = 0
    while True:
        batches.start(epoch)
        yield from (batches[index][0] for index in range(len(batches)))
        epoch += 1


def augmented() -> Iterator[np.ndarray]:
    """The same, augmented on the device."""
    from skinlesion.model.backend import keras
    from skinlesion.runtime.params.sections import Augmentation
    from skinlesion.train import augmentation

    ranges = Augmentation(**USUAL, brightness=0, contrast=0)
    model = keras.Sequential([keras.Input(SHAPE[1:], dtype="uint8"), *augmentation.make_layers(ranges, seed=1)])
    step = COMPILED[keras.backend.backend()](lambda images: model(images, training=True))
    yield from (keras.ops.convert_to_numpy(step(images)) for images in gathered())


def tensorflow(function: Callable) -> Callable:
    import tensorflow as tf

    return tf.function(function)


COMPILED = {"tensorflow": tensorflow, "jax": lambda function: function, "torch": lambda function: function}


def generated() -> Iterator[np.ndarray]:
    """Batches of the generator; of fewer images, as it holds them in float32."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=30,
        zoom_range=0.1,
        width_shift_range=0.1,
        height_shift_range=0.1,
        shear_range=float(np.degrees(np.arctan(0.1))),
        horizontal_flip=True,
        vertical_flip=True,
        fill_mode="reflect",
    )
    images = np.random.default_rng(0).integers(0, 256, (SHAPE[0] // 10, *SHAPE[1:]), np.uint8)
    yield from generator.flow(images, batch_size=BATCH)


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    "ours, with augmentation": lambda: rate(augmented()),
    "ImageDataGenerator": lambda: rate(generated()),
    "ours, batches alone": lambda: rate(gathered()),
}
TARGETS: list[tuple[str, str, float]] = [("ours, with augmentation", "ImageDataGenerator", 5.0)]

if __name__ == "__main__":
    once.main(VARIANTS)
