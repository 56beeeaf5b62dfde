"""pr-report: the cautions and figures of two hand-made sides, and the command in a clone with two branches."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt

from skinlesion.__main__ import main
from skinlesion.commands.pr_report import cautions, comment, sides
from skinlesion.commands.pr_report.sides import Side
from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.runtime import paths
from tests.report.conftest import make_predictions

SPLIT = {
    "protocol": "lesion",
    "images": {"train": 8, "validation": 3, "test": 4},
    "leaked_images": {"validation": 0, "test": 0},
}
PREDICTIONS = (("nv", "nv"), ("mel", "nv"), ("mel", "mel"), ("nv", "nv"))
BASE = Side(
    "main",
    test={"source": "archive", "protocol": "lesion", "balanced_accuracy": 0.75},
    external={"source": "none", "images": 0},
    intervals={"balanced_accuracy": {"low": 0.5, "high": 0.9}},
    split=SPLIT,
    params={
        "seed": 1,
        "model": {"backbone": "resnet18", "configuration": "A"},
        "evaluate": {"bootstrap": 100},
    },
    outputs={"data/raw": "r", "data/splits.csv": "s"},
    predictions=PREDICTIONS,
)
HERE = replace(BASE, name="this branch")
OTHER_SPLITS = {"data/raw": "r", "data/splits.csv": "t"}
PIPELINE = """
stages:
  evaluate:
    cmd: python stub.py
    params: [seed, data, model]
    metrics:
      - metrics/test.json: {cache: false}
      - metrics/intervals.json: {cache: false}
      - metrics/split.json: {cache: false}
"""


def image_protocol(side: Side, **changes: object) -> Side:
    test = {**side.test, "protocol": "image"}
    return replace(side, test=test, split={**side.split, "protocol": "image"}, **changes)


# Cautions


@pytest.mark.parametrize(
    ("base", "here", "warned"),
    [
        (BASE, HERE, []),
        (BASE, image_protocol(HERE), ["protocols", "main lesion", "this branch image"]),
        (BASE, replace(HERE, split={**SPLIT, "images": {**SPLIT["images"], "test": 5}}), ["splits"]),
        (
            BASE,
            replace(HERE, predictions=(PREDICTIONS[1], PREDICTIONS[0], *PREDICTIONS[2:])),
            ["splits"],
        ),  # other images
        (image_protocol(BASE), image_protocol(HERE), []),
        (image_protocol(BASE), image_protocol(HERE, outputs=OTHER_SPLITS), ["splits"]),
        (BASE, replace(HERE, outputs={"data/raw": "q", "data/splits.csv": "s"}), ["data", "archive"]),
        (BASE, replace(HERE, test=HERE.test | {"source": "kaggle"}), ["data", "archive", "kaggle"]),
    ],
)
def test_sides_that_cannot_be_compared_are_warned_of(base, here, warned):
    sentences = cautions.warnings(base, here)
    assert len(sentences) == bool(warned)
    assert all(word in sentences[0] for word in warned)
    assert not (warned and cautions.notes(base, here))


def test_more_training_images_leave_the_figures_comparable_and_are_noted():
    other = replace(HERE, split={**SPLIT, "images": {**SPLIT["images"], "train": 12}}, outputs=OTHER_SPLITS)
    assert cautions.warnings(BASE, other) == []
    note, _ = cautions.notes(BASE, other)
    assert "test images are the same" in note


def test_the_synthetic_sample_is_named_with_its_side():
    sample = replace(HERE, test=HERE.test | {"source": "sample"})
    assert "(this branch)" in cautions.warnings(BASE, sample)[1]
    assert "(main and this branch)" in cautions.warnings(replace(sample, name="main"), sample)[0]


def cached(side: Side, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Side:
    """The side with its predictions in a stand-in for DVC's cache: a file of the current folder, named by its MD5."""
    tables.write(Path(f"{side.name}.csv"), table)
    monkeypatch.setattr(cautions, "find_cached", lambda md5: Path(md5) if md5 and Path(md5).exists() else None)
    return replace(side, outputs={**side.outputs, "data/predictions.csv": f"{side.name}.csv"})


@pytest.mark.parametrize(
    ("right_images", "words"),
    [
        (1, ["this branch minus main: +", "95% interval +0.000 to +", "contains 0", "cannot distinguish"]),
        (12, ["this branch minus main: +", "95% interval +0."]),
    ],
)
def test_the_paired_difference_is_noted_with_its_interval(right_images, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = make_predictions(dict.fromkeys(CODES, 4))
    right = np.eye(7)[table["dx"].map(CODES.index)]
    wrong, better = table.copy(), table.copy()
    wrong[list(CODES)] = np.roll(right, 1, axis=1)
    fixed = (table["split"] == "test").cumsum().between(1, right_images).to_numpy()
    better[list(CODES)] = np.where(fixed[:, None], right, wrong[list(CODES)])
    (note,) = cautions.notes(cached(BASE, wrong, monkeypatch), cached(HERE, better, monkeypatch))
    assert all(word in note for word in words)
    assert ("distinguish" in note) == ("cannot distinguish" in words)


def test_a_missing_paired_difference_says_whose_predictions_are_missing_and_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = make_predictions(dict.fromkeys(CODES, 1), splits=("validation", "test"))
    here = cached(HERE, table, monkeypatch)
    (note,) = cautions.notes(replace(BASE, outputs={**BASE.outputs, "data/predictions.csv": "lost"}), here)
    assert "of main is not in DVC's cache" in note
    assert "dvc fetch --all-commits data/predictions.csv" in note
    (note,) = cautions.notes(cached(BASE, table.iloc[:-1], monkeypatch), here)
    assert "missing" in note
    assert "1 only in B" in note
    assert cautions.notes(replace(here, name="main"), here) == ["The predictions of both sides are the same."]


# The figures


def rows_of(markdown: str) -> list[list[str]]:
    """The cells of the Markdown tables, row by row."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_confusion_matrix_counts_actual_classes_in_rows():
    head, _, *rows = rows_of(comment.confusion(BASE))
    assert head[1:] == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
    by_class = {row[0]: row[1:] for row in rows}
    assert by_class["mel"] == ["", "", "", "", "**1**", "1", ""]
    assert by_class["nv"] == ["", "", "", "", "", "**2**", ""]
    assert by_class["df"] == [""] * 7
    assert "|" not in comment.confusion(replace(BASE, predictions=()))


def test_the_change_in_sensitivity_is_by_class():
    here = replace(HERE, predictions=(("nv", "nv"), ("mel", "mel"), ("mel", "mel"), ("nv", "mel"), ("bcc", "bcc")))
    head, _, *rows = rows_of(comment.compare_classes(BASE, here))
    cells = {row[0]: row[1:] for row in rows}
    assert head[1:3] == ["main", "this branch"]
    assert cells["mel"] == ["0.500", "1.000", "+0.500", "2"]
    assert cells["nv"] == ["1.000", "0.500", "-0.500", "2"]
    assert cells["bcc"][1:] == ["1.000", "", "0, 1"]


def test_the_headline_has_interval_and_leak_of_both_sides():
    split = {"images": {"test": 1400}, "leaked_images": {"test": 1190}}
    rows = rows_of(comment.headline(BASE, replace(image_protocol(HERE), split=split, intervals={})))
    cells = {row[0]: row[1:] for row in rows}
    assert cells["balanced accuracy (95% interval)"] == ["0.750 (0.50 to 0.90)", "0.750"]
    assert cells["test images that **leak**"] == ["0 of 4 (0%)", "1,190 of 1,400 (85%)"]
    assert cells["model"] == ["resnet18, A", "resnet18, A"]


def test_near_duplicates_say_nothing_about_the_test_images():
    """A base from before they were counted is compared all the same."""
    counted = {paths.SPLIT_METRICS: json.dumps({**SPLIT, "near_duplicates": {"pairs": 3}})}
    assert sides.read_side("main", counted.get).split == SPLIT


def test_the_external_set_has_a_row_where_one_was_scored():
    interval = {"balanced_accuracy": {"low": 0.5, "high": 0.7}}
    scored = {"source": "isic2018", "images": 9, "balanced_accuracy": 0.6, "intervals": interval}
    cells = {row[0]: row[1:] for row in rows_of(comment.headline(BASE, replace(HERE, external=scored)))}
    assert cells["balanced accuracy on the external set"] == ["none", "0.600 (0.50 to 0.70), isic2018"]
    assert "external" not in comment.headline(BASE, HERE)


def test_a_long_diff_is_cut_and_says_how_to_see_the_rest(monkeypatch):
    rows = [f"| params.yaml | key{number} | {'x' * 90} | y |" for number in range(1000)]
    head = ["| Path | Param | main | workspace |", "|---|---|---|---|"]
    monkeypatch.setattr(comment, "read_dvc", lambda *_: "\n".join(head + rows))
    folded = comment.fold_diff("params", "main", "this branch")
    shown = folded.count("| y |")
    assert len(folded) < 25_000  # GitHub takes 65,536 for a comment, with two of these
    assert f"{1000 - shown} more rows: run `dvc params diff main`" in folded


# The command


def write(side: Side) -> None:
    """Write a side's files into the current folder."""
    for path, content in {"test": side.test, "intervals": side.intervals, "split": side.split}.items():
        Path(f"metrics/{path}.json").write_text(json.dumps(content))
    Path("params.yaml").write_text(yaml.safe_dump(side.params))
    rows = ["actual,predicted", *(",".join(pair) for pair in side.predictions)]
    Path("plots/evaluate/confusion.csv").write_text("\n".join(rows) + "\n")


def git(*words: str) -> None:
    user = {f"GIT_{role}_{key}": "test@x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], env={**os.environ, **user}, capture_output=True, check=True)


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """A repository as the current folder: tag `empty` without results, branch main with those of BASE."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    git("init", "-q", "-b", "main")
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("")
    Path(".dvc/.gitignore").write_text("/tmp\n/cache\n")
    Path("dvc.yaml").write_text(PIPELINE)
    git("add", ".")
    git("commit", "-q", "-m", "pipeline")
    git("tag", "empty")
    for folder in ("metrics", "plots/evaluate"):
        Path(folder).mkdir(parents=True)
    write(BASE)
    git("add", ".")
    git("commit", "-q", "-m", "results")
    return tmp_path


def test_two_branches_give_one_comment_that_renders(clone, capsys):
    git("checkout", "-q", "-b", "idea")
    model = {"backbone": "resnet50", "configuration": "A"}
    write(replace(HERE, test={**HERE.test, "balanced_accuracy": 0.8}, params={**HERE.params, "model": model}))
    assert main(["pr-report", "main"]) == 0
    text = capsys.readouterr().out
    rows = rows_of(text)
    assert ["balanced accuracy (95% interval)", "0.750 (0.50 to 0.90)", "0.800 (0.50 to 0.90)"] in rows
    assert ["metrics/test.json", "balanced_accuracy", "0.75", "0.8", "0.05"] in rows
    assert ["params.yaml", "model.backbone", "resnet18", "resnet50"] in rows
    assert "[!NOTE]" in text
    assert "[!WARNING]" not in text
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<table>") == html.count("</table>") == 6  # headline, classes, metrics, params, two matrices
    assert (html.count("<details open>"), html.count("</details>")) == (2, 3)
    parts = ["Sensitivity by class", "Metrics that differ", "Params that differ", "<details><summary>Confusion"]
    assert sorted(parts, key=text.index) == parts
    assert "workspace" not in text
    assert [row[-2:] for row in rows if row[0] == "Path" and row[1] == "Param"] == [["main", "this branch"]]


def test_without_changes_no_metric_and_no_param_differs(clone, capsys):
    assert main(["pr-report", "main"]) == 0
    text = capsys.readouterr().out
    assert "No metrics differ." in text
    assert "No params differ." in text


def test_a_base_without_results_gives_this_sides_figures(clone, capsys):
    assert main(["pr-report", "empty"]) == 0
    text = capsys.readouterr().out
    assert "`empty` has no results" in text
    assert ["balanced accuracy (95% interval)", "0.750 (0.50 to 0.90)"] in rows_of(text)


@pytest.mark.parametrize("base", ["nowhere", "origin/nowhere"])
def test_an_unknown_base_is_named_with_the_branch_to_fetch(base, clone, capsys):
    assert main(["pr-report", base]) == 1
    captured = capsys.readouterr()
    assert repr(base) in captured.err
    assert "git fetch origin nowhere, then skinlesion pr-report origin/nowhere" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("file", ["metrics/split.json", "params.yaml"])
def test_a_merge_conflict_left_in_a_file_names_the_file(file, clone, capsys):
    Path(file).write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> idea\n")
    assert main(["pr-report", "main"]) == 1
    error = capsys.readouterr().err
    assert f"{file} of this branch" in error
    assert "merge conflict" in error


def test_without_a_result_here_or_without_git_there_is_no_report(clone, capsys, monkeypatch):
    Path("metrics/test.json").unlink()
    assert main(["pr-report", "main"]) == 1
    assert "metrics/test.json is missing" in capsys.readouterr().err
    monkeypatch.setenv("GIT_DIR", str(clone / "no.git"))
    assert main(["pr-report", "main"]) == 1
    assert "not under Git" in capsys.readouterr().err
