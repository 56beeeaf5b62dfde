"""A result to report: invented predictions of a few lesions, evaluated by the library, and plain pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import results
from skinlesion.explore import counts
from skinlesion.model.calibration import scale
from skinlesion.model.predictions import PATIENT, VARIANTS
from skinlesion.report.inputs import PICTURES, Inputs, to_plain
from skinlesion.runtime import params

LESIONS = {"akiec": 8, "bcc": 12, "bkl": 20, "df": 5, "mel": 24, "nv": 120, "vasc": 6}
SITES = {"back": 0.5, "face": 0.2, "lower extremity": 0.28, "ear": 0.02}


def make_predictions(
    lesions: dict[str, int] = LESIONS, leaked: float = 0.0, splits: tuple[str, ...] = ("validation", "test", "external")
) -> pd.DataFrame:
    """Make a table as predictions.csv, with so many lesions per class and split, every third with two images.

    Args:
        leaked: the share of images with a sibling in train.
    """
    random = np.random.default_rng(5)
    table = pd.DataFrame(
        {"split": split, "dx": code, "group": f"{split}_{code}_{lesion}", "lesion_images": 1 + (lesion % 3 == 0)}
        for split in splits
        for code in CODES
        for lesion in range(lesions[code])
        for view in range(1 + (lesion % 3 == 0))
    )
    images = len(table)
    names = table["group"] + "_" + table.groupby("group").cumcount().astype(str)
    logits = random.normal(0, 1, (images, len(CODES)))
    logits[np.arange(images), table["dx"].map(CODES.index)] += 2.5
    raw = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    variants = {"raw": raw, "calibrated": scale(raw, 2.0), "natural": scale(raw, 1.8)}
    table = table.assign(
        image_id=names,
        path=names + ".png",
        augmented=False,
        leaked=random.random(images) < leaked,
        age=random.choice([25.0, 40.0, 55.0, 75.0], images),
        sex=random.choice(["female", "male"], images),
        localization=random.choice([*SITES], images, p=[*SITES.values()]),
        dx_type=random.choice(["histo", "follow_up", "consensus"], images),
        predicted=np.array(CODES)[raw.argmax(axis=1)],
    )
    by_prefix = {prefix: variants[name] for name, prefix in VARIANTS.items()}
    by_prefix[PATIENT] = random.dirichlet(np.ones(7), images)
    columns = [
        pd.DataFrame(values, columns=[f"{prefix}{code}" for code in CODES]) for prefix, values in by_prefix.items()
    ]
    return pd.concat([table, *columns], axis=1)


def make_history(phases: int) -> pd.DataFrame:
    """Make a table as plots/history.csv, with five epochs per phase."""
    epoch = np.arange(5 * phases) + 1
    columns = ("learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy")
    return pd.DataFrame({"epoch": epoch, "phase": (epoch + 4) // 5} | {name: 1 / (epoch + 1) for name in columns})


def make_metrics(table: pd.DataFrame, protocol: str) -> dict[str, dict]:
    """Make what the stages before evaluate write to metrics/."""
    per_class = {
        split: rows["dx"].value_counts().to_dict() for split, rows in table.groupby("split") if split != "external"
    }
    per_class = {"train": dict.fromkeys(CODES, 120), **per_class}
    train = {"parameters": 11189703, "epochs": 20, "best_epoch": 4}
    return {
        "data": {"images": 10015, "groups": 7452, "images_per_class": dict.fromkeys(CODES, 1430)},
        "split": {
            "protocol": protocol,
            "images": {name: sum(images.values()) for name, images in per_class.items()},
            "groups": dict.fromkeys(per_class, 190),
            "copies": {"train": 326, "validation": 0, "test": 0},
            "per_class": per_class,
            "near_duplicates": {"pairs": 9, "train_validation": 2, "train_test": 3, "validation_test": 0},
        },
        "train": {**train, "device": "cpu", "precision": "float32", "processor": "AVX2, oneDNN on"},
    }


@pytest.fixture(scope="session")
def make_inputs(change: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Inputs]:
    """`make_inputs({"split.protocol": "image"}, leaked=0.5)`: all inputs of a report."""

    def make(changes: dict, **of_predictions: object) -> Inputs:
        folder = tmp_path_factory.mktemp("report")
        settings: params.Params = change(changes)
        model, plain = settings.model, to_plain(settings)
        used = {"backbones": model.backbone, "heads": model.head, "configurations": model.configuration}
        table = make_predictions(**of_predictions)
        evaluated, external = (
            evaluate(table, seed=1, bootstrap=200) for evaluate in (results.evaluate_test, results.evaluate_external)
        )
        source = "sample" if settings.data.source == "sample" else "isic2018"
        outside = {f"external_{name}": content for name, content in external.tables.items()}
        tables = {**evaluated.tables, **outside, **counts.tables(table), "history": make_history(len(settings.phases))}
        for name, content in tables.items():  # as evaluate writes them
            content.to_csv(folder / f"{name}.csv", index=False, float_format="%.4g")
        for name in PICTURES:
            Image.new("RGB", (600, 240), (200, 90, 160)).save(folder / f"{name}.png")
        return Inputs(
            params=plain | {section: {row: plain[section][row]} for section, row in used.items()},
            metrics={
                **make_metrics(table, settings.split.protocol),
                "test": {
                    "source": settings.data.source,
                    "protocol": settings.split.protocol,
                    "temperature": 1.25,
                    "decision_exponent": 0.5,
                    **evaluated.figures,
                },
                "intervals": evaluated.intervals,
                "external": {
                    "source": source if external.figures else "none",
                    "images": int((table["split"] == "external").sum()),
                    "near_copies_left_out": 3,
                    "intervals_by": "image",
                    **external.figures,
                    "intervals": external.intervals,
                },
            },
            tables={name: pd.read_csv(folder / f"{name}.csv") for name in tables if name != "class_counts"},
            pictures={name: Path(folder / f"{name}.png") for name in PICTURES},
            commit="0123456789",
            versions={"python": "3.11", "keras": "3.15.1"},
        )

    return make


@pytest.fixture(scope="session")
def honest(make_inputs: Callable) -> Inputs:
    """A result on HAM10000, split by lesion, trained in two phases."""
    return make_inputs({"data.source": "kaggle", "model.configuration": "two_phase"})


@pytest.fixture(scope="session")
def leaking(make_inputs: Callable) -> Inputs:
    """A result on HAM10000, split by image: 60% of the test images have a sibling in train."""
    return make_inputs({"data.source": "kaggle", "split.protocol": "image"}, leaked=0.6)


@pytest.fixture(scope="session")
def on_sample(make_inputs: Callable) -> Inputs:
    """A result on the synthetic sample, without dermatofibroma in validation and test."""
    return make_inputs({"data.source": "sample"}, lesions={**LESIONS, "df": 0})
