"""The page: well-formed, complete without a network, with protocol and leakage beside its first numbers."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from math import nan
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from skinlesion.report import bars, card, content, curves, figures, page, wording
from skinlesion.report.figures import Chart
from skinlesion.report.inputs import PICTURES, Inputs

RESULTS = ("honest", "leaking", "on_sample")
SAMPLE = "Synthetic sample, drawn by code: not HAM10000"


@pytest.fixture(scope="module")
def pages(request: pytest.FixtureRequest) -> dict[str, str]:
    return {name: page.render(request.getfixturevalue(name)) for name in RESULTS}


@pytest.fixture(params=RESULTS)
def text(pages: dict[str, str], request: pytest.FixtureRequest) -> str:
    return pages[request.param]


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are not drawn, which is most of the time that a page takes."""
    for module in (bars, curves):
        monkeypatch.setattr(module, "draw_chart", lambda title, alt, *_: Chart(title, "<svg></svg>", alt, ""))


def text_of(page: str, tag: str) -> str:
    """The text of all elements with this tag; the parser refuses elements that are not closed."""
    elements = ElementTree.fromstring(page).iter(tag)
    return " ".join(" ".join(" ".join(element.itertext()).split()) for element in elements)


def section_of(page: str, name: str) -> str:
    """The text of one section."""
    return " ".join("".join(ElementTree.fromstring(page).find(f".//section[@id='{name}']").itertext()).split())


def with_table(inputs: Inputs, name: str, table: pd.DataFrame) -> Inputs:
    return replace(inputs, tables={**inputs.tables, name: table})


def with_leaks(inputs: Inputs, *rows: tuple) -> Inputs:
    """Other rows of leaks.csv: images, classes, balanced accuracy."""
    table = pd.DataFrame(rows, columns=["images", "classes", "balanced_accuracy"])
    return with_table(
        inputs,
        "leaks",
        table.assign(stratum=["all", "with a sibling in train", "without"], scored=table["images"], accuracy=0.9),
    )


def test_elements_are_closed_and_links_lead_to_a_section(text: str) -> None:
    document = ElementTree.fromstring(text)
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    sections = [section.get("id") for section in document.iter("section")]
    assert [link.get("href") for link in document.iter("a")] == [f"#{name}" for name in sections]
    assert {use.get("href")[1:] for use in document.iter("use")} | set(re.findall(r"url\(#(.*?)\)", text)) <= set(ids)
    assert text_of(text, "title") == text_of(text, "h1")


def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    elements = [*ElementTree.fromstring(text).iter()]
    assert not {"script", "link", "iframe", "object", "base"} & {element.tag for element in elements}
    assert all(element.get("src", "data:").startswith("data:") for element in elements)
    assert not re.search(r"url\((?!#)|@import|https?://|srcset", text)


def test_charts_and_pictures_are_whole_and_described(text: str) -> None:
    document = ElementTree.fromstring(text)
    images, charts = [*document.iter("img")], document.findall(".//div[@role='img']")
    assert (len(charts), len(images)) == (12, len(PICTURES))
    assert all(len(image.get("alt")) > 20 for image in images)
    assert all(len(chart.get("aria-label")) > 20 for chart in charts)
    assert all(len([*chart.iter("path")]) > 20 for chart in charts)
    for image in images:
        Image.open(io.BytesIO(base64.b64decode(image.get("src").split(";base64,")[1]))).load()


def test_ink_and_ground_of_charts_follow_the_colour_scheme(text: str) -> None:
    for svg in ElementTree.fromstring(text).iter("svg"):
        styles = " ".join(element.get("style", "") for element in svg.iter())
        assert "var(--ink)" in styles
        assert not re.search("|".join(figures.THEMED), re.sub(r"light-dark\(.*?\)", "", styles))
        ground, axes = [*svg.iter("path")][:2]
        assert (ground.get("style"), axes.get("style")) == ("fill: none", "fill: none")


def test_no_number_is_nan_and_no_date_changes_the_page(text: str) -> None:
    assert not re.search(r"\b(nan|None|NaN|inf)\b|\b20\d\d-\d\d-\d\d\b", text_of(text, "body"))


def test_the_sample_is_called_synthetic_before_any_number(pages: dict[str, str]) -> None:
    header = text_of(pages["on_sample"], "header")
    assert header.index(SAMPLE) < header.index("Balanced accuracy")
    assert "synthetic" not in (text_of(pages["honest"], "html") + text_of(pages["leaking"], "html")).lower()


def test_a_class_without_test_images_is_named(pages: dict[str, str]) -> None:
    assert re.search("not in the test split.*dermatofibroma", text_of(pages["on_sample"], "header").lower())
    row = re.search(r"<tr>[^\n]*dermatofibroma \(df\)[^\n]*benign.*", pages["on_sample"])
    assert row[0].endswith('<td>0</td><td colspan="5" class="why">not in the test split</td></tr>')
    assert "not in the test split" not in text_of(pages["honest"], "body").lower()


def test_a_subgroup_with_too_few_lesions_has_no_metrics(pages: dict[str, str]) -> None:
    row = r"<td>ear</td><td>\d</td><td>\d+</td><td colspan=\"2\" class=\"why\">too few</td>"
    assert re.search(row, pages["honest"])


@pytest.mark.usefixtures("without_charts")
def test_params_are_complete_without_folders_of_the_machine(make_inputs: Callable) -> None:
    changes = {"data.source": "archive", "data.archive": "/home/someone/ham.zip", "model.weights": "/data/w.weights.h5"}
    text = page.render(make_inputs(changes))
    assert "someone" not in text
    assert "/data/" not in text
    for words in ("archive: ham.zip", "weights: w.weights.h5", "per_class: 80", "seed: 17", "resnet18: constructor"):
        assert words in text_of(text, "pre")
    assert "resnet50" not in text_of(text, "pre"), "a row that is not in use"


def test_data_are_never_markup(honest: Inputs) -> None:
    table = honest.tables["subgroups"].assign(value='<script>alert("x")</script>')
    assert "<script" not in page.render(with_table(honest, "subgroups", table))


def test_one_epoch_and_small_subgroups_have_a_page_too(honest: Inputs) -> None:
    small = with_table(honest, "subgroups", honest.tables["subgroups"].iloc[[0]].assign(note="too few", lesions=3))
    assert text_of(page.render(with_table(small, "history", honest.tables["history"].iloc[:1])), "h1")


@pytest.mark.usefixtures("without_charts")
def test_the_headline_has_both_metrics_with_intervals(honest: Inputs) -> None:
    figures = {**honest.metrics["test"], "balanced_accuracy": 0.6124, "accuracy": 0.7861}
    intervals = {"balanced_accuracy": {"low": 0.5712, "high": 0.6549}, "accuracy": {"low": 0.76, "high": 0.81}}
    external = {**honest.metrics["external"], "balanced_accuracy": 0.5}
    metrics = {**honest.metrics, "test": figures, "intervals": intervals, "external": external}
    text = page.render(replace(honest, metrics=metrics))
    header = text_of(text, "header")
    assert "Balanced accuracy 0.612 95% CI 0.57 to 0.65 Accuracy 0.786 95% CI 0.76 to 0.81 Balanced" in header
    assert "Balanced accuracy, external 0.500 95% CI" in header
    assert f"0 of {len(honest.tables['confusion'])} test images" in header
    assert '<div class="good">' in text


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [(1400, "akiec bkl mel nv", 0.9112), (1180, "bkl mel nv", 0.951), (220, "bkl mel nv", 0.5984)],
            ["1,180 of 1,400 test images (84%)", "(bkl, mel, nv): 0.951 of those that leak, 0.598 of the 220 others"],
        ),
        ([(30, "mel nv", 0.9), (30, "mel nv", 0.9), (0, nan, nan)], ["(100%)", "run with split.protocol: lesion"]),
        ([(10, "mel nv", 0.9), (4, nan, nan), (6, nan, nan)], ["4 of 10 test images (40%)", "share no class"]),
        ([(30, "mel nv", 0.85), (3, "nv", 0.9), (27, "nv", 0.8)], ["3 of 30 test images (10%)"]),
    ],
)
@pytest.mark.parametrize("name", ["honest", "leaking"])
@pytest.mark.usefixtures("without_charts")
def test_leaked_images_are_counted_and_compared_in_the_headline(
    name: str, rows: list[tuple], words: list[str], request: pytest.FixtureRequest
) -> None:
    text = page.render(with_leaks(request.getfixturevalue(name), *rows))
    header = text_of(text, "header")
    assert all(word in header for word in words)
    assert ("share no class" in header) is ("share no class" in words)
    assert '<div class="bad">' in text


def test_the_table_of_leaks_counts_the_images_of_each_score(leaking: Inputs) -> None:
    rows = [(10, 10, "mel nv", 0.9), (6, 4, "nv", 0.8), (4, 3, "nv", 0.7)]
    table = pd.DataFrame(rows, columns=["images", "scored", "classes", "balanced_accuracy"])
    strata = ["all", "with a sibling in train", "without"]
    table = content.tabulate_leaks(with_table(leaking, "leaks", table.assign(stratum=strata, accuracy=0.5)))
    assert table.columns[1:4] == ("Images", "Scored", "Of classes")
    assert [row[1:4] for row in table.rows] == [("10", "10", "mel nv"), ("6", "4", "nv"), ("4", "3", "nv")]


def test_operating_points_have_specificity_and_sensitivity_of_each_set(honest: Inputs) -> None:
    columns = ["target_specificity", "threshold", "specificity", "sensitivity", "low", "high"]
    inner, outer = (
        pd.DataFrame([row], columns=columns)
        for row in ((0.9, 0.2, 0.8, 0.7, 0.6, 0.75), (0.9, 0.2, 0.5, 0.4, 0.3, 0.45))
    )
    shown = with_table(with_table(honest, "operating_points", inner), "external_operating_points", outer)
    table = content.tabulate_operating_points(shown)
    named = dict(zip(table.columns, map(str, table.rows[0]), strict=True))
    assert named == {
        "Target specificity": "90%",
        "Threshold": "0.200",
        "Specificity on test": "0.800",
        "Sensitivity on test": "0.700 (0.60 to 0.75)",
        "Specificity on external": "0.500",
        "Sensitivity on external": "0.400 (0.30 to 0.45)",
    }


def test_images_are_counted_by_class_and_split_with_the_copies_and_lesions(honest: Inputs) -> None:
    data = {"images_per_class": {"mel": 7, "nv": 9}, "groups": 12}
    split = {
        "per_class": {"train": {"mel": 8, "nv": 6}, "test": {"nv": 3}},
        "copies": {"train": 2, "test": 0},
        "groups": {"train": 9, "test": 3},
    }
    table = content.tabulate_counts(replace(honest, metrics={**honest.metrics, "data": data, "split": split}))
    assert table.columns == ("Diagnosis", "Data", "Train", "Test")
    rows = {name: values for name, *values in table.rows}
    assert rows["melanoma (mel)"] == ["7", "8", "0"]
    assert [rows[name] for name in ("all", "of these, augmented copies", "lesions")] == [
        ["16", "14", "3"],
        ["0", "2", "0"],
        ["12", "9", "3"],
    ]


def test_floors_and_metrics_stand_under_their_names(honest: Inputs) -> None:
    """What validation chose is no metric."""
    table = honest.tables["floors"].assign(low=nan, high=nan)
    table["value"] = [number / 100 for number in range(len(table))]
    shown = content.tabulate_floors(with_table(honest, "floors", table))
    values = table.pivot(index="model", columns="measure", values="value")
    for (_, *cells), model in zip(shown.rows, content.FLOORS, strict=True):
        for title, cell in zip(shown.columns[1:], cells, strict=True):
            (measure,) = [name for name in values if wording.name_measure(name) == title]
            assert str(cell) == f"{values.loc[model, measure]:.3f}"
    names = {name for name, *_ in content.tabulate_metrics(honest).rows}
    assert {"Accuracy", "Log loss"} <= names
    assert not {"Source", "Protocol", "Temperature", "Decision exponent"} & names


@pytest.mark.parametrize(
    ("protocol", "per_class", "balanced"), [("image", 2000, True), ("image", None, False), ("lesion", 2000, False)]
)
def test_copies_in_test_are_named_where_there_are_any(
    protocol: str, per_class: int | None, balanced: bool, make_inputs: Callable
) -> None:
    inputs = make_inputs({"split.protocol": protocol, "balance.per_class": per_class})
    assert ("test split is balanced" in wording.describe_protocol(inputs)) is balanced


def test_shares_are_of_the_class_and_unknown_is_last() -> None:
    table = pd.DataFrame({"dx": ["mel", "mel", "nv"], "value": ["unknown", "x", "x"], "images": [3, 1, 5]})
    shares = bars.class_shares(table)
    assert list(shares.columns) == ["x", "unknown"]
    assert shares.loc[["mel", "nv", "df"]].to_numpy().tolist() == [[0.25, 0.75], [1, 0], [0, 0]]


def test_confusion_has_truth_in_rows_and_prediction_in_columns(honest: Inputs) -> None:
    table = pd.DataFrame({"actual": ["mel", "mel", "nv"], "predicted": ["nv", "mel", "nv"]})
    counts = bars.count_confusions(with_table(honest, "confusion", table))
    assert counts.sum() == 3
    assert (counts[4, 4], counts[4, 5], counts[5, 4], counts[5, 5]) == (1, 1, 0, 1)


@pytest.mark.usefixtures("without_charts")
def test_the_external_set_has_its_columns_or_a_sentence_that_there_is_none(
    honest: Inputs, make_inputs: Callable
) -> None:
    section = section_of(page.render(honest), "external")
    assert f"of HAM10000: {honest.metrics['external']['images']} images. 3 near copies" in section
    without = make_inputs({"data.source": "kaggle"}, splits=("validation", "test"))
    text = page.render(without)
    assert "No external set was scored (external.source: none)" in section_of(text, "external")
    assert "external</h2>" not in text
    assert card.render(without).count("No external set was scored") == 1
