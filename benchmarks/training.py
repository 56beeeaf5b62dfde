"""One training by each maker, shared by training_float32 and training_bfloat16.

Each maker begins in a process of its own. Plain Keras does not load the pipeline, which would turn oneDNN on.
"""

import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import once
from benchmarks.networks import NETWORKS, Network

if TYPE_CHECKING:
    import keras

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
BATCH, WARM_UP, STEPS = 32, 3, 12
IMAGES = (WARM_UP + STEPS) * BATCH
CLASSES = 7


def pictures(size: int, count: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (count, size, size, 3) and labels (count,)."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, size, size, 3), dtype=np.uint8), np.arange(count) % CLASSES


def on_cpu() -> None:
    """Hide GPUs; without the pipeline's own code, which would make plain Keras faster."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def as_people_get_it() -> None:
    """Compute on the CPU; let TensorFlow decide on oneDNN, unless that is set. Call it before Keras is loaded."""
    on_cpu()
    if os.environ.get("SKINLESION_PROCESSOR") == "AVX2":  # emulated, perhaps: TensorFlow would see a newer CPU
        os.environ.setdefault(ONEDNN, "0")


def clock(times: list[float]) -> "keras.callbacks.Callback":
    """Notes when each step has ended."""
    import keras

    return keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: times.append(time.perf_counter()))


def rate(times: list[float]) -> float:
    """Images/s of the median of the last STEPS steps, from the times at which they ended."""
    return float(BATCH / np.median(np.diff(times)[-STEPS:]))


def ours(network: Network, precision: str) -> float:
    """The pipeline's training, as the stage train starts it with its default, `deterministic: true`."""
    from skinlesion.model.backend import keras
    from skinlesion.runtime import params
    from skinlesion.runtime.params.rows import Phase
    from skinlesion.train.fit import fit
    from skinlesion.train.machine import backends
    from skinlesion.train.network.build import build

    settings = params.load()
    backends.current.enable_determinism()
    on_cpu()
    keras.utils.set_random_seed(1)
    model = build(settings.backbones[network.backbone], settings.heads["gap"], network.size, None, precision)
    times: list[float] = []
    keras_fit = model.fit
    model.fit = lambda *args, callbacks, **more: keras_fit(*args, callbacks=[clock(times), *callbacks], **more)
    how = settings.train.model_copy(update={"batch_size": BATCH, "augmentation": None, "max_epochs": None})
    phases = [Phase(train="all", epochs=1, learning_rate=1e-4, batch_norm="train")]
    fit(model, pictures(network.size), pictures(network.size, CLASSES), phases, how, seed=1)
    return rate(times)


def plain_model(network: Network) -> "keras.Model":
    """What people write: images (N, size, size, 3), 0-1, to probabilities (N, CLASSES)."""
    import keras

    backbone = network.in_keras()
    x = keras.layers.GlobalAveragePooling2D()(backbone.output)
    return keras.Model(backbone.input, keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")(x))


def plain(network: Network, precision: str) -> dict:
    """model.fit on arrays."""
    as_people_get_it()
    import keras
    from tensorflow.python.util import _pywrap_util_port as tensorflow_port  # no public name tells

    keras.config.set_dtype_policy(precision)
    model = plain_model(network)
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    images, labels = pictures(network.size)
    times: list[float] = []
    model.fit(images / np.float32(255), labels, batch_size=BATCH, callbacks=[clock(times)], verbose=0)
    return {"value": rate(times), "oneDNN": "on" if tensorflow_port.IsMklEnabled() else "off"}


def plain_with_onednn(network: Network, precision: str) -> dict:
    os.environ[ONEDNN] = "1"
    return plain(network, precision)


def pytorch(network: Network, precision: str) -> float:
    import torch

    from benchmarks import torch_networks

    model = torch_networks.NETWORKS[network.backbone](CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    loss = torch.nn.CrossEntropyLoss()
    images, labels = map(torch.from_numpy, pictures(network.size))
    times = []
    for rows in torch.randperm(IMAGES).split(BATCH):
        optimizer.zero_grad()
        with torch_networks.in_precision(precision):
            found = loss(model(torch_networks.as_input(images[rows])), labels[rows])
        found.backward()
        optimizer.step()
        times.append(time.perf_counter())
    return rate(times)


MAKERS = {"ours": ours, "plain Keras": plain, "plain Keras with oneDNN": plain_with_onednn, "PyTorch": pytorch}


def variants(makers: Iterable[str], precision: str) -> dict[str, Callable[[], once.Measured]]:
    """Each network by each maker, network by network."""
    return {
        f"{maker}, {name}": partial(MAKERS[maker], network, precision)
        for name, network in NETWORKS.items()
        for maker in makers
    }
