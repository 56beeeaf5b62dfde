"""`skinlesion result`: one line with figure, data and report, of the last run and not of params.yaml."""

import json
from pathlib import Path

import pytest
import yaml

from skinlesion.__main__ import main


def write(path: str, content: object) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content))  # JSON is YAML too


@pytest.mark.parametrize(("source", "data"), [("sample", "synthetic sample"), ("archive", "HAM10000 (archive)")])
def test_one_line_says_what_was_reached_on_what_and_where_the_report_is(folder, capsys, source, data):
    assert main(["result"]) == 1
    assert "dvc repro" in capsys.readouterr().err
    write("metrics/test.json", {"source": source, "balanced_accuracy": 0.77})
    write("metrics/intervals.json", {"balanced_accuracy": {"low": 0.71, "high": 0.83}})
    write("metrics/split.json", {"images": {"test": 1001}, "leaked_images": {"test": 17}})
    assert main(["result"]) == 1
    assert "dvc checkout plots/report.html" in capsys.readouterr().err
    write("plots/report.html", "")
    assert yaml.safe_load(Path("params.yaml").read_text())["data"]["source"] == "sample"
    assert main(["result"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    for words in (
        "0.770 (95% interval 0.71 to 0.83)",
        "1,001 test images of",
        f"{data}; 17 of them leak. ",
        "plots/report.html",
    ):
        assert words in line
