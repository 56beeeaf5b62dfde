"""The stages train and evaluate on a tiny set, in folders of their own; what one says, the other finds.

Equal trainings run in processes of their own: that operations repeat must be said before TensorFlow starts, and the
names of layers count up within a process.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import yaml
from PIL import Image

import stages.evaluate
import stages.train
from skinlesion import params, paths, processor
from skinlesion.classes import CODES
from skinlesion.errors import UserError
from skinlesion.model import build, bundle
from skinlesion.predict import probabilities

ROOT = Path(__file__).parents[2]
NUMBERS = {"train": 28, "validation": 15, "test": 17, "unused": 2}
SMALL = {
    "images.size": 32,
    "train.max_epochs": 2,
    "train.batch_size": 8,
    "train.schedule": "constant",
    "train.warmup_epochs": 0,
    "evaluate.batch_size": 5,
    "train.device": "cpu",
    "split.protocol": "image",
    "configurations.quick": [{"train": "all", "epochs": 30, "learning_rate": 1e-3}],
}


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in {**SMALL, **changes}.items():
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        section[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def write_set(folder: Path, splits: list[str], changes: dict[str, Any]) -> Path:
    """params.yaml, data/splits.csv with rows of every split, and the pictures of `splits` alone."""
    random, rows = np.random.default_rng(0), []
    colours = random.integers(60, 200, (7, 3))
    for split, number in NUMBERS.items():
        for index in range(number):
            image_id, dx = f"{split}_{index}", CODES[index % 7]
            path = Path("data/merged/images") / f"{image_id}.png"
            rows.append([path, image_id, f"group_{image_id}", dx, False, None, True, split])
            pixels = np.clip(colours[index % 7] + random.normal(0, 40, (32, 32, 3)), 0, 255).astype(np.uint8)
            if split in splits:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / path)
    columns = ["path", "image_id", "group", "dx", "augmented", "operations", "balanced", "split"]
    table = pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)
    table.to_csv(folder / paths.SPLITS, index=False)
    about = {"age": 50.0, "sex": "male", "localization": "back", "dx_type": "histo"}
    table[["image_id"]].assign(**about).to_csv(folder / paths.METADATA, index=False)
    write_params(folder, changes)
    return folder


def start(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.train"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.fixture(scope="module")
def twins(tmp_path_factory) -> list[Path]:
    """Two folders with the same training, run at the same time; neither holds a picture of the test split."""
    folders = [write_set(tmp_path_factory.mktemp("twin"), ["train", "validation"], {}) for _ in range(2)]
    processes = [start(folder) for folder in folders]
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    return folders


@pytest.fixture(scope="module")
def evaluated(twins, tmp_path_factory) -> Path:
    """The first training's folder after evaluate, without a picture that it was trained on."""
    folder = write_set(tmp_path_factory.mktemp("evaluated"), ["validation", "test"], {})
    shutil.copytree(twins[0] / "models", folder / "models")
    in_folder(folder, stages.evaluate.main)
    return folder


def in_folder(folder: Path, main: Callable[[], dict]) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return main()


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_equal_trainings_are_equal_bytes(twins):
    first, second = ({path: (folder / path).read_bytes() for path in OUTPUTS} for folder in twins)
    assert [path for path in OUTPUTS if first[path] != second[path]] == []


OUTPUTS = [paths.MODEL, paths.HISTORY, paths.TRAIN_METRICS]


def test_killed_after_an_epoch_it_goes_on_to_equal_bytes(twins, tmp_path):
    folder = write_set(tmp_path, ["train", "validation"], {})
    process = start(folder)
    try:
        while not list((folder / "models").glob(".progress-*.npz")):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.01)
    finally:
        process.kill()
    process.communicate()
    assert not (folder / paths.MODEL).exists()
    again = start(folder)
    output, _ = again.communicate(timeout=300)
    assert "train: goes on after epoch 1, kept in models/.progress-" in output
    assert [path for path in OUTPUTS if (folder / path).read_bytes() != (twins[0] / path).read_bytes()] == []
    assert [path.name for path in (folder / "models").iterdir()] == [paths.MODEL.name]


def test_the_model_was_trained(twins):
    history = pd.read_csv(twins[0] / paths.HISTORY)
    assert len(history) == 2
    assert history["loss"][1] < history["loss"][0]


def test_train_metrics_say_what_was_trained(twins):
    metrics = read(twins[0] / paths.TRAIN_METRICS)
    history = pd.read_csv(twins[0] / paths.HISTORY)
    best = history.loc[history["val_loss"].idxmin()]
    assert metrics.pop("validation") == {
        name: pytest.approx(best[f"val_{name}"], abs=6e-5) for name in ("loss", "accuracy", "balanced_accuracy")
    }
    head = 512 * 7 + 7
    assert metrics == {
        "parameters": 11_186_112 + head,
        "trainable_parameters": 11_176_512 + head,
        "epochs": 2,
        "best_epoch": best["epoch"],
        "device": "cpu",
        "precision": "float32",
        "processor": processor.describe(),
    }


def test_evaluate_agrees_with_train(twins, tmp_path):
    """Validation images, shown to evaluate as its test split, have the figures that train wrote."""
    folder = write_set(tmp_path, ["validation"], {})
    shutil.copytree(twins[0] / "models", folder / "models")
    table = pd.read_csv(folder / paths.SPLITS)
    table = table[table["split"] == "validation"]
    table = pd.concat([table, table.assign(split="test")])
    table.to_csv(folder / paths.SPLITS, index=False)
    said, found = read(twins[0] / paths.TRAIN_METRICS)["validation"], in_folder(folder, stages.evaluate.main)
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
    for path in (paths.PREDICTIONS, paths.PARAMS):
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
    shutil.copy(evaluated / paths.PARAMS, tmp_path)
    in_folder(tmp_path, lambda: stages.evaluate.describe(params.load()))
    before, after = (
        pd.read_csv(folder / paths.EVALUATE_PLOTS / "operating_points.csv") for folder in (evaluated, tmp_path)
    )
    assert before["threshold"].equals(after["threshold"])
    assert not before["sensitivity"].equals(after["sensitivity"])


def test_evaluate_without_a_model_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match="train a model first"):
        in_folder(write_set(tmp_path, ["validation", "test"], {}), stages.evaluate.main)


def test_mixed_precision_and_frozen_layers_end_in_a_float32_model_that_predicts_the_same(tmp_path, monkeypatch):
    phases = [
        {"train": "head", "epochs": 1, "learning_rate": 1e-2},
        {"train": 60, "epochs": 1, "learning_rate": 1e-3},
    ]
    changes = {
        "train.precision": "mixed_bfloat16",
        "train.deterministic": False,  # too late to ask for, in this process
        "train.monitor": "balanced_accuracy",
        "configurations.quick": phases,
    }
    folder = write_set(tmp_path, ["train", "validation"], changes)
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
        for layer in trained.get_layer("backbone").layers[60:]
        for weight in layer.trainable_weights
    )
    assert metrics["trainable_parameters"] == last_stage + 512 * 7 + 7
    assert metrics["epochs"] == 2


def test_a_gpu_that_is_not_there_stops_train_before_it_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [])
    folder = write_set(tmp_path, ["train", "validation"], {"train.device": "gpu", "train.deterministic": False})
    with pytest.raises(UserError, match="sees no GPU"):
        in_folder(folder, stages.train.main)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "params.yaml"]


def test_the_params_of_these_tests_are_valid(tmp_path):
    write_params(tmp_path, {})
    assert params.load(tmp_path / "params.yaml").images.size == 32
