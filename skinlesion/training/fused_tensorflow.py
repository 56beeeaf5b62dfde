"""Batch normalisation and Adam by TensorFlow's fused kernels while training: Keras 3 computes each in many passes. And
filter gradients, on small maps, by a faster way.

Layers and optimizer stay Keras' own: what they hold, save and predict is the same.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from skinlesion.training import filters_tensorflow as filters


@contextmanager
def fused(model: keras.Model) -> Iterator[None]:
    """Let a compiled model train by the fused kernels: its BatchNormalization over channels, the last axis of feature
    maps, and its optimizer, where that is Adam or AdamW; and its convolutions as `filters` does.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # which float16 has to scale the loss
    flat = list(model._flatten_layers())
    found = [(layer, "call", call) for layer in flat if fits(layer)]
    found += [(layer, "convolution_op", filters.convolution) for layer in flat if filters.fits(layer)]
    if type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        found.append((optimizer, "update_step", update_step))
    for owner, method, ours in found:
        setattr(owner, method, functools.partial(ours, owner))
    try:
        yield
    finally:
        for owner, method, _ in found:
            delattr(owner, method)


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


def update_step(
    optimizer: keras.optimizers.Adam, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable, learning_rate
) -> None:
    """What Adam.update_step does; AdamW takes its decay off elsewhere."""
    if isinstance(gradient, tf.IndexedSlices):
        return type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
    number, dtype = optimizer._get_variable_index(variable), variable.dtype
    step = tf.cast(optimizer.iterations + 1, dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[number].value.handle,
        v=optimizer._velocities[number].value.handle,
        beta1_power=tf.cast(optimizer.beta_1, dtype) ** step,
        beta2_power=tf.cast(optimizer.beta_2, dtype) ** step,
        lr=tf.cast(learning_rate, dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, dtype),
    )
