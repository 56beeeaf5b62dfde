"""The doctor names each fault with its remedy, fails only where the pipeline cannot run, and prints no secret."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from skinlesion.__main__ import main
from skinlesion.commands.doctor import checks, software, source, training
from skinlesion.download.sources import SOURCES
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.rows import Backbone
from tests.helpers.chain import ROOT

SECRET = "KGAT_0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without credentials or weights, and no variables that name others."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE", "XDG_CONFIG")) or name == "KERAS_HOME":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    return home


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    shutil.copy(ROOT / "requirements.txt", folder)
    for command in (["git", "init", "-q", "-b", "main"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


@pytest.fixture
def here(
    tmp_path: Path, home: Path, repository: Path, write_params: Callable, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """A repository with params.yaml and pins as the current folder; `here({...})` rewrites params.yaml."""
    folder = shutil.copytree(repository, tmp_path / "project")
    monkeypatch.chdir(folder)
    write_params(Path("params.yaml"), {})
    return lambda changes: write_params(Path("params.yaml"), changes)


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


# All checks


def test_a_machine_that_can_run_the_pipeline_has_no_problem(here, capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for name in (*checks.SOFTWARE, *checks.CONFIGURED, "params"):
        assert f" {name} " in printed
    assert "could not be checked" not in printed
    assert "problems: 0;" in printed


def test_no_secret_is_ever_printed(here, home, capsys, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:1")
    put(home / ".kaggle" / "kaggle.json", f'{{"username": "x", "key": "{SECRET}"}}')
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    here({"data.source": "kaggle"})
    for place in ("KAGGLE_API_TOKEN", "kaggle.json"):
        assert main(["doctor"]) == 0
        captured = capsys.readouterr()
        assert place in captured.out
        assert SECRET not in captured.out + captured.err
        monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)


def test_invalid_params_are_a_problem_and_the_software_is_checked_all_the_same(here, capsys):
    here({"train.device": "tpu"})
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "problem  params" in printed
    assert "train.device" in printed
    assert all(f" {name} " in printed for name in checks.SOFTWARE)


def test_away_from_the_repository_each_check_that_fails_has_a_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    findings = dict(checks.check_all())
    for name in ("packages", "Git", "params"):
        assert findings[name].state == "problem", name
        assert findings[name].remedy, name


def test_a_check_that_fails_itself_is_a_note_without_the_errors_words():
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    finding = checks.run_check(fail)
    assert finding.state == "note"
    assert "RuntimeError" in finding.text
    assert SECRET not in str(finding)


# Software


PINNED = f"numpy=={metadata.version('numpy')} \\\n    --hash=sha256:0\n    # via pandas\n# a comment\n"


@pytest.mark.parametrize(
    ("pins", "state", "named"),
    [
        (PINNED, "ok", "requirements.txt"),
        (PINNED + "gone==1 ; python_version < '3'\n", "ok", "requirements.txt"),
        ("numpy==1.0\n", "note", f"numpy {metadata.version('numpy')} (pinned: ==1.0)"),
        (PINNED + "not-there==1.0  # of a command\n", "problem", "not-there"),
    ],
    ids=["as pinned", "another system's", "other version", "missing"],
)
def test_packages_are_compared_with_the_pins(pins, state, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text(pins)
    finding = software.check_packages()
    assert (finding.state, named in finding.text) == (state, True), finding
    assert ("make setup" in finding.remedy) == (state != "ok")


def test_git_with_changes_clean_and_missing(here, monkeypatch):
    assert software.check_git().state == "note"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "all"], check=True)
    assert (software.check_git().state, "main" in software.check_git().text) == ("ok", True)
    monkeypatch.setenv("PATH", "")
    assert software.check_git().state == "problem"


# Device and weights


@pytest.mark.parametrize(
    ("device", "precision", "gpus", "state", "named"),
    [
        ("auto", "auto", ["gpu:0"], "ok", "GPU, mixed_bfloat16"),
        ("gpu", "float32", ["gpu:0"], "ok", "GPU, float32 (train.precision: auto gives mixed_bfloat16)"),
        ("auto", "auto", [], "note", "(AVX2, oneDNN on), float32"),
        ("cpu", "auto", ["gpu:0"], "ok", "(AVX2, oneDNN on), float32"),
        ("gpu", "auto", [], "problem", "train.device: gpu"),
    ],
)
def test_the_device_and_its_precision(device, precision, gpus, state, named, home, change, monkeypatch):
    import keras

    monkeypatch.setenv("SKINLESION_PROCESSOR", "AVX2")
    monkeypatch.setattr("skinlesion.train.machine.processor.onednn", lambda: True)  # whatever this machine has
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: gpus)
    native = {"cpu": lambda: False, "gpu": lambda: True}
    monkeypatch.setattr("skinlesion.train.machine.devices.NATIVE_BFLOAT16", native)
    settings = change({"train.device": device, "train.precision": precision})
    finding = checks.run_check(training.check_device, settings)
    assert (finding.state, named in finding.text) == (state, True), finding


def test_a_missing_backend_is_a_problem():
    code = "from skinlesion.commands.doctor.training import check_device; print(check_device(None))"
    environment = {**os.environ, "KERAS_BACKEND": "absent"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "problem" in done.stdout, done.stderr[-500:]
    assert "absent" in done.stdout


CACHED = {
    "resnet50": ".keras/models/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "inception_resnet_v2": ".keras/models/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "densenet121": ".keras/models/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "efficientnet_v2_b0": ".keras/models/efficientnetv2-b0_notop.h5",
    "convnext_tiny": ".keras/models/convnext_tiny_notop.h5",
    "mobilenet_v3": ".keras/models/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
    "resnet18": ".cache/kagglehub/models/keras/resnetv1/keras/resnet_18_imagenet/.complete/3/model.weights.h5.complete",
    "dinov2_small": ".cache/kagglehub/models/keras/dinov2/keras/dinov2_small/.complete/1/model.weights.h5.complete",
    "dinov2_base": ".cache/kagglehub/models/keras/dinov2/keras/dinov2_base/.complete/1/model.weights.h5.complete",
}


def kept_by_the_hub(row: Backbone) -> str:
    """The file that Kaggle's hub keeps of a row of keras-hub, by the library's own list of presets."""
    library, constructor = row.constructor.rsplit(".", 1)
    presets = getattr(importlib.import_module(library), constructor).presets
    model, version = presets[row.imagenet]["kaggle_handle"].removeprefix("kaggle://").rsplit("/", 1)
    return f".cache/kagglehub/models/{model}/.complete/{version}/model.weights.h5.complete"


def test_the_weights_of_every_backbone_are_found_where_its_library_keeps_them(home, settings):
    rows = {name: row for name, row in settings.backbones.items() if not row.imagenet.startswith("pypi://")}
    hub = {name: kept_by_the_hub(row) for name, row in rows.items() if row.constructor.startswith("keras_hub.")}
    assert {name: hub.get(name, file) for name, file in CACHED.items()} == CACHED
    assert set(CACHED | hub) == set(rows)
    put(home / ".keras/models/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5")
    put(home / ".keras/models/resnet50_weights_tf_dim_ordering_tf_kernels.h5")  # with its classifier
    for name, file in (CACHED | hub).items():
        assert not training.is_cached(settings.backbones[name]), name
        put(home / file)
        assert training.is_cached(settings.backbones[name]), name


def test_weights_are_random_a_file_or_still_to_be_downloaded(here, change):
    assert training.check_weights(change({})).state == "ok"
    assert training.check_weights(change({"model.weights": "imagenet"})).state == "note"
    settings = change({"model.weights": "mine.weights.h5"})
    assert training.check_weights(settings).state == "problem"
    put(Path("mine.weights.h5"))
    assert training.check_weights(settings).state == "ok"
    settings = change({"model.weights": "~/mine.weights.h5"})
    assert training.check_weights(settings).state == "problem"
    put(Path.home() / "mine.weights.h5")
    assert training.check_weights(settings).state == "ok"


# Data, credentials, disk


def fetch(settings) -> None:
    """Leave the files that download leaves."""
    put(Path("data/raw/HAM10000_metadata.csv"))
    values = {"data.source": settings.data.source, "data.archive": settings.data.archive and str(settings.data.archive)}
    put(Path("dvc.lock"), yaml.safe_dump({"stages": {"download": {"params": {"params.yaml": values}}}}))


def test_a_missing_archive_is_a_problem_until_it_is_unpacked(here, change):
    settings = change({"data.source": "archive", "data.archive": "ham.zip"})
    assert source.check_data(settings).state == "problem"
    assert "ham.zip" in source.check_data(settings).text
    fetch(settings)
    assert source.check_data(settings).state == "ok"
    assert source.check_data(change({"data.source": "archive", "data.archive": "other.zip"})).state == "problem"
    put(Path("other.zip"))
    assert source.check_data(change({"data.source": "archive", "data.archive": "other.zip"})).state == "ok"


def test_a_missing_archive_of_the_external_set_is_found_before_a_training(here, change):
    external = {"external.source": "archive", "external.archive": "isic.zip", "data.source": "kaggle"}
    assert source.check_external(change(external)).state == "problem"
    assert "isic.zip" in source.check_external(change(external)).text
    here(external)
    assert "isic.zip" in " ".join(finding.text for finding in checks.find_missing())
    made_with = {"external": {"source": "archive", "archive": "isic.zip"}, "images.size": change({}).images.size}
    put(Path("dvc.lock"), yaml.safe_dump({"stages": {"external": {"params": {"params.yaml": made_with}}}}))
    put(Path("data/external/labels.csv"))
    assert source.check_external(change(external)).state == "ok", "it is there already"
    assert source.check_external(change(external | {"images.size": 128})).state == "problem"
    older = {"stages": {"external": {"params": {"params.yaml": made_with | {"external.gone": 1}}}}}
    put(Path("dvc.lock"), yaml.safe_dump(older))
    assert source.check_external(change(external)).state == "problem", "made by a version with other keys"
    put(Path("isic.zip"))
    assert source.check_external(change(external | {"images.size": 128})).state == "ok"


def test_a_missing_package_of_weights_is_no_fault_of_the_params_and_the_rest_is_checked(here, capsys, monkeypatch):
    def find(source):
        raise UserError("no weights. Run: make setup WEIGHTS=1")

    for module in (training, params):
        monkeypatch.setattr(module, "find_package_weights", find)
    here({"model.backbone": "efficientnet_lite0", "model.weights": "imagenet"})
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "problems: 1;" in printed
    assert "make setup WEIGHTS=1" in printed
    assert "Correct params.yaml" not in printed
    for name in checks.CONFIGURED:
        assert f" {name} " in printed


@pytest.mark.parametrize(
    ("file", "variables", "state"),
    [
        (None, {}, "problem"),
        (".kaggle/access_token", {}, "ok"),
        (".kaggle/kaggle.json", {}, "ok"),
        (".config/kaggle/kaggle.json", {}, "ok"),
        ("other/kaggle.json", {"KAGGLE_CONFIG_DIR": "~/other"}, "ok"),
        (None, {"KAGGLE_USERNAME": SECRET}, "problem"),
        (None, {"KAGGLE_USERNAME": SECRET, "KAGGLE_KEY": SECRET}, "ok"),
    ],
)
def test_credentials_are_needed_where_kaggle_is_still_to_be_asked(file, variables, state, home, change, monkeypatch):
    monkeypatch.chdir(home)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if file:
        put(home / file, SECRET)
    kaggle = change({"data.source": "kaggle"})
    finding = source.check_data(kaggle)
    assert finding.state == state
    assert ("KAGGLE_API_TOKEN" in finding.remedy) == (state == "problem")
    fetch(kaggle)
    assert source.check_data(kaggle).state == "ok"


@pytest.mark.parametrize(
    ("chosen", "free", "state"),
    [("kaggle", 50e9, "ok"), ("kaggle", 9e9, "note"), ("kaggle", 8.3e9, "problem"), ("dataverse", 5.5e9, "problem")],
)
def test_the_disk_must_hold_the_download_and_its_content(chosen, free, state, home, change, monkeypatch):
    """Kaggle: 5.2 GiB + 2.8 GB. Run: 2 x (10,015 + 7 x 2000) squares of 0.65 x 128 x 128 x 3 bytes, 1.5 GB, and 0.5."""
    monkeypatch.chdir(home)
    monkeypatch.setattr(source, "read_dvc", lambda *_: "cache")  # the next test asks DVC itself
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    settings = change({"data.source": chosen, "balance.per_class": 2000, "images.size": 128})
    finding = source.check_disk(settings)
    assert finding.state == state
    assert "2.0 GB for a run" in finding.text
    assert ("8.4 GB for the raw data" in finding.text) == (chosen == "kaggle")
    fetch(settings)
    assert source.check_disk(settings).state == "ok", "what is there needs no more room"


def test_an_archive_needs_twice_its_size_and_the_cache_is_measured(here, change):
    put(Path("folder/part/a.jpg"), "x" * 50_000_000)
    put(Path(".dvc/cache/files/md5/ab/c"), "x" * 70_000_000)
    text = source.check_disk(change({"data.source": "archive", "data.archive": "folder"})).text
    assert "0.1 GB for the raw data" in text
    assert "cache has 0.1 GB" in text


def test_every_source_is_checked():
    assert set(source.SOURCES) == set(SOURCES)
