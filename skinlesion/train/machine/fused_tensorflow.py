"""Fused TensorFlow kernels of batch normalization and Adam for training, and convolutions in bfloat16 on the CPU.

Keras 3 computes the first two in many passes over memory. TensorFlow has no fast gradient of depthwise convolutions
in bfloat16 on the CPU, so they stay in float32; other convolutions over small maps are changed by
small_maps_tensorflow. Layers and optimizer stay Keras' own objects, so what they store and save is the same.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from skinlesion.model.backend import keras
from skinlesion.train.machine import processor, small_maps_tensorflow
from skinlesion.train.machine.private_names import all_layers

Slots = dict[int, tuple[tf.Variable, tf.Variable]]  # id of a weight -> Adam's first and second moment of it


@contextmanager
def fused(model: keras.Model) -> Iterator[None]:
    """Within it, a compiled model trains by these kernels."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # float16 wraps it to scale the loss
    layers = list(all_layers(model))
    replaced = [(layer, "call", functools.partial(normalize_batch, layer)) for layer in layers if is_fusible(layer)]
    for layer in filter(small_maps_tensorflow.is_faster_for, layers):
        replaced.append((layer, "convolution_op", functools.partial(small_maps_tensorflow.convolve, layer)))
    if type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        step = functools.partial(update_step, optimizer, build_slots(model, optimizer))
        replaced.append((optimizer, "update_step", step))
    policies = [(layer, layer.dtype_policy) for layer in layers if is_slow_in_bfloat16(layer)]
    for owner, name, method in replaced:
        setattr(owner, name, method)
    for layer, _ in policies:
        layer.dtype_policy = "float32"
    try:
        yield
    finally:
        for owner, name, _ in replaced:
            delattr(owner, name)
        for layer, policy in policies:
            layer.dtype_policy = policy


def is_fusible(layer: keras.Layer) -> bool:
    """Whether the kernel computes this layer: batch normalization of the last axis of feature maps."""
    if type(layer) is not keras.layers.BatchNormalization or layer.renorm or layer.synchronized:
        return False
    return layer.input_spec.ndim == 4 and set(layer.input_spec.axes) <= {3, -1}


def is_slow_in_bfloat16(layer: keras.Layer) -> bool:
    """Whether float32 is faster for this layer under mixed_bfloat16: a depthwise convolution on the CPU."""
    return isinstance(layer, keras.layers.DepthwiseConv2D) and small_maps_tensorflow.is_bfloat16_on_cpu(layer)


def normalize_batch(layer: keras.layers.BatchNormalization, inputs: tf.Tensor, training: bool | None = None, mask=None):
    """BatchNormalization.call for inputs (N, H, W, C); it updates the moving statistics too."""
    if not (training and layer.trainable) or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    shape = layer.moving_mean.shape
    scale = tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(shape)
    offset = tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(shape)
    in_steps = is_fused_kernel_slow() and inputs.dtype == tf.float32 and None not in inputs.shape[1:3]
    normalize = normalize_in_steps if in_steps else normalize_fused
    normalized, mean, variance = normalize(inputs, scale, offset, layer.epsilon)
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + batch * (1 - layer.momentum))
    return normalized


def normalize_fused(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, ...]:
    """Normalized inputs (N, H, W, C), and their mean and variance (C,)."""
    normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=offset, mean=tf.zeros([0]), variance=tf.zeros([0]), epsilon=epsilon
    )
    count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    return normalized, mean, variance * ((count - 1) / count)  # the kernel's is unbiased, Keras keeps the biased one


def is_fused_kernel_slow() -> bool:
    """Whether the fused kernel is oneDNN's for AVX2, which writes past the cache, half a cache line at a time."""
    return processor.kind() == "AVX2" and processor.onednn() and not tf.config.list_logical_devices("GPU")


def normalize_in_steps(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, ...]:
    """As `normalize_fused`, by other oneDNN kernels of one pass each; its gradient is the fused one."""

    @tf.custom_gradient
    def with_gradients(inputs, scale, offset):
        mean = tf.reduce_mean(tf.nn.avg_pool2d(inputs, inputs.shape[1:3], 1, "VALID"), (0, 1, 2))
        centred = scale_channels(inputs, tf.ones_like(mean), -mean)
        variance = sum_squares(centred) / tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)

        def gradients(outputs, *_):
            return tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=outputs, x=inputs, scale=scale, epsilon=epsilon,
                reserve_space_1=mean, reserve_space_2=variance, reserve_space_3=tf.zeros([0]),
            )[:3]  # fmt: skip

        return (scale_channels(centred, scale * tf.math.rsqrt(variance + epsilon), offset), mean, variance), gradients

    return with_gradients(inputs, scale, offset)


def scale_channels(inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """inputs * scale + offset by channel, in one pass: as a depthwise convolution of one pixel."""
    kernel = tf.reshape(scale, (1, 1, -1, 1))
    return tf.nn.bias_add(tf.nn.depthwise_conv2d(inputs, kernel, [1] * 4, "VALID"), offset)


def sum_squares(inputs: tf.Tensor) -> tf.Tensor:
    """The sum of squares (C,) of each channel of (N, H, W, C): the filter gradient of a depthwise convolution."""
    channels = inputs.shape[-1]
    kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=inputs, filter_sizes=[1, 1, channels, 1], out_backprop=inputs, strides=[1] * 4, padding="VALID"
    )
    return tf.reshape(kernel, (channels,))


def build_slots(model: keras.Model, optimizer: keras.optimizers.Adam) -> Slots:
    """Adam's moments of each trainable weight of `model`. Keras creates them in the order of the weights."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    first, second = (
        [slot for slot in optimizer.variables if slot.name.endswith(f"_{name}")] for name in ("momentum", "velocity")
    )
    rows = zip(model.trainable_variables, first, second, strict=True)
    return {id(weight.value): (momentum.value, velocity.value) for weight, momentum, velocity in rows}


def update_step(
    optimizer: keras.optimizers.Adam,
    slots: Slots,
    gradient: tf.Tensor | tf.IndexedSlices,
    variable: tf.Variable,
    learning_rate,
) -> None:
    """Adam.update_step. AdamW subtracts its weight decay elsewhere."""
    if isinstance(gradient, tf.IndexedSlices):
        return type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
    (momentum, velocity), dtype = slots[id(variable)], variable.dtype
    step = tf.cast(optimizer.iterations + 1, dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=momentum.handle,
        v=velocity.handle,
        beta1_power=tf.cast(optimizer.beta_1, dtype) ** step,
        beta2_power=tf.cast(optimizer.beta_2, dtype) ** step,
        lr=tf.cast(learning_rate, dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, dtype),
    )
