"""A result to report: predictions made up for a few lesions, evaluated by the library, and plain pictures."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import results
from skinlesion.explore import counts
from skinlesion.model.calibration import scale
from skinlesion.model.predictions import VARIANTS
from skinlesion.report.inputs import PICTURES, Inputs, plain
from skinlesion.report.provenance import Provenance
from skinlesion.runtime import params

VOID = {"img", "meta"}
MADE = Provenance("0123456789", {"python": "3.11", "keras": "3.15.1"})
LESIONS = {"akiec": 8, "bcc": 12, "bkl": 20, "df": 5, "mel": 24, "nv": 120, "vasc": 6}


class Document(HTMLParser):
    """Elements in order, all text, and the tags that were closed wrongly or not at all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            for tag in {*self.open}:
                self.texts.setdefault(tag, []).append(" ".join(data.split()))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> str:
        return " ".join(self.texts.get(tag, []))


def predictions(lesions: dict[str, int] = LESIONS, leaked: float = 0.0, skill: float = 2.5) -> pd.DataFrame:
    """A table as predictions.csv: so many lesions per class and split, every third with two images.

    Args:
        leaked: the part of the images with a sibling in train.
        skill: how far the logit of the true class stands out from noise.
    """
    random = np.random.default_rng(5)
    rows, labels = [], []
    for split in ("validation", "test"):
        for label, code in enumerate(CODES):
            for lesion in range(lesions.get(code, 0)):
                about = {
                    "age": float(random.choice([25, 40, 55, 75])),
                    "sex": str(random.choice(["female", "male"])),
                    "localization": str(
                        random.choice(["back", "face", "lower extremity", "ear"], p=[0.5, 0.2, 0.28, 0.02])
                    ),
                    "dx_type": str(random.choice(["histo", "follow_up", "consensus"])),
                }
                images = 1 + (lesion % 3 == 0)
                for view in range(images):
                    names = {
                        "image_id": f"{split}_{code}_{lesion}_{view}",
                        "group": f"{split}_{code}_{lesion}",
                        "dx": code,
                    }
                    seen = {"augmented": False, "lesion_images": images, "leaked": bool(random.random() < leaked)}
                    rows.append({"split": split, "path": f"{names['image_id']}.png", **names, **seen, **about})
                    labels.append(label)
    logits = random.normal(0, 1, (len(rows), len(CODES)))
    logits[np.arange(len(rows)), labels] += skill
    raw = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    by_variant = {"raw": raw, "calibrated": scale(raw, 2.0), "natural": scale(raw, 1.8)}
    columns = [
        pd.DataFrame(by_variant[variant], columns=[f"{prefix}{code}" for code in CODES])
        for variant, prefix in VARIANTS.items()
    ]
    about = pd.DataFrame(rows).assign(predicted=np.array(CODES)[raw.argmax(axis=1)])
    return pd.concat([about, *columns], axis=1)


def history(epochs: tuple[int, ...]) -> pd.DataFrame:
    """A table as plots/history.csv, with so many epochs per phase."""
    phase = np.repeat(np.arange(len(epochs)) + 1, epochs)
    epoch = np.arange(sum(epochs)) + 1
    rising = 1 - 0.6 / epoch
    rates = np.where(phase == 1, 1e-3, 1e-5)
    validated = {"val_loss": 1.3 / epoch + 0.3, "val_accuracy": rising - 0.05, "val_balanced_accuracy": rising - 0.12}
    trained = {"epoch": epoch, "phase": phase, "learning_rate": rates, "accuracy": rising, "loss": 1.4 / epoch}
    return pd.DataFrame(trained | validated)


def described(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What explore says of the images of a predictions table."""
    return {name: one for name, one in counts.tables(table).items() if name != "class_counts"}


def reread(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, pd.DataFrame]:
    """The tables as the report gets them: written by evaluate with 4 digits, and read again."""
    found = {}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.4g")
        found[name] = pd.read_csv(folder / f"{name}.csv")
    return found


def metrics(table: pd.DataFrame, protocol: str) -> dict[str, dict]:
    """What the stages before evaluate leave in metrics/."""
    counts = {split: rows["dx"].value_counts().to_dict() for split, rows in table.groupby("split")}
    groups = table.groupby("split")["group"].nunique().to_dict()
    per_class = {"train": dict.fromkeys(CODES, 120), **counts}
    return {
        "data": {"images": 10015, "lesions": 7470, "groups": 7452, "images_per_class": dict.fromkeys(CODES, 1430)},
        "split": {
            "protocol": protocol,
            "images": {name: sum(one.values()) for name, one in per_class.items()},
            "groups": {"train": 190, **groups},
            "copies": {"train": 326, "validation": 0, "test": 0},
            "per_class": per_class,
        },
        "train": {
            "parameters": 11189703,
            "epochs": 20,
            "best_epoch": 17,
            "device": "cpu",
            "precision": "float32",
            "processor": "AVX2, oneDNN on",
        },
    }


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Document]:
    """`parse(text)`: a page's elements, its texts, and what is wrong with it."""
    return Document


@pytest.fixture(scope="session")
def make_inputs(change: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Inputs]:
    """`make_inputs({"split.protocol": "image"}, leaked=0.5)`: everything that a report is made from."""

    def make(changes: dict | None = None, **of_predictions: object) -> Inputs:
        folder = tmp_path_factory.mktemp("report")
        settings: params.Params = change(changes or {})
        table = predictions(**of_predictions)
        found = results.of(table, seed=1, bootstrap=200)
        pictures = {}
        for number, name in enumerate(PICTURES):
            pictures[name] = folder / f"{name}.png"
            Image.new("RGB", (600, 240), (40 * number, 90, 160)).save(pictures[name])
        return Inputs(
            params=plain(settings)
            | {name: {row: plain(settings)[name][row]} for name, row in rows_in_use(settings).items()},
            metrics={
                **metrics(table, settings.split.protocol),
                "test": {"protocol": settings.split.protocol, **found.figures},
                "intervals": found.intervals,
            },
            tables=reread(found.tables | {"history": history((5, 15)), **described(table)}, folder),
            pictures=pictures,
            made=MADE,
        )

    return make


def rows_in_use(settings: params.Params) -> dict[str, str]:
    model = settings.model
    return {"backbones": model.backbone, "heads": model.head, "configurations": model.configuration}


@pytest.fixture(scope="session")
def honest(make_inputs: Callable) -> Inputs:
    """A result on HAM10000, split by lesion."""
    return make_inputs({"data.source": "kaggle", "model.configuration": "two_phase"})


@pytest.fixture(scope="session")
def leaking(make_inputs: Callable) -> Inputs:
    """A result on HAM10000, split by image: a good half of the test images have a sibling in train."""
    return make_inputs({"data.source": "kaggle", "split.protocol": "image"}, leaked=0.6)


@pytest.fixture(scope="session")
def on_sample(make_inputs: Callable) -> Inputs:
    """A result on the synthetic sample; no dermatofibroma came into the test split, nor into validation."""
    return make_inputs({"data.source": "sample"}, lesions={**LESIONS, "df": 0})
