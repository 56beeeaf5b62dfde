"""How far the sample's figures move with the seed alone, and with the fused kernels against Keras' own.

python -m benchmarks.seeds --seeds 8               # 25 minutes beside other work; the chain has to have run before
python -m benchmarks.seeds --seeds 1 --epochs 1    # a trial

Each training is judged on the test images, which are few, and on three other samples, drawn anew. A change of the
training is within noise while the mean of its differences is no more than about two of their standard errors (sem).
"""

import argparse
import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd

from skinlesion.core import tables
from skinlesion.download.sample import make_sample
from skinlesion.merge import merge
from skinlesion.model import dataset
from skinlesion.model.backend import keras
from skinlesion.model.predict import probabilities
from skinlesion.runtime import params, paths
from skinlesion.train.callbacks import MEASURES
from skinlesion.train.fit import Images, fit
from skinlesion.train.machine import backends, devices
from skinlesion.train.network.build import build

FRESH = (101, 102, 103)  # data.sample_seed of the drawings that no training saw
KERNELS = {"fused": "fused", "Keras' own": "keras"}  # -> train.kernels


def main() -> None:
    options = parse()
    settings = params.load()
    backends.current.enable_determinism()
    devices.choose("cpu")
    table = tables.read(paths.SPLITS)
    train, validation, test = (dataset.load(table, split) for split in ("train", "validation", "test"))
    judged = {"test": test, "fresh": fresh(settings)}
    counts = ", ".join(f"{name}: {len(labels)} images" for name, (_, labels) in judged.items())
    rows = []
    print("on seed kernels", *MEASURES)
    for seed in range(1, options.seeds + 1):
        for name, kernels in KERNELS.items():
            model = trained(settings, train, validation, seed, options.epochs, kernels)
            for on, (images, labels) in judged.items():
                found = probabilities(model, images, 64)
                figures = {measure: float(function(labels, found)) for measure, (function, _) in MEASURES.items()}
                rows.append({"on": on, "seed": seed, "kernels": name, **figures})
                print(on, seed, name, *(f"{figure:.3f}" for figure in figures.values()), flush=True)
    all_rows = pd.DataFrame(rows).set_index(["kernels", "on", "seed"])
    fused, own = (all_rows.loc[name] for name in KERNELS)
    for title, some in (("fused", fused), ("Keras' own", own), ("fused less Keras' own", fused - own)):
        summary = some.groupby("on", sort=False).agg(["mean", "std", "sem"]).round(4)
        print(f"\n{title}; {counts}\n{summary.to_string()}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, help="at most so many; else as params.yaml says")
    return parser.parse_args()


def fresh(settings: params.Params) -> Images:
    """The images of the samples that FRESH names, merged as the chain does it, and their labels."""
    with tempfile.TemporaryDirectory() as name:
        parts = []
        for seed in FRESH:
            raw, merged = (Path(name) / f"{kind}-{seed}" for kind in ("raw", "merged"))
            raw.mkdir()
            merged.mkdir()
            make_sample(raw, seed)
            table, _ = merge.merge(raw, merged, settings.data, settings.images)
            parts.append(table.assign(split="fresh", path=f"{merged}/images/" + table["image_id"] + ".png"))
        return dataset.load(pd.concat(parts), "fresh")


def trained(
    settings: params.Params, train: Images, validation: Images, seed: int, epochs: int | None, kernels: str
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    precision = devices.choose_precision(settings.train.precision, "cpu")
    rows = settings.backbone, settings.head, settings.images.size, settings.model.weights
    model = build(*rows, precision, settings.model.attention)
    how = settings.train.model_copy(update={"max_epochs": epochs or settings.train.max_epochs, "kernels": kernels})
    with redirect_stdout(io.StringIO()):  # its line per epoch
        fit(model, train, validation, settings.phases, how, seed)
    return model


if __name__ == "__main__":
    main()
