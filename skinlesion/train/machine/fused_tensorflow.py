"""Batch normalisation and Adam by TensorFlow's fused kernels while training: Keras 3 computes each in many passes. And
filter gradients, on small maps, by a faster way.

Layers and optimizer stay Keras' own: what they hold, save and predict is the same.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from skinlesion.model.backend import keras
from skinlesion.train.machine import filters_tensorflow as filters
from skinlesion.train.machine import processor


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
    scale = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(shape)
    offset = tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(shape)
    steps = writes_half_lines() and inputs.dtype == tf.float32 and None not in inputs.shape[1:3]
    normalised, mean, variance = (normalise_in_steps if steps else normalise)(inputs, scale, offset, layer.epsilon)
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return normalised


def normalise(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, ...]:
    """Inputs (N, H, W, C) normalised by their own mean (C,) and variance (C,), and these two."""
    normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=offset, mean=tf.zeros([0]), variance=tf.zeros([0]), epsilon=epsilon
    )
    count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    return normalised, mean, variance * ((count - 1) / count)  # the kernel's is of a sample; Keras keeps the batch's


def writes_half_lines() -> bool:
    """Whether the fused kernel is slow: oneDNN's for AVX2 writes past the cache, half a cache line at a time."""
    return processor.kind() == "AVX2" and processor.onednn() and not tf.config.list_logical_devices("GPU")


def normalise_in_steps(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, ...]:
    """What `normalise` does, by other kernels of oneDNN, each of which passes once; its gradient is the fused one."""

    @tf.custom_gradient
    def with_gradients(inputs, scale, offset):
        mean = tf.reduce_mean(tf.nn.avg_pool2d(inputs, inputs.shape[1:3], 1, "VALID"), (0, 1, 2))
        centred = scaled(inputs, tf.ones_like(mean), -mean)
        variance = sum_of_squares(centred) / tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)

        def gradients(outputs, *_):
            return tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=outputs, x=inputs, scale=scale, epsilon=epsilon,
                reserve_space_1=mean, reserve_space_2=variance, reserve_space_3=tf.zeros([0]),
            )[:3]  # fmt: skip

        return (scaled(centred, scale * tf.math.rsqrt(variance + epsilon), offset), mean, variance), gradients

    return with_gradients(inputs, scale, offset)


def scaled(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """inputs * scale + offset, channel by channel, as a depthwise convolution of one pixel, which is one pass."""
    kernel = tf.reshape(scale, (1, 1, -1, 1))
    return tf.nn.bias_add(tf.nn.depthwise_conv2d(inputs, kernel, [1] * 4, "VALID"), offset)


def sum_of_squares(inputs: tf.Tensor) -> tf.Tensor:
    """Of each channel of (N, H, W, C), as the gradient of such a convolution's filter."""
    channels = inputs.shape[-1]
    kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=inputs, filter_sizes=[1, 1, channels, 1], out_backprop=inputs, strides=[1] * 4, padding="VALID"
    )
    return tf.reshape(kernel, (channels,))


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
