"""The page: one valid document that needs nothing else, whose first words are the honest ones."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.report import bars, page, people
from skinlesion.report.inputs import Inputs

RESULTS = ("honest", "leaking", "on_sample")


@pytest.fixture(scope="module")
def pages(request: pytest.FixtureRequest) -> dict[str, str]:
    return {name: page.render(request.getfixturevalue(name)) for name in RESULTS}


@pytest.fixture(scope="module")
def documents(pages: dict[str, str], parse: Callable) -> dict[str, Any]:
    return {name: parse(text) for name, text in pages.items()}


@pytest.mark.parametrize("name", RESULTS)
def test_every_element_is_closed_and_every_link_leads_somewhere(documents: dict[str, Any], name: str) -> None:
    document = documents[name]
    assert document.wrong == []
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in document.named("a")} <= {f"#{one}" for one in ids}
    assert len(document.named("h1")) == 1
    assert document.text("title") == document.text("h1")


@pytest.mark.parametrize("name", RESULTS)
def test_nothing_comes_from_elsewhere(documents: dict[str, Any], pages: dict[str, str], name: str) -> None:
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in documents[name].elements}
    sources = [attributes.get(key) for _, attributes in documents[name].elements for key in ("src", "href", "srcset")]
    assert [one for one in sources if one and not one.startswith(("data:", "#"))] == []
    assert not re.search(r"url\(|@import|https?://", pages[name])


@pytest.mark.parametrize("name", RESULTS)
def test_every_chart_and_picture_is_in_the_page_whole_and_described(documents: dict[str, Any], name: str) -> None:
    images = documents[name].named("img")
    assert len(images) == len(page.CHARTS) + len(page.PICTURES)
    for image in images:
        assert len(image["alt"]) > 20
        kind, content = image["src"].removeprefix("data:").split(";base64,")
        if kind == "image/svg+xml":
            assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
        else:
            Image.open(io.BytesIO(base64.b64decode(content))).load()


@pytest.mark.parametrize("name", RESULTS)
def test_no_figure_is_nan(documents: dict[str, Any], name: str) -> None:
    words = documents[name].text("body") + " ".join(image["alt"] for image in documents[name].named("img"))
    assert not re.search(r"\b(nan|None|NaN|inf)\b", words)


def test_the_sample_is_called_synthetic_before_any_figure(documents: dict[str, Any]) -> None:
    header = documents["on_sample"].text("header")
    label = "Synthetic sample, drawn by code: not HAM10000"
    assert header.index(label) < header.index("Balanced accuracy")
    for name in ("honest", "leaking"):
        assert "synthetic" not in documents[name].text("html").lower()


def test_a_class_without_test_images_is_named_as_such(documents: dict[str, Any], pages: dict[str, str]) -> None:
    assert "Not in the test split, and so in no figure: dermatofibroma." in documents["on_sample"].text("header")
    row = re.search(r"<tr><th scope=\"row\">dermatofibroma \(df\)</th><td>benign</td>.*?</tr>", pages["on_sample"])
    assert row[0].endswith('<td>0</td><td colspan="5" class="why">not in the test split</td></tr>')
    assert "not in the test split" not in documents["honest"].text("body").lower()


def test_a_subgroup_with_too_few_lesions_has_no_figures(pages: dict[str, str]) -> None:
    assert re.search(
        r"<td>ear</td><td>\d</td><td>\d+</td><td colspan=\"2\" class=\"why\">too few</td>", pages["honest"]
    )


def test_diagnoses_stand_in_words(documents: dict[str, Any]) -> None:
    for diagnosis in DIAGNOSES:
        assert f"{diagnosis.name} ({diagnosis.code})" in documents["honest"].text("tbody")


def test_params_stand_in_full_less_the_folders_of_the_machine(make_inputs: Callable, parse: Callable) -> None:
    changes = {"data.source": "archive", "data.archive": "/home/someone/ham.zip", "model.weights": "/data/w.weights.h5"}
    text = page.render(make_inputs(changes))
    shown = parse(text).text("pre")
    assert "someone" not in text
    assert "/data/" not in text
    for words in ("archive: ham.zip", "weights: w.weights.h5", "per_class: 80", "flip_vertical: 0.5", "seed: 17"):
        assert words in shown
    assert "resnet18: constructor" in shown
    assert "resnet50" not in shown  # a row that is not in use


def test_equal_inputs_give_equal_pages(honest: Inputs, pages: dict[str, str]) -> None:
    assert page.render(honest) == pages["honest"]
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", pages["honest"])


def test_charts_carry_no_date(documents: dict[str, Any]) -> None:
    for image in documents["honest"].named("img"):
        content = base64.b64decode(image["src"].split(",")[1])
        assert b"dc:date" not in content


def test_what_the_data_say_is_never_markup(honest: Inputs) -> None:
    table = honest.tables["subgroups"].assign(value='<script>alert("x")</script>')
    text = page.render(replace(honest, tables={**honest.tables, "subgroups": table}))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_parts_of_a_class_are_of_its_images_and_the_unknown_stand_last() -> None:
    table = pd.DataFrame({"dx": ["mel", "mel", "nv"], "value": ["unknown", "x", "x"], "images": [3, 1, 5]})
    found = people.shares(table)
    assert list(found.columns) == ["x", "unknown"]
    assert found.loc[["mel", "nv", "df"]].to_numpy().tolist() == [[0.25, 0.75], [1, 0], [0, 0]]


def test_a_run_of_one_epoch_and_small_subgroups_has_a_page_too(honest: Inputs, parse: Callable) -> None:
    small = honest.tables["subgroups"].iloc[[0]].assign(note="too few", lesions=3)
    tables = {**honest.tables, "history": honest.tables["history"].iloc[:1], "subgroups": small}
    assert parse(page.render(replace(honest, tables=tables))).wrong == []


def test_confusion_counts_truth_down_and_prediction_across(honest: Inputs) -> None:
    table = pd.DataFrame({"actual": ["mel", "mel", "nv"], "predicted": ["nv", "mel", "nv"]})
    found = bars.matrix(replace(honest, tables={**honest.tables, "confusion": table}))
    assert found.sum() == 3
    assert (found[4, 4], found[4, 5], found[5, 4], found[5, 5]) == (1, 1, 0, 1)
