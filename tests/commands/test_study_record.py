"""A study of a plan in a repository with stub stages: each finished run is recorded, committed, and not run again."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from skinlesion.__main__ import main
from skinlesion.commands.study import record
from skinlesion.core.ham10000 import CODES
from skinlesion.model.predictions import DECISION
from skinlesion.runtime import paths
from tests.helpers import chain, stub_stages
from tests.helpers.stub_stages import git
from tests.report.conftest import make_predictions

PLAN = "results/plan.yaml"
ROW = {"system": "ours", "title": "Ours", "preset": "sample", "protocols": ["lesion"], "seeds": [17, 18], "set": []}
DOCUMENT = {"about": "A test.", "base": "sample", "set": ["evaluate.bootstrap=143"], "bootstrap": 100, "seed": 1}
EVALUATE = """
import json, os, shutil, subprocess
shutil.copytree("made", ".", dirs_exist_ok=True)
for name in ("test", "external"):
    open(f"metrics/{name}.json", "w").write(json.dumps({"balanced_accuracy": 0.4, "temperature": 2.0}))
if folder := os.environ.get("COMMIT_IN"):
    open(f"{folder}/dvc.yaml", "a").write("# other code")
    subprocess.run(["git", "-C", folder, "commit", "-qam", "by somebody"], check=True)
"""


@pytest.fixture
def repository(folder, monkeypatch) -> Path:
    """A repository whose stage evaluate copies predictions and tables from made/."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    pipeline = yaml.safe_load(stub_stages.PIPELINE)
    tables = [path.as_posix() for path in record.TABLES.values()]
    pipeline["stages"]["evaluate"] |= {
        "outs": [paths.PREDICTIONS.as_posix(), paths.SPLITS.as_posix()],
        "metrics": [{f"metrics/{name}.json": {"cache": False}} for name in ("test", "external")],
        "plots": [{table: {"cache": False}} for table in tables],
    }
    monkeypatch.setattr(stub_stages, "EVALUATE", EVALUATE)
    monkeypatch.setattr(stub_stages, "PIPELINE", yaml.safe_dump(pipeline))
    texts = {
        f"made/{paths.PREDICTIONS.as_posix()}": make_predictions(dict.fromkeys(CODES, 3)).to_csv(index=False),
        f"made/{paths.SPLITS.as_posix()}": "split\n",
        **{f"made/{table}": "a,b\n1,2\n" for table in tables},
        **{f"{room}/code.py": "" for room in record.ROOMS},
        PLAN: yaml.safe_dump(DOCUMENT | {"rows": [ROW]}),
    }
    for name, text in texts.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    stub_stages.make_repository()
    return folder


@pytest.mark.chain
def test_each_run_is_recorded_committed_alone_and_not_repeated_until_its_code_changes(repository, capfd):
    def study(*words: str, expect: int = 0) -> str:
        assert main(["study", "run", "--plan", PLAN, *words]) == expect
        return "".join(capfd.readouterr())

    Path("other.txt").write_text("staged by somebody")
    git("add", "other.txt")
    assert "run 2 of 2: ours-lesion-seed18: recorded in results/ours-lesion-seed18" in study()
    assert git("status", "--short") == "A  other.txt\n"
    for commit, seed in {"HEAD": 18, "HEAD~1": 17}.items():
        name = f"ours-lesion-seed{seed}"
        subject, _, *files = git("show", "--format=%s", "--name-only", commit).splitlines()
        assert subject == f"Result of {name}: balanced accuracy 0.4 on test, 0.4 on the external set, 2 epochs"
        kept = {record.PARAMS, record.FACTS, record.PREDICTIONS, *(f"{table}.csv" for table in record.TABLES)}
        assert {*files} == {f"results/{name}/{file}" for file in kept}
    facts = json.loads(Path("results/ours-lesion-seed18", record.FACTS).read_text())
    assert (facts["train_seconds"], facts["epochs"], facts["temperature"]) == (143.5, 2, 2.0)
    assert facts["code"] == {room: git("rev-parse", f"HEAD:{room}").strip() for room in record.ROOMS}
    assert Path("results/ours-lesion-seed18/leaks.csv").read_text() == "a,b\n1,2\n"
    assert study().count("already finished") == 2

    # The machine vanished after the experiment, before its record: it is not run again. Git refuses, then does not.
    git("reset", "-q", "--hard", "HEAD~1")
    hook = Path(".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no; exit 1\n")
    hook.chmod(0o755)
    out = study(expect=1)
    assert "seed18: recorded" in out
    assert "seed18: starting" not in out
    assert "git commit failed" in out
    hook.unlink()
    assert "results/ours-lesion-seed18: committed" in study()
    assert git("status", "--short") == ""

    # Another value of a param, or other code of the model, and a run counts as not finished.
    assert "seed17: starting" in study("ours-lesion-seed17", "--no-commit", "-S", "evaluate.bootstrap=150")
    assert git("status", "--short").split()[1::2] == [f"results/ours-lesion-seed17/{name}" for name in ("params.yaml",)]
    git("checkout", "-q", ".")
    Path("skinlesion/model/code.py").write_text("changed = True\n")
    assert "Commit it first" in study(expect=1)
    chain.commit(repository, "other code")
    out = study("ours-lesion-seed17")
    assert "seed17: recorded, but with other params or code" in out
    assert "seed17: starting" in out


@pytest.mark.chain
def test_a_run_is_recorded_also_if_somebody_commits_meanwhile(repository, monkeypatch):
    monkeypatch.setenv("COMMIT_IN", str(repository))
    assert main(["study", "run", "--plan", PLAN, "ours-lesion-seed17"]) == 0
    result, *before = git("log", "--format=%s").splitlines()
    assert result.startswith("Result of ours-lesion-seed17")
    assert before == ["by somebody", "first"]
    facts = json.loads(Path("results/ours-lesion-seed17", record.FACTS).read_text())
    assert facts["train_seconds"] == 143.5
    assert facts["commit"] == git("rev-parse", "--short=10", "HEAD~2").strip(), "the code that made it"


def test_the_raw_probabilities_are_recorded_beside_those_of_a_decision_rule() -> None:
    table = make_predictions(dict.fromkeys(CODES, 3))
    raw = pd.read_csv(StringIO(record.select_public(table)))
    decided = table.assign(**{f"{DECISION}{code}": table[code] / 2 for code in CODES})
    both = pd.read_csv(StringIO(record.select_public(decided)))
    assert list(raw) == [*record.COLUMNS, *CODES]
    for code in CODES:
        np.testing.assert_allclose(both[code], raw[code] / 2)
        np.testing.assert_allclose(both[f"{record.RAW}{code}"], raw[code])


def test_options_of_presets_are_refused_with_a_plan(folder, capsys):
    for words in (["--protocol", "image"], ["--cluster", "tcp://a:1"], ["--resource", "GPU=1"]):
        assert main(["study", "run", "--plan", PLAN, *words]) == 1
        assert "--plan does not go with" in capsys.readouterr().err
