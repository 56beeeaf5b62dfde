"""Calibrated probabilities: temperature scaling, and correction to natural class frequencies.

Sources: Guo et al., On Calibration of Modern Neural Networks (ICML 2017); Saerens, Latinne, Decaestecker, Adjusting the
Outputs of a Classifier to New a Priori Probabilities (Neural Computation 14, 2002).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skinlesion.core.ham10000 import CODES

LEAST = 1e-7  # lower probabilities count as this, as in Keras: float32 softmax rounds to 0, which has no logarithm
TEMPERATURES = (0.25, 20.0)  # bounds: without a single mistake on validation, the best temperature would be 0


@dataclass(frozen=True)
class Calibration:
    """A model's temperature, and the class frequencies (7,) of its training and of the natural set.

    Raises:
        ValueError: the temperature is not above 0, or frequencies do not sum to 1.
    """

    temperature: float
    trained: np.ndarray
    natural: np.ndarray

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"its temperature is {self.temperature}, not a number above 0")
        for name, values in (("trained", self.trained), ("natural", self.natural)):
            if not ((values >= 0).all() and abs(values.sum() - 1) < 1e-6):
                raise ValueError(f"its {name} class frequencies are {values.tolist()}, not 0 or more with a sum of 1")

    def corrected(self, probabilities: np.ndarray) -> np.ndarray:
        """The model's probabilities (N, 7) at its temperature, for images at natural class frequencies."""
        return to_frequencies(scale(probabilities, self.temperature), self.trained, self.natural)

    def decided(self, raw: np.ndarray, exponent: float) -> np.ndarray:
        """The model's probabilities (N, 7) divided by its class frequencies of training to the power of `exponent`.

        With 1 every class counts as equally frequent, which is what balanced accuracy rewards; 0 changes nothing.
        """
        return to_frequencies(raw, self.trained**exponent, np.ones(len(CODES))) if exponent else raw

    def refitted(self, labels: np.ndarray, probabilities: np.ndarray) -> "Calibration":
        """This calibration with the temperature fitted to validation: labels (N,) and probabilities (N, 7).

        Validation may have other class frequencies than training; the fit corrects for that.
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
        """Read the result of `to_json`. Raises KeyError, TypeError or ValueError if `content` is something else."""
        trained, natural = (np.array([float(content[name][code]) for code in CODES]) for name in ("trained", "natural"))
        return cls(float(content["temperature"]), trained, natural)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of log probabilities (N, C) divided by the temperature: above 1 less confident, in the same order."""
    return softmax(np.log(np.maximum(probabilities, LEAST)) / temperature)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray, shift: np.ndarray) -> float:
    """The temperature with the least log loss on labels (N,) and probabilities (N, C).

    Args:
        shift: (C,) class frequencies among the labels divided by those of training. The loss is computed after this
            correction, so that the temperature does not compensate for a difference in frequencies.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and used in training alone

    logits, offset = (np.log(np.maximum(values, LEAST)) for values in (probabilities, shift))

    def loss(log_temperature: float) -> float:
        corrected = softmax(logits / np.exp(log_temperature) + offset)
        return -np.log(corrected[np.arange(len(labels)), labels]).mean()

    best = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(best.x)), 4)


def to_frequencies(probabilities: np.ndarray, trained: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """Correct probabilities (N, C) of a model trained at class frequencies `trained` (C,) to `natural` ones.

    Each class is multiplied by natural / trained, and rows sum to 1 again. A class without training images is
    multiplied by 1; one of natural frequency 0 gets 0.
    """
    ratio = np.divide(natural, trained, out=(natural > 0).astype(float), where=trained > 0)
    weighed = np.maximum(probabilities, LEAST) * ratio
    return weighed / weighed.sum(axis=1, keepdims=True)
