"""What a phase is compiled with: optimizer, loss and class weights, from the section train."""

from collections.abc import Callable

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.sections import Train

# Weight decay is for kernels: Loshchilov and Hutter's AdamW (ICLR 2019) as commonly used leaves these out.
NO_DECAY = ["bias", "gamma", "beta", "embedding", "token"]


def make_adamw(params: Train, **settings) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(weight_decay=params.weight_decay, **settings)
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    return optimizer


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": lambda params, **settings: keras.optimizers.Adam(**settings),
    "adamw": make_adamw,
}


def make_optimizer(params: Train, learning_rate: float) -> keras.optimizers.Optimizer:
    """The optimizer of a phase. With `ema` it also keeps averages of the weights, see AverageWeights."""
    averages = {"use_ema": True, "ema_momentum": params.ema} if params.ema else {}
    return OPTIMIZERS[params.optimizer](params, learning_rate=learning_rate, **averages)


def make_loss(label_smoothing: float) -> str | Callable:
    """Cross-entropy of labels (N,), numbers of CODES, and probabilities (N, 7).

    A smoothed label is 1 - s + s / 7 for its class and s / 7 for the others (Szegedy et al., CVPR 2016).
    """
    if not label_smoothing:
        return "sparse_categorical_crossentropy"

    def smoothed(labels, probabilities):
        targets = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), len(CODES))
        return keras.losses.categorical_crossentropy(targets, probabilities, label_smoothing=label_smoothing)

    return smoothed


def balance_classes(labels: np.ndarray) -> dict[int, float]:
    """Each class's weight: N / (7 * images of the class), scikit-learn's "balanced", from the training labels (N,).

    Raises:
        UserError: a class has no training image, so it has no weight. Keras would accept the gap without a message.
    """
    absent = [code for number, code in enumerate(CODES) if number not in labels]
    if absent:
        raise UserError(
            f"train.class_weights: balanced needs training images of every class, but there are none of "
            f"{', '.join(absent)}. Set class_weights: none, or a larger split.train"
        )
    weights = compute_class_weight("balanced", classes=np.arange(len(CODES)), y=labels)
    return dict(enumerate(weights.tolist()))


CLASS_WEIGHTS: dict[str, Callable[[np.ndarray], dict[int, float] | None]] = {
    "none": lambda labels: None,
    "balanced": balance_classes,
}
