"""The commit of a report: the last that touched code or params, the same in every clone."""

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from skinlesion.report import provenance


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "train.py").write_text("one\n")
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    (tmp_path / "dvc.yaml").write_text("stages: {train: {deps: [data/raw, stages/train.py, stages/gone.py]}}\n")
    git(tmp_path, "init", "-q")
    return tmp_path


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "message")
    return git(folder, "rev-parse", "--short=10", "HEAD")


def test_a_folder_without_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == "not under Git"


def test_a_machine_without_git_says_the_same(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert provenance.commit(repository) == "not under Git"


def test_a_repository_without_a_commit_of_the_code_says_so(repository: Path) -> None:
    assert provenance.commit(repository) == "not committed yet"


def test_commits_of_results_do_not_count(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    code = commit(repository)
    (repository / "dvc.lock").write_text("results\n")
    assert commit(repository) != code
    assert provenance.commit(repository) == code
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", str(repository), ".")
    assert provenance.commit(clone) == code


@pytest.mark.parametrize("file", ["dvc.yaml", "stages/train.py", "stages/gone.py"])
def test_changes_since_are_told(repository: Path, file: str) -> None:
    code = commit(repository)
    with (repository / file).open("a") as text:
        text.write("# changed\n")
    assert provenance.commit(repository) == f"{code} and uncommitted changes"


def test_changes_elsewhere_are_not(repository: Path) -> None:
    """Params stand in the report whole; whoever commits them with their results gets the same bytes in a clone."""
    code = commit(repository)
    for file in ("README.md", "params.yaml", "stages/of_no_stage.py"):
        (repository / file).write_text("changed\n")
    assert provenance.commit(repository) == code


def test_a_shallow_clone_does_not_name_a_commit_that_it_cannot_know(repository: Path, tmp_path_factory) -> None:
    commit(repository)
    (repository / "README.md").write_text("changed\n")
    commit(repository)
    clone = tmp_path_factory.mktemp("shallow")
    git(clone, "clone", "-q", "--depth", "1", f"file://{repository}", ".")
    assert provenance.commit(clone).startswith("unknown: a shallow clone")


def test_versions_are_those_of_the_packages_and_of_the_backend_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    found = provenance.versions()
    assert found["numpy"] == metadata.version("numpy")
    assert "tensorflow" in found
    assert re.fullmatch(r"3\.\d+", found["python"])  # the patch level is not pinned
    monkeypatch.setenv("KERAS_BACKEND", "no-such-package")
    found = provenance.versions()
    assert found["no-such-package"] == "not installed"
    assert "tensorflow" not in found
