"""The stages train and evaluate on a tiny set, in folders of their own; what one says, the other finds."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import yaml
from PIL import Image

import stages.evaluate
import stages.train
from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle
from skinlesion.model.predict import probabilities
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import processor
from skinlesion.train.network import build
from tests.helpers.chain import ROOT
from tests.helpers.trainings import NUMBERS, SMALL, finish, start, write_set

CASE = "features, then all"
COMMITTED = {"images.size": 32, "train.max_epochs": 2, "train.batch_size": 8, "train.device": "cpu"}

pytestmark = pytest.mark.training


@pytest.fixture(scope="session")
def trained(make_trained) -> Path:
    """A folder whose training had no test images."""
    return make_trained("tensorflow", CASE) / "whole"


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory) -> Path:
    """The same model's, evaluated without a picture that it was trained on."""
    return Path(shutil.copytree(trained.parent / "evaluated", tmp_path_factory.mktemp("evaluate") / "d"))


@pytest.fixture
def make_set(tmp_path, write_params) -> Callable[..., Path]:
    """`make_set("train", changes={"train.ema": None})`: a folder with params and the images of those splits."""

    def make(*splits: str, changes: dict | None = None) -> Path:
        write_params(write_set(tmp_path, *splits) / "params.yaml", SMALL | (changes or {}))
        return tmp_path

    return make


def in_folder(folder: Path, main: Callable[[], dict]) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return main()


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.chain
@pytest.mark.slow
def test_equal_trainings_of_the_committed_backbone_are_equal_bytes(tmp_path, write_params):
    """Its sums of gradients are many, and two processes at work make them end in any order."""
    folders = [write_set(tmp_path / name, "train", "validation") for name in ("one", "other")]
    for folder in folders:
        write_params(folder / "params.yaml", COMMITTED)
    for process in [start("train", folder) for folder in folders]:
        finish(process)
    for path in (paths.MODEL, paths.HISTORY, paths.TRAIN_METRICS):
        first, second = ((folder / path).read_bytes() for folder in folders)
        assert first == second, path


def test_train_metrics_say_what_was_trained(trained):
    metrics = read(trained / paths.TRAIN_METRICS)
    history = pd.read_csv(trained / paths.HISTORY)
    best = history.loc[history["val_loss"].idxmin()]
    assert metrics.pop("validation") == {
        name: pytest.approx(best[f"val_{name}"], abs=6e-5) for name in ("loss", "accuracy", "balanced_accuracy")
    }
    kernels, norms, head = 64 * 7 * 7 * 3 + 2 * 64 * 3 * 3 * 64, 3 * 4 * 64, 64 * 7 + 7
    assert metrics == {
        "parameters": kernels + norms + head,
        "trainable_parameters": kernels + head,  # norms rest once a phase has trained the head alone
        "epochs": 5,
        "best_epoch": best["epoch"],
        "device": "cpu",
        "precision": "float32",
        "processor": processor.describe(),
    }


def test_evaluate_agrees_with_train(trained, make_set):
    """Validation images, shown to evaluate as its test split, have the figures that train wrote."""
    folder = make_set("validation")
    shutil.copytree(trained / "models", folder / "models")
    table = pd.read_csv(folder / paths.SPLITS)
    table = table[table["split"] == "validation"]
    table = pd.concat([table, table.assign(split="test")])
    table.to_csv(folder / paths.SPLITS, index=False)
    said, found = read(trained / paths.TRAIN_METRICS)["validation"], in_folder(folder, stages.evaluate.main)
    assert found["log_loss"] == pytest.approx(said["loss"], abs=2e-4)
    assert found["accuracy"] == said["accuracy"]
    assert found["balanced_accuracy"] == said["balanced_accuracy"]


def test_predictions_are_of_validation_and_test_in_the_order_of_the_splits(evaluated):
    splits = pd.read_csv(evaluated / paths.SPLITS)
    predictions = pd.read_csv(evaluated / paths.PREDICTIONS)
    columns = ["split", "path", "image_id", "group", "dx"]
    expected = pd.concat([splits.loc[splits["split"] == split, columns] for split in ("validation", "test")])
    pd.testing.assert_frame_equal(predictions[columns], expected.reset_index(drop=True))


def test_predictions_are_the_models(evaluated):
    predictions = pd.read_csv(evaluated / paths.PREDICTIONS)
    folder = evaluated / "data/merged/images"
    images = np.stack([np.asarray(Image.open(folder / f"{name}.png")) for name in predictions["image_id"]])
    said = bundle.load(evaluated / paths.MODEL).model.predict(images, verbose=0)
    np.testing.assert_allclose(predictions[list(CODES)], said, atol=2e-6)


def test_test_metrics_follow_from_the_predictions(evaluated):
    predictions = pd.read_csv(evaluated / paths.PREDICTIONS).query("split == 'test'")
    truth, guess, chances = predictions["dx"], predictions["predicted"], predictions[list(CODES)].to_numpy()
    chances = chances / chances.sum(axis=1, keepdims=True)
    macro = {"average": "macro", "zero_division": 0}
    expected = {
        "accuracy": (truth == guess).mean(),
        "balanced_accuracy": np.mean([(guess[truth == code] == code).mean() for code in CODES]),
        "precision_macro": sklearn.metrics.precision_score(truth, guess, **macro),
        "f1_macro": sklearn.metrics.f1_score(truth, guess, **macro),
        "f1_weighted": sklearn.metrics.f1_score(truth, guess, average="weighted", zero_division=0),
        "roc_auc_macro": sklearn.metrics.roc_auc_score(truth, chances, multi_class="ovr", average="macro"),
        "log_loss": sklearn.metrics.log_loss(truth, chances),
    }
    assert set(truth) == set(CODES)
    found = read(evaluated / paths.TEST_METRICS)
    assert found.pop("protocol") == "image"
    assert expected.keys() < found.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=6e-5), name


def test_evaluate_writes_its_plots(evaluated):
    folder = evaluated / paths.EVALUATE_PLOTS
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["evaluate"]["plots"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(Path(name).name for one in declared for name in one)
    assert len(pd.read_csv(folder / "confusion.csv")) == NUMBERS["test"]


def test_evaluating_again_changes_no_byte_and_clears_old_plots(evaluated):
    def state() -> dict[Path, bytes]:
        written = [paths.PREDICTIONS, paths.TEST_METRICS, paths.INTERVALS_METRICS, paths.EVALUATE_PLOTS]
        files = [file for path in written for file in [evaluated / path, *(evaluated / path).glob("*")]]
        return {file: file.read_bytes() for file in files if file.is_file()}

    before = state()
    (evaluated / paths.EVALUATE_PLOTS / "stale.csv").write_text("of an earlier version")
    in_folder(evaluated, stages.evaluate.main)
    assert len(before) == 14
    assert state() == before


def test_all_that_follows_from_the_predictions_is_made_again_from_them_alone(evaluated, tmp_path):
    """Without model, images or splits."""
    (tmp_path / "data").mkdir()
    for path in (paths.PREDICTIONS, paths.PARAMS, paths.NETWORKS):
        shutil.copy(evaluated / path, tmp_path / path)
    in_folder(tmp_path, lambda: stages.evaluate.describe(params.load()))
    again = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix in (".json", ".csv")]
    assert len(again) == 14
    for file in again:
        assert file.read_bytes() == (evaluated / file.relative_to(tmp_path)).read_bytes(), file


def test_labels_of_the_test_split_leave_predictions_and_thresholds_alone(evaluated, tmp_path):
    (tmp_path / "data").mkdir()
    table = pd.read_csv(evaluated / paths.PREDICTIONS)
    is_test = table["split"] == "test"
    table.loc[is_test, "dx"] = table.loc[is_test, "dx"].sample(frac=1, random_state=3).to_numpy()
    table.to_csv(tmp_path / paths.PREDICTIONS, index=False)
    for path in (paths.PARAMS, paths.NETWORKS):
        shutil.copy(evaluated / path, tmp_path)
    in_folder(tmp_path, lambda: stages.evaluate.describe(params.load()))
    before, after = (
        pd.read_csv(folder / paths.EVALUATE_PLOTS / "operating_points.csv") for folder in (evaluated, tmp_path)
    )
    assert before["threshold"].equals(after["threshold"])
    assert not before["sensitivity"].equals(after["sensitivity"])


def test_evaluate_without_a_model_says_how_to_get_one(make_set):
    with pytest.raises(UserError, match="train a model first"):
        in_folder(make_set("validation", "test"), stages.evaluate.main)


@pytest.mark.bfloat16
def test_mixed_precision_and_frozen_layers_end_in_a_float32_model_that_predicts_the_same(make_set, monkeypatch):
    phases = [
        {"train": "head", "epochs": 1, "learning_rate": 1e-2},
        {"train": 8, "epochs": 1, "learning_rate": 1e-3},
    ]
    changes = {
        "train.precision": "mixed_bfloat16",
        "train.deterministic": False,  # too late to ask for, in this process
        "train.monitor": "balanced_accuracy",
        "configurations.quick": phases,
    }
    folder = make_set("train", "validation", changes=changes)
    built: list[keras.Model] = []
    make = build.build
    monkeypatch.setattr(build, "build", lambda *args, **more: built.append(make(*args, **more)) or built[-1])
    try:
        metrics = in_folder(folder, stages.train.main)
    finally:
        keras.config.set_dtype_policy("float32")

    trained, saved = built[0], bundle.load(folder / paths.MODEL).model
    assert trained.get_layer("backbone").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in saved._flatten_layers()} == {"float32"}
    for one, other in zip(trained.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    pair = [probabilities(model, images, 6) for model in (trained, saved)]
    np.testing.assert_allclose(*pair, atol=0.03)
    assert metrics["precision"] == "mixed_bfloat16"
    last_stage = sum(
        weight.shape.num_elements()
        for layer in trained.get_layer("backbone").layers[8:]
        for weight in layer.trainable_weights
    )
    assert metrics["trainable_parameters"] == last_stage + 64 * 7 + 7
    assert 0 < last_stage < 2 * 64 * 3 * 3 * 64
    assert metrics["epochs"] == 2


def test_a_gpu_that_is_not_there_stops_train_before_it_writes(make_set, monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [])
    folder = make_set("train", "validation", changes={"train.device": "gpu", "train.deterministic": False})
    with pytest.raises(UserError, match="sees no GPU"):
        in_folder(folder, stages.train.main)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "networks.yaml", "params.yaml"]
