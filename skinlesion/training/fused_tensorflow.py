"""Batch normalisation by TensorFlow's fused kernel while training: Keras 3 computes it in five passes, in float32.

The layers stay Keras' own: what they hold, save and predict is the same.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf


@contextmanager
def fused(model: keras.Model) -> Iterator[None]:
    """Let the model's BatchNormalization over channels, the last axis of feature maps, train by the fused kernel."""
    found = [layer for layer in model._flatten_layers() if fits(layer)]
    for layer in found:
        layer.call = functools.partial(call, layer)
    try:
        yield
    finally:
        for layer in found:
            del layer.call


def fits(layer: keras.Layer) -> bool:
    if type(layer) is not keras.layers.BatchNormalization or layer.renorm or layer.synchronized:
        return False
    return layer.input_spec.ndim == 4 and set(layer.input_spec.axes) <= {3, -1}


def call(layer: keras.layers.BatchNormalization, inputs: tf.Tensor, training: bool | None = None, mask=None):
    """What BatchNormalization.call does, from inputs (N, H, W, C) to the same; moving statistics follow as there."""
    if not (training and layer.trainable) or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    shape = layer.moving_mean.shape
    normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(shape),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(shape),
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(inputs) // shape[0], tf.float32)
    variance *= (count - 1) / count  # the kernel's is that of a sample; Keras keeps that of the batch
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return normalised
