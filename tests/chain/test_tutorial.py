"""The tutorial notebook: as committed, and run from top to bottom on the sample in a fresh project."""

import json

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.helpers import chain

NOTEBOOK = chain.ROOT / "notebooks" / "tutorial.ipynb"
LONGEST = 1500  # seconds for one cell, on a busy machine
# Values of the notebook, by the names of its variables.
VALUES = """
print(json.dumps({
    "results": results.to_dict("index"),
    "scalings": scalings["balanced accuracy"].to_dict(),
    "drawn": np.quantile(scores, [0.025, 0.975]).tolist(),
}))
"""


@pytest.fixture
def notebook() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_committed_with_outputs_and_without_traces_of_a_machine(notebook):
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert "/tmp/" not in text
    assert "/home/" not in text


@pytest.mark.slow
@pytest.mark.chain
@pytest.mark.training
def test_it_runs_and_its_claims_hold(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "project"
    chain.copy_project(folder)
    chain.commit(folder, "the project")
    (folder / "notebooks").mkdir()
    notebook.cells.append(new_code_cell(VALUES))
    resources = {"metadata": {"path": str(folder / "notebooks")}}
    NotebookClient(notebook, timeout=LONGEST, kernel_name="python3", resources=resources).execute()
    values = json.loads(notebook.cells[-1].outputs[0].text)

    leaking, honest = values["results"]["image"], values["results"]["lesion"]
    assert leaking["leaked"] > honest["leaked"] == 0
    assert leaking["balanced accuracy"] > honest["balanced accuracy"]
    assert values["drawn"] == pytest.approx([honest["low"], honest["high"]], abs=0.02)
    trained, near, far, untrained = values["scalings"].values()
    assert trained > near > far
    assert trained > untrained + 0.2
    assert chain.run(folder, "git", "status", "--porcelain") == ""
