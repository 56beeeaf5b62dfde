"""The model card: front matter for a hub, and what a user must know."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle
from skinlesion.model.backend import keras
from skinlesion.model.calibration import Calibration
from skinlesion.report import card
from skinlesion.report.inputs import Inputs
from tests.helpers.references import ALL_USUAL

RESULTS = ("honest", "leaking", "on_sample")


@pytest.fixture(scope="module")
def cards(request: pytest.FixtureRequest) -> dict[str, str]:
    return {name: card.render(request.getfixturevalue(name)) for name in RESULTS}


def read_front_matter(text: str) -> dict:
    start, matter, _ = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(matter)


@pytest.mark.parametrize("name", RESULTS)
def test_the_front_matter_has_what_a_hub_reads(cards: dict[str, str], name: str, request) -> None:
    front, inputs = read_front_matter(cards[name]), request.getfixturevalue(name)
    assert {"license", "tags", "metrics", "datasets", "library_name", "pipeline_tag", "model-index"} <= set(front)
    (result,) = front["model-index"][0]["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["balanced_accuracy"] == inputs.metrics["test"]["balanced_accuracy"]
    assert result["dataset"]["args"] == {"protocol": inputs.protocol}
    licence, dataset = ("mit", "synthetic-sample") if name == "on_sample" else ("cc-by-nc-4.0", "ham10000")
    assert (front["license"], front["datasets"]) == (licence, [dataset])


@pytest.mark.parametrize("name", RESULTS)
def test_research_only_is_first_and_the_limits_are_named(cards: dict[str, str], name: str) -> None:
    text = cards[name]
    assert text.index("For research only, not a diagnosis") < text.index("## Model details")
    for words in ("CC BY-NC 4.0", "Tschandl", "light skin", "Vienna", "Queensland", "single dermatoscopic image"):
        assert words in text


def test_only_the_sample_is_called_synthetic(cards: dict[str, str]) -> None:
    text, label = cards["on_sample"], "Synthetic sample, drawn by code: not HAM10000"
    assert text.index(label) < text.index("## Model details")
    assert label in text[text.index("## Results") :]
    assert "synthetic" not in (cards["honest"] + cards["leaking"]).lower()


def test_a_decision_rule_is_named_as_predict_does_not_use_it(honest: Inputs) -> None:
    for evaluate, words in (
        ({"decision": "uniform", "tta": 8}, ("decision rule `uniform`", "8 views")),
        ({"decision": "uniform", "tta": 1}, ("decision rule `uniform`",)),
        ({"decision": "raw", "tta": 8}, ("8 views",)),
        ({"decision": "raw", "tta": 1}, ()),
    ):
        params = {**honest.params, "evaluate": {**honest.params["evaluate"], **evaluate}}
        text = card.render(replace(honest, params=params))
        assert [word for word in ("decision rule `uniform`", "8 views") if word in text] == [*words]
        assert f"decision {evaluate['decision']}; views of each image: {evaluate['tta']}" in text


def test_protocol_and_leakage_are_named(cards: dict[str, str]) -> None:
    assert "Protocol **lesion" in cards["honest"]
    assert re.search(r"\b0 of \d+ test images \(0%\) leak: no copy", cards["honest"])
    assert "9 pairs of near-identical images" in cards["honest"]
    assert "5 are in two splits (3 in train" in cards["honest"]
    assert "Protocol **image: leaks" in cards["leaking"]
    assert re.search(r"[1-9]\d* of \d+ test images \([1-9]\d*%\) leak: a copy", cards["leaking"])


@pytest.mark.parametrize("name", RESULTS)
def test_tables_are_whole_and_without_nan(cards: dict[str, str], name: str) -> None:
    tables = [block.splitlines() for block in cards[name].split("\n\n") if block.startswith("| ")]
    assert len(tables) == 10
    assert all(len({line.count("|") for line in table}) == 1 for table in tables)
    assert not re.search(r"\b(nan|None|NaN)\b|\{\{|\{%|\n\n\n", cards[name])


@pytest.mark.parametrize("name", RESULTS)
def test_every_item_of_a_list_begins_a_line(cards: dict[str, str], name: str) -> None:
    assert re.search(r"^- ", cards[name], re.MULTILINE)
    assert not re.search(r"[^-\s]- ", cards[name])


@pytest.mark.parametrize("name", RESULTS)
def test_the_card_has_the_params_that_made_the_model(cards: dict[str, str], name: str, request) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", cards[name], re.MULTILINE | re.DOTALL)
    assert yaml.safe_load(block) == request.getfixturevalue(name).params


def test_the_example_runs(
    cards: dict[str, str], tmp_path: Path, noise: Callable, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    layers = [keras.layers.Input((80, 80, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7, "softmax")]
    even = np.full(7, 1 / 7)
    whole = bundle.Bundle(keras.Sequential(layers), Calibration(1.5, even, even), "crop", ALL_USUAL)
    bundle.save(whole, Path("models/model.keras"))
    Image.fromarray(noise(1, 90, 120)).save("lesion.jpg")
    (example,) = re.findall(r"```python\n(.+?)```", cards["honest"], re.DOTALL)
    exec(example, {})
    printed = json.loads(capsys.readouterr().out.replace("'", '"'))
    assert tuple(printed) == CODES
    assert sum(printed.values()) == pytest.approx(1, abs=0.01)
