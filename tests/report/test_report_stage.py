"""The stage: the same bytes in every folder and process, and missing inputs named."""

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
from tests.helpers.chain import ROOT, SAMPLE


def write_inputs(inputs: Inputs, folder: Path) -> None:
    """Write what the stages before leave: metrics, tables and pictures."""
    written = {**report_inputs.METRICS, **report_inputs.TABLES, **report_inputs.PICTURES}
    for path in {path.parent for path in written.values()}:
        (folder / path).mkdir(parents=True, exist_ok=True)
    for name, path in report_inputs.METRICS.items():
        (folder / path).write_text(json.dumps(inputs.metrics[name]))
    for name, path in report_inputs.TABLES.items():
        inputs.tables[name].to_csv(folder / path, index=False)
    for name, path in report_inputs.PICTURES.items():
        shutil.copy(inputs.pictures[name], folder / path)
    (folder / "params.yaml").write_text(SAMPLE)
    shutil.copy(ROOT / "networks.yaml", folder)


@pytest.fixture
def folder(on_sample: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All inputs, in the current folder."""
    write_inputs(on_sample, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.chain
def test_two_folders_and_two_processes_give_the_same_bytes(
    folder: Path, on_sample: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "another" / "place"
    write_inputs(on_sample, other)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    report.main()
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, ROOT / "stages" / "report.py"], cwd=other, env=environment, check=True)
    for path in (paths.REPORT, paths.MODEL_CARD):
        assert (folder / path).read_bytes() == (other / path).read_bytes()
    page = (folder / paths.REPORT).read_bytes()
    assert len(page) < 8e6
    assert str(tmp_path).encode() not in page


def test_the_stage_passes_every_section_and_the_rows_in_use(
    folder: Path, document: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Inputs] = []
    monkeypatch.setattr(report.page, "render", lambda inputs: seen.append(inputs) or "")
    report.main()
    used = seen[0].params
    assert set(used) == set(params.Params.model_fields) - {"workers"}  # does not affect results
    for name, value in used.items():
        if name in ("backbones", "heads", "configurations"):
            row = document["model"][name.removesuffix("s")]
            assert value == {row: document[name][row]}
        else:
            assert value == document[name]


def test_a_missing_input_is_named(folder: Path) -> None:
    (folder / "plots/explain/gradcam.png").unlink()
    with pytest.raises(UserError, match=r"plots/explain/gradcam\.png.*dvc repro"):
        report.main()
    assert not paths.REPORT.exists()
