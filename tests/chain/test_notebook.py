"""The Colab notebook, run from top to bottom on a tiny archive with what only Colab has switched off."""

import ast
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.helpers import chain

NOTEBOOK = chain.ROOT / "notebooks" / "colab.ipynb"
LONGEST = 300  # seconds for one cell


@pytest.fixture
def notebook() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == name)


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def settings(notebook: NotebookNode) -> dict[str, object]:
    """The values of the cell that is tagged `parameters`, none of which is computed."""
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    return {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(parameters.source).body}


def execute(notebook: NotebookNode, folder: Path, values: dict[str, object]) -> NotebookNode:
    """Run it in `folder` with other settings, inserted below its own as papermill does."""
    assert set(values) <= set(settings(notebook))
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    notebook.cells.insert(notebook.cells.index(cell(notebook, "settings")) + 1, new_code_cell("\n".join(lines)))
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=LONGEST, kernel_name="python3", resources=resources).execute()


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A clone of this project as it is, without its results."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "project"
    chain.copy_project(folder)
    chain.commit(folder, "the project")
    return folder


def test_it_is_a_valid_notebook_without_outputs(notebook):
    nbformat.validate(notebook)
    assert not [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count]


def test_its_settings_are_at_the_top_and_hold_no_credential(notebook):
    values = settings(notebook)
    assert values["ON_COLAB"] is True
    assert values["SOURCE"] in ("kaggle", "archive", "sample")
    assert (chain.ROOT / "presets" / f"{values['PRESET']}.yaml").is_file()
    assert code_cells(notebook)[0].id == "settings"
    assert not [name for name in values if "TOKEN" in name or "KEY" in name]


def test_what_only_colab_has_is_behind_the_flag(notebook):
    """Every import of google.colab is in an `if ON_COLAB` block."""

    def colab(tree: ast.AST) -> int:
        return sum(isinstance(node, ast.ImportFrom) and node.module == "google.colab" for node in ast.walk(tree))

    def guarded(tree: ast.AST) -> int:
        blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If))
        return sum(colab(block) for block in blocks if "ON_COLAB" in ast.unparse(block.test))

    trees = [ast.parse(cell.source) for cell in code_cells(notebook)]
    assert sum(map(colab, trees)) == sum(map(guarded, trees)) == 2


class Refused(Exception):
    """What Colab raises for a secret that is not there, or not for this notebook."""


@pytest.mark.parametrize(
    ("uploaded", "kept"), [(None, None), ("kaggle (1).json", "kaggle.json"), ("access_token", "access_token")]
)
def test_the_kaggle_token_is_the_secret_or_an_uploaded_file(notebook, uploaded, kept, tmp_path, monkeypatch):
    """The cell alone, with stand-ins for what Colab has: `files.upload` leaves the files in the current folder too."""

    def secret(_: str) -> str:
        if uploaded:
            raise Refused
        return "KGAT_1\n"

    def upload() -> dict[str, bytes]:
        Path(uploaded).write_bytes(b"key")
        return {uploaded: b"key"}

    userdata = SimpleNamespace(get=secret, SecretNotFoundError=Refused, NotebookAccessError=Refused)
    colab = SimpleNamespace(userdata=userdata, files=SimpleNamespace(upload=upload))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_API_TOKEN", "")
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(cell(notebook, "data").source, {"ON_COLAB": True, "SOURCE": "kaggle", "os": os, "Path": Path})
    assert os.environ["KAGGLE_API_TOKEN"] == ("" if uploaded else "KGAT_1")
    files = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert list(files) == ([kept] if kept else [])
    if kept:
        assert files[kept] == tmp_path / "home" / ".kaggle" / kept
        assert files[kept].read_bytes() == b"key"
        assert files[kept].stat().st_mode & 0o777 == 0o600


@pytest.mark.chain
def test_it_runs_from_top_to_bottom(notebook, project, reproduced: Path, tmp_path: Path):
    """With the params and the cache of a repository in which `dvc repro` has run: DVC brings what it made there."""
    (project / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {reproduced / 'project' / '.dvc' / 'cache'}\n")
    shutil.copy(reproduced / "project" / "networks.yaml", project)
    elsewhere = ("data.source", "backbones.")
    changes = {key: value for key, value in chain.SMALL.items() if not key.startswith(elsewhere)}
    changes["external.source"] = "none"
    values = {
        "ON_COLAB": False,
        "PRESET": "sample",
        "SOURCE": "archive",
        "ARCHIVE": str(reproduced / "archive"),
        "RESULTS": str(tmp_path / "results"),
        "CHANGES": changes,
    }
    done = execute(notebook, project, values)
    params = yaml.safe_load((project / "params.yaml").read_text())
    assert params["data"]["archive"] == str(reproduced / "archive")
    assert params["train"]["max_epochs"] == 1
    assert re.findall(r"Stage '(\w+)' is cached", printed(cell(done, "repro"))) == chain.STAGES
    assert "balanced_accuracy" in printed(cell(done, "repro"))
    (report,) = cell(done, "report").outputs
    assert 'srcdoc="&lt;!DOCTYPE html' in report.data["text/html"]
    assert ["image/png" in output.data for output in cell(done, "pictures").outputs] == [True, True]
    (saved,) = (tmp_path / "results").iterdir()
    assert str(saved) in printed(cell(done, "save"))
    assert (saved / "model.keras").read_bytes() == (project / "models" / "model.keras").read_bytes()
    assert (saved / "metrics" / "test.json").is_file()
    assert (saved / "report.html").is_file()


def test_a_command_that_fails_stops_it(notebook, project, raw_folder: Path):
    values = {"ON_COLAB": False, "PRESET": "smaple", "SOURCE": "archive", "ARCHIVE": str(raw_folder)}
    with pytest.raises(Exception, match="failed with exit code 1") as caught:
        execute(notebook, project, values)
    assert "'smaple'" in str(caught.value) + printed(cell(notebook, "params"))
