"""Predicting with ResNet50 at 128 px, batch 64, on the CPU: uint8 images in memory to probabilities.

Ours is the saved model, which is float32, as the stage evaluate uses it; plain Keras is model.predict, as people get it
and with oneDNN on. PyTorch computes in float32, and in bfloat16, which ours does not. Images of random pixels; the time
of 6 batches after a warm-up.
"""

import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks import once
from benchmarks.networks import NETWORKS
from benchmarks.training import CLASSES, ONEDNN, as_people_get_it, on_cpu, pictures, plain_model

UNIT = "images/s"
BATCH, BATCHES = 64, 6
RESNET50 = NETWORKS["ResNet50 at 128 px"]


def rate(predict: Callable[[np.ndarray], object]) -> float:
    images, _ = pictures(RESNET50.size, BATCH * BATCHES)
    predict(images[: 2 * BATCH])
    start = time.perf_counter()
    predict(images)
    return len(images) / (time.perf_counter() - start)


def ours() -> float:
    from skinlesion.model.predict import probabilities
    from skinlesion.runtime import params
    from skinlesion.train.network.build import build

    on_cpu()
    settings = params.load()
    model = build(settings.backbones["resnet50"], settings.heads["gap"], RESNET50.size, None)
    return rate(lambda images: probabilities(model, images, BATCH))


def plain() -> float:
    as_people_get_it()
    model = plain_model(RESNET50)
    return rate(lambda images: model.predict(images / np.float32(255), batch_size=BATCH, verbose=0))


def plain_with_onednn() -> float:
    os.environ[ONEDNN] = "1"
    return plain()


def pytorch(precision: str) -> float:
    import torch

    from benchmarks import torch_networks

    model = torch_networks.NETWORKS[RESNET50.backbone](CLASSES).eval()

    def predict(images: np.ndarray) -> None:
        with torch.inference_mode(), torch_networks.in_precision(precision):
            for batch in torch.from_numpy(images).split(BATCH):
                torch.softmax(model(torch_networks.as_input(batch)), dim=1)

    return rate(predict)


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    "ours": ours,
    "plain Keras": plain,
    "plain Keras with oneDNN": plain_with_onednn,
    "PyTorch": lambda: pytorch("float32"),
    "PyTorch bfloat16": lambda: pytorch("bfloat16"),
}
NEEDS = {"PyTorch": "torch", "PyTorch bfloat16": "torch"}

if __name__ == "__main__":
    once.main(VARIANTS)
