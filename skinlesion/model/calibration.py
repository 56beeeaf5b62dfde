"""Probabilities that mean what they say: temperature scaling, and correction to natural class frequencies.

Sources: Guo et al., On Calibration of Modern Neural Networks (ICML 2017); Saerens, Latinne, Decaestecker, Adjusting the
Outputs of a Classifier to New a Priori Probabilities (Neural Computation 14, 2002).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skinlesion.core.ham10000 import CODES

LEAST = 1e-7  # probabilities below it count as it, as in Keras: float32 softmax rounds to 0, which has no logarithm
TEMPERATURES = (0.25, 20.0)  # beyond, a validation split without a single mistake would make every probability 0 or 1


@dataclass(frozen=True)
class Calibration:
    """What travels with a model: its temperature, and the class frequencies (7,) of training and of the natural set.

    Raises:
        ValueError: the temperature is not above 0, or frequencies do not sum to 1.
    """

    temperature: float
    trained: np.ndarray
    natural: np.ndarray

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"a temperature is a number above 0. Received: {self.temperature}")
        for name, values in (("trained", self.trained), ("natural", self.natural)):
            if not ((values >= 0).all() and abs(values.sum() - 1) < 1e-6):
                raise ValueError(f"{name} class frequencies are at least 0 and sum to 1. Received: {values.tolist()}")

    def scaled(self, probabilities: np.ndarray) -> np.ndarray:
        """The model's probabilities (N, 7) at its temperature."""
        return scale(probabilities, self.temperature)

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        """The model's probabilities (N, 7) at its temperature, for images at natural class frequencies."""
        return to_frequencies(self.scaled(probabilities), self.trained, self.natural)

    def refitted(self, labels: np.ndarray, probabilities: np.ndarray) -> "Calibration":
        """With the temperature of other probabilities (N, 7) of validation, labels (N,).

        Validation may have other class frequencies than training; the temperature is not to make up for those.
        """
        validated = np.bincount(labels, minlength=len(CODES)) / len(labels)
        shift = np.divide(validated, self.trained, out=np.zeros(len(CODES)), where=self.trained > 0)
        return replace(self, temperature=fit_temperature(labels, probabilities, shift))

    def to_json(self) -> dict[str, Any]:
        frequencies = {"trained": self.trained, "natural": self.natural}
        by_code = {name: dict(zip(CODES, map(float, values), strict=True)) for name, values in frequencies.items()}
        return {"temperature": self.temperature, **by_code}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Calibration":
        """Read what `to_json` gave. Raises KeyError, TypeError or ValueError where it did not."""
        trained, natural = (np.array([float(content[name][code]) for code in CODES]) for name in ("trained", "natural"))
        return cls(float(content["temperature"]), trained, natural)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of log probabilities (N, C) divided by the temperature: above 1 less confident, the order stays."""
    logits = np.log(np.maximum(probabilities, LEAST)) / temperature
    return softmax(logits)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray, shift: np.ndarray | None = None) -> float:
    """The temperature with the least log loss on labels (N,) and probabilities (N, C).

    Args:
        shift: (C,) class frequencies among the labels over those of training. The loss is taken after correction by
            them, so that the temperature does not make up for a difference in frequencies.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and used in training alone

    logits = np.log(np.maximum(probabilities, LEAST))
    offset = np.zeros(probabilities.shape[1]) if shift is None else np.log(np.maximum(shift, LEAST))

    def loss(log_temperature: float) -> float:
        shifted = logits / np.exp(log_temperature) + offset
        highest = shifted.max(axis=1)
        total = highest + np.log(np.exp(shifted - highest[:, None]).sum(axis=1))
        return float(np.mean(total - shifted[np.arange(len(labels)), labels]))

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), 4)


def to_frequencies(probabilities: np.ndarray, trained: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) of a model trained at class frequencies `trained` (C,), for images at `natural` ones.

    Each class counts natural / trained times as much, and rows sum to 1 again. A class without training images keeps
    what the model gives it; one of natural frequency 0 gets 0.
    """
    ratio = np.divide(natural, trained, out=(natural > 0).astype(float), where=trained > 0)
    weighed = np.maximum(probabilities, LEAST) * ratio
    return weighed / weighed.sum(axis=1, keepdims=True)
