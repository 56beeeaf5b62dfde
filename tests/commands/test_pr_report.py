"""pr-report: what it says of two sides, by hand-made ones, and as it is typed in a clone with two branches."""

import json
import os
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from skinlesion.__main__ import main
from skinlesion.commands.pr_report import cautions, comment, matrices, sides
from skinlesion.commands.pr_report.sides import Side

SPLIT = {
    "protocol": "lesion",
    "images": {"train": 8, "validation": 3, "test": 4},
    "leaked_images": {"validation": 0, "test": 0},
}
PREDICTIONS = (("nv", "nv"), ("mel", "nv"), ("mel", "mel"), ("nv", "nv"))
BASE = Side(
    "main",
    test={"protocol": "lesion", "balanced_accuracy": 0.75},
    intervals={"balanced_accuracy": {"low": 0.5, "high": 0.9}},
    split=SPLIT,
    params={"data": {"source": "archive"}, "model": {"backbone": "resnet18", "configuration": "A"}},
    outputs={"data/raw": "r", "data/splits.csv": "s"},
    predictions=PREDICTIONS,
)
HERE = replace(BASE, name="this branch")
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


# What may be compared


def test_equal_sides_need_no_warning():
    assert cautions.warnings(BASE, HERE) == []
    assert cautions.notes(BASE, HERE) == []
    assert BASE.same_results(HERE)


def test_different_protocols_are_warned_of():
    (warning,) = cautions.warnings(BASE, image_protocol(HERE))
    assert warning.startswith("**Different protocols**: main lesion, this branch image.")
    assert "cannot be compared" in warning


@pytest.mark.parametrize(
    "other",
    [
        {"split": {**SPLIT, "images": {**SPLIT["images"], "test": 5}}},
        {"predictions": (("mel", "nv"), ("nv", "nv"), ("mel", "mel"), ("nv", "nv"))},  # as many of each, other images
    ],
)
def test_different_test_images_are_warned_of(other):
    (warning,) = cautions.warnings(BASE, replace(HERE, **other))
    assert warning.startswith("**Different splits**")
    assert cautions.notes(BASE, replace(HERE, **other)) == []


def test_more_training_images_leave_the_figures_comparable_and_are_noted():
    other = replace(HERE, split={**SPLIT, "images": {**SPLIT["images"], "train": 12}})
    assert cautions.warnings(BASE, other) == []
    (note,) = cautions.notes(BASE, other)
    assert "test images are the same" in note


def test_under_protocol_image_another_splits_file_is_another_test_split():
    other = {"outputs": {"data/raw": "r", "data/splits.csv": "t"}}
    assert cautions.warnings(image_protocol(BASE), image_protocol(HERE)) == []
    (warning,) = cautions.warnings(image_protocol(BASE), image_protocol(HERE, **other))
    assert warning.startswith("**Different splits**")


def test_other_data_are_warned_of_even_where_the_split_looks_the_same():
    (warning,) = cautions.warnings(BASE, replace(HERE, outputs={"data/raw": "q", "data/splits.csv": "s"}))
    assert warning.startswith("**Different data** (source archive; the content of data/raw differs)")


def test_the_sample_is_warned_of_and_whose_it_is():
    sample = replace(HERE, params={"data": {"source": "sample"}})
    data, warning = cautions.warnings(BASE, sample)
    assert data.startswith("**Different data** (source archive and sample;")
    assert warning.startswith("**Synthetic sample** (this branch).")
    (warning,) = cautions.warnings(replace(sample, name="main"), sample)
    assert warning.startswith("**Synthetic sample** (main and this branch).")


@pytest.mark.parametrize(
    ("value", "interval", "noted"),
    [
        (0.80, (0.70, 0.95), True),  # 0.75 is in 0.70 to 0.95, and 0.80 in 0.5 to 0.9
        (0.80, (0.78, 0.95), False),
        (0.95, (0.70, 0.99), False),
        (0.75, (0.50, 0.90), False),  # equal: nothing to tell apart
        (0.80, (None, None), False),  # no interval could be given
    ],
)
def test_a_difference_within_both_intervals_is_noted(value, interval, noted):
    low, high = interval
    other = replace(
        HERE,
        test={**HERE.test, "balanced_accuracy": value},
        intervals={"balanced_accuracy": {"low": low, "high": high}},
    )
    assert any("does not tell the two sides apart" in note for note in cautions.notes(BASE, other)) == noted


# What the comment shows


class Cells(HTMLParser):
    """The cells of a table's rows, and whether every element was closed."""

    def __init__(self, text: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_the_matrices_stand_side_by_side():
    other = replace(HERE, predictions=(("nv", "nv"), ("mel", "mel"), ("mel", "mel"), ("nv", "vasc")))
    table = matrices.html(BASE, other)
    cells = Cells(table)
    assert cells.open == []
    top, under, *rows = cells.rows
    assert top == ["actual", "main: predicted (4 test images)", "this branch: predicted (4 test images)"]
    assert under == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"] * 2
    by_class = {row[0]: (row[1:8], row[8:]) for row in rows}
    assert by_class["mel"] == (["", "", "", "", "1", "1", ""], ["", "", "", "", "2", "", ""])
    assert by_class["nv"] == (["", "", "", "", "", "2", ""], ["", "", "", "", "", "1", "1"])
    assert by_class["df"] == ([""] * 7, [""] * 7)
    assert table.count("<b>") == 4


def test_a_side_without_predictions_has_no_matrix_and_a_strange_class_is_shown():
    table = matrices.html(replace(BASE, predictions=()), replace(HERE, predictions=(("<i>", "nv"),)))
    top, _, *rows = Cells(table).rows
    assert top == ["actual", "this branch: predicted (1 test images)"]
    assert [len(row) for row in rows] == [9] * 8
    assert rows[-1] == ["<i>", "", "", "", "", "", "1", "", ""]


def test_the_headline_has_the_interval_and_the_leak_of_both_sides():
    leaking = replace(
        image_protocol(HERE), split={"images": {"test": 1400}, "leaked_images": {"test": 1190}}, intervals={}
    )
    text = comment.headline(BASE, leaking)
    assert "| balanced accuracy (95% interval) | 0.750 (0.50 to 0.90) | 0.750 |" in text
    assert "a sibling in train | 0 of 4 (0%) | 1,190 of 1,400 (85%) |" in text
    assert "| model | resnet18, A | resnet18, A |" in text


def test_a_diff_of_any_length_fits_githubs_limit_and_says_what_is_left_out():
    head = ["| Path | Param | main | workspace |", "|---|---|---|---|"]
    rows = [f"| params.yaml | key{number} | {'x' * 90} | y |" for number in range(1000)]
    folded = comment.folded("params", head + rows, "main")
    shown = folded.count("| y |")
    assert len(folded) < 26_000
    assert 0 < shown < 1000
    assert f"{1000 - shown} more: `dvc params diff main` shows them." in folded
    assert "Params that differ: 1000" in folded
    assert comment.folded("params", [*head, rows[0], "x" * 70_000], "main").count("\n1 more: ") == 1
    assert comment.folded("params", [], "main") == "No params differ."


# As it is typed


def write(side: Side) -> None:
    """Lay a side's files into the current folder."""
    for path, content in {"test": side.test, "intervals": side.intervals, "split": side.split}.items():
        Path(f"metrics/{path}.json").write_text(json.dumps(content))
    Path("params.yaml").write_text(yaml.safe_dump(side.params))
    rows = ["actual,predicted", *(",".join(pair) for pair in side.predictions)]
    Path("plots/evaluate/confusion.csv").write_text("\n".join(rows) + "\n")


def git(*words: str) -> None:
    who = {f"GIT_{role}_{what}": "test@x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], env={**os.environ, **who}, capture_output=True, check=True)


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


def test_two_branches_make_one_comment_that_renders(clone, capsys):
    git("checkout", "-q", "-b", "idea")
    write(
        replace(
            HERE,
            test={**HERE.test, "balanced_accuracy": 0.8},
            params={**HERE.params, "model": {"backbone": "resnet50", "configuration": "A"}},
            predictions=(*PREDICTIONS[:1], ("mel", "mel"), *PREDICTIONS[2:]),
        )
    )
    assert main(["pr-report", "main"]) == 0
    text = capsys.readouterr().out
    assert "| balanced accuracy (95% interval) | 0.750 (0.50 to 0.90) | 0.800 (0.50 to 0.90) |" in text
    assert "| model | resnet18, A | resnet50, A |" in text
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<table>") == html.count("</table>") == 4  # headline, matrices, metrics, params
    assert html.count("<details open>") == html.count("</details>") == 2
    rows = [row for row in Cells(html[html.index("<details open>") :]).rows if row]
    assert ["metrics/test.json", "balanced_accuracy", "0.75", "0.8", "0.05"] in rows
    assert ["params.yaml", "model.backbone", "resnet18", "resnet50"] in rows
    assert "[!NOTE]\n> Each balanced accuracy" in text
    assert "[!WARNING]" not in text


def test_nothing_changed_is_one_line(clone, capsys):
    assert main(["pr-report", "main"]) == 0
    assert capsys.readouterr().out == "Results against `main`: no metric, no param and no test prediction differs.\n"


def test_a_base_without_results_leaves_nothing_to_compare_with(clone, capsys):
    assert main(["pr-report", "empty"]) == 0
    text = capsys.readouterr().out
    assert "Nothing to compare with: `empty` has no results yet." in text
    assert "| balanced accuracy (95% interval) | 0.750 (0.50 to 0.90) |" in text


@pytest.mark.parametrize("base", ["nowhere", "origin/nowhere"])
def test_an_unknown_base_says_what_to_fetch(base, clone, capsys):
    assert main(["pr-report", base]) == 1
    said = capsys.readouterr()
    assert f"Received: {base!r}" in said.err
    assert "git fetch origin nowhere, then skinlesion pr-report origin/nowhere" in said.err
    assert said.out == ""


def test_a_merge_conflict_left_in_a_metric_names_the_file(clone, capsys):
    Path("metrics/split.json").write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> idea\n")
    assert main(["pr-report", "main"]) == 1
    assert (
        "metrics/split.json of this branch cannot be read. Is a merge conflict left in it?" in capsys.readouterr().err
    )


def test_without_a_result_here_or_without_git_there_is_no_report(clone, capsys, monkeypatch):
    Path("metrics/test.json").unlink()
    assert main(["pr-report", "main"]) == 1
    assert "metrics/test.json is missing" in capsys.readouterr().err
    monkeypatch.setenv("GIT_DIR", str(clone / "no.git"))
    assert main(["pr-report", "main"]) == 1
    assert "not under Git" in capsys.readouterr().err


def test_hashes_are_read_from_dvc_lock():
    lock = {"stages": {"a": {"outs": [{"path": "data/raw", "md5": "1.dir"}, {"path": "x"}]}, "b": {"cmd": "c"}}}
    assert sides.hashes(lock) == {"data/raw": "1.dir"}
    assert sides.hashes({}) == {}
