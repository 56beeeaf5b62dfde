"""`skinlesion compare` in a repository with a stub stage: revisions, experiments and files are sides."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from skinlesion.__main__ import main
from skinlesion.commands.dvc import read_dvc
from tests.helpers import chain
from tests.report.conftest import make_predictions

EVALUATE = """
import pathlib, shutil, yaml
pathlib.Path("data").mkdir(exist_ok=True)
shutil.copy(f"models/{yaml.safe_load(open('params.yaml'))['seed']}.csv", "data/predictions.csv")
"""
PIPELINE = """
stages:
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, models]
    params: [seed]
    outs: [data/predictions.csv]
"""
LESIONS = dict.fromkeys(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"), 3)


def make_table(wrong: int) -> pd.DataFrame:
    """Predictions that are right, but for the first images of split test, which are nv or, if they are, mel."""
    table = make_predictions(LESIONS, splits=("validation", "test"))
    codes = table["dx"].copy()
    first = table.index[table["split"] == "test"][:wrong]
    codes[first] = codes[first].map(lambda code: "mel" if code == "nv" else "nv")
    for code in LESIONS:
        table[code] = (codes == code) * 0.9 + 0.01
    return table


@pytest.fixture
def files(folder) -> Path:
    """The current folder, with a.csv and b.csv: B has two of the 28 test images more wrong than A."""
    for name, wrong in {"a.csv": 1, "b.csv": 3}.items():
        make_table(wrong).to_csv(name, index=False)
    return folder


def test_two_files_are_compared_and_the_disagreements_written(files, capsys):
    assert main(["compare", "a.csv", "b.csv", "--disagreements", "out.csv"]) == 0
    assert "28 images of 21 lesions" in (text := capsys.readouterr().out)
    assert "2 images right only in A, 0 only in B, p = 0.5" in text
    assert "| accuracy | 0.964 | 0.893 | -0.071 (95% interval -" in text
    table = pd.read_csv("out.csv")
    assert table[["dx", "predicted_a", "predicted_b"]].to_numpy().tolist() == [["akiec", "akiec", "nv"]] * 2
    assert main(["compare", "a.csv", "a.csv", "--disagreements", "out.csv"]) == 0, "its own file is replaced"
    assert "| accuracy | 0.964 | 0.964 | +0.000 (95% interval +0.000 to +0.000) |" in capsys.readouterr().out
    assert pd.read_csv("out.csv").empty
    assert main(["compare", "a.csv", "b.csv", "--disagreements", "b.csv"]) == 1
    assert "b.csv would overwrite the input b.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="mel"), ["b.csv lacks 1 columns, such as mel"]),
        (lambda table: table.assign(mel=table["mel"].where(table.index != 30, "x")), ["b.csv, line 32", "number"]),
        (lambda table: table.assign(dx=table["dx"].where(table.index != 30, "x")), ["b.csv, line 32", "dx"]),
        (lambda table: table.assign(group=table["group"].where(table.index != 30)), ["b.csv, line 32", "blank"]),
        (lambda table: table.assign(path="p"), ["b.csv, line 31", "earlier row"]),
        (lambda table: table[table["split"] != "test"], ["no row of split test", "--split validation"]),
        (lambda table: table[table.index != 30], ["1 only in A"]),
    ],
)
def test_bad_predictions_are_named_with_their_line(change, words, files, capsys):
    change(make_table(0)).to_csv("b.csv", index=False)
    assert main(["compare", "a.csv", "b.csv"]) == 1
    error = capsys.readouterr().err
    assert all(word in error for word in words)


def test_a_second_set_that_was_not_scored_is_named_with_what_to_set(files, capsys):
    assert main(["compare", "a.csv", "b.csv", "--split", "external"]) == 1
    assert "external.source" in capsys.readouterr().err


@pytest.mark.chain
def test_a_revision_an_experiment_a_file_and_the_working_tree_are_sides(files, capsys, monkeypatch):
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    Path("models").mkdir()
    for seed, name in {17: "a.csv", 18: "b.csv"}.items():
        shutil.copy(name, f"models/{seed}.csv")
    Path("evaluate.py").write_text(EVALUATE)
    Path("dvc.yaml").write_text(PIPELINE)
    chain.run(files, "git", "init", "-q", "-b", "main")
    read_dvc("init", "-q")
    chain.commit(files, "pipeline")
    chain.run(files, "git", "tag", "empty")
    read_dvc("repro")
    chain.commit(files, "results")
    chain.run(files, "git", "tag", "-a", "first", "-m", "annotated")
    read_dvc("exp", "run", "--temp", "-n", "idea", "-S", "seed=18")

    def compare(*sides: str, expect: int = 0) -> str:
        assert main(["compare", *sides]) == expect
        captured = capsys.readouterr()
        return captured.err if expect else captured.out

    expected = compare("a.csv", "b.csv").splitlines()[2:]
    for a in ("main", "first", "HEAD", "data/predictions.csv"):
        assert compare(a, "idea").splitlines()[2:] == expected, a
    shutil.copy("b.csv", "data/predictions.csv")
    assert compare("first").splitlines()[2:] == expected, "B is the working tree"

    assert "'nowhere' is no branch" in compare("nowhere", expect=1)
    assert "empty has no result" in compare("empty", expect=1)
    chain.run(files, "git", "checkout", "-q", "-b", "conflict")
    Path("dvc.lock").write_text("<<<<<<< HEAD\n")
    chain.commit(files, "conflict")
    assert "dvc.lock of conflict" in compare("conflict", expect=1)

    remote = files / "remote"
    read_dvc("remote", "add", "-d", "here", str(remote))
    chain.run(files, "git", "checkout", "-q", "main")
    read_dvc("push", "--all-commits")
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("data")
    error = compare("first", expect=1)
    assert "dvc exp pull origin idea" in compare("idea", expect=1)
    command = "dvc fetch --all-commits data/predictions.csv"
    assert command in error
    read_dvc(*command.split()[1:])
    assert compare("first", "a.csv").count("+0.000 (95% interval +0.000 to +0.000)") == 3


def test_seeds_of_two_results_are_compared_by_their_means(files, capsys):
    shutil.copy("b.csv", "b,2.csv")
    assert main(["compare", "a.csv,b.csv", "b.csv,b.csv"]) == 0
    text = capsys.readouterr().out
    assert "28 images of 21 lesions, the same in all runs" in text
    assert "| accuracy | 0.929 [0.893 to 0.964] | 0.893 [0.893 to 0.893] | -0.036 (95% interval -" in text
    assert main(["compare", "a.csv", "b,2.csv"]) == 0, "a file with a comma in its name"
    assert "with several seeds, then: skinlesion compare A1,A2,A3 B1,B2,B3" in capsys.readouterr().out
    assert main(["compare", "a.csv,b.csv", "b.csv"]) == 1
    assert "Give several of both" in capsys.readouterr().err
    assert main(["compare", "a.csv,b.csv", "b.csv,a.csv", "--disagreements", "out.csv"]) == 1
    assert "--disagreements is of two runs" in capsys.readouterr().err
    assert not Path("out.csv").exists()
