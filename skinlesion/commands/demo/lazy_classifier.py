"""A trained model and its Grad-CAM, loaded at first use: a demo that was started before training needs no restart."""

from functools import cached_property
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

    @cached_property
    def loaded(self) -> tuple[Classifier, Explainer]:
        classifier = Classifier.load(self.path)
        return classifier, Explainer(classifier.bundle.model)

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
