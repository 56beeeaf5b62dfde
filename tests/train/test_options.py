"""Optimizers, losses, class weights, schedules and averages: by hand-worked numbers, and as fit uses them."""

import numpy as np
import pytest
from pydantic import ValidationError

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.model.predict import probabilities
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Train
from skinlesion.train import callbacks, options, schedules
from skinlesion.train.fit import fit

pytestmark = pytest.mark.training

PLAIN = params.load().train.model_copy(update={"batch_size": 7, "schedule": "constant", "warmup_epochs": 0})


def how(**changes) -> Train:
    """The section train with changes, checked as params.yaml's is."""
    return Train.model_validate({**PLAIN.model_dump(), **changes})


def tiny(seed: int = 1) -> keras.Model:
    """A classifier of the same build as the real ones: preprocessing, backbone and head, with BatchNormalization."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    pixels, features = keras.Input((8, 8, 3)), keras.Input((4, 4, 6))
    preprocessing = keras.Sequential([layers.Input((8, 8, 3)), layers.Rescaling(1 / 255)], name="preprocessing")
    x = layers.Conv2D(6, 3, strides=2, padding="same")(pixels)
    backbone = keras.Model(pixels, layers.Activation("relu")(layers.BatchNormalization()(x)), name="backbone")
    x = layers.Dense(7, activation="softmax")(layers.GlobalAveragePooling2D()(features))
    head = keras.Model(features, x, name="head")
    image = keras.Input((8, 8, 3))
    return keras.Model(image, head(backbone(preprocessing(image))))


def data(per_class: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(7), per_class)
    colours = np.random.default_rng(9).integers(0, 200, (7, 3))
    noise = random.integers(0, 55, (len(labels), 8, 8, 3))
    return (colours[labels][:, None, None, :] + noise).astype(np.uint8), labels


TRAIN, VALIDATION = data([6] * 7), data([2] * 7, seed=5)
PHASE = Phase(train="all", epochs=4, learning_rate=0.02)


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("optimizer", options.OPTIMIZERS),
        ("class_weights", options.CLASS_WEIGHTS),
        ("schedule", schedules.SCHEDULES),
        ("monitor", callbacks.MEASURES),
    ],
)
def test_params_names_the_rows_of_the_table(field, table):
    assert set(Train.model_fields[field].annotation.__args__) == set(table)


def test_the_committed_values_are_plain_adam():
    optimizer = options.optimizer(params.load().train, 1e-3)
    expected = keras.optimizers.Adam(1e-3).get_config()
    assert {**optimizer.get_config(), "name": ""} == {**expected, "name": ""}
    assert options.loss(0) == "sparse_categorical_crossentropy"


def test_adamw_decays_kernels_and_nothing_else():
    layer = keras.layers.Dense(2, bias_initializer="ones", kernel_initializer="ones")
    layer.build((None, 3))
    optimizer = options.optimizer(how(optimizer="adamw", weight_decay=0.1), 0.5)
    optimizer.apply([keras.ops.zeros_like(weight) for weight in layer.trainable_weights], layer.trainable_weights)
    np.testing.assert_allclose(layer.kernel, 1 - 0.5 * 0.1, rtol=1e-6)
    np.testing.assert_array_equal(layer.bias, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight_decay": 0.1}, "weight_decay belongs to optimizer: adamw"),
        ({"schedule": "cosine", "reduce_learning_rate": {"patience": 1, "factor": 0.5}}, "exclude each other"),
        ({"ema": 1.0}, "less than 1"),
        ({"ema": 0}, "greater than 0"),
        ({"class_weights": "balance"}, "'none' or 'balanced'"),
    ],
)
def test_values_that_cannot_stand_together_are_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        how(**changes)


def test_smoothed_loss_is_the_cross_entropy_with_smoothed_labels():
    predicted = np.random.default_rng(0).dirichlet(np.ones(7), 3).astype("float32")
    targets = np.full((3, 7), 0.1 / 7)
    targets[[0, 1, 2], [6, 0, 3]] += 0.9
    found = options.loss(0.1)(np.array([6, 0, 3]), predicted)
    np.testing.assert_allclose(found, -(targets * np.log(predicted)).sum(axis=1), rtol=1e-5)


def test_class_weights_are_inverse_to_the_counts():
    labels = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    assert options.balanced(labels) == pytest.approx({number: 28 / (7 * (number + 1)) for number in range(7)})
    assert options.CLASS_WEIGHTS["none"](labels) is None


def test_a_class_without_training_images_has_no_weight():
    with pytest.raises(UserError, match="none of df, vasc"):
        options.balanced(np.array([0, 1, 2, 4, 5, 5]))
    assert CODES[3] == "df"


def test_class_weights_reach_the_loss():
    images, labels = data([20, 1, 1, 1, 1, 1, 1])
    losses = {}
    for name in ("none", "balanced"):
        still = Phase(train="all", epochs=1, learning_rate=1e-12)
        history, _ = fit(tiny(), (images, labels), VALIDATION, [still], how(class_weights=name, batch_size=26), 3)
        losses[name] = history["loss"][0]
    model = tiny()  # with batch statistics, as in training
    own = np.log(keras.ops.convert_to_numpy(model(images, training=True)))[np.arange(26), labels]
    weights = np.where(labels == 0, 26 / (7 * 20), 26 / 7)
    assert losses["none"] == pytest.approx(-own.mean(), rel=1e-4)
    assert losses["balanced"] == pytest.approx(-(own * weights).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("schedule", "warmup", "epochs", "expected"),
    [
        ("constant", 0, 3, [1, 1, 1]),
        ("constant", 2, 4, [1 / 3, 2 / 3, 1, 1]),
        ("cosine", 0, 4, [1, 0.8535534, 0.5, 0.1464466]),
        ("cosine", 1, 3, [0.5, 1, 0.5]),
        ("cosine", 5, 2, [1 / 6, 2 / 6]),
    ],
)
def test_factors(schedule, warmup, epochs, expected):
    assert schedules.factors(schedule, warmup, epochs) == pytest.approx(expected)


def test_the_history_has_the_learning_rate_that_each_epoch_trained_with():
    phases = [PHASE, Phase(train="head", epochs=2, learning_rate=0.5)]
    rates = []
    model = tiny()

    class Spy(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skinlesion.train.fit.stopping", lambda how: [Spy()])
        history, _ = fit(model, TRAIN, VALIDATION, phases, how(schedule="cosine", warmup_epochs=1), 3)
    expected = [0.01, 0.02, 0.015, 0.005, 0.25, 0.5]
    assert list(history["learning_rate"]) == pytest.approx(expected, rel=1e-5)
    assert rates == pytest.approx(list(np.repeat(expected, 6)), rel=1e-5)


def test_warm_up_leaves_what_reduce_learning_rate_lowered():
    lowering = {"patience": 1, "factor": 0.1}
    still = Phase(train="head", epochs=5, learning_rate=1e-9)
    history, _ = fit(tiny(), TRAIN, VALIDATION, [still], how(warmup_epochs=1, reduce_learning_rate=lowering), 3)
    rates = list(history["learning_rate"])
    assert rates[:2] == pytest.approx([0.5e-9, 1e-9])
    assert rates[-1] < 0.5e-9


def test_averages_are_what_is_validated_and_kept():
    momentum, seen = 0.7, []
    model = tiny()

    class Spy(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([weight.numpy() for weight in self.model.trainable_weights])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skinlesion.train.fit.stopping", lambda how: [Spy()])
        history, best = fit(model, TRAIN, VALIDATION, [PHASE], how(ema=momentum), 3)
    average = seen[0]
    for weights in seen[1 : best * 6]:
        average = [momentum * old + (1 - momentum) * new for old, new in zip(average, weights, strict=True)]
    for expected, found, raw in zip(average, model.trainable_weights, seen[best * 6 - 1], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert not np.allclose(found, raw, atol=1e-5)
    loss = callbacks.MEASURES["loss"][0](VALIDATION[1], probabilities(model, VALIDATION[0], 7))
    assert history["val_loss"][best - 1] == pytest.approx(loss, rel=1e-5)


def test_averages_do_not_disturb_training():
    plain, averaged = (fit(tiny(), TRAIN, VALIDATION, [PHASE], how(ema=ema), 3)[0] for ema in (None, 0.9))
    np.testing.assert_allclose(plain["loss"], averaged["loss"], rtol=1e-4)


EACH = [
    {"optimizer": "adamw", "weight_decay": 0.01},
    {"label_smoothing": 0.1},
    {"schedule": "cosine", "warmup_epochs": 1},
    {"ema": 0.5},
    {"class_weights": "balanced"},
]
ALL = {name: value for changes in EACH for name, value in changes.items()}


@pytest.mark.parametrize(
    "changes", [*EACH, ALL], ids=lambda changes: next(iter(changes)) if len(changes) < 3 else "all"
)
def test_with_each_option_and_with_all_the_loss_falls(changes):
    history, _ = fit(tiny(), TRAIN, VALIDATION, [PHASE], how(**changes, monitor="accuracy"), 3)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_with_all_options_the_same_seed_gives_the_same_history():
    first, second = (fit(tiny(), TRAIN, VALIDATION, [PHASE], how(**ALL), 3)[0] for _ in range(2))
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_a_phase_from_a_layer_that_is_not_there_stops_before_training():
    model = tiny()
    before = model.get_weights()
    phases = [PHASE, Phase(train=100, epochs=1, learning_rate=0.1)]
    with pytest.raises(UserError, match="from layer 100 on, but this backbone has 4 layers"):
        fit(model, TRAIN, VALIDATION, phases, how(), 3)
    assert all(np.array_equal(x, y) for x, y in zip(before, model.get_weights(), strict=True))
