"""TensorFlow's fused batch normalisation trains as Keras' own, and leaves no trace."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest

from skinlesion.training.fused_tensorflow import fits, fused

layers = keras.layers
IMAGES, LABELS = np.random.default_rng(0).normal(3, 2, (24, 9, 7, 3)).astype("float32"), np.arange(24) % 7


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((9, 7, 3))
    x = layers.BatchNormalization(momentum=0.8, epsilon=1e-5, scale=False, name="unscaled")(pixels)
    x = layers.Conv2D(6, 3, use_bias=False)(x)
    x = layers.BatchNormalization(center=False, name="uncentred")(x)
    x = layers.BatchNormalization(trainable=False, name="frozen")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.BatchNormalization(name="of_vectors")(x)
    return keras.Model(pixels, layers.Dense(7, activation="softmax", dtype="float32")(x))


def trained(how) -> tuple[keras.Model, list[float]]:
    model = network()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    with how(model):
        losses = model.fit(IMAGES, LABELS, batch_size=10, epochs=3, shuffle=False, verbose=0).history["loss"]
    return model, losses


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 0.02)])
def test_it_trains_as_keras_own(policy, tolerance):
    keras.config.set_dtype_policy(policy)
    (model, losses), (expected, expected_losses) = trained(fused), trained(lambda _: nullcontext())
    np.testing.assert_allclose(losses, expected_losses, rtol=tolerance)
    for one, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=10 * tolerance, atol=tolerance, err_msg=one.path)


def test_the_kernel_is_in_use_within_the_context_alone():
    model = network()
    step = keras.ops.convert_to_tensor(IMAGES)
    plain = model.get_layer("unscaled").call
    with fused(model):
        assert model.get_layer("unscaled").call != plain
        model(step, training=True)
        np.testing.assert_allclose(model.get_layer("frozen").moving_mean, np.zeros(6))
    assert not any("call" in vars(layer) for layer in model.layers)


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
