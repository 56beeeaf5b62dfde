"""One picture to an answer: probabilities, what speaks for each class, and how like the training data it looks."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skinlesion.commands.demo.likeness import Reference
from skinlesion.commands.demo.likeness import load as load_reference
from skinlesion.commands.demo.uploads import Upload
from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.explain.gradcam import Explainer
from skinlesion.explain.overlay import overlay
from skinlesion.model import bundle
from skinlesion.model.classify import natural, square

SHOWN = 448  # px: people see more than the model does


@dataclass(frozen=True)
class Answer:
    """What is said of a picture.

    picture: RGB uint8 (SHOWN, SHOWN, 3), what the model saw of it, finer. probabilities: float64 (7,), in the order of
    CODES, at natural class frequencies. features: the feature maps of its views, (views, 1, h, w, channels).
    """

    picture: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray
    distance: float  # from the training data, see skinlesion.commands.demo.likeness
    usual: bool

    @property
    def best(self) -> int:
        """The most probable class, as a number of CODES."""
        return int(self.probabilities.argmax())

    def by_code(self) -> dict[str, float]:
        return dict(zip(CODES, map(float, self.probabilities), strict=True))


class Classifier:
    """The model, ready to answer; one picture at a time, whichever thread asks.

    Raises:
        UserError: no model that can be read is at `path`.
    """

    def __init__(self, path: Path) -> None:
        self.bundle = bundle.load(path)
        self.reference: Reference = load_reference()
        self.explainer = Explainer(self.bundle.model)
        self.one_at_a_time = threading.Lock()

    def answer(self, upload: Upload) -> Answer:
        """Answer for a picture of any size; its probabilities are those of `predict`."""
        seen = square(self.bundle, upload.file)
        with self.one_at_a_time:
            probabilities = natural(self.bundle, seen[None])[0]
            features = self.explainer.features(seen[None])
        distance = self.reference.distance(upload.image)
        usual = distance < self.reference.limit
        return Answer(images.fit(upload.image, SHOWN, self.bundle.fit), probabilities, features, distance, usual)

    def explain(self, answer: Answer, label: int) -> np.ndarray:
        """The picture with its Grad-CAM for a class laid over it: RGB uint8 (SHOWN, SHOWN, 3)."""
        return overlay(answer.picture, self.heat(answer.features, label))

    def heat(self, features: np.ndarray, label: int) -> np.ndarray:
        """Grad-CAM (h, w), as gradcam.heatmaps gives it."""
        with self.one_at_a_time:
            return self.explainer.heat(features, np.array([label]))[0]


class WhenTrained:
    """The classifier, as soon as a model is there: a page that was opened before training needs no restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded: Classifier | None = None
        self.one_at_a_time = threading.Lock()

    def get(self) -> Classifier:
        """Raises UserError where no model is there yet."""
        with self.one_at_a_time:
            if self.loaded is None:
                self.loaded = Classifier(self.path)
            return self.loaded
