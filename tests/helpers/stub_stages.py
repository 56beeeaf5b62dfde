"""A repository with stub stages, for studies: train fails with attention; with head $HANG it waits for the file $GO."""

import subprocess
from pathlib import Path

from skinlesion.commands.dvc import read_dvc

TRAIN = """
import json, os, pathlib, sys, time, yaml
params = yaml.safe_load(open("params.yaml"))
if params["model"]["attention"] == "se":
    sys.exit("the stub knows no attention")
for epoch in (1, 2):
    print(f"Epoch {epoch}/2", flush=True)
    while os.environ.get("HANG") == params["model"]["head"] and not os.path.exists(os.environ.get("GO", "")):
        time.sleep(0.1)
for folder in ("metrics", "models"):
    pathlib.Path(folder).mkdir(exist_ok=True)
pathlib.Path("models/model.keras").write_text(str(params["seed"]) + params["split"]["protocol"])
pathlib.Path("metrics/train.json").write_text(json.dumps({"epochs": 2, "device": "cpu"}))
print(f"train: {params['evaluate']['bootstrap']}.5 s")
"""
EVALUATE = """
import json, yaml
params = yaml.safe_load(open("params.yaml"))
accuracy = 0.75 if params["split"]["protocol"] == "image" else 0.5
measures = {"accuracy": accuracy, "balanced_accuracy": 0.4, "f1_macro": params["seed"] / 100}
open("metrics/test.json", "w").write(json.dumps(measures))
"""
# The stage train does not depend on the param that the stub prints as its time: another value takes it from the cache.
PIPELINE = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [seed, split, model, networks.yaml: ["backbones.${model.backbone}", "heads.${model.head}"]]
    outs: [models/model.keras]
    metrics: [metrics/train.json: {cache: false}]
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, models/model.keras]
    params: [seed, split, evaluate]
    metrics: [metrics/test.json: {cache: false}]
"""


def git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout


def make_repository() -> None:
    """Commit the stubs and what is in the current folder, as a Git and DVC repository."""
    for name, text in {"train.py": TRAIN, "evaluate.py": EVALUATE, "dvc.yaml": PIPELINE}.items():
        Path(name).write_text(text)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "test")
    git("config", "user.email", "test@example.invalid")
    read_dvc("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
