"""The stage: the same bytes in every folder and process, and a clear word where an input is missing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skinlesion.report import inputs as report_inputs
from skinlesion.report.inputs import Inputs
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from stages import report
from tests.helpers.chain import ROOT


def lay_out(inputs: Inputs, folder: Path) -> None:
    """Write what the stages before leave: metrics, tables and pictures."""
    for name, path in report_inputs.METRICS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(inputs.metrics[name]))
    for name, path in report_inputs.TABLES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        inputs.tables[name].to_csv(folder / path, index=False)
    for name, path in report_inputs.PICTURES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(inputs.pictures[name], folder / path)
    for file in ("params.yaml", "networks.yaml"):
        shutil.copy(ROOT / file, folder)


def made(folder: Path) -> tuple[bytes, bytes]:
    return (folder / paths.REPORT).read_bytes(), (folder / paths.MODEL_CARD).read_bytes()


@pytest.mark.chain
def test_two_folders_and_two_processes_give_the_same_bytes(
    on_sample: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "another" / "place"
    for folder in (here, there):
        lay_out(on_sample, folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(here)
    report.main()
    subprocess.run(
        [sys.executable, ROOT / "stages" / "report.py"],
        cwd=there,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        check=True,
    )
    assert made(here) == made(there)
    page, _ = made(here)
    assert len(page) < 8e6
    assert str(tmp_path).encode() not in page


def test_the_stage_hands_over_every_section_and_the_rows_in_use(
    on_sample: Inputs, document: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(on_sample, tmp_path)
    monkeypatch.chdir(tmp_path)
    seen: list[Inputs] = []
    monkeypatch.setattr(report.page, "render", lambda inputs: seen.append(inputs) or "")
    report.main()
    used = seen[0].params
    assert set(used) == set(params.Params.model_fields) - {"workers"}  # no result hangs on it
    for name, value in used.items():
        if name in ("backbones", "heads", "configurations"):
            (row,) = value
            assert value[row] == document[name][row] == document[name][document["model"][name.removesuffix("s")]]
        else:
            assert value == document[name]


def test_a_missing_input_is_named(on_sample: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(on_sample, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plots/explain/gradcam.png").unlink()
    with pytest.raises(UserError, match=r"1 of \d+ files is missing: plots/explain/gradcam\.png"):
        report.main()
    assert not paths.REPORT.exists()
