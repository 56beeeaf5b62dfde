"""Grad-CAM: the regions of an image that support a class.

Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017.
"""

from collections.abc import Callable

import numpy as np

from skinlesion.model.backend import keras

BATCH = 32  # images whose feature maps and gradients are in memory at once
# Mirror images whose maps are averaged, as steps along height and width. Strides and padding shift the paper's single
# map by up to half a cell; the mean cancels the shift.
VIEWS = ((1, 1), (1, -1), (-1, 1), (-1, -1))

Tensor = keras.KerasTensor
Score = Callable[[Tensor], Tensor]  # from a feature map (N, h, w, c) to one number


class Explainer:
    """Computes Grad-CAM of a classifier with the layers preprocessing, backbone and head, which is compiled once."""

    def __init__(self, model: keras.Model) -> None:
        preprocessing, backbone, head = (model.get_layer(part) for part in ("preprocessing", "backbone", "head"))
        self.body, self.logits = keras.Sequential([preprocessing, backbone]), remove_softmax(head)

    def heatmaps(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Compute heat maps on the grid of the backbone's last feature map.

        Args:
            images: RGB 0-255 (N, H, W, 3).
            labels: (N,) the class to explain in each image, as an index into CODES.

        Returns:
            float32 (N, h, w): 0 without support, 1 in the cell with the most support. All 0 if no cell has support.
        """
        batches = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
        return np.concatenate([self.explain_features(self.features(images[batch]), labels[batch]) for batch in batches])

    def features(self, images: np.ndarray) -> np.ndarray:
        """Compute the feature maps of every view: (views, N, h, w, channels)."""
        mirrored = (np.ascontiguousarray(images[:, ::down, ::right]) for down, right in VIEWS)
        return np.stack([self.body.predict_on_batch(view) for view in mirrored])

    def explain_features(self, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Compute heat maps (N, h, w) from `features`, each divided by its highest value."""
        views = zip(features, VIEWS, strict=True)
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

    gradients = differentiate(score, keras.ops.convert_to_tensor(features))
    weights = keras.ops.convert_to_numpy(gradients).mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0)


def differentiate(score: Score, features: Tensor) -> Tensor:
    """Compute the gradient of `score` at `features`. Keras has no function for it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(features)
            value = score(features)
        return tape.gradient(value, features)
    if backend == "jax":
        import jax

        return jax.grad(score)(features)
    import torch

    with torch.enable_grad():
        watched = features.detach().requires_grad_()
        return torch.autograd.grad(score(watched), watched)[0].detach()
