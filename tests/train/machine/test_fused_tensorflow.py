"""TensorFlow's fused kernels train as Keras' own do, and the saved model does not show them."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.machine import processor
from skinlesion.train.machine.fused_tensorflow import fused, is_fused_kernel_slow, is_fusible

pytestmark = pytest.mark.training

layers = keras.layers
IMAGES, LABELS = np.random.default_rng(0).normal(3, 2, (24, 9, 7, 3)).astype("float32"), np.arange(24) % 7


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((9, 7, 3))
    x = layers.BatchNormalization(momentum=0.8, epsilon=1e-5, scale=False, name="unscaled")(pixels)
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="convolution")(x)
    x = layers.BatchNormalization(center=False)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(trainable=False, name="frozen")(x)
    x = layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))
    return keras.Model(pixels, layers.Dense(7, activation="softmax", dtype="float32")(x))


def sgd() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(0.1, momentum=0.9)


def adam(**settings) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(0.01, **settings)


def adamw() -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1, use_ema=True, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def train(context, optimizer=sgd) -> tuple[keras.Model, list[float]]:
    model = network()
    model.compile(optimizer(), "sparse_categorical_crossentropy")
    with context(model):
        losses = model.fit(IMAGES, LABELS, batch_size=10, epochs=3, shuffle=False, verbose=0).history["loss"]
    return model, losses


@pytest.mark.parametrize(
    ("kind", "policy", "tolerance"),
    [
        ("AVX-512", "float32", 1e-4),
        ("AVX2", "float32", 1e-4),
        pytest.param("AVX512-BF16", "mixed_bfloat16", 0.02, marks=pytest.mark.bfloat16),
    ],
)
def test_training_equals_keras_own_but_for_rounding(kind, policy, tolerance, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    keras.config.set_dtype_policy(policy)
    (model, losses), (expected, expected_losses) = train(fused), train(nullcontext)
    np.testing.assert_allclose(losses, expected_losses, rtol=tolerance)
    for ours, theirs in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=10 * tolerance, atol=tolerance, err_msg=ours.path)


@pytest.mark.parametrize(("policy", "gpus", "slow"), [
    ("mixed_bfloat16", [], True), ("mixed_bfloat16", ["GPU:0"], False), ("float32", [], False)
])  # fmt: skip
def test_depthwise_convolutions_train_in_float32_where_bfloat16_is_slow(policy, gpus, slow, monkeypatch):
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential([keras.Input((9, 7, 3)), layers.Conv2D(6, 3), layers.DepthwiseConv2D(3, name="depthwise")])
    model.compile(sgd())
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: gpus)
    before = [layer.dtype_policy.name for layer in model.layers]
    with fused(model):
        during = [layer.dtype_policy.name for layer in model.layers]
    assert before == [layer.dtype_policy.name for layer in model.layers]
    changed = {layer.name: now for layer, then, now in zip(model.layers, before, during, strict=True) if then != now}
    assert changed == ({"depthwise": "float32"} if slow else {})


@pytest.mark.parametrize(("policy", "gpus", "replaced"), [
    ("mixed_bfloat16", [], ["plain", "strided"]), ("mixed_bfloat16", ["GPU:0"], []), ("float32", [], [])
])  # fmt: skip
def test_convolutions_become_products_where_bfloat16_is_slow(policy, gpus, replaced, monkeypatch):
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential([
        keras.Input((9, 9, 2)),
        layers.Conv2D(4, 3, name="plain"),
        layers.Conv2D(4, 3, groups=2, name="grouped"),
        layers.Conv2D(4, 2, dilation_rate=2, name="dilated"),
        layers.Conv2D(4, 2, strides=2, name="strided"),
        layers.DepthwiseConv2D(1, name="depthwise"),
    ])  # fmt: skip
    model.compile(sgd())
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: gpus)
    with fused(model):
        assert [layer.name for layer in model.layers if "convolution_op" in vars(layer)] == replaced
    assert not any("convolution_op" in vars(layer) for layer in model.layers)


@pytest.mark.parametrize(
    ("kind", "onednn", "gpus", "slow"),
    [("AVX2", "1", [], True), ("AVX-512", "1", [], False), ("AVX2", "0", [], False), ("AVX2", "1", ["GPU:0"], False)],
)
def test_the_fused_kernel_is_slow_on_avx2_with_onednn(kind, onednn, gpus, slow, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    monkeypatch.setenv(processor.ONEDNN, onednn)
    monkeypatch.setattr(processor.platform, "system", lambda: "Linux")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: gpus)
    assert is_fused_kernel_slow() is slow


@pytest.mark.parametrize("optimizer", [adam, lambda: adam(amsgrad=True), adamw], ids=["adam", "amsgrad", "adamw"])
def test_steps_of_adam_equal_keras_own_but_for_rounding(optimizer):
    """The optimizer's own variables too: the moments are found by their order and names."""
    gradient = np.random.default_rng(1).normal(0, 1, (5, 4)).astype("float32")
    ends = []
    for context in (fused, nullcontext):
        model = keras.Sequential([keras.Input((5,)), layers.Dense(4, kernel_initializer="ones")])
        model.compile(optimizer())
        with context(model):
            for part in (1, -0.3, 2):
                gradients = [keras.ops.convert_to_tensor(part * value) for value in (gradient, gradient[0])]
                model.optimizer.apply(gradients, model.trainable_variables)
        ends.append([variable.numpy() for variable in (*model.variables, *model.optimizer.variables)])
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert np.abs(ends[0][0] - 1).max() > 0.005


@pytest.mark.bfloat16
def test_adam_trains_where_float16_has_the_loss_scaled():
    keras.config.set_dtype_policy("mixed_float16")
    (_, losses), (_, expected) = train(fused, adam), train(nullcontext, adam)
    np.testing.assert_allclose(losses, expected, rtol=0.02)
    assert losses[-1] < losses[0]


def test_the_kernels_are_in_use_within_the_context_only_and_not_saved(tmp_path):
    model = network()
    model.compile(adam())
    with fused(model):
        assert "call" in vars(model.get_layer("unscaled"))
        assert "update_step" in vars(model.optimizer)
        model(IMAGES, training=True)
        np.testing.assert_array_equal(model.get_layer("frozen").moving_mean, np.zeros(6))
    assert not any("call" in vars(layer) for layer in model.layers)
    assert "update_step" not in vars(model.optimizer)
    model.save(tmp_path / "fused.keras")
    again = keras.models.load_model(tmp_path / "fused.keras")
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))


@pytest.mark.parametrize(
    ("layer", "shape", "fusible"),
    [
        (layers.BatchNormalization(), (2, 3, 3, 4), True),
        (layers.BatchNormalization(axis=1), (2, 3, 3, 4), False),
        (layers.BatchNormalization(), (2, 4), False),
        (layers.BatchNormalization(renorm=True), (2, 3, 3, 4), False),
        (layers.LayerNormalization(), (2, 3, 3, 4), False),
    ],
)
def test_only_layers_that_the_kernel_computes_are_replaced(layer, shape, fusible):
    layer.build(shape)
    assert is_fusible(layer) is fusible
