"""Optimizers, losses, class weights, schedules and averages: by hand-worked numbers, and as fit uses them."""

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from skinlesion.model.predict import probabilities
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.sections import Train
from skinlesion.train import batches, callbacks, options, schedules
from skinlesion.train.fit import fit

pytestmark = pytest.mark.training
EVERY_CLASS = np.arange(7)


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("class_weights", options.CLASS_WEIGHTS),
        ("schedule", schedules.SCHEDULES),
        ("sampling", batches.SAMPLINGS),
    ],
)
def test_params_names_the_rows_of_the_table(field, table):
    assert set(Train.model_fields[field].annotation.__args__) == set(table)


def test_the_committed_values_are_plain_adam(settings):
    optimizer = options.make_optimizer(settings.train, 1e-3)
    expected = keras.optimizers.Adam(1e-3).get_config()
    assert {**optimizer.get_config(), "name": ""} == {**expected, "name": ""}
    assert options.make_loss(settings.train, EVERY_CLASS) == "sparse_categorical_crossentropy"


def test_adamw_decays_kernels_and_nothing_else(train_params):
    layer = keras.layers.Dense(2, bias_initializer="ones", kernel_initializer="ones")
    layer.build((None, 3))
    optimizer = options.make_optimizer(train_params(optimizer="adamw", weight_decay=0.1), 0.5)
    optimizer.apply([keras.ops.zeros_like(weight) for weight in layer.trainable_weights], layer.trainable_weights)
    np.testing.assert_allclose(layer.kernel, 1 - 0.5 * 0.1, rtol=1e-6)
    np.testing.assert_array_equal(layer.bias, 1)


def test_the_smoothed_loss_is_the_cross_entropy_with_smoothed_labels(train_params):
    predicted = np.random.default_rng(0).dirichlet(np.ones(7), 3).astype("float32")
    targets = np.full((3, 7), 0.1 / 7)
    targets[[0, 1, 2], [6, 0, 3]] += 0.9
    losses = options.make_loss(train_params(label_smoothing=0.1), EVERY_CLASS)(np.array([6, 0, 3]), predicted)
    np.testing.assert_allclose(losses, -(targets * np.log(predicted)).sum(axis=1), rtol=1e-5)


def test_the_adjusted_loss_is_that_of_the_probabilities_at_training_frequencies(train_params):
    labels, truth = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7]), np.array([6, 0, 3])
    predicted = np.random.default_rng(0).dirichlet(np.ones(7), 3).astype("float32")
    predicted[0, 6] = 1e-12  # Keras' own loss is the same for all probabilities below 1e-7: it has no gradient
    for strength in (0.5, 1):
        losses = options.make_loss(train_params(logit_adjustment=strength), labels)(truth, predicted)
        at_training = predicted * (np.arange(1, 8) / 28) ** strength
        at_training /= at_training.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(losses, -np.log(at_training[range(3), truth]), rtol=1e-5)


def test_the_adjusted_loss_is_finite_without_images_of_a_class(train_params):
    truth, predicted = np.array([0, 1]), np.full((2, 7), 1 / 7, "float32")
    section = train_params(logit_adjustment=1, label_smoothing=0.1)
    assert np.isfinite(options.make_loss(section, np.array([0, 1, 1]))(truth, predicted)).all()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1 / 6, 2 / 6, 3 / 6]),
        ({"class_weights": "balanced"}, [1 / 3, 1 / 3, 1 / 3]),
        ({"sampling": "balanced"}, [1 / 3, 1 / 3, 1 / 3]),
        ({"logit_adjustment": 1}, [1 / 3, 1 / 3, 1 / 3]),
        ({"logit_adjustment": 0.5}, np.sqrt([1, 2, 3]) / np.sqrt([1, 2, 3]).sum()),
    ],
)
def test_frequencies_that_the_probabilities_belong_to(changes, expected, train_params):
    frequencies = options.effective_frequencies(train_params(**changes), np.array([0, 2, 2, 5, 5, 5]))
    np.testing.assert_allclose(frequencies[[0, 2, 5]], expected)
    assert frequencies.sum() == pytest.approx(1)


def test_class_weights_are_inverse_to_the_counts():
    labels = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    expected = {number: pytest.approx(28 / (7 * (number + 1))) for number in range(7)}
    assert options.CLASS_WEIGHTS["balanced"](labels) == expected
    assert options.CLASS_WEIGHTS["none"](labels) is None


def test_a_class_without_training_images_has_no_weight_and_is_named():
    with pytest.raises(UserError, match=r"class_weights.*df, vasc.*class_weights: none"):
        options.CLASS_WEIGHTS["balanced"](np.array([0, 1, 2, 4, 5, 5]))


@pytest.fixture
def unequal(easy) -> tuple[np.ndarray, np.ndarray]:
    """Seven images of the first class, and one of each other."""
    numbers = np.concatenate([np.flatnonzero(easy[1] == 0), np.arange(1, 7)])
    return easy[0][numbers], easy[1][numbers]


def test_class_weights_reach_the_loss(make_tiny, unequal, easy_validation, train_params, phase):
    images, labels = unequal
    model = make_tiny()  # with batch statistics, as in training
    own = np.log(keras.ops.convert_to_numpy(model(images, training=True)))[np.arange(13), labels]
    weights = np.where(labels == 0, 13 / (7 * 7), 13 / 7)
    for name, expected in (("none", -own.mean()), ("balanced", -(own * weights).mean())):
        section = train_params(class_weights=name, batch_size=13)
        history, _ = fit(make_tiny(), (images, labels), easy_validation, [phase("all", 1, 1e-12)], section, 3)
        assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_logit_adjustment_uses_the_frequencies_of_training(make_tiny, unequal, easy_validation, train_params, phase):
    """Those of validation are equal."""
    images, labels = unequal
    probabilities = keras.ops.convert_to_numpy(make_tiny()(images, training=True))
    adjusted = probabilities * np.bincount(labels) / len(labels)
    own = np.log(adjusted / adjusted.sum(axis=1, keepdims=True))[np.arange(13), labels]
    section = train_params(logit_adjustment=1, batch_size=13)
    history, _ = fit(make_tiny(), (images, labels), easy_validation, [phase("all", 1, 1e-12)], section, 3)
    assert history["loss"][0] == pytest.approx(-own.mean(), rel=1e-4)


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
def test_factors_of_the_learning_rate(schedule, warmup, epochs, expected):
    assert schedules.factors(schedule, warmup, epochs) == pytest.approx(expected)


class Spy(keras.callbacks.Callback):
    """Records the learning rate and the weights after each step."""

    def __init__(self):
        super().__init__()
        self.rates, self.weights = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))
        self.weights.append([weight.numpy() for weight in self.model.trainable_weights])


@pytest.fixture
def spy(monkeypatch) -> Spy:
    spy = Spy()
    monkeypatch.setattr("skinlesion.train.fit.stopping", lambda train_params: [spy])
    return spy


def test_the_history_has_the_learning_rate_that_each_epoch_trained_with(
    tiny, easy, easy_validation, train_params, phase, spy
):
    phases = [phase("all", 4, 0.02), phase("head", 2, 0.5)]
    history, _ = fit(tiny, easy, easy_validation, phases, train_params(schedule="cosine", warmup_epochs=1), 3)
    expected = [0.01, 0.02, 0.015, 0.005, 0.25, 0.5]
    assert list(history["learning_rate"]) == pytest.approx(expected, rel=1e-5)
    assert spy.rates == pytest.approx(list(np.repeat(expected, 6)), rel=1e-5)


def test_warm_up_keeps_a_rate_that_a_plateau_lowered(tiny, easy, easy_validation, train_params, phase):
    section = train_params(warmup_epochs=1, reduce_learning_rate={"patience": 1, "factor": 0.1})
    history, _ = fit(tiny, easy, easy_validation, [phase("head", 5, 1e-9)], section, 3)
    rates = list(history["learning_rate"])
    assert rates[:2] == pytest.approx([0.5e-9, 1e-9])
    assert rates[-1] < 0.5e-9


def test_averages_are_validated_and_kept_and_do_not_change_training(
    make_tiny, easy, easy_validation, train_params, phase, spy
):
    model, momentum, steps = make_tiny(), 0.7, 6
    history, best = fit(model, easy, easy_validation, [phase(epochs=3)], train_params(ema=momentum), 3)
    average = spy.weights[0]
    for weights in spy.weights[1 : best * steps]:
        average = [momentum * old + (1 - momentum) * new for old, new in zip(average, weights, strict=True)]
    for expected, kept, last in zip(average, model.trainable_weights, spy.weights[best * steps - 1], strict=True):
        np.testing.assert_allclose(kept, expected, atol=1e-5)
        assert not np.allclose(kept, last, atol=1e-5)
    loss = callbacks.MEASURES["loss"][0](easy_validation[1], probabilities(model, easy_validation[0], 8))
    assert history["val_loss"][best - 1] == pytest.approx(loss, rel=1e-5)
    plain, _ = fit(make_tiny(), easy, easy_validation, [phase(epochs=3)], train_params(), 3)
    np.testing.assert_allclose(plain["loss"], history["loss"], rtol=1e-4)


def test_moving_statistics_are_those_of_the_averaged_weights(make_tiny, easy, easy_validation, train_params, phase):
    """With a momentum near 1 the averages are almost the first weights, far from the last steps' statistics."""
    model = make_tiny()
    fit(model, easy, easy_validation, [phase(epochs=1, learning_rate=0.1)], train_params(ema=0.99, batch_size=44), 3)
    backbone = model.get_layer("backbone")
    pixels = model.get_layer("preprocessing")(easy[0])
    features = keras.Model(backbone.inputs[0], backbone.get_layer("first").output)(pixels)
    norm = backbone.get_layer("first_norm")
    np.testing.assert_allclose(norm.moving_mean, np.mean(features, axis=(0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, np.var(features, axis=(0, 1, 2)), rtol=1e-3)


def test_with_all_options_the_loss_falls_and_the_same_seed_gives_the_same_history(
    make_tiny, easy, easy_validation, train_params, phase
):
    section = train_params(
        optimizer="adamw", weight_decay=0.01, label_smoothing=0.1, schedule="cosine", warmup_epochs=1, ema=0.5,
        logit_adjustment=0.5, mix="mixup", monitor="accuracy",
    )  # fmt: skip
    first, second = (fit(make_tiny(), easy, easy_validation, [phase(epochs=4)], section, 3)[0] for _ in range(2))
    assert first["loss"].iloc[-1] < first["loss"].iloc[0]
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_options_that_exclude_each_other_are_refused(train_params):
    with pytest.raises(ValidationError, match=r"weight_decay.*adamw"):
        train_params(weight_decay=0.1)
    with pytest.raises(ValidationError, match=r"schedule.*reduce_learning_rate: null"):
        train_params(schedule="cosine", reduce_learning_rate={"patience": 1, "factor": 0.5})
