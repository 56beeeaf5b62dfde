"""What a fit promises, on a network and images so small that it takes a second."""

import keras
import numpy as np
import pytest

from skinlesion.model.predict import probabilities
from skinlesion.runtime.errors import UserError
from skinlesion.train.callbacks import MEASURES
from skinlesion.train.fit import fit

pytestmark = pytest.mark.training

COLUMNS = ["epoch", "phase", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy"]


def values(model: keras.Model) -> dict[str, np.ndarray]:
    """The backbone's weights and moving statistics, by layer and name."""
    return {
        f"{layer.name}.{weight.name}": weight.numpy().copy()
        for layer in model.get_layer("backbone").layers
        for weight in layer.weights
    }


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


@pytest.fixture
def trained(tiny, easy, easy_validation, how, phase):
    """`trained(phases, ...)`: the history, the best epoch, and what of the backbone changed."""

    def train(phases: list | None = None, validation: tuple = easy_validation, seed: int = 1, **changes):
        before = values(tiny)
        history, best = fit(tiny, easy, validation, phases or [phase()], how(**changes), seed)
        return history, best, changed(before, values(tiny))

    return train


def test_the_loss_falls_and_the_easy_set_is_learned(trained, phase):
    history, _, _ = trained([phase(epochs=8)])
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    assert history["val_balanced_accuracy"].max() > 0.8


def test_labels_in_another_order_cannot_be_learned(tiny, easy, easy_validation, how, phase):
    images, labels = easy
    mixed = np.random.default_rng(4).permutation(labels)
    history, _ = fit(tiny, (images, mixed), easy_validation, [phase(epochs=8)], how(), seed=1)
    assert history["val_balanced_accuracy"].max() < 0.8


@pytest.mark.parametrize("monitor", ["loss", "accuracy", "balanced_accuracy"])
def test_the_model_ends_with_its_best_epoch(monitor, trained, tiny, contrary, phase):
    history, best, _ = trained([phase(epochs=5)], validation=contrary, monitor=monitor)
    column = history[f"val_{monitor}"]
    extreme = column.min() if monitor == "loss" else column.max()
    assert column[best - 1] == extreme
    if monitor == "loss":
        assert best < len(history) == 5, "the last epoch's weights would not do"
    images, labels = contrary
    after = probabilities(tiny, images, 8)
    for name, (measure, _) in MEASURES.items():
        assert measure(labels, after) == pytest.approx(history[f"val_{name}"][best - 1], rel=1e-5)


def test_the_history_has_a_row_an_epoch(trained, phase):
    history, _, _ = trained([phase("head", 2, 1e-2), phase("all", 3, 1e-3)])
    assert set(history.columns) == set(COLUMNS)
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["phase"].tolist() == [1, 1, 2, 2, 2]
    np.testing.assert_allclose(history["learning_rate"], [1e-2, 1e-2, 1e-3, 1e-3, 1e-3], rtol=1e-6)
    assert np.isfinite(history.to_numpy()).all()


def test_a_second_phase_begins_with_the_best_weights_of_the_first(trained, contrary, phase):
    """It learns almost nothing at its rate: its validation is the best epoch's, not the last one's."""
    history, best, _ = trained([phase(epochs=4), phase(3, 1, 1e-9)], validation=contrary)
    first = history["val_loss"][:4]
    assert first.idxmin() != 3
    assert history["val_loss"].iloc[4] == pytest.approx(first.min(), abs=1e-4)
    assert best in (first.idxmin() + 1, 5)


def test_max_epochs_caps_every_phase(trained, phase):
    history, _, _ = trained([phase("head", 3), phase("all", 2)], max_epochs=1)
    assert history[["epoch", "phase"]].to_numpy().tolist() == [[1, 1], [2, 2]]


def test_early_stopping_ends_a_phase_and_the_next_one_begins(trained, contrary, phase):
    history, _, _ = trained([phase("all", 20), phase("head", 20)], validation=contrary, early_stopping=2)
    for _, rows in history.groupby("phase"):
        since_best = len(rows) - 1 - rows["val_loss"].to_numpy().argmin()
        assert since_best == 2
        assert len(rows) < 20
    assert history["phase"].unique().tolist() == [1, 2]
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))


def test_a_plateau_lowers_the_rate_and_a_phase_starts_with_its_own(trained, contrary, phase):
    history, _, _ = trained(
        [phase("all", 5, 1e-2), phase("all", 1, 3e-3)],
        validation=contrary,
        reduce_learning_rate={"patience": 1, "factor": 0.5},
    )
    rates, losses = history["learning_rate"].to_numpy(), history["val_loss"].to_numpy()
    expected = [1e-2]
    for epoch in range(1, 4 + 1):
        worse = epoch > 1 and losses[epoch - 1] >= losses[: epoch - 1].min()
        expected.append(expected[-1] * (0.5 if worse else 1))
    assert expected[-1] < 1e-2
    assert set(history.columns) == set(COLUMNS)
    np.testing.assert_allclose(rates, [*expected, 3e-3], rtol=1e-5)


def test_a_loss_that_is_no_number_names_the_remedy(trained, phase):
    with pytest.raises(UserError, match=r"no longer a number.*learning_rate"):
        trained([phase(learning_rate=1e38)])


def test_a_configuration_of_one_phase_for_all_changes_all(trained, tiny, phase):
    _, _, moved = trained([phase("all", 1)])
    assert moved == set(values(tiny))


def test_a_configuration_of_the_head_alone_changes_nothing_of_the_backbone(trained, tiny, phase):
    head = [weight.numpy().copy() for weight in tiny.get_layer("head").weights]
    history, _, moved = trained([phase("head", 3)])
    assert moved == set()
    assert not any(np.array_equal(*pair) for pair in zip(head, tiny.get_layer("head").get_weights(), strict=True))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_a_phase_from_a_layer_on_changes_what_follows_it_but_no_norm(trained, phase):
    assert trained([phase(4, 1)])[2] == {"second.kernel", "second.bias"}


def test_norms_rest_when_a_later_phase_trains_all(trained, phase):
    _, best, moved = trained([phase("head", 1, 1e-4), phase("all", 2, 1e-2)])
    assert best > 1, "the second phase is what the model ends with"
    assert moved == {"first.kernel", "first.bias", "second.kernel", "second.bias"}


def test_monitoring_balanced_accuracy_takes_the_highest(trained, phase):
    history, best, _ = trained([phase(epochs=6)], monitor="balanced_accuracy", early_stopping=5)
    column = history["val_balanced_accuracy"]
    assert column.max() > column.min()
    assert best == column.argmax() + 1
