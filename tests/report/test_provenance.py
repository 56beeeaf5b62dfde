"""The commit of a report: the last one that changed the code, the same in every clone."""

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from skinlesion.report import provenance


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(
        ["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of one stage, without a commit."""
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


def test_without_git_or_a_commit_the_report_says_so(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provenance.find_commit(repository) == "not committed yet"
    folder = tmp_path_factory.mktemp("plain")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert provenance.find_commit(folder) == "not under Git"
    monkeypatch.setenv("PATH", "")
    assert provenance.find_commit(repository) == "not under Git"


def test_commits_of_results_do_not_count(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    code = commit(repository)
    (repository / "dvc.lock").write_text("results\n")
    assert commit(repository) != code
    assert provenance.find_commit(repository) == code
    clone, shallow = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("shallow")
    git(clone, "clone", "-q", str(repository), ".")
    assert provenance.find_commit(clone) == code
    (repository / "dvc.yaml").write_text("stages: {train: {deps: [stages/train.py]}}\n")
    later = commit(repository)
    assert provenance.find_commit(repository) == later
    assert provenance.find_commit(repository, f"{later}~") == code
    git(shallow, "clone", "-q", "--depth", "1", f"file://{repository}", ".")
    assert "shallow clone" in provenance.find_commit(shallow), "its only commit may not be the one of the code"


@pytest.mark.parametrize("file", ["dvc.yaml", "stages/train.py", "stages/gone.py"])
def test_uncommitted_changes_of_the_code_are_named(repository: Path, file: str) -> None:
    code = commit(repository)
    with (repository / file).open("a") as text:
        text.write("# changed\n")
    assert provenance.find_commit(repository) == f"{code} and uncommitted changes"


def test_other_changes_are_not(repository: Path) -> None:
    """The report has all params, so committing them with their results must not change its bytes."""
    code = commit(repository)
    for file in ("README.md", "params.yaml", "stages/of_no_stage.py"):
        (repository / file).write_text("changed\n")
    assert provenance.find_commit(repository) == code


def test_versions_are_those_of_the_packages_and_of_the_backend_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    versions = provenance.read_versions()
    assert versions["numpy"] == metadata.version("numpy")
    assert "tensorflow" in versions
    assert re.fullmatch(r"3\.\d+", versions["python"])  # the patch level is not pinned
    monkeypatch.setenv("KERAS_BACKEND", "no-such-package")
    versions = provenance.read_versions()
    assert versions["no-such-package"] == "not installed"
    assert "tensorflow" not in versions
