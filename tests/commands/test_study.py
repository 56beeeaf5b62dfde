"""The study: its plan, its experiments in a repository whose only stage is a stub, and its table."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from skinlesion.__main__ import main
from skinlesion.commands.preset import presets
from skinlesion.commands.study import experiments, plan, run, table
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from tests.helpers import chain

STUB = """
import json, pathlib, sys, yaml
params = yaml.safe_load(open("params.yaml"))
if params["model"]["attention"] == "se":
    sys.exit("the stub knows no attention")
pathlib.Path("metrics").mkdir(exist_ok=True)
accuracy = 0.75 if params["split"]["protocol"] == "image" else 0.5
measures = {"accuracy": accuracy, "balanced_accuracy": 0.4, "f1_macro": params["seed"] / 100}
pathlib.Path("metrics/test.json").write_text(json.dumps(measures))
pathlib.Path("metrics/train.json").write_text(json.dumps({"epochs": params["train"]["max_epochs"]}))
"""
PIPELINE = """
stages:
  evaluate:
    cmd: python stub.py
    deps: [stub.py]
    params: [seed, split, model, train, images]
    metrics: [metrics/test.json: {cache: false}, metrics/train.json: {cache: false}]
"""


def git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(folder, monkeypatch) -> Path:
    """A Git and DVC repository, committed, whose one stage is a stub that fails where there is attention."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setattr(run, "POLL", 1)
    (folder / "stub.py").write_text(STUB)
    (folder / "dvc.yaml").write_text(PIPELINE)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "test")
    git("config", "user.email", "test@example.invalid")
    experiments.must("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return folder


# the plan


@pytest.mark.parametrize("preset", sorted(path.stem for path in (chain.ROOT / "presets").glob("*.yaml")))
def test_a_run_has_the_params_that_the_preset_gives_when_applied(folder, preset):
    (planned,) = plan.plan([preset], ["lesion"], [])
    presets.apply(preset)
    applied = yaml.safe_load((folder / "params.yaml").read_text())
    applied["split"]["protocol"] = "lesion"
    assert planned.params == params.of(applied, "the preset")


def test_the_plan_is_also_right_from_another_presets_params(folder):
    (fresh,) = plan.plan(["resnet50_gap"], ["image"], [])
    presets.apply("resnet50_two_phase")
    (after,) = plan.plan(["resnet50_gap"], ["image"], [])
    assert after.params == fresh.params


def test_without_presets_it_is_all_published_systems_under_each_protocol(folder):
    names = [one.name for one in plan.plan([], ["image", "lesion"], [])]
    assert len(names) == len(set(names)) == 18
    assert {"study-resnet18-image", "study-inception_resnet_v2_b-lesion"} <= set(names)


def test_overrides_reach_every_run_and_win_over_the_preset(folder):
    runs = plan.plan(["resnet18", "resnet50_a"], ["image"], ["model.weights=null", "images.size=64"])
    assert {(one.params.model.weights, one.params.images.size) for one in runs} == {(None, 64)}


def test_relative_paths_become_absolute(folder):
    extra = ["data.source=archive", "data.archive=my data/ham.zip", "model.weights=w/x.weights.h5"]
    (one,) = plan.plan(["resnet18"], ["image"], extra)
    assert one.params.data.archive == folder / "my data" / "ham.zip"
    assert one.params.model.weights == str(folder / "w" / "x.weights.h5")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["resnet19"], ["image"], []), "no preset is named 'resnet19'. Did you mean 'resnet18'"),
        ((["resnet18"], ["images"], []), "no protocol is named 'images'. Did you mean 'image'"),
        ((["resnet18"], ["image"], ["train.epochs=3"]), "Could not override 'train.epochs'"),
        ((["resnet18"], ["image"], ["seed"]), "Error parsing override 'seed'"),
        ((["resnet18"], ["image"], ["seed=1,2"]), "a study takes one value"),
        ((["resnet18"], ["image"], ["split.protocol=lesion"]), "choose with --protocol"),
        ((["resnet18"], ["image"], ["images.size=8"]), "study-resnet18-image: params.yaml cannot be used"),
    ],
)
def test_what_a_stage_would_refuse_is_refused_before_anything_runs(folder, arguments, words):
    with pytest.raises(UserError) as caught:
        plan.plan(*arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("value", ["a b", "it's", "/x=y,z", "null", "{a", "1e-5", "back\\slash", "ünï"])
def test_text_survives_as_an_override(folder, value):
    settings = plan.params_with([f"model.weights={plan.in_hydra(value)}"], "test")
    assert settings.model.weights == value


# the runs


@pytest.mark.chain
def test_a_loop_goes_on_after_a_failure_names_it_and_leaves_the_workspace_alone(repository, capfd):
    how = ["--no-queue", "-S", "train.max_epochs=3"]
    assert main(["study", "run", "resnet50_se", "resnet50_gap", "--protocol", "image", *how]) == 1
    captured = capfd.readouterr()
    assert "the stub knows no attention" in captured.out + captured.err
    assert "1 of 2 failed: study-resnet50_se-image" in captured.err
    assert git("status", "--short") == ""
    (one,) = experiments.finished()
    assert one.name == "study-resnet50_gap-image"
    assert one.params["train"]["augmentation"]["rotate"] == 20

    # Again: what is finished stays. Only one with other params runs anew.
    assert main(["study", "run", "resnet50_gap", *how]) == 0
    again = capfd.readouterr().out
    assert "study-resnet50_gap-image: finished already" in again
    assert again.count("Running stage") == 1
    assert main(["study", "run", "resnet50_gap", "--protocol", "image", "--no-queue", "-S", "train.max_epochs=4"]) == 0
    there = {one.name: one for one in experiments.finished()}
    assert there["study-resnet50_gap-lesion"].metrics["metrics/test.json"]["accuracy"] == 0.5
    assert there["study-resnet50_gap-image"].metrics["metrics/train.json"] == {"epochs": 4}
    assert there["study-resnet50_gap-lesion"].metrics["metrics/train.json"] == {"epochs": 3}

    # The table, also from a later commit.
    git("commit", "-q", "--allow-empty", "-m", "later")
    assert main(["study", "table"]) == 0
    line = "| resnet50_gap | 0.755 / - / - | 0.750 / 0.400 / 0.170 | 0.500 / 0.400 / 0.170 | synthetic sample | 224 |"
    assert line in capfd.readouterr().out
    assert line in (repository / "plots" / "study.md").read_text()
    rows = pd.read_csv(repository / "plots" / "study.csv")
    assert list(rows["protocol"]) == ["image", "lesion"]
    assert list(rows["accuracy"]) == [0.75, 0.5]
    assert list(rows["epochs"]) == [4, 3]


@pytest.mark.slow
@pytest.mark.chain
@pytest.mark.skipif(os.name == "nt", reason="DVC's worker is started in another way there")
def test_the_queue_does_the_same_and_takes_up_what_is_left(repository, capfd):
    # Left by an earlier study that was killed: a task that nobody has begun.
    (left,) = plan.plan(["resnet50_gap"], ["image"], ["seed=1"])
    experiments.must("exp", "run", "--queue", *run.words(left))
    assert main(["study", "run", "resnet50_gap", "resnet50_se", "--protocol", "image"]) == 1
    captured = capfd.readouterr()
    assert "study-resnet50_gap-image: finished\n" in captured.out
    assert "failed; its output: dvc queue logs study-resnet50_se-image" in captured.out
    assert "1 of 2 failed: study-resnet50_se-image" in captured.err
    (one,) = experiments.finished()
    assert one.params["seed"] == 17
    assert git("status", "--short") == ""
    assert main(["study", "run", "resnet50_gap", "--protocol", "image"]) == 0
    assert "finished already" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.chain
def test_a_worker_that_goes_on_is_not_waited_for(repository):
    """A worker keeps the output that it is started with for as long as it lives."""
    (repository / "stub.py").write_text("import time; time.sleep(30)")
    experiments.must("exp", "run", "--queue", "-n", "slow", "-S", "seed=2")
    experiments.start_worker()
    try:
        assert experiments.queue().names("Queued", "Running") == {"slow"}
    finally:
        experiments.must("queue", "stop", "--kill")


def test_a_task_whose_worker_died_is_given_up_and_run_anew(monkeypatch):
    states = [
        experiments.Queue([("study-a-image", "Running"), ("other", "Running")], workers=0),
        experiments.Queue([("study-a-image", "Failed"), ("other", "Running")], workers=0),
    ]
    said = []
    monkeypatch.setattr(experiments, "queue", lambda: states.pop(0))
    monkeypatch.setattr(run, "must", lambda *words: said.append(words))
    assert run.clean({"study-a-image"}) == set()
    assert said == [("queue", "kill", "--force", "study-a-image"), ("queue", "remove", "study-a-image")]


def test_a_task_that_a_worker_is_at_is_left_to_it(monkeypatch):
    state = experiments.Queue([("study-a-image", "Running"), ("study-b-image", "Queued")], workers=1)
    said = []
    monkeypatch.setattr(experiments, "queue", lambda: state)
    monkeypatch.setattr(run, "must", lambda *words: said.append(words))
    assert run.clean({"study-a-image", "study-b-image"}) == {"study-a-image"}
    assert said == [("queue", "remove", "study-b-image")]


def test_waiting_starts_a_worker_where_there_is_none_and_ends_when_all_is_done(monkeypatch, capsys):
    tasks = ("study-a-image", "Queued"), ("study-a-image", "Running"), ("study-a-image", "Success")
    states = [experiments.Queue([task], workers) for task, workers in zip(tasks, (0, 1, 1), strict=True)]
    said = []
    monkeypatch.setattr(experiments, "queue", lambda: states.pop(0))
    monkeypatch.setattr(experiments, "start_worker", lambda: said.append("started"))
    monkeypatch.setattr(run, "POLL", 0)
    run.wait({"study-a-image"})
    assert said == ["started"]
    assert capsys.readouterr().out == "study-a-image: finished\n"


def test_the_queues_status_is_read(monkeypatch):
    text = """Task     Name                        Created    Status
b9822b0  study-resnet50_gap-image    08:17 AM   Running
013bcc2  study-q2                    08:17 AM   Failed
c6bac1f  study-q3                    Nov 21, 2025  Queued

Worker status: 1 active, 2 idle
"""
    monkeypatch.setattr(experiments, "must", lambda *words: text)
    found = experiments.queue()
    assert found.tasks == [("study-resnet50_gap-image", "Running"), ("study-q2", "Failed"), ("study-q3", "Queued")]
    assert found.workers == 3
    assert found.names("Failed", "Queued") == {"study-q2", "study-q3"}


def test_outside_of_a_repository_dvc_says_so(folder, capsys):
    assert main(["study", "table"]) == 1
    assert "dvc exp show failed" in capsys.readouterr().err


# the table


def finished(
    name: str, ended: str, accuracy: float, source: str = "archive", **metrics: dict
) -> experiments.Experiment:
    params = {"data": {"source": source}, "images": {"size": 128}, "model": {"weights": None}}
    test = {"accuracy": accuracy, "balanced_accuracy": 0.4, "f1_macro": 0.3}
    return experiments.Experiment(name, params, {}, {"metrics/test.json": test, **metrics}, ended)


def test_the_table_takes_the_newest_of_a_name_and_shows_intervals(folder, monkeypatch):
    intervals = {"accuracy": {"low": 0.55, "high": 0.65}, "f1_macro": {"low": 0.2, "high": 0.4}}
    there = [
        finished("study-resnet50_conv_head-image", "2026-02-01", 0.6, **{"metrics/intervals.json": intervals}),
        finished("study-resnet50_conv_head-image", "2026-01-01", 0.1),
        finished("mine", "2026-03-01", 0.9),
    ]
    monkeypatch.setattr(experiments, "finished", lambda *_: there)
    found = table.make()
    assert list(found["accuracy"]) == [0.6]
    text = (folder / "plots" / "study.md").read_text()
    assert "| resnet50_conv_head | 0.817 / - / - (weighted F1 0.820) |" in text
    assert "| 0.600 [0.550, 0.650] / 0.400 / 0.300 [0.200, 0.400] | not run | archive | 128 | random | ? |" in text
    assert "synthetic" not in text


def test_a_run_on_the_sample_is_labelled(folder, monkeypatch):
    monkeypatch.setattr(experiments, "finished", lambda *_: [finished("study-resnet18-lesion", "2026", 0.6, "sample")])
    table.make()
    assert "They say nothing about skin" in (folder / "plots" / "study.md").read_text()


def test_without_experiments_there_is_no_table(folder, monkeypatch):
    monkeypatch.setattr(experiments, "finished", lambda *_: [finished("mine", "2026", 0.9)])
    with pytest.raises(UserError, match="no experiment of the study is there yet"):
        table.make()
    assert not (folder / "plots").exists()


# the presets in the real pipeline


@pytest.mark.chain
def test_every_preset_is_accepted_by_the_pipeline(tmp_path, monkeypatch):
    """`preset apply` and then `dvc repro --dry`, in a repository where every output is there but outdated."""
    chain.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    stages = yaml.safe_load((chain.ROOT / "dvc.yaml").read_text())["stages"].values()
    for out in [entry for stage in stages for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]:
        path = tmp_path / (out if isinstance(out, str) else next(iter(out)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else (path / "x").mkdir(parents=True)
    for name in presets.names():
        presets.apply(name)
        with Repo() as repo:
            assert len(repo.reproduce(dry=True)) == len(stages), name
