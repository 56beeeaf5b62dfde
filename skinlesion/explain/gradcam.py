"""Grad-CAM: which places of an image speak for a class.

Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.
"""

from collections.abc import Callable, Sequence

import numpy as np

from skinlesion.model.backend import keras

BATCH = 32  # images whose feature maps and gradients are held at once
PLAIN = ((1, 1),)
MIRRORS = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps along height and width

Tensor = keras.KerasTensor
Score = Callable[[Tensor], Tensor]  # from a feature map (N, h, w, c) to one number


def heatmaps(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, views: Sequence[tuple[int, int]] = MIRRORS
) -> np.ndarray:
    """How much each place of an image speaks for a class, on the grid of the backbone's last feature map.

    Args:
        model: a classifier that `build` made.
        images: RGB 0-255 (N, H, W, 3).
        labels: (N,) the class to explain for each image, as numbers of CODES.
        views: whose maps are turned back and averaged. MIRRORS takes out that strides and padding sample a network's
            places towards one corner, which puts a single map up to half a place beside what it shows. PLAIN is the
            paper's map.

    Returns:
        float32 (N, h, w): 0 where nothing speaks for the class, 1 at the place that does most; 0 everywhere where no
        place does.
    """
    return Explainer(model, views).heatmaps(images, labels)


class Explainer:
    """`heatmaps` of one model, for whoever asks again: its parts are compiled once, and feature maps can be kept."""

    def __init__(self, model: keras.Model, views: Sequence[tuple[int, int]] = MIRRORS) -> None:
        preprocessing, backbone, head = (model.get_layer(part) for part in ("preprocessing", "backbone", "head"))
        self.body, self.logits = keras.Sequential([preprocessing, backbone]), logits_of(head)
        self.views = views

    def heatmaps(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Images (N, H, W, 3) and labels (N,) to maps (N, h, w), in batches."""
        batches = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
        return np.concatenate([self.heat(self.features(images[batch]), labels[batch]) for batch in batches])

    def features(self, images: np.ndarray) -> np.ndarray:
        """The feature maps of every view: (views, N, h, w, channels)."""
        seen = (np.ascontiguousarray(images[:, ::down, ::right]) for down, right in self.views)
        return np.stack([self.body.predict_on_batch(one) for one in seen])

    def heat(self, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The maps (N, h, w) from what `features` gave."""
        views = zip(features, self.views, strict=True)
        maps = [class_maps(self.logits, one, labels)[:, ::down, ::right] for one, (down, right) in views]
        return normalised(np.mean(maps, axis=0))


def logits_of(head: keras.Model) -> keras.Model:
    """The head as it stands, up to the scores before the softmax: the paper's y, whose gradient never saturates."""
    last = head.get_layer("probabilities")
    linear = keras.layers.Dense.from_config({**last.get_config(), "activation": None, "name": "logits"})
    scores = linear(last.input)
    linear.set_weights(last.get_weights())
    return keras.Model(head.input, scores, name="logits")


def class_maps(logits: keras.Model, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """ReLU of the sum over channels, each weighed by its mean gradient: (N, h, w, c) to (N, h, w)."""
    features = features.astype(np.float32)
    chosen = keras.ops.one_hot(labels, logits.output.shape[-1])

    def score(tensor: Tensor) -> Tensor:
        return keras.ops.sum(logits(tensor, training=False) * chosen)  # images are independent, so is their gradient

    gradients = GRADIENTS[keras.backend.backend()](score, keras.ops.convert_to_tensor(features))
    weights = keras.ops.convert_to_numpy(gradients).mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0)


def normalised(maps: np.ndarray) -> np.ndarray:
    """Each map (N, h, w) divided by its highest value; a map of zeros stays."""
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)


def gradient_in_tensorflow(score: Score, features: Tensor) -> Tensor:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(features)
        value = score(features)
    return tape.gradient(value, features)


def gradient_in_jax(score: Score, features: Tensor) -> Tensor:
    import jax

    return jax.grad(score)(features)


def gradient_in_torch(score: Score, features: Tensor) -> Tensor:
    import torch

    with torch.enable_grad():
        watched = features.detach().requires_grad_()
        return torch.autograd.grad(score(watched), watched)[0].detach()


# Keras has no gradient of its own: one row for each backend.
GRADIENTS: dict[str, Callable[[Score, Tensor], Tensor]] = {
    "tensorflow": gradient_in_tensorflow,
    "jax": gradient_in_jax,
    "torch": gradient_in_torch,
}
