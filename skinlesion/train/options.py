"""What a phase is compiled with: optimizer, loss and class weights, from the section train."""

from collections.abc import Callable
from functools import partial

import numpy as np

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.sections import Train

LEAST = 1e-30  # lower probabilities count as this in the adjusted loss: float32 softmax rounds to 0
# Weight decay is for kernels: Loshchilov and Hutter's AdamW (ICLR 2019) as commonly used leaves these out.
NO_DECAY = ["bias", "gamma", "beta", "embedding", "token"]


def make_optimizer(params: Train, learning_rate: float) -> keras.optimizers.Optimizer:
    """The optimizer of a phase. With `ema` it also keeps averages of the weights, see AverageWeights."""
    averages = {"use_ema": True, "ema_momentum": params.ema} if params.ema else {}
    if params.optimizer == "adam":
        return keras.optimizers.Adam(learning_rate, **averages)
    optimizer = keras.optimizers.AdamW(learning_rate, params.weight_decay, **averages)
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    return optimizer


def make_loss(params: Train, labels: np.ndarray) -> str | Callable:
    """Cross-entropy of labels (N,), numbers of CODES, or mixed ones (N, 7), and probabilities (N, 7).

    A smoothed label is 1 - s + s / 7 for its class and s / 7 for the others (Szegedy et al., CVPR 2016). With logit
    adjustment t, the loss takes probabilities times class frequency^t, scaled to sum to 1, so that the model's own are
    those of equally frequent classes where t is 1 (Menon et al., ICLR 2021). A class without images keeps its
    probability.

    Args:
        labels: of training, (N,), for the frequencies.
    """
    if not (params.label_smoothing or params.mix or params.logit_adjustment):
        return "sparse_categorical_crossentropy"
    frequencies = np.bincount(labels, minlength=len(CODES)) / len(labels)
    shift = params.logit_adjustment * np.log(frequencies, out=np.zeros(len(CODES)), where=frequencies > 0)
    entropy = partial(keras.losses.categorical_crossentropy, label_smoothing=params.label_smoothing)

    def loss(labels, probabilities):
        if not params.mix:
            labels = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), len(CODES))
        if not params.logit_adjustment:
            return entropy(labels, probabilities)
        logits = keras.ops.log(keras.ops.maximum(probabilities, LEAST)) + keras.ops.cast(shift, probabilities.dtype)
        return entropy(labels, logits, from_logits=True)  # Keras clips probabilities at 1e-7: no gradient is left there

    return loss


def effective_frequencies(params: Train, labels: np.ndarray) -> np.ndarray:
    """The class frequencies (7,), summing to 1, that the model's probabilities belong to.

    They are those of the training labels (N,), changed by class weights, sampling and logit adjustment.
    """
    counts = np.bincount(labels, minlength=len(CODES)).astype(float)
    present = counts > 0
    is_balanced = "balanced" in (params.sampling, params.class_weights)
    counts[present] **= 0 if is_balanced else 1 - params.logit_adjustment
    return counts / counts.sum()


def balance_classes(labels: np.ndarray) -> dict[int, float]:
    """Each class's weight: N / (7 * images of the class), from the training labels (N,).

    Raises:
        UserError: a class has no training image, so it has no weight. Keras would accept the gap without a message.
    """
    counts = np.bincount(labels, minlength=len(CODES))
    absent = [code for code, count in zip(CODES, counts, strict=True) if not count]
    if absent:
        raise UserError(
            f"train.class_weights: balanced needs training images of every class, but there are none of "
            f"{', '.join(absent)}. Set class_weights: none, or a larger split.train"
        )
    return dict(enumerate((len(labels) / (len(CODES) * counts)).tolist()))


CLASS_WEIGHTS: dict[str, Callable[[np.ndarray], dict[int, float] | None]] = {
    "none": lambda labels: None,
    "balanced": balance_classes,
}
