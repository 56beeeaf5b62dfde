"""A trained model and its Grad-CAM, loaded at first use and after each training: a demo needs no restart."""

from contextlib import suppress
from pathlib import Path
from threading import Lock

import numpy as np

from skinlesion.commands.predict.outcome import SIDE
from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.explain.gradcam import Explainer
from skinlesion.explain.overlay import overlay
from skinlesion.model.classify import Classifier
from skinlesion.model.likeness import Comparison


class LoadedModel:
    """A classifier and its Grad-CAM. Computes one image, RGB uint8 (H, W, 3), at a time."""

    def __init__(self, path: Path) -> None:
        self.classifier = Classifier.load(path)
        self.explainer = Explainer(self.classifier.bundle.model)
        self.lock = Lock()

    def predict(self, image: np.ndarray) -> dict[str, float]:
        """Give the probability of each class by its code, as skinlesion predict does."""
        with self.lock:
            return self.classifier.predict(image)

    def compare(self, image: np.ndarray) -> Comparison:
        """Compare the image with the training images of the model."""
        with self.lock:
            return self.classifier.compare(image)

    def explain(self, image: np.ndarray) -> list[np.ndarray]:
        """Draw the image as the model receives it, then its Grad-CAM for each class: RGB uint8 (SIDE, SIDE, 3)."""
        fit, side = self.classifier.bundle.fit, self.classifier.bundle.model.input_shape[1]
        with self.lock:
            features = self.explainer.features(images.fit(image, side, fit)[None])
            heatmaps = self.explainer.explain_features(features.repeat(len(CODES), axis=1), np.arange(len(CODES)))
        picture = images.fit(image, SIDE, fit)
        return [picture, *(overlay(picture, heatmap) for heatmap in heatmaps)]


class LazyClassifier:
    """The model at `path`, read when it is asked for, and again when a training has replaced it."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, Lock()
        self.loaded: LoadedModel | None = None
        self.version: tuple[int, ...] = ()

    def load(self) -> LoadedModel:
        """Give the model; while another one trains, and there is no file, the one before.

        Raises UserError if `path` is not a model, or is missing and there was none.
        """
        with self.lock:
            version = self.version
            with suppress(FileNotFoundError):
                status = self.path.stat()
                version = status.st_mtime_ns, status.st_ino, status.st_size
            if self.loaded is None or version != self.version:
                self.loaded, self.version = LoadedModel(self.path), version
            return self.loaded
