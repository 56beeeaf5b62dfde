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


class LazyClassifier:
    """Computes one image, RGB uint8 (H, W, 3), at a time. Every method raises UserError while `path` is not a model."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, Lock()
        self.read: tuple[Classifier, Explainer] | None = None
        self.version: tuple[int, ...] = ()

    @property
    def loaded(self) -> tuple[Classifier, Explainer]:
        """The model of the last training; while another one trains, and there is no file, the one that was read."""
        version = self.version
        with suppress(FileNotFoundError):
            status = self.path.stat()
            version = status.st_mtime_ns, status.st_ino, status.st_size
        if self.read is None or version != self.version:
            classifier = Classifier.load(self.path)
            self.read, self.version = (classifier, Explainer(classifier.bundle.model)), version
        return self.read

    def load(self) -> None:
        with self.lock:
            _ = self.loaded

    def predict(self, image: np.ndarray) -> dict[str, float]:
        """Give the probability of each class by its code, as skinlesion predict does."""
        with self.lock:
            return self.loaded[0].predict(image)

    def compare(self, image: np.ndarray) -> Comparison:
        """Compare the image with the training images of the model."""
        with self.lock:
            return self.loaded[0].compare(image)

    def explain(self, image: np.ndarray) -> list[np.ndarray]:
        """Draw the image as the model receives it, then its Grad-CAM for each class: RGB uint8 (SIDE, SIDE, 3)."""
        with self.lock:
            classifier, explainer = self.loaded
            fit, side = classifier.bundle.fit, classifier.bundle.model.input_shape[1]
            features = explainer.features(images.fit(image, side, fit)[None])
            heatmaps = explainer.explain_features(features.repeat(len(CODES), axis=1), np.arange(len(CODES)))
        picture = images.fit(image, SIDE, fit)
        return [picture, *(overlay(picture, heatmap) for heatmap in heatmaps)]
