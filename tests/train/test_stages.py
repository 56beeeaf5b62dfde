"""The stages train and evaluate on a tiny set, in folders of their own, agree with each other."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import stages.evaluate
import stages.train
from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.decision import DECISIONS
from skinlesion.model import bundle, dataset
from skinlesion.model.calibration import Calibration, scale
from skinlesion.model.likeness import compute_statistics
from skinlesion.model.predict import probabilities
from skinlesion.model.predictions import select_split
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.train.callbacks import MEASURES
from skinlesion.train.machine import processor
from skinlesion.train.network import build
from skinlesion.train.network.backbones import build_backbone
from skinlesion.train.resume import key
from tests.helpers.chain import ROOT, load_sample
from tests.helpers.one_block import one_block
from tests.helpers.trainings import CASES, NUMBERS, SMALL, finish, start, write_set

FLOAT = next(iter(CASES))
COMMITTED = {"images.size": 32, "train.max_epochs": 1, "train.batch_size": 8, "train.device": "cpu"}

pytestmark = pytest.mark.training


@pytest.fixture(scope="session")
def trained(make_trained) -> Path:
    """A folder whose training had no test images."""
    return make_trained("tensorflow", FLOAT) / "whole"


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory) -> Path:
    """The same model's folder, evaluated without training images."""
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
    """Two processes at work let its many sums of gradients end in any order."""
    folders = [write_set(tmp_path / name, "train", "validation") for name in ("one", "other")]
    for folder in folders:
        write_params(folder / "params.yaml", COMMITTED)
    for process in [start("train", folder) for folder in folders]:
        finish(process)
    for path in (paths.MODEL, paths.HISTORY, paths.TRAIN_METRICS):
        first, second = ((folder / path).read_bytes() for folder in folders)
        assert first == second, path


def test_train_metrics_describe_the_training(trained):
    metrics = read(trained / paths.TRAIN_METRICS)
    history = pd.read_csv(trained / paths.HISTORY)
    best = history.loc[history["val_loss"].idxmin()]
    assert metrics.pop("validation") == {name: pytest.approx(best[f"val_{name}"], abs=6e-5) for name in MEASURES}
    kernels, norms, head = 64 * 7 * 7 * 3 + 2 * 64 * 3 * 3 * 64, 3 * 4 * 64, 64 * 7 + 7
    assert metrics == {
        "parameters": kernels + norms + head,
        "trainable_parameters": kernels + head,  # norms stay frozen once a phase trains the head alone
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "device": "cpu",
        "precision": "float32",
        "processor": processor.describe(),
    }


def test_the_model_holds_a_reference_of_the_training_originals_with_the_limit_from_validation(trained):
    """The folder has no test images, so none of them can be in it."""
    splits, stored = pd.read_csv(trained / paths.SPLITS), bundle.load(trained / paths.MODEL).likeness
    measured = {
        split: np.stack([compute_statistics(np.asarray(Image.open(trained / path))) for path in rows["path"]])
        for split, rows in splits.groupby("split")
        if split in ("train", "validation")
    }
    np.testing.assert_allclose(stored.mean, measured["train"].mean(axis=0))
    distances = stored.distances(measured["validation"])
    assert distances.max() <= stored.limit <= distances.max() + 0.001
    assert stored.smallest == 16


def test_evaluate_agrees_with_train(trained, make_set):
    """The validation images, given to evaluate as its test split, have the figures that train wrote."""
    folder = make_set("validation")
    shutil.copytree(trained / "models", folder / "models")
    table = pd.read_csv(folder / paths.SPLITS).query("split in ['train', 'validation']")
    pd.concat([table, table[table["split"] == "validation"].assign(split="test")]).to_csv(
        folder / paths.SPLITS, index=False
    )
    expected, metrics = read(trained / paths.TRAIN_METRICS)["validation"], in_folder(folder, stages.evaluate.main)
    assert metrics["log_loss"] == pytest.approx(expected["loss"], abs=2e-4)
    for name in ("accuracy", "balanced_accuracy"):
        assert metrics[name] == expected[name]


def test_predictions_are_the_models_for_validation_and_test_in_the_order_of_the_splits(evaluated):
    splits, predictions = (pd.read_csv(evaluated / path) for path in (paths.SPLITS, paths.PREDICTIONS))
    columns = ["split", "path", "image_id", "group", "dx"]
    expected = pd.concat([splits.loc[splits["split"] == split, columns] for split in ("validation", "test")])
    pd.testing.assert_frame_equal(predictions[columns], expected.reset_index(drop=True))
    images = np.stack([np.asarray(Image.open(evaluated / path)) for path in predictions["path"]])
    raw = bundle.load(evaluated / paths.MODEL).model.predict(images, verbose=0)
    np.testing.assert_allclose(predictions[list(CODES)], raw, atol=2e-6)


def written(folder: Path) -> dict[str, bytes]:
    """The metrics and plots in a folder, by relative path."""
    outputs = [folder / path for path in (paths.TEST_METRICS, paths.INTERVALS_METRICS, paths.EVALUATE_PLOTS)]
    files = [file for path in outputs for file in (path.iterdir() if path.is_dir() else [path])]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_evaluating_again_changes_no_byte_and_clears_old_plots(evaluated):
    before = written(evaluated) | {"predictions": (evaluated / paths.PREDICTIONS).read_bytes()}
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["evaluate"]["plots"]
    plots = {Path(name).name for entry in declared for name in entry}
    assert {path.name for path in (evaluated / paths.EVALUATE_PLOTS).iterdir()} == plots
    assert len(pd.read_csv(evaluated / paths.EVALUATE_PLOTS / "confusion.csv")) == NUMBERS["test"]
    (evaluated / paths.EVALUATE_PLOTS / "stale.csv").write_text("of an earlier version")
    in_folder(evaluated, stages.evaluate.main)
    assert written(evaluated) | {"predictions": (evaluated / paths.PREDICTIONS).read_bytes()} == before


@pytest.mark.parametrize("shuffled", [False, True])
def test_metrics_follow_from_the_predictions_alone_and_thresholds_not_from_test_labels(shuffled, evaluated, tmp_path):
    """Without model, images or splits, the same bytes."""
    (tmp_path / "data").mkdir()
    table = pd.read_csv(evaluated / paths.PREDICTIONS)
    is_test = table["split"] == "test"
    if shuffled:
        table.loc[is_test, "dx"] = table.loc[is_test, "dx"].sample(frac=1, random_state=3).to_numpy()
        table.to_csv(tmp_path / paths.PREDICTIONS, index=False)
    else:
        shutil.copy(evaluated / paths.PREDICTIONS, tmp_path / paths.PREDICTIONS)
    for name in ("params.yaml", "networks.yaml"):
        shutil.copy(evaluated / name, tmp_path)
    figures = read(evaluated / paths.TEST_METRICS)
    chosen = {name: value for name, value in figures.items() if name in ("temperature", "decision_exponent")}
    in_folder(tmp_path, lambda: stages.evaluate.describe(params.load(), chosen))
    if not shuffled:
        assert written(tmp_path) == written(evaluated)
        return
    before, after = (
        pd.read_csv(folder / paths.EVALUATE_PLOTS / "operating_points.csv") for folder in (evaluated, tmp_path)
    )
    assert before["threshold"].equals(after["threshold"])
    assert not before["sensitivity"].equals(after["sensitivity"])


def test_the_stored_temperature_is_fitted_to_validation(evaluated):
    stored = bundle.load(evaluated / paths.MODEL).calibration
    validation = select_split(pd.read_csv(evaluated / paths.PREDICTIONS), "validation")
    fitted = stored.refitted(validation.labels, validation.probabilities["raw"]).temperature
    assert stored.temperature == pytest.approx(fitted, rel=1e-3)
    assert read(evaluated / paths.TEST_METRICS)["temperature"] == pytest.approx(fitted, rel=1e-3, abs=1e-4)


def test_temperature_of_eight_views_and_decision_rule_are_chosen_on_validation_alone(trained, make_set):
    """The labels of test are such that another exponent is best there."""
    folder = make_set("validation", "test", changes={"evaluate.tta": 8, "evaluate.decision": "uniform"})
    whole, frequencies = bundle.load(trained / paths.MODEL), 0.1 ** np.arange(7) / (0.1 ** np.arange(7)).sum()
    stored = Calibration(1.0, frequencies, frequencies)
    bundle.save(replace(whole, calibration=stored), folder / paths.MODEL)
    table = pd.read_csv(folder / paths.SPLITS)
    for split, exponent in {"validation": 0.3, "test": 1.0}.items():
        images = dataset.read_images([folder / path for path in table.loc[table["split"] == split, "path"]], split)
        decided = stored.decided(probabilities(whole.model, images, 5, tta=8), exponent)
        table.loc[table["split"] == split, "dx"] = np.array(CODES)[decided.argmax(axis=1)]
    table.to_csv(folder / paths.SPLITS, index=False)
    figures, table = in_folder(folder, stages.evaluate.main), pd.read_csv(folder / paths.PREDICTIONS)
    validation, test = (select_split(table, split) for split in ("validation", "test"))
    raw = test.probabilities["raw"]
    fitted = stored.refitted(validation.labels, validation.probabilities["raw"])
    exponent, other = (
        DECISIONS["uniform"](stored, part.labels, part.probabilities["raw"]) for part in (validation, test)
    )
    assert figures["decision_exponent"] == exponent != other
    assert figures["temperature"] == pytest.approx(fitted.temperature, abs=1e-3)
    np.testing.assert_allclose(test.probabilities["calibrated"], scale(raw, fitted.temperature), rtol=1e-3)
    np.testing.assert_allclose(test.headline, stored.decided(raw, exponent), rtol=1e-3)


def test_a_training_starts_from_the_given_weights_and_its_progress_belongs_to_all_of_its_data(make_set, monkeypatch):
    changes = {"seed": 18, "images.fit": "stretch", "model.weights": "start.weights.h5"}
    folder = make_set("train", "validation", changes=changes | {"train.max_epochs": 1, "train.deterministic": False})
    given = build_backbone(one_block(load_sample().backbones["resnet18"]), SMALL["images.size"], None)
    given.save_weights(folder / "start.weights.h5")
    seeds, hashed, make = [], [], key.hash_training

    def record(settings: params.Params, model: keras.Model, data: tuple, **machine: str) -> str:
        hashed.append((model.get_layer("backbone").get_weights(), [len(array) for array in data], machine))
        return make(settings, model, data, **machine)

    monkeypatch.setattr(key, "hash_training", record)
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    in_folder(folder, stages.train.main)
    ((weights, sizes, machine),) = hashed
    for ours, theirs in zip(weights, given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert sizes == [NUMBERS["train"]] * 2 + [NUMBERS["validation"]] * 2
    assert machine == {"device": "cpu", "precision": "float32", "devices": "1", "processor": processor.describe()}
    assert seeds == [18]
    assert bundle.load(folder / paths.MODEL).fit == "stretch"


def test_the_calibration_counts_class_weights(make_set):
    changes = {"train.class_weights": "balanced", "train.max_epochs": 1, "train.deterministic": False}
    folder = make_set("train", "validation", changes=changes)
    table = pd.read_csv(folder / paths.SPLITS)
    table.drop(table.index[table["split"] == "train"][0]).to_csv(folder / paths.SPLITS, index=False)
    in_folder(folder, stages.train.main)
    np.testing.assert_allclose(bundle.load(folder / paths.MODEL).calibration.trained, 1 / 7)


@pytest.mark.parametrize("predicted", [[5] * NUMBERS["validation"], [5, 4, *[5] * (NUMBERS["validation"] - 2)]])
def test_a_model_that_takes_all_images_for_one_class_is_named(predicted, make_set, monkeypatch, capsys):
    folder = make_set("train", "validation", changes={"train.max_epochs": 1, "train.deterministic": False})
    monkeypatch.setattr("skinlesion.model.predict.probabilities", lambda *_: np.eye(7)[predicted] * 0.93 + 0.01)
    in_folder(folder, stages.train.main)
    named = re.findall(r"every validation image is taken for (\w+)", capsys.readouterr().out)
    assert named == [CODES[5]] * (len(set(predicted)) == 1)


def test_evaluate_without_a_model_names_the_remedy(make_set):
    with pytest.raises(UserError, match="train a model first"):
        in_folder(make_set("validation", "test"), stages.evaluate.main)


@pytest.mark.bfloat16
def test_mixed_precision_and_frozen_layers_end_in_a_float32_model_that_predicts_the_same(make_set, monkeypatch):
    changes = {
        "train.precision": "mixed_bfloat16",
        "train.deterministic": False,  # too late to enable in this process
        "configurations.quick": [
            {"train": "head", "epochs": 1, "learning_rate": 1e-2, "batch_norm": "frozen"},
            {"train": 8, "epochs": 1, "learning_rate": 1e-3, "batch_norm": "frozen"},
        ],
    }
    folder = make_set("train", "validation", changes=changes)
    built: list[keras.Model] = []
    make = build.build
    monkeypatch.setattr(build, "build", lambda *args, **more: built.append(make(*args, **more)) or built[-1])
    metrics = in_folder(folder, stages.train.main)
    trained, saved = built[0], bundle.load(folder / paths.MODEL).model
    assert trained.get_layer("backbone").compute_dtype == "bfloat16"
    assert saved.get_layer("backbone").compute_dtype == saved.get_layer("head").compute_dtype == "float32"
    for ours, theirs in zip(trained.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(*(probabilities(model, images, 6) for model in (trained, saved)), atol=0.03)
    last = sum(weight.numpy().size for weight in trained.get_layer("backbone").trainable_weights)
    assert 0 < last < 2 * 64 * 3 * 3 * 64
    assert metrics["precision"] == "mixed_bfloat16"
    assert metrics["trainable_parameters"] == last + 64 * 7 + 7


def test_a_gpu_that_is_missing_stops_train_before_it_writes(make_set, monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [])
    folder = make_set("train", "validation", changes={"train.device": "gpu", "train.deterministic": False})
    with pytest.raises(UserError, match=r"train\.device"):
        in_folder(folder, stages.train.main)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "networks.yaml", "params.yaml"]
