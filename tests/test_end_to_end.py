"""The chain as people use it, on a tiny set: dvc repro, dvc exp run, and the diffs between experiments."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from skinlesion.classes import CODES

ROOT = Path(__file__).parents[1]
STAGES = ["download", "merge", "explore", "balance", "split", "train", "evaluate", "explain", "report"]


def run(folder: Path, *command: str, expect: int = 0) -> str:
    """Run a command in `folder` with this Python first on the path; give back all that it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": "", "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == expect, done.stdout
    return done.stdout


def dvc(folder: Path, *words: str, expect: int = 0) -> str:
    return run(folder, sys.executable, "-m", "dvc", *words, expect=expect)


def ran(output: str) -> list[str]:
    """The stages that a dvc command ran, in order."""
    return re.findall(r"Running stage '(\w+)'", output)


def archive(folder: Path) -> Path:
    """A tiny archive in HAM10000's layout: four lesions of each class, two images of the first, coloured by class."""
    random = np.random.default_rng(0)
    rows = []
    (folder / "HAM10000_images_part_1").mkdir(parents=True)
    for number, code in enumerate(CODES):
        colour = random.integers(60, 200, 3)
        for lesion, view in [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]:
            image_id = f"ISIC_{number}{lesion}{view}"
            pixels = np.clip(colour + random.normal(0, 20, (48, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "HAM10000_images_part_1" / f"{image_id}.jpg")
            rows.append([f"HAM_{number}{lesion}", image_id, code, "histo", 50.0, "male", "back"])
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "HAM10000_metadata.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A Git repository with this project's files and params for the tiny archive, after `dvc repro`."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("stages", "skinlesion", "presets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"].update(source="archive", archive=str(archive(folder.parent / "archive")), duplicates=None)
    params["images"]["size"] = 32
    params["balance"]["per_class"] = 6
    params["split"].update(train=0.5, validation=0.25, test=0.25)
    params["train"].update(max_epochs=1, batch_size=8)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "git", "config", "user.email", "test@example.invalid")
    assert ran(dvc(folder, "repro")) == STAGES
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-q", "-m", "first run")
    return folder


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


def test_another_backbone_reruns_train_and_evaluate_only_and_the_diffs_show_it(project):
    try:
        assert ran(dvc(project, "exp", "run", "-S", "model.backbone=resnet50")) == STAGES[5:]
        assert re.search(r"metrics/train.json\s+parameters\s+11189703\s+23602055", dvc(project, "metrics", "diff"))
        assert re.search(r"model.backbone\s+resnet18\s+resnet50", dvc(project, "params", "diff"))
        table = dvc(project, "metrics", "diff", "--md")
        assert len([line for line in table.splitlines() if line.startswith("| metrics/")]) < 25, (
            "more than a comment holds"
        )
        dvc(project, "plots", "diff", "HEAD", "-o", "plots_page")
        page = (project / "plots_page" / "index.html").read_text()
        for plot in (
            "Confusion, images",
            "ROC by class",
            "Measures by class",
            "Reliability",
            "Decision curve",
            "Loss",
            "Site by class",
        ):
            assert plot in page
        rows = dvc(project, "exp", "show", "--csv")
        assert "resnet50" in rows
        assert "resnet18" in rows
    finally:
        run(project, "git", "checkout", "-q", ".")
        dvc(project, "checkout")


def test_an_unused_row_of_a_table_changes_nothing(project):
    params = project / "params.yaml"
    committed = params.read_text()
    content = yaml.safe_load(committed)
    content["configurations"]["B"][0]["epochs"] = 99
    content["backbones"]["resnet50"]["smallest"] = 33
    params.write_text(yaml.safe_dump(content, sort_keys=False))
    try:
        assert ran(dvc(project, "repro")) == []
    finally:
        params.write_text(committed)


def test_a_damaged_input_stops_its_stage_with_one_message_and_changes_nothing(project):
    before = (project / "data" / "merged" / "metadata.csv").read_bytes()
    picture = next((project.parent / "archive").rglob("*.jpg"))
    whole = picture.read_bytes()
    picture.write_bytes(whole[:300])
    try:
        run(project, sys.executable, "-m", "stages.download")
        output = run(project, sys.executable, "-m", "stages.merge", expect=1)
    finally:
        picture.write_bytes(whole)
        run(project, sys.executable, "-m", "stages.download")
    assert output.startswith(f"merge: 1 images are damaged: data/raw/HAM10000_images_part_1/{picture.name} (")
    assert "on_bad_image: skip" in output
    assert "Traceback" not in output
    assert (project / "data" / "merged" / "metadata.csv").read_bytes() == before
