"""The doctor says what is so and what to do, fails only where the pipeline cannot run, and tells no secret."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
import yaml

from skinlesion.__main__ import main
from skinlesion.commands.doctor import compute, credentials, examine, raw_data, software, weights
from skinlesion.commands.doctor.finding import in_words, note, ok, problem
from skinlesion.download.sources import SOURCES
from tests.helpers.chain import ROOT

SECRET = "KGAT_0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without credentials or weights, and no variables that name others; what `choose` sets goes too."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE", "XDG_CONFIG")) or name == "KERAS_HOME":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    return home


@pytest.fixture
def here(tmp_path: Path, home: Path, write_params: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A project with params.yaml and pins as the current folder; `here({...})` rewrites params.yaml."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "requirements.txt", folder)
    monkeypatch.chdir(folder)
    write_params(Path("params.yaml"), {})
    return lambda changes: write_params(Path("params.yaml"), changes)


def put(path: Path, content: str = "x", mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


# The whole


def repository(folder: Path) -> None:
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_a_machine_that_can_run_the_pipeline_has_no_problem(here, capsys):
    repository(Path())
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for name in (*examine.MACHINE, *examine.RUN, "params"):
        assert f" {name} " in printed
    assert "could not be checked" not in printed
    assert " 0 problems; the pipeline as params.yaml configures it can run" in printed
    assert f"Keras        {keras.version()} on {keras.backend.backend()}" in printed


def test_no_secret_is_ever_printed(here, home, capsys, monkeypatch):
    repository(Path())
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setenv("KAGGLE_USERNAME", f"name-{SECRET}")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET}@127.0.0.1:1")
    put(home / ".kaggle" / "access_token", SECRET)
    put(home / ".kaggle" / "kaggle.json", f'{{"username": "x", "key": "{SECRET}"}}', 0o644)
    for source in ("sample", "kaggle"):
        here({"data.source": source})
        assert main(["doctor"]) == 0
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.delenv("KAGGLE_KEY")
    assert main(["doctor"]) == 0
    printed, said = capsys.readouterr()
    assert "credentials present: KAGGLE_API_TOKEN " in printed
    assert "credentials present: ~/.kaggle/access_token " in printed
    assert SECRET not in printed + said


def test_params_that_cannot_be_used_are_a_problem_and_the_machine_is_examined_all_the_same(here, capsys, monkeypatch):
    monkeypatch.setattr(examine, "MACHINE", {"Python": software.python})
    here({"train.device": "tpu"})
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("ok       Python")
    assert "problem  params       params.yaml cannot be used:\n" in printed
    assert "train.device" in printed
    assert "Kaggle" not in printed


def test_away_from_the_repository_the_doctor_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = dict(examine.examine())
    assert "params.yaml is missing: run from the repository's root" in found["params"].text
    for name in ("packages", "Git", "DVC cache", "params"):
        assert found[name].state == "problem", name


def test_a_check_that_fails_itself_is_a_note_without_the_errors_words(here, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(examine, "MACHINE", {"one": fail})
    monkeypatch.setattr(examine, "RUN", {"two": fail})
    found = dict(examine.examine())
    for name in ("one", "two"):
        assert found[name] == note("could not be checked (RuntimeError)", "The pipeline may run all the same")


def test_the_words_are_state_name_text_and_remedy_and_the_count():
    said = in_words([("A", ok("fine")), ("B", note("so so", "mend it")), ("C", problem("bad", "do it"))]).splitlines()
    assert [line.split() for line in said[:2]] == [["ok", "A", "fine"], ["note", "B", "so", "so"]]
    assert said[2].strip() == "-> mend it"
    assert said[-1].startswith("doctor: 1 ok, 1 notes, 1 problems; ")
    assert said[-1].endswith("cannot run before the problems are solved")


# Software


def test_an_old_python_is_a_problem(monkeypatch):
    assert software.python().state == "ok"
    monkeypatch.setattr(software.sys, "version_info", (3, 10, 4))
    assert "3.11 or newer is needed" in software.python().text
    assert software.python().state == "problem"


PINNED = f"numpy=={metadata.version('numpy')}\n    # via pandas\n# a comment\n"


@pytest.mark.parametrize(
    ("pins", "state", "words"),
    [
        (PINNED, "ok", "all 1 as requirements.txt pins them"),
        (PINNED + "gone==1 ; python_version < '3'\n", "ok", "all 1 as"),
        (PINNED + "not-there==1.0  # of a command\n", "note", "missing: not-there"),
        ("numpy==1.0\n", "note", f"other versions: numpy {metadata.version('numpy')} (pinned 1.0)"),
        (
            PINNED + "not-there==1.0\nneeded-one==2\n",
            "problem",
            "the stages need needed-one; missing: not-there, needed",
        ),
    ],
    ids=["as pinned", "another system's", "a command's", "other version", "the chain's"],
)
def test_packages_are_compared_with_the_pins(pins, state, words, here, monkeypatch):
    monkeypatch.setattr(software, "CHAIN", {"numpy", "needed-one"})
    Path("requirements.txt").write_text(pins)
    found = software.packages()
    assert (found.state, words in found.text) == (state, True), found
    assert bool(found.remedy) == (state != "ok")


def test_what_the_chain_needs_is_required_by_name():
    lines = (ROOT / "requirements.in").read_text().splitlines()
    assert {line.partition("#")[0].strip() for line in lines} >= software.CHAIN


def test_git_without_repository_with_changes_and_clean(here):
    assert software.git().state == "problem"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    assert "No commits yet" in software.git().text
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "all"], check=True)
    assert software.git() == ok("on main, all committed")
    put(Path("new.txt"))
    assert "on main, 1 files not committed" in software.git().text


def test_a_machine_without_git_is_told(here, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in software.git().text


def test_the_cache_is_measured_where_dvc_keeps_it(here, monkeypatch):
    folder = Path("elsewhere")
    put(folder / "files" / "md5" / "ab" / "c", "x" * 3_000_000)
    done = SimpleNamespace(returncode=0, stdout=f"{folder}\n", stderr="")
    monkeypatch.setattr(software, "dvc", lambda *_: done)
    monkeypatch.setattr(software, "MUCH", 4e6)
    assert software.cache() == ok("0.0 GB in elsewhere")
    monkeypatch.setattr(software, "MUCH", 2e6)
    assert software.cache().state == "note"
    assert "dvc gc" in software.cache().remedy


# Compute


@pytest.fixture
def gpus(monkeypatch) -> Callable[..., None]:
    """`gpus(seen, driver)`: what Keras is made to see, and NVIDIA's driver."""

    def see(seen: list[str], driver: list[str]) -> None:
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: seen)
        monkeypatch.setattr(compute, "nvidia", lambda: driver)
        native = {"cpu": lambda: False, "gpu": lambda: True}
        monkeypatch.setattr("skinlesion.train.machine.devices.NATIVE_BFLOAT16", native)

    return see


@pytest.mark.parametrize(
    ("asked", "precision", "seen", "driver", "state", "words"),
    [
        ("auto", "auto", ["gpu:0"], ["H200"], "ok", "on H200 in mixed_bfloat16 (train.precision: auto picks mixed_bf"),
        ("gpu", "float32", ["gpu:0"], ["H200"], "ok", "on H200 in float32 (train.precision: auto picks mixed_bfloat16"),
        (
            "auto",
            "auto",
            [],
            [],
            "note",
            "CPU cores (AVX2, oneDNN on) in float32 (train.precision: auto picks float32); no GPU",
        ),
        ("auto", "auto", [], ["H200"], "note", "does not see H200"),
        ("cpu", "auto", [], ["H200"], "ok", "CPU cores (AVX2, oneDNN on) in float32"),
        ("gpu", "auto", [], [], "problem", "train.device: gpu, but tensorflow sees no GPU"),
    ],
)
def test_the_device_and_its_precision(asked, precision, seen, driver, state, words, home, gpus, change, monkeypatch):
    monkeypatch.setenv("SKINLESION_PROCESSOR", "AVX2")
    gpus(seen, driver)
    found = compute.device(change({"train.device": asked, "train.precision": precision}))
    assert (found.state, words in found.text) == (state, True), found
    assert bool(found.remedy) == (state != "ok")


def test_a_backend_that_is_not_there_is_a_problem():
    code = "from skinlesion.commands.doctor import compute; found = compute.backend(); print(found.state, found.text)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "absent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("problem Keras does not start on absent: "), done.stderr[-500:]


# Data, credentials, weights, disk


def fetch(settings) -> None:
    """Leave what download leaves."""
    put(Path("data/raw/HAM10000_metadata.csv"))
    archive = None if settings.data.archive is None else str(settings.data.archive)
    values = {"data.source": settings.data.source, "data.archive": archive}
    put(Path("dvc.lock"), yaml.safe_dump({"stages": {"download": {"params": {"params.yaml": values}}}}))


def test_an_archive_that_is_missing_is_a_problem_until_it_is_unpacked(here, change):
    settings = change({"data.source": "archive", "data.archive": "ham.zip"})
    assert raw_data.source(settings).state == "problem"
    assert "ham.zip is missing" in raw_data.source(settings).text
    put(Path("ham.zip"))
    assert raw_data.source(settings).state == "ok"
    Path("ham.zip").unlink()
    fetch(settings)
    assert "in data/raw already" in raw_data.source(settings).text
    assert raw_data.source(change({"data.source": "archive", "data.archive": "other.zip"})).state == "problem"


def test_credentials_are_a_problem_only_where_kaggle_is_the_source_and_still_to_be_asked(here, change):
    assert credentials.credentials(change({})).state == "note"
    kaggle = change({"data.source": "kaggle"})
    found = credentials.credentials(kaggle)
    assert found.state == "problem"
    assert "KAGGLE_API_TOKEN" in found.remedy
    assert "data.source: archive" in found.remedy
    fetch(kaggle)
    assert credentials.credentials(kaggle).state == "note"


@pytest.mark.parametrize(
    "file", [".kaggle/access_token", ".kaggle/access_token.txt", ".kaggle/kaggle.json", ".kaggle/credentials.json"]
)
def test_credentials_in_a_file_are_named_by_it(file, home, change):
    put(home / file, "")
    assert credentials.credentials(change({})).state == "note", "an empty file is none"
    put(home / file, SECRET)
    assert credentials.credentials(change({})) == ok(f"credentials present: ~/{file} (not read, not tried)")
    put(home / file, SECRET, 0o644)
    assert credentials.credentials(change({})).remedy == f"chmod 600 ~/{file}"


def test_credentials_are_found_in_the_folder_that_a_variable_names(home, change, monkeypatch):
    put(home / "other" / "kaggle.json", SECRET)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "other"))
    assert credentials.credentials(change({})).state == "ok"


@pytest.mark.parametrize(("names", "state"), [(["KAGGLE_USERNAME"], "note"), (["KAGGLE_USERNAME", "KAGGLE_KEY"], "ok")])
def test_a_key_needs_its_name(names, state, home, change, monkeypatch):
    for name in names:
        monkeypatch.setenv(name, SECRET)
    assert credentials.credentials(change({})).state == state


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


@pytest.mark.parametrize("name", CACHED)
def test_the_weights_of_every_backbone_are_found_where_its_library_keeps_them(name, home, change):
    settings = change({"model.weights": "imagenet", "model.backbone": name, "images.size": 224})
    for other in set(CACHED) - {name}:
        put(home / CACHED[other])
    put(home / ".keras/models/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5")
    put(home / ".keras/models/resnet50_weights_tf_dim_ordering_tf_kernels.h5")
    assert weights.weights(settings).state == "note"
    assert "not on this machine yet" in weights.weights(settings).text
    put(home / CACHED[name])
    assert weights.weights(settings).state == "ok"


def test_every_backbone_has_its_place(settings):
    assert set(CACHED) == set(settings.backbones)


def test_weights_of_ones_own_must_be_there(here, change):
    settings = change({"model.weights": "mine.weights.h5"})
    assert weights.weights(settings).state == "problem"
    put(Path("mine.weights.h5"))
    assert weights.weights(settings).state == "ok"
    assert weights.weights(change({})).state == "ok"


@pytest.mark.parametrize(("free", "state"), [(50e9, "ok"), (9e9, "note"), (8.3e9, "problem")])
def test_the_disk_must_hold_kaggles_zip_and_what_is_in_it(free, state, here, change, monkeypatch):
    """5.2 GiB + 2.8 GB; a run: 2 x (10,015 + 7 x 2000) squares of 0.65 x 128 x 128 x 3 bytes, 1.5 GB, and 0.5."""
    monkeypatch.setattr(raw_data.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    settings = change({"data.source": "kaggle", "balance.per_class": 2000, "images.size": 128})
    found = raw_data.disk(settings)
    assert found.state == state
    assert found.text == f"{free / 1e9:.1f} GB free; needed are about 8.4 for the raw data, 2.0 for a run"
    fetch(settings)
    assert raw_data.disk(settings).state == "ok", "what is there needs no more room"


def test_dataverse_needs_no_account_and_room_for_its_zips_and_what_is_in_them(here, change, monkeypatch):
    monkeypatch.setattr(raw_data.shutil, "disk_usage", lambda _: SimpleNamespace(free=5.5e9))
    settings = change({"data.source": "dataverse"})
    assert raw_data.source(settings) == ok("data.source: dataverse, 2.8 GB to download, no account needed")
    assert credentials.credentials(settings).state == "note"
    assert raw_data.disk(settings).state == "problem"
    assert " needed are about 5.5 for the raw data" in raw_data.disk(settings).text
    fetch(settings)
    assert "in data/raw already" in raw_data.source(settings).text


def test_every_source_is_examined():
    known = set(raw_data.SOURCES)
    assert known == set(raw_data.DOWNLOADS) == set(raw_data.IMAGES) == set(SOURCES)


def test_an_archive_needs_twice_its_size(here, change):
    put(Path("folder/part/a.jpg"), "x" * 30_000_000)
    put(Path("folder/b.jpg"), "x" * 20_000_000)
    settings = change({"data.source": "archive", "data.archive": "folder"})
    assert " 0.1 for the raw data" in raw_data.disk(settings).text
