"""A training that is interrupted and resumed ends with the weights of an uninterrupted one, to the bit."""

import os
import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from skinlesion.runtime.errors import UserError
from skinlesion.train.callbacks import Diverged
from skinlesion.train.fit import fit
from skinlesion.train.resume import key
from skinlesion.train.resume.key import hash_training, kept_progress, models_folder
from skinlesion.train.resume.progress import Progress

pytestmark = pytest.mark.training


class KeptProgress(Progress):
    """Keeps a copy of the file after each epoch, as a kill then would leave it."""

    def after(self, epoch: int) -> Path:
        return self.path.with_name(f"{epoch}.npz")

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        super().write(arrays)
        shutil.copy(self.path, self.after(len(self.history)))


OFF = dict.fromkeys(("flip_vertical", "zoom", "shift", "shear", "brightness", "contrast"), 0)
# phases (what trains, epochs, learning rate), changes of the section train, epochs after which it is interrupted
CASES = {
    "online augmentation, slowed and stopped": (
        [("head", 6, 3e-3), ("all", 6, 3e-3)],
        {
            "augmentation": {**OFF, "flip_horizontal": 0.5, "rotate": 20},
            "reduce_learning_rate": {"patience": 1, "factor": 0.5},
            "early_stopping": 2,
        },
    ),
    "moving averages on a schedule, balanced and mixed": (
        [("all", 2, 3e-3), ("all", 2, 3e-3)],
        {"ema": 0.9, "schedule": "cosine", "warmup_epochs": 1, "sampling": "balanced", "mix": "mixup"},
    ),
    "a head on features between two phases of all": (
        [("all", 1, 3e-3), ("head", 2, 3e-3), ("all", 1, 3e-3)],
        {"class_weights": "balanced", "optimizer": "adamw", "weight_decay": 0.01, "label_smoothing": 0.1},
    ),
    "a validation loss that hardly moves, so that the rate is lowered": (
        [("head", 3, 1e-9), ("head", 2, 1e-9)],
        {"reduce_learning_rate": {"patience": 1, "factor": 0.5}},
    ),
}


@pytest.fixture
def train(make_tiny, easy, contrary, train_params, phase) -> Callable[..., tuple[list[np.ndarray], pd.DataFrame, int]]:
    """`train(phases, changes, progress)`: the weights, the history and the best epoch of a new model."""

    def run(phases: list, changes: dict, progress: Progress) -> tuple:
        model = make_tiny({"average_pool": "global"}, {"dropout": 0.3})
        rows = [phase(*row) for row in phases]
        history, best = fit(model, easy, contrary, rows, train_params(**changes), 7, progress)
        return model.get_weights(), history, best

    return run


@pytest.mark.parametrize("case", CASES)
def test_interrupted_after_an_epoch_it_ends_the_same(case: str, train: Callable, tmp_path: Path) -> None:
    phases, changes = CASES[case]
    progress = KeptProgress(tmp_path / "kept.npz")
    weights, history, best = train(phases, changes, progress)
    if changes.get("early_stopping"):
        assert len(history) < sum(count for _, count, _ in phases)
    if changes.get("reduce_learning_rate"):
        assert history["learning_rate"].nunique() > 1
    interrupted = tmp_path / "interrupted.npz"
    first = int((history["phase"] == 1).sum())
    for after in {1, first, first + 1, len(history) - 1, len(history)}:
        shutil.copy(progress.after(after), interrupted)
        resumed = Progress(interrupted)
        assert len(resumed.history) == after
        again = train(phases, changes, resumed)
        pd.testing.assert_frame_equal(again[1], history, check_exact=True)
        assert all(np.array_equal(*pair) for pair in zip(again[0], weights, strict=True))
        assert again[2] == best


@pytest.mark.parametrize("content", [b"", b"PK half a file", b"text"])
def test_a_file_that_cannot_be_read_is_named_and_not_used(content: bytes, tmp_path: Path, capsys) -> None:
    path = tmp_path / "kept.npz"
    path.write_bytes(content)
    progress = Progress(path)
    assert (progress.phase, progress.history, progress.arrays) == (1, [], None)
    assert f"{path} cannot be read" in capsys.readouterr().out


@pytest.fixture
def models(tmp_path: Path, monkeypatch) -> Path:
    """An empty folder models/ in the current folder."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def interrupt(key: str, error: Exception) -> Path:
    """The path of a training's progress that ends with `error` after an epoch."""
    with pytest.raises(type(error)), kept_progress(key) as progress:
        progress.write({"variable_0": np.zeros(3)})
        raise error
    return progress.path


@pytest.mark.parametrize(
    ("error", "stays"), [(KeyboardInterrupt(), True), (UserError("move it"), True), (Diverged("NaN"), False)]
)
def test_progress_stays_after_every_error_but_divergence_and_goes_at_the_end(error, stays, models) -> None:
    path = interrupt("key", error)
    assert path.exists() == stays
    with kept_progress("other") as progress:
        assert progress.arrays is None
    assert path.exists() == stays, "another training neither uses nor deletes it"
    with kept_progress("key") as progress:
        assert (progress.arrays is not None) == stays
    assert list(models.iterdir()) == []


def test_progress_unused_for_14_days_is_deleted(models) -> None:
    old, new = interrupt("old", KeyboardInterrupt()), interrupt("new", KeyboardInterrupt())
    for path, days in {old: 14.1, new: 13.9}.items():
        past = time.time() - days * 24 * 3600
        os.utime(path, (past, past))
    with kept_progress("third"):
        assert not old.exists()
        assert new.exists()


def test_an_experiment_of_the_queue_keeps_its_progress_in_the_repository(tmp_path: Path, monkeypatch) -> None:
    own = tmp_path / ".dvc" / "tmp" / "exps" / "temporary"
    own.mkdir(parents=True)
    monkeypatch.chdir(own)
    assert models_folder() == tmp_path / "models"


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 18},
        {"images.fit": "stretch"},
        {"train.batch_size": 16},
        {"model.attention": "se"},
        {"configurations.quick": [{"train": "all", "epochs": 21, "learning_rate": 3.0e-4, "batch_norm": "train"}]},
        {"heads.gap": [{"average_pool": "global"}, {"dropout": 0.2}]},
        {"backbones.resnet18.preprocessing": "tf"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_key_depends_on_the_params(changes: dict, change, tiny: keras.Model, easy: tuple) -> None:
    assert hash_training(change(changes), tiny, easy) != hash_training(change({}), tiny, easy)


def test_the_key_depends_on_data_weights_machine_code_and_versions_and_nothing_else(
    change, make_tiny, easy: tuple, tmp_path: Path, monkeypatch
) -> None:
    settings, model, (images, labels) = change({}), make_tiny(), easy
    first = hash_training(settings, model, easy, device="cpu")
    others = change({"evaluate.bootstrap": 200, "split.test": 0.1, "split.train": 0.75})
    assert hash_training(others, make_tiny(), easy, device="cpu") == first
    assert hash_training(settings, model, (255 - images, labels), device="cpu") != first
    assert hash_training(settings, model, (images, labels[::-1]), device="cpu") != first
    assert hash_training(settings, model, easy, device="gpu") != first
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert hash_training(settings, model, easy, device="cpu") != first
    first = hash_training(settings, model, easy)
    with monkeypatch.context() as patch:
        patch.setattr(key, "version", lambda package: f"{version(package)}.1")
        assert hash_training(settings, model, easy) != first
    rooms = [shutil.copytree(room, tmp_path / room.name) for room in key.CODE]
    monkeypatch.setattr(key, "CODE", rooms)
    assert hash_training(settings, model, easy) == first
    for room in rooms:
        file = next(room.rglob("*.py"))
        file.write_text(file.read_text() + "\n")
        changed = hash_training(settings, model, easy)
        assert changed != first
        first = changed
