"""Train and evaluate under each Keras backend that is installed, with the same code; TensorFlow always.

jax and torch need not be installed: `PYTHONPATH=/folder/of/jax pytest tests/train/test_backends.py` is enough.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle
from skinlesion.model.predict import probabilities
from skinlesion.runtime import paths
from skinlesion.train.machine.backends import BACKENDS
from tests.helpers.trainings import CASES

FLOAT, HALF = CASES

pytestmark = [pytest.mark.chain, pytest.mark.training]


@pytest.fixture(scope="module", params=[FLOAT, pytest.param(HALF, marks=[pytest.mark.bfloat16, pytest.mark.slow])])
def case(request: pytest.FixtureRequest) -> str:
    return request.param


OTHERS = [pytest.param(name, marks=pytest.mark.optional) for name in BACKENDS if name != "tensorflow"]


@pytest.fixture(scope="module", params=["tensorflow", *OTHERS])
def trained(request: pytest.FixtureRequest, case: str, make_trained: Callable[[str, str], Path]) -> Path:
    package = BACKENDS[request.param].package
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return make_trained(request.param, case)


def test_the_loss_falls_and_the_metrics_are_written(trained: Path, case: str) -> None:
    history = pd.read_csv(trained / "whole" / paths.HISTORY)
    assert len(history) == sum(phase["epochs"] for phase in CASES[case]["configurations.quick"])
    assert history["loss"].iloc[-1] < 0.9 * history["loss"].iloc[0]
    train = json.loads((trained / "whole" / paths.TRAIN_METRICS).read_text())
    test = json.loads((trained / "evaluated" / paths.TEST_METRICS).read_text())
    assert (train["device"], train["precision"]) == ("cpu", CASES[case].get("train.precision", "float32"))
    assert 0 < test["balanced_accuracy"] <= 1
    assert np.isfinite(test["log_loss"])


def test_killed_after_an_epoch_it_resumes_to_equal_bytes(trained: Path) -> None:
    assert "train: resumes after epoch " in (trained / "output.txt").read_text()
    for path in (paths.MODEL, paths.HISTORY, paths.TRAIN_METRICS):
        whole, resumed = ((trained / name / path).read_bytes() for name in ("whole", "resumed"))
        assert whole == resumed, path
    assert [path.name for path in (trained / "resumed" / "models").iterdir()] == [paths.MODEL.name]


def test_the_model_predicts_the_same_in_this_process(trained: Path) -> None:
    """This process runs TensorFlow, unless the tests themselves run under another backend."""
    table = pd.read_csv(trained / "evaluated" / paths.PREDICTIONS)
    images = np.stack([np.asarray(Image.open(trained / "evaluated" / path)) for path in table["path"]])
    predicted = probabilities(bundle.load(trained / "evaluated" / paths.MODEL).model, images, 16)
    np.testing.assert_allclose(predicted, table[list(CODES)], atol=1e-4)


def test_the_output_has_no_start_up_messages_of_the_backend(trained: Path) -> None:
    lines = (trained / "output.txt").read_text().splitlines()
    assert [line for line in lines if "0000 00:00:" in line or "absl::InitializeLog" in line] == []
