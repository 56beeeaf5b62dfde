"""GitHub's workflow files, Dependabot's, the pins, and the check of dvc.lock that the workflows run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.chain import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DEPENDABOT = ROOT / ".github" / "dependabot.yml"
READ = {"contents": "read"}
PINS = {
    "requirements": 150,
    "requirements-dev": 40,
    "requirements-gpu": 40,
    "requirements-setup": 1,
    "requirements-weights": 3,
    "requirements-jax": 2,
    "requirements-dask": 12,
    "requirements-s3": 60,
    "requirements-moto": 40,
    "requirements-docs": 20,
}  # name -> least
PIPELINE = """
stages:
  download:
    cmd: echo {seed} > raw
    params: [seed]
    outs: [raw]
  train:
    cmd: cp raw model
    deps: [raw]
    params: [epochs]
    outs: [model]
"""


def load(file: Path) -> dict:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", WORKFLOWS), ("dependabot", [DEPENDABOT])],
    ids=["workflows", "dependabot"],
)
def test_the_files_follow_githubs_schema(schema, files):
    words = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("name", "least"), PINS.items())
def test_every_pin_has_its_hashes_and_no_index_is_named(name, least):
    text = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE | re.IGNORECASE)[1:]
    assert len(pins) >= least
    loose = [
        pin.splitlines()[0] for pin in pins if not re.match(r"\S+==\S+( ; .*)? \\\n    --hash=sha256:[0-9a-f]{64}", pin)
    ]
    assert not loose
    assert "://" not in text
    assert "--index" not in text


def test_the_direct_needs_are_pinned_and_a_package_has_one_version_in_all_files():
    versions: dict[tuple[str, str], set[str]] = {}
    for name in PINS:
        text = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
        pinned = re.findall(r"^(\S+)==(\S+)(?: ; (.*))? \\$", text, flags=re.MULTILINE)
        for package, version, marker in pinned:
            python = "".join(re.findall(r"python_full_version \S+ '\S+'", marker))
            versions.setdefault((package, python), set()).add(version)
        direct = (ROOT / f"{name}.in").read_text(encoding="utf-8")
        needs = re.findall(r"^([a-z0-9][a-z0-9.-]*)", direct, flags=re.MULTILINE)
        assert {name.replace(".", "-") for name in needs} <= {package for package, _, _ in pinned}
    assert not {package: several for package, several in versions.items() if len(several) > 1}


def test_the_job_that_may_write_runs_nothing_of_the_pull_request():
    content = load(WORKFLOWS[0].with_name("pr.yml"))
    check, comment = content["jobs"]["check"], content["jobs"]["comment"]
    assert content["permissions"] == READ
    assert "permissions" not in check
    assert check["steps"][0]["with"] == {"fetch-depth": 0, "persist-credentials": False}
    assert comment["permissions"] == {"pull-requests": "write"}
    assert not [step for step in comment["steps"] if step.get("uses", "").startswith("actions/checkout")]
    assert "head.repo.full_name == github.repository" in comment["if"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_every_workflow_runs_the_tests_and_no_expression_is_in_a_script(file):
    """A branch's name is the author's choice: in a script it would be code."""
    script = "\n".join(step.get("run", "") for job in load(file)["jobs"].values() for step in job["steps"])
    assert "bash .ci/run" in script
    assert "bash .ci/lock" in script
    assert "${{" not in script


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A repository of two stages as CI sees it after a run: dvc.lock without data, and .venv with dvc."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (".ci", ".dvc", ".venv/bin"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "lock", folder / ".ci")
    dvc = folder / ".venv" / "bin" / "dvc"
    dvc.write_text(f'#!/bin/sh\nDVC_NO_ANALYTICS=1 exec "{sys.executable}" -m dvc "$@"\n')
    dvc.chmod(0o755)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("seed: 1\nepochs: 1\n")
    subprocess.run([dvc, "repro"], cwd=folder, capture_output=True, check=True)
    for name in ("raw", "model"):
        (folder / name).unlink()
    shutil.rmtree(folder / ".dvc" / "cache")
    return folder


@pytest.mark.parametrize(
    ("params", "stale"),
    [
        ("seed: 1\nepochs: 1\n", False),
        ("seed: 1\nepochs: 2\n", True),
        ("seed: 2\nepochs: 1\n", True),  # the first stage, which `dvc repro --dry --allow-missing` lets pass
    ],
)
def test_a_stale_dvc_lock_is_found(checkout, params, stale):
    (checkout / "params.yaml").write_text(params)
    command = ["bash", str(checkout / ".ci" / "lock")]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == stale, done.stdout
    assert ("dvc repro" in done.stdout) == stale
