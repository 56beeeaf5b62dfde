"""Presets: documents that hold, laid over params.yaml without disturbing it."""

import pytest
import yaml

from skinlesion.commands.preset import presets, yaml_edit
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from tests.helpers.chain import ROOT

COMMITTED = (ROOT / "params.yaml").read_text()
# DESIGN section 7: image size, per_class, split protocol, published numbers.
SYSTEMS = {
    "resnet50_gap": (224, None, {"accuracy": 0.755}),
    "resnet50_se": (224, None, {"accuracy": 0.778}),
    "resnet50_two_phase": (224, None, {"accuracy": 0.68, "roc_auc_macro": 0.94}),
    "resnet50_conv_head": (224, None, {"accuracy": 0.817, "f1_weighted": 0.82}),
    "resnet18": (224, None, {"accuracy": 0.83}),
    "resnet50_a": (128, 2000, {"accuracy": 0.9114, "f1_macro": 0.9102}),
    "resnet50_b": (128, 2000, {"accuracy": 0.3707, "f1_macro": 0.3356}),
    "inception_resnet_v2_a": (128, 2000, {"accuracy": 0.9207, "f1_macro": 0.9199}),
    "inception_resnet_v2_b": (128, 2000, {"accuracy": 0.7429, "f1_macro": 0.7402}),
}
ALL = [*SYSTEMS, "ham10000", "sample"]


def leaves(content: dict, at: str = "") -> set[str]:
    """The dotted keys of a document's values; what can be null or a mapping is one value."""
    whole = {"train.augmentation", "train.reduce_learning_rate"}
    found = set()
    for name, value in content.items():
        key = f"{at}{name}"
        found |= leaves(value, f"{key}.") if isinstance(value, dict) and key not in whole else {key}
    return found


def comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


def test_the_presets_are_the_published_systems_and_two_of_our_own(folder):
    assert set(presets.names()) == set(ALL)
    assert set(presets.published()) == set(SYSTEMS)
    assert presets.names()[-2:] == ["ham10000", "sample"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_published_system_is_as_the_design_records_it(folder, name):
    size, per_class, published = SYSTEMS[name]
    preset = presets.load(name)
    presets.apply(name)
    content = yaml.safe_load((folder / "params.yaml").read_text())
    assert preset.published == published
    assert (content["images"]["size"], content["balance"]["per_class"]) == (size, per_class)
    assert content["split"]["protocol"] == "image"
    assert content["model"]["backbone"] == name.removesuffix("_a").removesuffix("_b") or "resnet50_" in name
    assert content["model"]["weights"] == "imagenet"
    assert preset.left_open


@pytest.mark.parametrize("name", ALL)
def test_a_preset_over_the_committed_params_is_accepted_and_keeps_comments_and_order(folder, name):
    presets.apply(name)
    after = (folder / "params.yaml").read_text()
    params.load()
    assert comments(after) == comments(COMMITTED)
    keys = [[line.split(":")[0] for line in text.splitlines()] for text in (COMMITTED, after)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("name", ALL)
def test_sample_gives_back_the_committed_file_to_the_byte(folder, name):
    presets.apply(name)
    presets.apply("sample")
    assert (folder / "params.yaml").read_text() == COMMITTED


def test_sample_gives_back_the_committed_file_after_all_presets_in_a_row(folder):
    for name in [*ALL[:-1], "sample"]:
        presets.apply(name)
    assert (folder / "params.yaml").read_text() == COMMITTED


def test_no_preset_leaves_behind_what_another_set(folder):
    machine = {"train.precision", "train.device", "train.deterministic"}
    seeds = {"balance.seed", "split.seed"}  # as seed itself: the user's
    committed = yaml.safe_load(COMMITTED)
    run = leaves({name: committed[name] for name in ("images", "balance", "split", "model", "train")}) - machine - seeds
    copies = {key for key in run if key.startswith("balance.operations")}
    for name, (_, per_class, _) in SYSTEMS.items():
        assert leaves(presets.load(name).params) == (run if per_class else run - copies), name
    whole = leaves({name: committed[name] for name in committed if name not in ("workers", "configurations")})
    assert leaves(presets.load("sample").params) == leaves(presets.load("ham10000").params) == whole


def test_published_systems_leave_the_data_alone(folder):
    for name in SYSTEMS:
        assert "data" not in presets.load(name).params
    presets.apply("ham10000")
    presets.apply("resnet50_a")
    assert yaml.safe_load((folder / "params.yaml").read_text())["data"]["source"] == "kaggle"


def test_apply_says_what_it_changed_and_the_second_time_nothing(folder):
    changed = presets.apply("resnet50_gap")
    assert "images.size: 80 -> 224" in changed
    assert "balance.per_class: 80 -> null" in changed
    assert not [line for line in changed if line.startswith("train.batch_size")]
    modified = (folder / "params.yaml").stat().st_mtime_ns
    assert presets.apply("resnet50_gap") == []
    assert (folder / "params.yaml").stat().st_mtime_ns == modified


def test_an_unknown_name_is_refused_with_a_hint(folder):
    with pytest.raises(UserError, match=r"no preset is named 'resnet_18'\. Did you mean 'resnet18'"):
        presets.apply("resnet_18")


@pytest.mark.parametrize("name", ["../params", "duplicates/sample", "", "sample.yaml"])
def test_a_name_is_no_path(folder, name):
    with pytest.raises(UserError, match="no preset is named"):
        presets.load(name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("titel: x", "titel: unknown key. Did you mean 'title'"),
        ("published: {accuracy: 81.7}", "less than or equal to 1"),
        ("published: {acuracy: 0.8}", "published"),
        ("title: [", "is not valid YAML"),
    ],
)
def test_a_document_with_a_mistake_is_refused(folder, change, words):
    path = folder / "presets" / "resnet18.yaml"
    key = change.split(":")[0]
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([change, *lines]))
    with pytest.raises(UserError, match=words):
        presets.load("resnet18")


def test_a_preset_that_does_not_fit_changes_nothing(folder):
    path = folder / "presets" / "resnet18.yaml"
    path.write_text(path.read_text().replace("head: gap", "head: gab"))
    with pytest.raises(UserError, match=r"params.yaml with preset resnet18 cannot be used:\n.*Did you mean 'gap'"):
        presets.apply("resnet18")
    assert (folder / "params.yaml").read_text() == COMMITTED
    path.write_text(path.read_text().replace("head: gab", "haed: gap"))
    with pytest.raises(UserError, match=r"model\.haed is missing"):
        presets.apply("resnet18")
    assert sorted(file.name for file in folder.iterdir()) == ["networks.yaml", "params.yaml", "presets"]


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("a: 1  # why\nb: 2\n", {("a",): 100}, "a: 100 # why\nb: 2\n"),
        ("a: 100 # why\n", {("a",): 1}, "a: 1   # why\n"),
        ("a: {x: 1, y: [2, 3]}\n", {("a", "y"): [4], ("a", "x"): None}, "a: {x: null, y: [4]}\n"),
        ("a:\n  x: 1  # one\n  y: 2  # two\nb: 3\n", {("a",): None}, "a: null\nb: 3\n"),
        ("a: null\nb: 3\n", {("a",): {"x": 0.5, "y": None}}, "a: {x: 0.5, y: null}\nb: 3\n"),
        ("a:\nb: 3\n", {("a",): 7}, "a: 7\nb: 3\n"),
        ("a:\n- 1\n- 2\n# end\n", {("a",): [3]}, "a: [3]\n# end\n"),
        ("a: 'yes'  # text\n", {("a",): "no"}, "a: 'no'   # text\n"),
        ("a: 1", {("a",): 1e-5}, "a: 1.0e-05"),
    ],
)
def test_values_change_in_place(text, changes, expected):
    assert yaml_edit.replace(text, changes) == expected


def test_a_form_that_cannot_be_edited_is_refused():
    with pytest.raises(UserError, match="aliases"):
        yaml_edit.replace("a: &one {x: 1}\nb: *one\n", {("b", "x"): 2})
