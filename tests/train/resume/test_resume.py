"""A training that is cut off and goes on ends with the weights of one that was never cut off, to the bit."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from skinlesion.runtime.errors import UserError
from skinlesion.train.callbacks import Diverged
from skinlesion.train.fit import fit
from skinlesion.train.resume.key import folder, kept_progress, key_of
from skinlesion.train.resume.progress import Progress

pytestmark = pytest.mark.training


class Cut(Exception):
    """Stands for a kill: nothing after it in the process matters."""


class CutProgress(Progress):
    """Is killed once the epoch `after` is written, from 1."""

    after = 0

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        super().write(arrays)
        if len(self.history) == self.after:
            raise Cut


class KeptProgress(Progress):
    """Keeps what a kill after each epoch would leave, in files of its own."""

    def after(self, epoch: int) -> Path:
        return self.path.with_name(f"{epoch}.npz")

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        super().write(arrays)
        shutil.copy(self.path, self.after(len(self.history)))


OFF = dict.fromkeys(("flip_vertical", "zoom", "shift", "shear", "brightness", "contrast"), 0)
# phases (what trains, epochs), changes of the section train
CASES = {
    "online augmentation, two phases, slowed and stopped": (
        [("head", 6), ("all", 6)],
        {
            "augmentation": {**OFF, "flip_horizontal": 0.5, "rotate": 20},
            "reduce_learning_rate": {"patience": 1, "factor": 0.5},
            "early_stopping": 2,
        },
    ),
    "moving averages on a schedule": ([("all", 4)], {"ema": 0.9, "schedule": "cosine", "warmup_epochs": 1}),
    "a head on features, then all": ([("head", 3), ("all", 2)], {}),
    "a head on the features of a backbone that was trained": ([("all", 2), ("head", 3)], {}),
    "weighed classes, adamw": (
        [("all", 3)],
        {"class_weights": "balanced", "optimizer": "adamw", "weight_decay": 0.01, "label_smoothing": 0.1},
    ),
}


@pytest.fixture
def train(make_tiny, easy, contrary, how, phase) -> Callable[..., tuple[list[np.ndarray], pd.DataFrame, int]]:
    """`train(phases, changes, progress)`: the weights, the history and the best epoch of a new model."""

    def run(phases: list, changes: dict, progress: Progress | None = None) -> tuple:
        model = make_tiny(dropout=0.3)
        stretch = [phase(part, epochs, 3e-3) for part, epochs in phases]
        history, best = fit(model, easy, contrary, stretch, how(**changes), 7, progress)
        return model.get_weights(), history, best

    return run


def assert_same(one: tuple, other: tuple) -> None:
    pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)
    assert all(np.array_equal(*pair) for pair in zip(one[0], other[0], strict=True))
    assert one[2] == other[2]


@pytest.mark.parametrize("case", CASES)
def test_cut_after_an_epoch_it_ends_the_same(case: str, train: Callable, tmp_path: Path) -> None:
    phases, changes = CASES[case]
    progress = KeptProgress(tmp_path / "kept.npz")
    whole = train(phases, changes, progress)
    epochs = len(whole[1])
    if changes.get("early_stopping"):
        assert epochs < sum(count for _, count in phases)
    for after in {2, int((whole[1]["phase"] == 1).sum()), epochs}:
        resumed = Progress(progress.after(after))
        assert len(resumed.history) == after
        assert_same(train(phases, changes, resumed), whole)


def test_it_can_be_cut_again_and_again(train: Callable, tmp_path: Path) -> None:
    phases = [("all", 3)]
    whole = train(phases, {})
    for after in (1, 2):
        progress = CutProgress(tmp_path / "kept.npz")
        progress.after = after
        with pytest.raises(Cut):
            train(phases, {}, progress)
    assert_same(train(phases, {}, Progress(tmp_path / "kept.npz")), whole)


@pytest.mark.parametrize("content", [b"", b"PK half a file", b"text"])
def test_what_cannot_be_read_is_told_and_left_alone(content: bytes, tmp_path: Path, capsys) -> None:
    path = tmp_path / "kept.npz"
    path.write_bytes(content)
    progress = Progress(path)
    assert (progress.phase, progress.history, progress.arrays) == (1, [], None)
    assert f"{path} cannot be read" in capsys.readouterr().out


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """An empty folder with models/, as the current one."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(key: str) -> Path:
    with pytest.raises(Cut), kept_progress(key) as progress:
        progress.write({"variable_0": np.zeros(3)})
        raise Cut
    return progress.path


def test_it_is_kept_when_the_process_is_stopped_and_gone_at_the_end(here: Path) -> None:
    path = write("key")
    assert path.exists()
    with kept_progress("key") as progress:
        assert progress.arrays["variable_0"].tolist() == [0, 0, 0]
    assert list((here / "models").iterdir()) == []


def test_what_would_fail_again_is_not_kept(here: Path) -> None:
    write("key")
    with pytest.raises(Diverged), kept_progress("key"):
        raise Diverged("the loss is no longer a number")
    assert list((here / "models").iterdir()) == []


def test_what_the_user_can_mend_leaves_it_in_place(here: Path) -> None:
    path = write("key")
    with pytest.raises(UserError), kept_progress("key"):
        raise UserError("plots is a file: move it away, then run again")
    assert path.exists()


def test_another_training_does_not_go_on_from_it_nor_removes_it(here: Path) -> None:
    path = write("one")
    with kept_progress("other") as progress:
        assert progress.arrays is None
    assert path.exists()


def test_what_nobody_went_on_with_is_forgotten(here: Path) -> None:
    old, new = write("old"), write("new")
    past = time.time() - 30 * 24 * 3600
    os.utime(old, (past, past))
    with kept_progress("third"):
        assert not old.exists()
    assert new.exists()


def test_an_experiment_of_the_queue_keeps_it_in_the_repository(tmp_path: Path, monkeypatch) -> None:
    own = tmp_path / ".dvc" / "tmp" / "exps" / "temporary"
    own.mkdir(parents=True)
    monkeypatch.chdir(own)
    assert folder() == tmp_path / "models"


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 18},
        {"images.fit": "stretch"},
        {"train.batch_size": 16},
        {"model.attention": "se"},
        {"configurations.quick": [{"train": "all", "epochs": 21, "learning_rate": 3.0e-4}]},
        {"heads.gap": [{"average_pool": "global"}, {"dropout": 0.2}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_key_hangs_on_the_params(changes: dict, change, tiny: keras.Model, easy: tuple) -> None:
    assert key(change(changes), tiny, easy) != key(change({}), tiny, easy)


def test_the_key_hangs_on_data_weights_and_machine_alone(change, make_tiny, easy: tuple) -> None:
    settings, model, (images, labels) = change({}), make_tiny(), easy
    first = key(settings, model, easy)
    assert key(change({"evaluate.bootstrap": 200, "split.test": 0.1, "split.train": 0.75}), make_tiny(), easy) == first
    assert key(settings, model, (255 - images, labels)) != first
    assert key(settings, model, (images, labels[::-1])) != first
    assert key(settings, model, easy, device="gpu") != first
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert key(settings, model, easy) != first


def key(settings, model: keras.Model, data: tuple, device: str = "cpu") -> str:
    return key_of(settings, model, data, device=device)
