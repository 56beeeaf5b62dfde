"""`skinlesion submission`: the challenge's CSV, and that the challenge's own program scores it as we do."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.__main__ import main
from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import metrics
from skinlesion.model.predictions import select_split
from skinlesion.runtime import paths
from tests.report.conftest import make_predictions

COLUMNS = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
SCORER = ("isic-challenge-scoring==5.6.0", "pandas<3")  # it calls what pandas 3, our pin, has not


@pytest.fixture
def table(tmp_path, monkeypatch) -> pd.DataFrame:
    """Predictions of split test and of an external set, with a decision rule's columns, in the current folder."""
    monkeypatch.chdir(tmp_path)
    table = make_predictions(dict.fromkeys(CODES, 6))
    table["split"] = table["split"].replace("validation", "external")
    table[[f"decision_{code}" for code in CODES]] = np.random.default_rng(1).dirichlet(np.ones(7), len(table))
    tables.write(paths.PREDICTIONS, table)
    return table


def test_a_row_per_image_holds_the_headline_probabilities_by_the_challenge_s_names(table):
    assert main(["submission"]) == 0
    lines = Path("submission.csv").read_text().splitlines()
    assert lines[0] == ",".join(["image", *COLUMNS])
    written = pd.read_csv("submission.csv").set_index("image")
    rows = table[table["split"] == "external"].set_index("image_id")
    assert written.index.tolist() == rows.index.tolist()
    for column in COLUMNS:
        np.testing.assert_allclose(written[column], rows[f"decision_{column.lower()}"], atol=1e-6)
    assert main(["submission", "--split", "test"]) == 0, "its own file is replaced"
    assert pd.read_csv("submission.csv")["image"].str.startswith("test").all()


def test_what_cannot_be_submitted_is_refused_and_nothing_written(table, capsys):
    Path("notes.csv").write_text("mine")
    assert main(["submission", "--output", "notes.csv"]) == 1
    assert "notes.csv exists" in capsys.readouterr().err
    tables.write(paths.PREDICTIONS, table[table["split"] == "test"].assign(image_id="one"))
    assert main(["submission"]) == 1
    assert "external.source" in (error := capsys.readouterr().err)
    assert "--split test" in error
    assert main(["submission", "--split", "test"]) == 1
    assert "split.protocol: lesion" in capsys.readouterr().err
    assert not Path("submission.csv").exists()


def test_without_predictions_the_remedy_is_to_make_them(table, capsys):
    assert main(["submission"]) == 0, "there is a file to be replaced"
    paths.PREDICTIONS.unlink()
    assert main(["submission"]) == 1
    assert "dvc repro" in capsys.readouterr().err


@pytest.mark.slow
def test_the_challenge_s_own_program_computes_our_balanced_accuracy(table, tmp_path):
    """In an environment of its own: the program does not run beside our pins, nor with Python 3.13 or newer."""
    environment = tmp_path / "environment"
    for words in (
        ("venv", "--python", sys.executable, environment),
        ("pip", "install", "--python", environment, *SCORER),
    ):
        done = subprocess.run([sys.executable, "-m", "uv", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{SCORER[0]} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    assert main(["submission"]) == 0
    rows = table[table["split"] == "external"]
    truth = pd.get_dummies(rows["dx"].str.upper()).astype(float)[COLUMNS]
    truth.insert(0, "image", rows["image_id"])
    truth.to_csv("truth.csv", index=False)
    python = environment / "bin" / "python"
    command = [python, "-m", "isic_challenge_scoring", "-o", "json", "classification"]
    output = subprocess.run([*command, "truth.csv", "submission.csv"], capture_output=True, text=True, check=True)
    predictions = select_split(table, "external")
    ours = metrics.headline(predictions.labels, predictions.headline)
    assert json.loads(output.stdout)["overall"] == pytest.approx(ours["balanced_accuracy"], abs=1e-6)
