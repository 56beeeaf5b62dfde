"""Train and evaluate under each Keras backend that is installed, with the same code; TensorFlow always.

jax and torch need not be installed: `PYTHONPATH=/where/jax/lies pytest tests/training/test_backends.py` suffices.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion import paths
from skinlesion.classes import CODES
from skinlesion.model import bundle
from skinlesion.predict import probabilities

ROOT = Path(__file__).parents[2]
PACKAGES = {"tensorflow": "tensorflow", "jax": "jaxlib", "torch": "torch"}
SIDE = 32
NUMBERS = {"train": 28, "validation": 14, "test": 21}
STEM = {"input_conv_filters": [64], "input_conv_kernel_sizes": [7], "block_type": "basic_block"}
ONE_BLOCK = {"stackwise_num_filters": [64], "stackwise_num_blocks": [1], "stackwise_num_strides": [1]}
SMALL = {
    "images.size": SIDE,
    "backbones.resnet18.arguments": {**STEM, **ONE_BLOCK},
    "heads.gap": [{"average_pool": "global"}, {"dropout": 0.2}],
    "split.protocol": "image",
    "train.batch_size": 8,
    "train.schedule": "constant",
    "train.warmup_epochs": 0,
    "train.device": "auto",
    "train.deterministic": True,
    "train.ema": 0.5,
    "evaluate.batch_size": 5,
    "evaluate.bootstrap": 100,
}
OFF = dict.fromkeys(("flip_vertical", "zoom", "shift", "shear", "brightness", "contrast"), 0)
HEAD = {"train": "head", "epochs": 2, "learning_rate": 1e-2}
CASES = {
    "features, then all": {
        "train.precision": "float32",
        "configurations.quick": [HEAD, {"train": "all", "epochs": 3, "learning_rate": 3e-3}],
    },
    "augmented, bfloat16": {
        "train.precision": "mixed_bfloat16",
        "train.augmentation": {**OFF, "flip_horizontal": 0.5, "rotate": 30},
        "configurations.quick": [{"train": "all", "epochs": 3, "learning_rate": 1e-2}],
    },
}


@dataclass
class Trained:
    """Two folders of one training: `whole` in one go and evaluated, `resumed` killed after an epoch and run again."""

    whole: Path
    resumed: Path
    said: str


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return CASES[request.param]


@pytest.fixture(scope="module", params=PACKAGES)
def trained(
    request: pytest.FixtureRequest,
    case: dict[str, Any],
    write_params: Callable[[Path, dict[str, Any]], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Trained:
    backend = request.param
    if importlib.util.find_spec(PACKAGES[backend]) is None:
        pytest.skip(f"{PACKAGES[backend]} is not installed")
    whole, resumed = (tmp_path_factory.mktemp(backend) for _ in range(2))
    for folder in (whole, resumed):
        write_set(folder)
        write_params(folder / "params.yaml", {**SMALL, **case})
    one, other = start("train", whole, backend), start("train", resumed, backend)
    kill_after_an_epoch(other, resumed)
    finish(one)
    one, other = start("evaluate", whole, backend), start("train", resumed, backend)
    finish(one)
    return Trained(whole, resumed, finish(other))


def write_set(folder: Path) -> None:
    """Splits and metadata, and pictures of a colour for each class, with noise."""
    random, rows = np.random.default_rng(0), []
    colours = random.integers(60, 200, (7, 3))
    (folder / "data/merged/images").mkdir(parents=True)
    for split, number in NUMBERS.items():
        for index in range(number):
            image_id = f"{split}_{index}"
            path = Path("data/merged/images") / f"{image_id}.png"
            pixels = np.clip(colours[index % 7] + random.normal(0, 30, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / path)
            rows.append([path, image_id, f"group_{image_id}", CODES[index % 7], False, None, True, split])
    columns = ["path", "image_id", "group", "dx", "augmented", "operations", "balanced", "split"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(folder / paths.SPLITS, index=False)
    about = {"age": 50.0, "sex": "male", "localization": "back", "dx_type": "histo"}
    table[["image_id"]].assign(**about).to_csv(folder / paths.METADATA, index=False)


def start(stage: str, folder: Path, backend: str) -> subprocess.Popen:
    found = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": found, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen) -> str:
    """All that it said."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def kill_after_an_epoch(process: subprocess.Popen, folder: Path) -> None:
    while not list((folder / "models").glob(".progress-*.npz")):
        if process.poll() is not None:
            pytest.fail(process.communicate()[0])
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (folder / paths.MODEL).exists()


def test_the_loss_falls(trained: Trained, case: dict[str, Any]) -> None:
    history = pd.read_csv(trained.whole / paths.HISTORY)
    assert len(history) == sum(phase["epochs"] for phase in case["configurations.quick"])
    assert history["loss"].iloc[-1] < 0.9 * history["loss"].iloc[0]


def test_the_metrics_are_there(trained: Trained, case: dict[str, Any]) -> None:
    train, test = (json.loads((trained.whole / path).read_text()) for path in (paths.TRAIN_METRICS, paths.TEST_METRICS))
    assert (train["device"], train["precision"]) == ("cpu", case["train.precision"])
    assert train["validation"].keys() == {"loss", "accuracy", "balanced_accuracy"}
    assert 0 < test["balanced_accuracy"] <= 1
    assert np.isfinite(test["log_loss"])


def test_killed_after_an_epoch_it_goes_on_to_equal_bytes(trained: Trained) -> None:
    assert "train: goes on after epoch " in trained.said
    outputs = (paths.MODEL, paths.HISTORY, paths.TRAIN_METRICS)
    pairs = {path: [(folder / path).read_bytes() for folder in (trained.whole, trained.resumed)] for path in outputs}
    assert [path for path, (one, other) in pairs.items() if one != other] == []


def test_the_model_predicts_the_same_in_this_process(trained: Trained) -> None:
    """Which is TensorFlow's, unless the tests themselves run under another backend."""
    table = pd.read_csv(trained.whole / paths.PREDICTIONS)
    images = np.stack([np.asarray(Image.open(trained.whole / path)) for path in table["path"]])
    found = probabilities(bundle.load(trained.whole / paths.MODEL).model, images, 16)
    np.testing.assert_allclose(found, table[list(CODES)], atol=1e-4)


def test_nothing_but_the_stages_speaks(trained: Trained) -> None:
    """No start-up chatter, whichever backend computes."""
    lines = [line for line in trained.said.splitlines() if "0000 00:00:" in line or "absl::InitializeLog" in line]
    assert lines == []
