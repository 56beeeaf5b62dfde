"""The networks that are trained side by side: rows of `backbones`, built in Keras as people build them.

Nothing here loads the pipeline: it turns oneDNN on.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import keras

TABLES = Path(__file__).resolve().parents[1] / "networks.yaml"


@dataclass(frozen=True)
class Network:
    """A row of `backbones`, the side of its images in px, and how its constructor is told of that."""

    backbone: str
    size: int
    given: dict[str, Any]

    @property
    def row(self) -> dict[str, Any]:
        return yaml.safe_load(TABLES.read_text(encoding="utf-8"))["backbones"][self.backbone]

    def in_keras(self) -> "keras.Model":
        """From scaled images (N, size, size, 3) to a feature map, with random weights."""
        library, name = self.row["constructor"].rsplit(".", 1)
        return getattr(importlib.import_module(library), name)(**self.row["arguments"], **self.given)


NETWORKS = {
    "ResNet50 at 128 px": Network(
        "resnet50", 128, {"weights": None, "include_top": False, "input_shape": (128, 128, 3)}
    ),
    "ResNet18 at 80 px": Network("resnet18", 80, {"image_shape": (80, 80, 3)}),
    "EfficientNet-Lite0 at 128 px": Network("efficientnet_lite0", 128, {"input_shape": (128, 128, 3)}),
}
