"""Grad-CAM: the regions of an image that support a class.

Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.
"""

from collections.abc import Callable, Sequence

import numpy as np

from skinlesion.model.backend import keras

BATCH = 32  # images whose feature maps and gradients are in memory at once
PLAIN = ((1, 1),)
MIRRORS = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps along height and width

Tensor = keras.KerasTensor
Score = Callable[[Tensor], Tensor]  # from a feature map (N, h, w, c) to one number


def heatmaps(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, views: Sequence[tuple[int, int]] = MIRRORS
) -> np.ndarray:
    """Compute Grad-CAM on the grid of the backbone's last feature map.

    Args:
        model: a classifier with the layers preprocessing, backbone and head.
        images: RGB 0-255 (N, H, W, 3).
        labels: (N,) the class to explain in each image, as an index into CODES.
        views: mirror images whose maps are averaged. Strides and padding shift a single map by up to half a cell;
            MIRRORS cancels the shift. PLAIN is the paper's map.

    Returns:
        float32 (N, h, w): 0 without support, 1 in the cell with the most support. All 0 if no cell supports the class.
    """
    return Explainer(model, views).heatmaps(images, labels)


class Explainer:
    """Computes `heatmaps` of one model repeatedly: it is compiled once, and feature maps can be kept."""

    def __init__(self, model: keras.Model, views: Sequence[tuple[int, int]] = MIRRORS) -> None:
        preprocessing, backbone, head = (model.get_layer(part) for part in ("preprocessing", "backbone", "head"))
        self.body, self.logits = keras.Sequential([preprocessing, backbone]), remove_softmax(head)
        self.views = views

    def heatmaps(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Compute maps (N, h, w) of images (N, H, W, 3) and labels (N,), in batches."""
        batches = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
        return np.concatenate([self.heat(self.features(images[batch]), labels[batch]) for batch in batches])

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute the feature maps of every view: (views, N, h, w, channels)."""
        mirrored = (np.ascontiguousarray(images[:, ::down, ::right]) for down, right in self.views)
        return np.stack([self.body.predict_on_batch(view) for view in mirrored])

    def heat(self, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Compute maps (N, h, w) from `features`, each divided by its highest value."""
        views = zip(features, self.views, strict=True)
        maps = [class_maps(self.logits, view, labels)[:, ::down, ::right] for view, (down, right) in views]
        mean = np.mean(maps, axis=0)
        highest = mean.max(axis=(1, 2), keepdims=True)
        return np.divide(mean, highest, out=np.zeros_like(mean), where=highest > 0)


def remove_softmax(head: keras.Model) -> keras.Model:
    """Copy the head without its softmax: the gradient of a logit does not vanish in a confident prediction."""
    last = head.get_layer("probabilities")
    linear = keras.layers.Dense.from_config({**last.get_config(), "activation": None, "name": "logits"})
    scores = linear(last.input)
    linear.set_weights(last.get_weights())
    return keras.Model(head.input, scores, name="logits")


def class_maps(logits: keras.Model, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the ReLU of the sum over channels weighted by mean gradients: (N, h, w, c) to (N, h, w)."""
    features = features.astype(np.float32)
    chosen = keras.ops.one_hot(labels, logits.output.shape[-1])

    def score(tensor: Tensor) -> Tensor:
        return keras.ops.sum(logits(tensor, training=False) * chosen)  # images do not affect each other's gradients

    gradients = GRADIENTS[keras.backend.backend()](score, keras.ops.convert_to_tensor(features))
    weights = keras.ops.convert_to_numpy(gradients).mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0)


def differentiate_in_tensorflow(score: Score, features: Tensor) -> Tensor:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(features)
        value = score(features)
    return tape.gradient(value, features)


def differentiate_in_jax(score: Score, features: Tensor) -> Tensor:
    import jax

    return jax.grad(score)(features)


def differentiate_in_torch(score: Score, features: Tensor) -> Tensor:
    import torch

    with torch.enable_grad():
        watched = features.detach().requires_grad_()
        return torch.autograd.grad(score(watched), watched)[0].detach()


# Keras has no gradient function of its own.
GRADIENTS: dict[str, Callable[[Score, Tensor], Tensor]] = {
    "tensorflow": differentiate_in_tensorflow,
    "jax": differentiate_in_jax,
    "torch": differentiate_in_torch,
}
