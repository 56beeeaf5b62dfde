"""The model card: front matter that a hub reads, and what a user must know."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration
from skinlesion.report import card
from skinlesion.report.inputs import Inputs

RESULTS = ("honest", "leaking", "on_sample")
SECTIONS = [
    "Model details",
    "Intended use",
    "Data and licence",
    "Evaluation protocol",
    "Results",
    "Calibration",
    "Limits",
    "How to use",
    "How it was made",
]


@pytest.fixture(scope="module")
def cards(request: pytest.FixtureRequest) -> dict[str, str]:
    return {name: card.render(request.getfixturevalue(name)) for name in RESULTS}


def front(text: str) -> dict:
    start, matter, _ = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(matter)


@pytest.mark.parametrize("name", RESULTS)
def test_the_front_matter_is_yaml_with_what_a_hub_reads(
    cards: dict[str, str], name: str, request: pytest.FixtureRequest
) -> None:
    found = front(cards[name])
    inputs: Inputs = request.getfixturevalue(name)
    assert {"license", "tags", "metrics", "datasets", "library_name", "pipeline_tag", "model-index"} <= set(found)
    (result,) = found["model-index"][0]["results"]
    values = {one["type"]: one["value"] for one in result["metrics"]}
    assert values["balanced_accuracy"] == inputs.metrics["test"]["balanced_accuracy"]
    assert result["dataset"]["args"] == {"protocol": inputs.protocol}


def test_what_is_made_from_ham10000_keeps_its_licence(cards: dict[str, str]) -> None:
    assert front(cards["honest"])["license"] == "cc-by-nc-4.0"
    assert front(cards["honest"])["datasets"] == ["ham10000"]
    assert front(cards["on_sample"])["license"] == "mit"
    assert front(cards["on_sample"])["datasets"] == ["synthetic-sample"]


@pytest.mark.parametrize("name", RESULTS)
def test_it_is_for_research_only_and_says_so_first(cards: dict[str, str], name: str) -> None:
    text = cards[name]
    assert text.index("For research, not for diagnosis") < text.index("## Model details")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    for words in ("CC BY-NC 4.0", "Tschandl", "light skin", "Vienna", "Queensland", "single dermatoscopic image"):
        assert words in text


def test_the_sample_is_called_synthetic_there_and_nowhere_else(cards: dict[str, str]) -> None:
    text = cards["on_sample"]
    label = "Synthetic sample, drawn by code: not HAM10000"
    assert text.index(label) < text.index("## Model details")
    assert label in text[text.index("## Results") :]
    assert "synthetic" not in (cards["honest"] + cards["leaking"]).lower()


def test_the_protocol_and_its_leaks_are_told(cards: dict[str, str]) -> None:
    assert "No test image has a sibling in train" in cards["honest"]
    assert "image: leaks, as published systems did" in cards["leaking"]
    assert re.search(r"\d+ of \d+ test images \(\d+%\) have a sibling in train", cards["leaking"])


@pytest.mark.parametrize("name", RESULTS)
def test_tables_are_whole_and_without_nan(cards: dict[str, str], name: str) -> None:
    blocks = [block.splitlines() for block in cards[name].split("\n\n") if block.startswith("| ")]
    assert len(blocks) == len(card.TABLES)
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1
    text = re.sub(r"```.*?```", "", cards[name], flags=re.DOTALL)
    assert not re.search(r"\b(nan|None|NaN)\b", text)
    assert "$" not in cards[name]


def test_a_class_without_test_images_is_named_as_such(cards: dict[str, str]) -> None:
    assert "| dermatofibroma (df) | benign | 0 | not in the test split |" in cards["on_sample"]
    assert "in no figure: dermatofibroma" in cards["on_sample"]
    assert "not in the test split" not in cards["honest"].lower()


def test_equal_inputs_give_equal_cards(honest: Inputs, cards: dict[str, str]) -> None:
    assert card.render(honest) == cards["honest"]


def test_the_example_runs(
    cards: dict[str, str],
    tmp_path: Path,
    noise: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    from skinlesion.model import bundle
    from skinlesion.model.backend import keras

    monkeypatch.chdir(tmp_path)
    layers = [keras.layers.Input((80, 80, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7, "softmax")]
    even = np.full(7, 1 / 7)
    bundle.save(keras.Sequential(layers), Calibration(1.5, even, even), "crop", Path("models/model.keras"))
    Image.fromarray(noise(1, 90, 120)).save("lesion.jpg")
    (example,) = re.findall(r"```python\n(.+?)```", cards["honest"], re.DOTALL)
    exec(example, {})
    printed = json.loads(capsys.readouterr().out.replace("'", '"'))
    assert tuple(printed) == CODES
    assert sum(printed.values()) == pytest.approx(1, abs=0.01)
