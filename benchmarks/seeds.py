"""How far the sample's figures move with the seed alone, and with the fused kernels against Keras' own.

python -m benchmarks.seeds --seeds 8               # an hour; the chain has to have run before
python -m benchmarks.seeds --seeds 1 --epochs 1    # a trial

Each training is judged on the test images, which are few, and on three other samples, drawn anew. A change of the
training is within noise while the mean of its differences is no more than about two of their standard errors (sem).
"""

import argparse
import io
import tempfile
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from skinlesion import backend, params, paths  # backend first: it starts Keras quietly
from skinlesion.classes import CODES
from skinlesion.data import dataset, images, tables
from skinlesion.data.sample.make import make_sample
from skinlesion.model.build import build
from skinlesion.predict import probabilities
from skinlesion.training import determinism, devices, kernels
from skinlesion.training.fit import Images, fit

FRESH = (101, 102, 103)  # data.sample_seed of the drawings that no training saw
KERNELS = {"fused": kernels.fast, "Keras' own": nullcontext}


def main() -> None:
    options = parse()
    settings = params.load()
    determinism.enable()
    devices.choose("cpu")
    judged = {"test": load("test"), "fresh": fresh(settings)}
    counts = ", ".join(f"{name}: {len(labels)} images" for name, (_, labels) in judged.items())
    rows = []
    print("on seed kernels accuracy balanced log_loss")
    for seed in range(1, options.seeds + 1):
        for name, fast in KERNELS.items():
            with mock.patch.object(kernels, "fast", fast):
                model = trained(settings, seed, options.epochs)
            for on, of in judged.items():
                row = {"on": on, "seed": seed, "kernels": name, **figures(model, *of)}
                rows.append(row)
                print(*(f"{value:.3f}" if isinstance(value, float) else value for value in row.values()), flush=True)
    found = pd.DataFrame(rows).set_index(["on", "seed"])
    fused, own = (found[found["kernels"] == name].drop(columns="kernels") for name in KERNELS)
    for title, table in (("fused", fused), ("Keras' own", own), ("fused less Keras' own", fused - own)):
        print(f"\n{title}; {counts}\n{table.groupby('on', sort=False).agg(['mean', 'std', 'sem']).round(4)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, help="at most so many; else as params.yaml says")
    return parser.parse_args()


def load(split: str) -> Images:
    return dataset.load(tables.read(paths.SPLITS), split)[1:]


def fresh(settings: params.Params) -> Images:
    """The images of the samples that FRESH names, as the stage merge makes them, and their labels."""
    squares, labels = [], []
    for seed in FRESH:
        with tempfile.TemporaryDirectory() as name:
            make_sample(Path(name), seed)
            files = {path.stem: path for path in Path(name).rglob("*.jpg")}
            metadata = pd.read_csv(Path(name) / paths.RAW_METADATA.name)
            for image_id, dx in zip(metadata["image_id"], metadata["dx"], strict=True):
                squares.append(images.square(files[image_id], settings.images.size, settings.images.fit)[0])
                labels.append(CODES.index(dx))
    return np.stack(squares), np.array(labels)


def trained(settings: params.Params, seed: int, epochs: int | None) -> "backend.keras.Model":
    backend.keras.utils.set_random_seed(seed)
    precision = devices.choose_precision(settings.train.precision, "cpu")
    rows = settings.backbone, settings.head, settings.images.size, settings.model.weights
    model = build(*rows, precision, settings.model.attention)
    how = settings.train.model_copy(update={"max_epochs": epochs or settings.train.max_epochs})
    with redirect_stdout(io.StringIO()):  # its line per epoch
        fit(model, load("train"), load("validation"), settings.phases, how, seed)
    return model


def figures(model: "backend.keras.Model", pixels: np.ndarray, labels: np.ndarray) -> dict:
    found = probabilities(model, pixels, 64)
    return {
        "accuracy": accuracy_score(labels, found.argmax(axis=1)),
        "balanced": balanced_accuracy_score(labels, found.argmax(axis=1)),
        "log_loss": log_loss(labels, found, labels=range(len(CODES))),
    }


if __name__ == "__main__":
    main()
