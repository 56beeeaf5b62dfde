"""TensorFlow's fused batch normalisation and Adam, and filter gradients, train as Keras' own and leave no trace."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.machine import processor
from skinlesion.train.machine.fused_tensorflow import fits, fused, writes_half_lines

pytestmark = pytest.mark.training

layers = keras.layers
IMAGES, LABELS = np.random.default_rng(0).normal(3, 2, (24, 9, 7, 3)).astype("float32"), np.arange(24) % 7


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((9, 7, 3))
    x = layers.BatchNormalization(momentum=0.8, epsilon=1e-5, scale=False, name="unscaled")(pixels)
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="on_small_maps")(x)
    x = layers.BatchNormalization(center=False, name="uncentred")(x)
    x = layers.BatchNormalization(trainable=False, name="frozen")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.BatchNormalization(name="of_vectors")(x)
    return keras.Model(pixels, layers.Dense(7, activation="softmax", dtype="float32")(x))


def sgd() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(0.1, momentum=0.9)


def adam(**settings) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(0.01, **settings)


def adamw() -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1, use_ema=True, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def trained(how, optimizer=sgd) -> tuple[keras.Model, list[float]]:
    model = network()
    model.compile(optimizer(), "sparse_categorical_crossentropy")
    with how(model):
        losses = model.fit(IMAGES, LABELS, batch_size=10, epochs=3, shuffle=False, verbose=0).history["loss"]
    return model, losses


@pytest.mark.parametrize("kind", ["AVX512-BF16", "AVX2"])
@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float32", 1e-4), pytest.param("mixed_bfloat16", 0.02, marks=pytest.mark.bfloat16)]
)
def test_it_trains_as_keras_own(policy, tolerance, kind, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    keras.config.set_dtype_policy(policy)
    (model, losses), (expected, expected_losses) = trained(fused), trained(nullcontext)
    np.testing.assert_allclose(losses, expected_losses, rtol=tolerance)
    for one, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=10 * tolerance, atol=tolerance, err_msg=one.path)


@pytest.mark.parametrize(
    ("kind", "onednn", "gpus", "slow"),
    [("AVX2", "1", [], True), ("AVX-512", "1", [], False), ("AVX2", "0", [], False), ("AVX2", "1", ["GPU:0"], False)],
)
def test_the_kernel_for_avx2_is_left_out_where_it_would_be_in_use(kind, onednn, gpus, slow, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    monkeypatch.setenv(processor.ONEDNN, onednn)
    monkeypatch.setattr(processor.platform, "system", lambda: "Linux")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: gpus)
    assert writes_half_lines() is slow


@pytest.mark.parametrize("optimizer", [adam, lambda: adam(amsgrad=True), adamw], ids=["adam", "amsgrad", "adamw"])
def test_steps_of_adam_are_keras_own_but_for_rounding(optimizer):
    gradient = np.random.default_rng(1).normal(0, 1, (5, 4)).astype("float32")
    found = []
    for how in (fused, nullcontext):
        model = keras.Sequential([keras.Input((5,)), layers.Dense(4, use_bias=False, kernel_initializer="ones")])
        model.compile(optimizer())
        with how(model):
            for part in (1, -0.3, 2):
                model.optimizer.apply([keras.ops.convert_to_tensor(part * gradient)], model.trainable_variables)
        found.append([variable.numpy() for variable in (*model.variables, *model.optimizer.variables)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    assert np.abs(found[0][0] - 1).max() > 0.005


@pytest.mark.bfloat16
def test_adam_trains_where_float16_has_the_loss_scaled():
    keras.config.set_dtype_policy("mixed_float16")
    (_, losses), (_, expected) = trained(fused, adam), trained(nullcontext, adam)
    np.testing.assert_allclose(losses, expected, rtol=0.02)
    assert losses[-1] < losses[0]


@pytest.mark.bfloat16
def test_the_kernel_is_in_use_within_the_context_alone(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])  # filter gradients are for the CPU
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = network()
    model.compile(adam())
    step = keras.ops.convert_to_tensor(IMAGES)
    plain = model.get_layer("unscaled").call
    with fused(model):
        assert model.get_layer("unscaled").call != plain
        assert "update_step" in vars(model.optimizer)
        assert "convolution_op" in vars(model.get_layer("on_small_maps"))
        model(step, training=True)
        np.testing.assert_allclose(model.get_layer("frozen").moving_mean, np.zeros(6))
    assert not any({"call", "convolution_op"} & vars(layer).keys() for layer in model.layers)
    assert "update_step" not in vars(model.optimizer)


def test_no_trace_is_in_the_saved_model(tmp_path):
    model, _ = trained(fused)
    model.save(tmp_path / "fused.keras")
    untouched, config = network().get_config(), keras.models.load_model(tmp_path / "fused.keras").get_config()
    assert [layer["class_name"] for layer in config["layers"]] == [layer["class_name"] for layer in untouched["layers"]]
    again = keras.models.load_model(tmp_path / "fused.keras").predict(IMAGES, verbose=0)
    np.testing.assert_allclose(again, model.predict(IMAGES, verbose=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "fitting"),
    [
        (layers.BatchNormalization(), (2, 3, 3, 4), True),
        (layers.BatchNormalization(axis=1), (2, 3, 3, 4), False),
        (layers.BatchNormalization(), (2, 4), False),
        (layers.BatchNormalization(renorm=True), (2, 3, 3, 4), False),
        (layers.LayerNormalization(), (2, 3, 3, 4), False),
    ],
)
def test_only_what_the_kernel_computes_is_given_to_it(layer, shape, fitting):
    layer.build(shape)
    assert fits(layer) is fitting
