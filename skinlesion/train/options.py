"""What a phase is compiled with: optimizer, loss, and the weights of the classes, from the section train."""

from collections.abc import Callable

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.sections import Train

# Weight decay is for kernels: Loshchilov and Hutter's AdamW (ICLR 2019) as commonly used leaves these alone.
NO_DECAY = ["bias", "gamma", "beta", "embedding", "token"]


def adam(how: Train, **settings) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(**settings)


def adamw(how: Train, **settings) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(weight_decay=how.weight_decay, **settings)
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    return optimizer


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {"adam": adam, "adamw": adamw}


def optimizer(how: Train, learning_rate: float) -> keras.optimizers.Optimizer:
    """The optimizer of a phase. With `ema` it keeps averages of the weights, which SwapEMAWeights puts in place."""
    averaging = {"use_ema": True, "ema_momentum": how.ema} if how.ema else {}
    return OPTIMIZERS[how.optimizer](how, learning_rate=learning_rate, **averaging)


def loss(label_smoothing: float) -> str | Callable:
    """Cross-entropy of labels (N,), numbers of CODES, and probabilities (N, 7).

    Smoothed, a label is 1 - s + s / 7 for its class and s / 7 for the others (Szegedy et al., CVPR 2016).
    """
    if not label_smoothing:
        return "sparse_categorical_crossentropy"

    def smoothed(labels, probabilities):
        targets = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), len(CODES))
        return keras.losses.categorical_crossentropy(targets, probabilities, label_smoothing=label_smoothing)

    return smoothed


def balanced(labels: np.ndarray) -> dict[int, float]:
    """Each class's weight: N / (7 * images of the class), scikit-learn's "balanced", from the training labels (N,).

    Raises:
        UserError: a class has no training image, so it has no weight. Keras would ignore the gap in silence.
    """
    absent = [code for number, code in enumerate(CODES) if number not in labels]
    if absent:
        raise UserError(
            f"train.class_weights: balanced needs training images of every class; none of {', '.join(absent)}. "
            "Set class_weights: none, or give train a larger part of the split"
        )
    numbers = np.arange(len(CODES))
    weights = compute_class_weight("balanced", classes=numbers, y=labels)
    return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}


CLASS_WEIGHTS: dict[str, Callable[[np.ndarray], dict[int, float] | None]] = {
    "none": lambda labels: None,
    "balanced": balanced,
}
