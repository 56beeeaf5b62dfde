"""The promises of a fit, on a network and images so small that each training takes a second."""

from dataclasses import replace

import numpy as np
import pytest

from skinlesion.model.predict import probabilities
from skinlesion.runtime.errors import UserError
from skinlesion.train.callbacks import MEASURES
from skinlesion.train.fit import fit
from skinlesion.train.machine import backends

pytestmark = pytest.mark.training

COLUMNS = [
    "epoch",
    "phase",
    "learning_rate",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "val_roc_auc_macro",
]


@pytest.fixture
def train(tiny, easy, easy_validation, train_params, phase):
    """`train(phases, validation, **changes)`: the history and the best epoch of `tiny`."""

    def run(phases: list | None = None, validation: tuple = easy_validation, labels: np.ndarray = easy[1], **changes):
        return fit(tiny, (easy[0], labels), validation, phases or [phase()], train_params(**changes), seed=1)

    return run


def test_the_loss_falls_and_easy_images_are_learned_but_not_with_shuffled_labels(train, tiny, easy, phase):
    start = tiny.get_weights()
    history, _ = train([phase(epochs=8)])
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    assert history["val_balanced_accuracy"].max() > 0.8
    tiny.set_weights(start)
    history, _ = train([phase(epochs=8)], labels=np.random.default_rng(4).permutation(easy[1]))
    assert history["val_balanced_accuracy"].max() < 0.8


@pytest.mark.parametrize("monitor", MEASURES)
def test_the_model_ends_with_its_best_epoch(monitor, train, tiny, contrary, phase):
    history, best = train([phase(epochs=4)], validation=contrary, monitor=monitor)
    column = history[f"val_{monitor}"]
    assert column[best - 1] == (column.min() if monitor == "loss" else column.max())
    if monitor == "loss":
        assert best < len(history) == 4, "the last epoch's weights are others"
    images, labels = contrary
    after = probabilities(tiny, images, 8)
    for name, (measure, _) in MEASURES.items():
        assert measure(labels, after) == pytest.approx(history[f"val_{name}"][best - 1], rel=1e-5)


def test_the_history_has_a_row_per_epoch_and_max_epochs_caps_every_phase(train, phase):
    history, _ = train([phase("head", 2, 1e-2), phase("all", 3, 1e-3)], max_epochs=2)
    assert set(history.columns) == set(COLUMNS)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["phase"].tolist() == [1, 1, 2, 2]
    np.testing.assert_allclose(history["learning_rate"], [1e-2, 1e-2, 1e-3, 1e-3], rtol=1e-6)
    assert np.isfinite(history.to_numpy()).all()


def test_a_second_phase_starts_with_the_best_weights_of_the_first(train, contrary, phase):
    """It learns almost nothing at its rate: its validation is that of the best epoch, not of the last."""
    history, best = train([phase(epochs=4), phase(3, 1, 1e-9, "frozen")], validation=contrary)
    first = history["val_loss"][:4]
    assert first.idxmin() != 3
    assert history["val_loss"].iloc[4] == pytest.approx(first.min(), abs=1e-4)
    assert best in (first.idxmin() + 1, 5)


def test_early_stopping_ends_a_phase_and_the_next_one_starts(train, contrary, phase):
    history, _ = train([phase("all", 20), phase("head", 20)], validation=contrary, early_stopping=2)
    for _, rows in history.groupby("phase"):
        assert len(rows) - 1 - rows["val_loss"].to_numpy().argmin() == 2
        assert len(rows) < 20
    assert history["phase"].unique().tolist() == [1, 2]
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))


def test_a_plateau_lowers_the_rate_and_a_phase_starts_with_its_own(train, contrary, phase):
    lowering = {"patience": 1, "factor": 0.5}
    phases = [phase("all", 5, 1e-2), phase("all", 1, 3e-3)]
    history, _ = train(phases, validation=contrary, reduce_learning_rate=lowering)
    rates, losses = history["learning_rate"].to_numpy(), history["val_loss"].to_numpy()
    expected = [1e-2]
    for epoch in range(1, 4 + 1):
        worse = epoch > 1 and losses[epoch - 1] >= losses[: epoch - 1].min()
        expected.append(expected[-1] * (0.5 if worse else 1))
    assert expected[-1] < 1e-2
    np.testing.assert_allclose(rates, [*expected, 3e-3], rtol=1e-5)


def test_a_loss_that_is_not_finite_names_the_remedy(train, phase):
    with pytest.raises(UserError, match=r"diverged.*learning_rate"):
        train([phase(learning_rate=1e38)])


KERNELS = {"first/kernel", "first/bias", "second/kernel", "second/bias"}
SECOND_NORM = {f"second_norm/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")}


@pytest.mark.parametrize(
    ("phases", "changed"),
    [
        ([("all", 1e-2, "train")], None),
        ([("head", 1e-2, "frozen")], set()),
        ([(4, 1e-2, "frozen")], {"second/kernel", "second/bias"}),
        ([(4, 1e-2, "train")], {"second/kernel", "second/bias", *SECOND_NORM}),
        ([("head", 1e-4, "frozen"), ("all", 1e-2, "frozen")], KERNELS),
        ([("head", 1e-4, "frozen"), ("all", 1e-2, "train")], None),
    ],
    ids=["all", "head", "from layer 4", "from layer 4, norm", "head, then all", "head, then all, norm"],
)
def test_these_weights_and_moving_statistics_of_the_backbone_change(phases, changed, train, tiny, phase):
    weights = [*tiny.get_layer("backbone").weights, *tiny.get_layer("head").weights]
    before = [weight.numpy() for weight in weights]
    train([phase(part, 1, rate, batch_norm) for part, rate, batch_norm in phases])
    moved = {weight.path for weight, old in zip(weights, before, strict=True) if not np.array_equal(weight, old)}
    head = {"probabilities/kernel", "probabilities/bias"}
    assert moved == ({weight.path for weight in weights} if changed is None else changed | head)


def test_a_phase_from_a_layer_that_is_missing_stops_before_training(train, tiny, phase):
    before = tiny.get_weights()
    with pytest.raises(UserError, match=r"layer 100 .* 6 layers"):
        train([phase(), phase(100)])
    assert all(np.array_equal(*pair) for pair in zip(before, tiny.get_weights(), strict=True))


@pytest.mark.parametrize(("kernels", "used"), [("fused", 1), ("keras", 0)])
def test_kernels_choose_fused_ones_or_keras_own(kernels, used, train, monkeypatch):
    calls, fast = [], backends.current.fused
    counted = replace(backends.current, fused=lambda model: calls.append(model) or fast(model))
    monkeypatch.setattr(backends, "current", counted)
    history, _ = train(kernels=kernels)
    assert len(calls) == used
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
