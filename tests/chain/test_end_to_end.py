"""The chain as people use it, on a tiny set: dvc repro, dvc exp run, and the diffs between experiments."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.helpers.chain import STAGES, copy_project, dvc, ran, run

AFTER_TRAIN = ["evaluate", "explain", "report"]

pytestmark = pytest.mark.chain


@pytest.fixture
def project(reproduced):
    """The repository after `dvc repro`; tests leave it as it was."""
    return reproduced / "project"


def test_the_chain_leaves_metrics_plots_and_no_litter(project):
    metrics = {file.stem: json.loads(file.read_text()) for file in (project / "metrics").glob("*.json")}
    assert metrics["data"]["images"] == 35
    assert metrics["split"]["leaked_images"] == {"validation": 0, "test": 0}
    assert metrics["train"]["epochs"] == 1
    assert 0 <= metrics["test"]["balanced_accuracy"] <= 1
    sizes = pd.read_csv(project / "data" / "predictions.csv")["split"].value_counts().to_dict()
    assert sizes == {split: metrics["split"]["images"][split] for split in ("validation", "test")}
    assert not list(project.rglob(".partial-*"))


def test_a_second_run_has_nothing_to_do(project):
    assert ran(dvc(project, "repro")) == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_no_data_but_its_deps(stage, project, tmp_path):
    """In a folder with nothing else it writes the same: what a stage reads without naming it would go stale unseen."""
    entry = yaml.safe_load((project / "dvc.yaml").read_text())["stages"][stage]
    copy_project(tmp_path)
    shutil.copy(project / "params.yaml", tmp_path)
    shutil.copy(project / "networks.yaml", tmp_path)
    for dep in map(Path, entry["deps"]):
        if dep.parts[0] not in ("stages", "skinlesion", "presets"):
            (tmp_path / dep).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (project / dep).is_dir() else shutil.copy
            copy(project / dep, tmp_path / dep)
    run(tmp_path, sys.executable, "-m", f"stages.{stage}")
    listed = [path for kind in ("outs", "metrics", "plots") for path in entry.get(kind, [])]
    for path in (next(iter(path)) if isinstance(path, dict) else path for path in listed):
        assert (project / path).exists() and (tmp_path / path).exists(), path
        files = (project / path).rglob("*") if (project / path).is_dir() else [project / path]
        for file in (file for file in files if file.is_file() and stage != "report"):  # the report names the commit
            assert (tmp_path / file.relative_to(project)).read_bytes() == file.read_bytes(), file


def test_another_backbone_reruns_train_and_evaluate_only_and_the_diffs_show_it(project):
    try:
        assert ran(dvc(project, "exp", "run", "-S", "model.backbone=two_blocks")) == ["train", *AFTER_TRAIN]
        assert re.search(r"model.backbone\s+resnet18\s+two_blocks", dvc(project, "params", "diff"))
        table = dvc(project, "metrics", "diff", "--md")
        assert re.search(r"metrics/train.json \| parameters \| 84359 \| 158599 ", re.sub(" +", " ", table))
        dvc(project, "plots", "diff", "HEAD", "-o", "plots_page")
        page = (project / "plots_page" / "index.html").read_text()
        assert [
            plot for plot in ("Confusion, images", "ROC by class", "Loss", "Site by class") if plot not in page
        ] == []
    finally:
        run(project, "git", "checkout", "-q", ".")
        dvc(project, "checkout")


def test_another_external_set_trains_nothing_again_and_copies_of_training_images_are_left_out(project, tmp_path, noise):
    """Nor does it make the data again; the scores are in metrics/external.json, the predictions beside the others."""
    columns = ["image", "MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
    truth = pd.DataFrame(np.eye(7, dtype=int), columns=columns[1:]).assign(image=[f"ISIC_9{n}" for n in range(7)])
    folder = tmp_path / "ISIC2018_Task3_Test_Input"
    folder.mkdir()
    truth[columns].to_csv(tmp_path / "ISIC2018_Task3_Test_GroundTruth.csv", index=False)
    for number, name in enumerate(truth["image"]):
        Image.fromarray(noise(1000 + number, 30, 40)).save(folder / f"{name}.jpg")
    splits = pd.read_csv(project / "data" / "splits.csv")
    copied = splits.loc[(splits["split"] == "train") & ~splits["augmented"], "image_id"].iloc[0]
    (original,) = (project / "data" / "raw").glob(f"*/{copied}.jpg")
    Image.open(original).save(folder / f"{truth['image'].iloc[0]}.jpg", quality=80)
    values = ["-S", "external.source=archive", "-S", f"external.archive={tmp_path}"]
    try:
        assert ran(dvc(project, "exp", "run", *values)) == ["external", *AFTER_TRAIN]
        figures = json.loads((project / "metrics" / "external.json").read_text())
        assert (figures["images"], figures["near_copies_left_out"], figures["intervals_by"]) == (6, 1, "image")
        table = pd.read_csv(project / "data" / "predictions.csv")
        assert list(table.loc[table["split"] == "external", "image_id"]) == list(truth["image"].iloc[1:])
        assert "External set" in (project / "plots" / "report.html").read_text()
    finally:
        run(project, "git", "checkout", "-q", ".")
        dvc(project, "checkout")


def test_an_unused_row_of_a_table_changes_nothing(project):
    params, networks = (project / name for name in ("params.yaml", "networks.yaml"))
    committed = {file: file.read_text() for file in (params, networks)}
    changed = {file: yaml.safe_load(text) for file, text in committed.items()}
    changed[params]["configurations"]["B"][0]["epochs"] = 99
    changed[networks]["backbones"]["resnet50"]["smallest"] = 33
    try:
        for file, content in changed.items():
            file.write_text(yaml.safe_dump(content, sort_keys=False))
        assert ran(dvc(project, "repro")) == []
    finally:
        for file, text in committed.items():
            file.write_text(text)
