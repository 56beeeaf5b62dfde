"""What dvc.yaml claims: params, outputs, plots."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from skinlesion.runtime import paths
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.sections import Data
from tests.helpers.chain import ROOT

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = DVC["stages"]
DATA_STAGES = ("download", "merge", "explore", "balance", "split")


def entries(stage: str, *kinds: str) -> dict[str, dict]:
    """Path -> options of a stage's outs, metrics or plots."""
    listed = [entry for kind in kinds for entry in STAGES[stage].get(kind, [])]
    return {k: v for entry in listed for k, v in (entry if isinstance(entry, dict) else {entry: {}}).items()}


def tracked_by(stage: str) -> list[str]:
    """The keys that it tracks, of params.yaml and of networks.yaml."""
    entries = STAGES[stage]["params"]
    own = [entry for entry in entries if isinstance(entry, str)]
    others = [(file, keys) for entry in entries if isinstance(entry, dict) for file, keys in entry.items()]
    assert {file for file, _ in others} <= {"networks.yaml"}
    return own + [key for _, keys in others for key in keys]


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_those_the_stage_reads(stage):
    rows = {"backbone": "backbones", "head": "heads", "phases": "configurations"}  # properties that pick a row
    read = set(re.findall(r"settings\.(\w+)", (ROOT / "stages" / f"{stage}.py").read_text()))
    tracked = {param.split(".")[0] for param in tracked_by(stage)}
    assert {rows.get(name, name) for name in read} == tracked


def test_a_stage_that_resizes_tracks_size_and_fit_and_a_stage_of_the_data_tracks_each_key_of_data():
    """Where a stage tracks single keys of a section, the test above does not see one that is missing."""
    for stage in STAGES:
        assert {key for key in tracked_by(stage) if key.startswith("images")} in (set(), {"images.size", "images.fit"})
    keys = {key for stage in DATA_STAGES for key in tracked_by(stage) if key.startswith("data")}
    assert keys == {f"data.{name}" for name in Data.model_fields}


@pytest.mark.parametrize("stage", STAGES)
def test_tracked_params_exist(stage, document):
    for param in tracked_by(stage):
        value = document
        for key in re.sub(r"\$\{model\.(\w+)\}", lambda match: document["model"][match[1]], param).split("."):
            assert key in value, param
            value = value[key]


@pytest.mark.parametrize("stage", STAGES)
def test_the_run_cache_sees_every_param(stage, document):
    """DVC 3 leaves keys named size and nfiles out of its run-cache key: it would bring back outputs of another size."""

    def keys(value: object) -> Iterator[str]:
        for key, inner in value.items() if isinstance(value, dict) else ():
            yield key
            yield from keys(inner)

    tracked = [document[param] for param in tracked_by(stage) if param in document]
    assert not {"size", "nfiles"} & {key for section in tracked for key in keys(section)}


def test_every_param_is_tracked_by_a_stage():
    """The number of workers is not: it does not affect results."""
    tracked = {param.split(".")[0] for stage in STAGES for param in tracked_by(stage)}
    assert tracked == set(Params.model_fields) - {"workers"}


def test_another_seed_trains_on_the_same_split():
    """Or test images of one seed would have taught another, and an ensemble of both would leak."""
    assert [stage for stage in STAGES if "seed" in tracked_by(stage)] == ["train", "evaluate", "report"]


@pytest.mark.parametrize("stage", DATA_STAGES)
def test_no_data_stage_hangs_on_the_model(stage):
    assert not [param for param in tracked_by(stage) if re.match("model|train|backbones|heads|conf", param)]
    assert not [dep for dep in STAGES[stage]["deps"] if re.match("skinlesion/(model|train|evaluate)|models", dep)]


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_described_and_runs_the_file_of_its_name(stage):
    assert STAGES[stage]["desc"]
    assert STAGES[stage]["cmd"] == f"python -m stages.{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_metrics_and_tables_live_in_git_and_outs_and_pictures_in_the_cache(stage):
    small = entries(stage, "metrics", "plots")
    pictures = {path for path in small if path.endswith(".png")}
    assert all((options.get("cache") is False) == (path not in pictures) for path, options in small.items())
    assert not any(entries(stage, "outs").values())  # an option there would switch the run-cache off
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/plots/**/*.png" in ignored, "pictures show the data, which is not ours to publish"


def test_outputs_are_the_paths_of_the_library():
    known = {path.as_posix() for path in vars(paths).values() if isinstance(path, Path)}
    written = [path for stage in STAGES for path in entries(stage, "outs", "metrics", "plots")]
    assert [path for path in written if path not in known and Path(path).parent.as_posix() not in known] == []


def test_plot_templates_exist():
    built_in = {"bar_horizontal", "confusion", "confusion_normalized", "linear"}
    own = {file.stem for file in (ROOT / ".dvc" / "plots").glob("*.json")}
    used = [options.get("template", "linear") for stage in STAGES for options in entries(stage, "plots").values()]
    used += [options.get("template", "linear") for plot in DVC["plots"] for options in plot.values()]
    assert set(used) <= built_in | own
    assert own <= set(used)
