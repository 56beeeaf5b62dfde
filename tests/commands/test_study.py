"""The study: its plan, its runs in a repository with stub stages, its tables, and its presets in the real pipeline."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from skinlesion.__main__ import main
from skinlesion.commands.dvc import Experiment, read_experiments
from skinlesion.commands.preset import presets
from skinlesion.commands.study import comparison, plan, remote, runs
from skinlesion.runtime import entry
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import Params
from tests.helpers import chain
from tests.helpers.stub_stages import git, make_repository


@pytest.fixture
def repository(folder, monkeypatch) -> Path:
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    make_repository()
    return folder


def run_study(*words: str) -> int:
    return main(["study", "run", *words])


# The plan


@pytest.mark.parametrize("preset", sorted(path.stem for path in (chain.ROOT / "presets").glob("*.yaml")))
def test_a_run_has_the_params_of_its_preset_whatever_preset_was_applied_before(folder, preset):
    (planned,) = plan.plan_runs([preset], ["lesion"], [])
    presets.apply("resnet50_two_phase")
    if preset in presets.list_published():
        assert plan.plan_runs([preset], ["lesion"], [])[0].params.train == planned.params.train
    presets.apply("sample")
    presets.apply(preset)
    applied = yaml.safe_load((folder / "params.yaml").read_text())
    applied["split"]["protocol"] = "lesion"
    assert planned.params == Params.model_validate(applied | yaml.safe_load((folder / "networks.yaml").read_text()))


def test_by_default_all_published_systems_run_under_each_protocol(folder):
    names = {run.name for run in plan.plan_runs([], ["image", "lesion"], [])}
    assert len(names) == 18
    assert {"study-resnet18-image", "study-inception_resnet_v2_b-lesion"} <= names


def test_overrides_reach_every_run_and_relative_paths_become_absolute(folder):
    extra = ["images.size=64", "data.source=archive", "data.archive=my data/ham.zip", "model.weights=w/x.weights.h5"]
    extra += ["external.source=archive", "external.archive=isic.zip"]
    for run in plan.plan_runs(["resnet18", "resnet50_a"], ["image"], extra):
        assert run.params.images.size == 64
        assert run.params.data.archive == folder / "my data" / "ham.zip"
        assert run.params.external.archive == folder / "isic.zip"
        assert run.params.model.weights == str(folder / "w" / "x.weights.h5")


@pytest.mark.parametrize(
    ("preset", "protocol", "extra", "named"),
    [
        ("resnet19", "image", [], ["resnet19", "resnet18"]),
        ("resnet18", "image", ["train.epochs=3"], ["train.epochs", "Did you mean"]),
        ("resnet18", "image", ["seed"], ["seed", "KEY=VALUE"]),
        ("resnet18", "image", ["seed=1,2"], ["seed=1,2", "one value"]),
        ("resnet18", "image", ["split.protocol=lesion"], ["split.protocol", "--protocol"]),
        ("resnet18", "image", ["images.size=8"], ["study-resnet18-image", "images.size", "8"]),
        ("resnet18", "image", ["dvc.yaml:stages=1"], ["dvc.yaml", "params.yaml"]),
        (
            "resnet18",
            "image",
            ["train.augmentation.zoom=0.2"],
            ["train.augmentation is null", "-S 'train.augmentation=VALUE'"],
        ),
        ("resnet18", "image", ["train.early_stopping=true"], ["train.early_stopping is True", "integer"]),
        ("resnet18", "image", ["balance.operations.flip_horizontal=true"], ["flip_horizontal: True is no number"]),
    ],
)
def test_what_a_stage_would_refuse_is_refused_before_anything_runs(folder, preset, protocol, extra, named):
    with pytest.raises(UserError) as caught:
        plan.plan_runs([preset], [protocol], extra)
    assert all(word in str(caught.value) for word in named), caught.value


@pytest.mark.parametrize("value", ["a b", "it's", "/x=y,z", "null", "{a", "1e-5", "back\\slash", "ünï"])
def test_text_survives_as_an_override(folder, value):
    settings, _ = plan.override_params([f"model.weights={plan.in_hydra(value)}"], "test")
    assert settings.model.weights == value


# What a cluster needs (test_study_cluster.py has its runs)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--cluster"], "DASK_SCHEDULER_ADDRESS"),
        (["--cluster", "resnet18"], "resnet18"),
        (["--resource", "GPU=1"], "--cluster"),
        (["--no-commit"], "--plan"),
    ],
)
def test_options_without_what_they_need_are_refused(folder, monkeypatch, capsys, words, named):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    assert run_study("resnet50_gap", *words) == 1
    assert named in capsys.readouterr().err


def test_what_workers_could_not_clone_is_refused(folder):
    def refuse(remedy: str) -> None:
        with pytest.raises(UserError, match=remedy):
            remote.find_origin()

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "-q", "-m", "first")
    refuse("git remote add origin")
    git("init", "-q", "--bare", "origin.git")
    git("remote", "add", "origin", "origin.git")
    refuse("git push origin")
    git("push", "-q", "origin", "main")
    (folder / "params.yaml").write_text("seed: 1")
    refuse("Commit and push")


# The runs


@pytest.mark.chain
def test_a_study_goes_on_after_a_failure_keeps_what_is_finished_and_leaves_the_workspace_alone(repository, capfd):
    assert run_study("resnet50_se", "resnet50_gap", "--protocol", "image", "-S", "evaluate.bootstrap=143") == 1
    out, err = capfd.readouterr()
    assert "run 1 of 2: study-resnet50_se-image: failed" in out
    assert "the stub knows no attention" in out
    assert "study-resnet50_se-image" in err
    assert "study-resnet50_gap" not in err
    assert "run 2 of 2: study-resnet50_gap-image: stage train, epoch 2 of at most 15, about" in out
    assert "the stub knows no attention" in Path(".dvc/tmp/study/study-resnet50_se-image.log").read_text()
    assert git("status", "--short", "--untracked-files=all").split() == [
        "??",
        "plots/study.csv",
        "??",
        "plots/study.md",
    ]

    # What is finished stays. A run with other params runs anew; its model comes from the cache, with its first time.
    assert run_study("resnet50_gap", "-S", "evaluate.bootstrap=143") == 0
    out = capfd.readouterr().out
    assert "study-resnet50_gap-image: already finished" in out
    assert "study-resnet50_gap-lesion: stage train" in out
    assert run_study("resnet50_gap", "--protocol", "image", "-S", "evaluate.bootstrap=199") == 0
    out = capfd.readouterr().out
    assert "stage evaluate" in out
    assert "study-resnet50_gap-image-before" in out
    there = {experiment.name: experiment for experiment in read_experiments()}
    for name, draws in {"study-resnet50_gap-image": 199, "study-resnet50_gap-image-before": 143}.items():
        assert there[name].params["params.yaml"]["evaluate"]["bootstrap"] == draws
    assert there["study-resnet50_gap-image"].params["params.yaml"]["train"]["augmentation"]["rotate"] == 20

    # The tables, from a later commit, and on another machine that has plots/study.csv.
    git("commit", "-q", "--allow-empty", "-m", "later")
    runs.TIMES.unlink()
    assert main(["study", "table"]) == 0
    line = "| resnet50_gap | 0.755 / - / - | 0.750 / 0.400 / 0.170 | 0.500 / 0.400 / 0.170 | sample | 224 |"
    assert line in capfd.readouterr().out
    table = pd.read_csv(repository / "plots" / "study.csv")
    for column, values in {"accuracy": [0.75, 0.5], "epochs": [2, 2], "train_seconds": [143.5, 143.5]}.items():
        assert list(table[column]) == values, column


@pytest.mark.chain
@pytest.mark.skipif(os.name == "nt", reason="no process groups")
def test_a_study_that_is_stopped_goes_on_when_it_is_started_again(repository, capfd):
    command = [sys.executable, "-m", "skinlesion", "study", "run", "resnet50_gap", "resnet50_conv_head"]
    study = subprocess.Popen(
        [*command, "--protocol", "image"],
        env={**os.environ, "PYTHONPATH": str(chain.ROOT), "HANG": "conv"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in study.stdout:
        if "run 2 of 2" in line and "epoch 1" in line:
            os.killpg(study.pid, signal.SIGINT)  # as Ctrl-C does
    assert study.wait() == 130
    assert git("status", "--short") == ""
    assert run_study("resnet50_gap", "resnet50_conv_head", "--protocol", "image") == 0
    out = capfd.readouterr().out
    assert "study-resnet50_gap-image: already finished" in out
    assert "study-resnet50_conv_head-image: finished" in out


def follow(monkeypatch, lines: list[str]) -> float | None:
    """Follow an output whose lines arrive 60 s apart."""
    seconds = iter(range(60, 6000, 60))
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    return runs.follow_output([f"{line}\n" for line in lines], io.StringIO(), "run 1 of 2: x", max_epochs=10)


def test_stage_epoch_and_time_left_are_shown_as_the_output_arrives(monkeypatch, capsys):
    lines = ["Running stage 'train':", "> python -m stages.train", "Epoch 1/4", "Epoch 2/4", "train: 43.2 s"]
    assert follow(monkeypatch, lines) == 43.2
    assert capsys.readouterr().out.splitlines() == [
        "run 1 of 2: x: stage train",
        "run 1 of 2: x: stage train, epoch 1 of at most 10",
        "run 1 of 2: x: stage train, epoch 2 of at most 10, about 0:09:00 left",
    ]


def test_a_training_of_one_epoch_whose_number_keras_does_not_print_has_its_time(monkeypatch):
    assert follow(monkeypatch, ["> python -m stages.train", "train: 43.2 s"]) == 43.2


def test_a_training_that_was_resumed_or_cached_has_no_time(monkeypatch):
    resumed = "train: resumes after epoch 2, from models/.progress-1.npz"
    assert follow(monkeypatch, [resumed, "Epoch 3/4", "Epoch 4/4", "train: 43.2 s"]) is None
    assert follow(monkeypatch, ["Stage 'train' is cached - skipping run, checking out outputs"]) is None


def test_the_time_that_a_stage_prints_is_the_one_that_is_recorded(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train"])
    entry.run(lambda: None, "train")
    assert runs.TRAINED.match(capsys.readouterr().out)


def test_outside_a_repository_the_message_is_dvcs(folder, capsys):
    assert main(["study", "table"]) == 1
    assert "dvc exp show failed" in capsys.readouterr().err


# The tables


def experiment(name: str, ended: str, accuracy: float, source: str = "archive", **metrics: dict):
    params = {"data": {"source": source}, "images": {"size": 128}, "model": {"weights": None}}
    test = {"accuracy": accuracy, "balanced_accuracy": 0.4, "f1_macro": 0.3}
    metrics = {"metrics/test.json": test, **metrics}
    return Experiment(name, {"params.yaml": params}, metrics, model="abc", ended=ended, commit="0" * 40)


def test_the_tables_take_the_newest_of_a_name_with_its_intervals(folder, monkeypatch):
    intervals = {"accuracy": {"low": 0.55, "high": 0.65}, "f1_macro": {"low": 0.2, "high": 0.4}}
    finished = [
        experiment("study-resnet50_conv_head-image", "2026-02-01", 0.6, **{"metrics/intervals.json": intervals}),
        experiment("study-resnet50_conv_head-image", "2026-01-01", 0.1),
        experiment("mine", "2026-03-01", 0.9),
    ]
    monkeypatch.setattr(comparison, "read_experiments", lambda *_: finished)
    comparison.write_tables()
    assert list(pd.read_csv("plots/study.csv")["accuracy"]) == [0.6]
    (row,) = [line for line in Path("plots/study.md").read_text().splitlines() if "resnet50_conv_head" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "0.817 / - / - (weighted F1 0.820)"
    assert cells[2:4] == ["0.600 (0.55 to 0.65) / 0.400 / 0.300 (0.20 to 0.40)", "not run"]
    assert cells[4:] == ["archive", "128", "random", "-", "-"]


@pytest.mark.parametrize("source", ["sample", "archive"])
def test_only_runs_on_the_sample_carry_its_caveat(source, folder, monkeypatch):
    finished = [experiment("study-resnet18-lesion", "2026", 0.6, source)]
    monkeypatch.setattr(comparison, "read_experiments", lambda *_: finished)
    comparison.write_tables()
    assert ("Synthetic sample" in Path("plots/study.md").read_text()) == (source == "sample")


def test_without_finished_experiments_there_is_no_table(folder, monkeypatch):
    monkeypatch.setattr(comparison, "read_experiments", lambda *_: [experiment("mine", "2026", 0.9)])
    with pytest.raises(UserError, match="skinlesion study run"):
        comparison.write_tables()
    assert not Path("plots").exists()


# The presets in the real pipeline


@pytest.mark.chain
def test_every_preset_is_accepted_by_the_pipeline(tmp_path, monkeypatch):
    """`preset apply` and then `dvc repro --dry`, in a repository where every output exists but is outdated."""
    chain.copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    stages = yaml.safe_load((chain.ROOT / "dvc.yaml").read_text())["stages"].values()
    kinds = ("outs", "metrics", "plots")
    for out in [output for stage in stages for kind in kinds for output in stage.get(kind, [])]:
        path = tmp_path / (out if isinstance(out, str) else next(iter(out)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else (path / "x").mkdir(parents=True)
    for name in presets.list_names():
        presets.apply(name)
        with Repo() as repo:
            assert len(repo.reproduce(dry=True)) == len(stages), name
