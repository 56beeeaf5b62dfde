"""Predicting with ResNet50 at 128 px, batch 64, on the CPU: uint8 images in memory to probabilities.

Ours is the saved model, which is float32, as the stage evaluate uses it; plain Keras is model.predict. Images of random
pixels; the time of 6 batches after a warm-up.
"""

import time
from collections.abc import Callable

import numpy as np

from benchmarks import once
from benchmarks.training import CLASSES, SIZE, on_cpu, pictures, plain_model

UNIT = "images/s"
BATCH, BATCHES = 64, 6


def rate(predict: Callable[[np.ndarray], object]) -> float:
    images, _ = pictures(BATCH * BATCHES)
    predict(images[: 2 * BATCH])
    start = time.perf_counter()
    predict(images)
    return len(images) / (time.perf_counter() - start)


def ours() -> float:
    from skinlesion import params
    from skinlesion.model.build import build
    from skinlesion.predict import probabilities

    on_cpu()
    settings = params.load()
    model = build(settings.backbones["resnet50"], settings.heads["gap"], SIZE, None)
    return rate(lambda images: probabilities(model, images, BATCH))


def plain() -> float:
    on_cpu()
    model = plain_model()
    return rate(lambda images: model.predict(images / np.float32(255), batch_size=BATCH, verbose=0))


def pytorch() -> float:
    import torch

    from benchmarks.torch_resnet50 import as_input, bfloat16, resnet50

    model = resnet50(CLASSES).eval()

    def predict(images: np.ndarray) -> None:
        with torch.inference_mode(), bfloat16():
            for batch in torch.from_numpy(images).split(BATCH):
                torch.softmax(model(as_input(batch)), dim=1)

    return rate(predict)


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    "ours": ours,
    "plain Keras float32": plain,
    "PyTorch bfloat16": pytorch,
}
NEEDS = {"PyTorch bfloat16": "torch"}

if __name__ == "__main__":
    once.main(VARIANTS)
