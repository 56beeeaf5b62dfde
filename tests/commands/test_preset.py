"""Presets: valid documents, and their values in params.yaml with its comments kept."""

import pytest
import yaml

from skinlesion.commands.preset import presets
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from tests.helpers import chain

COMMITTED = chain.SAMPLE
# Image size, per_class, published numbers.
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
ALL = [*SYSTEMS, "ham10000", "ham10000_gpu", "sample"]


def leaves(content: dict, at: str = "") -> set[str]:
    """The dotted keys of a document's values; a value that can be null or a mapping counts once."""
    whole = {"train.augmentation", "train.reduce_learning_rate"}
    keys = set()
    for name, value in content.items():
        key = f"{at}{name}"
        keys |= leaves(value, f"{key}.") if isinstance(value, dict) and key not in whole else {key}
    return keys


def test_the_presets_are_the_published_systems_and_three_of_our_own(folder):
    assert set(presets.list_published()) == set(SYSTEMS)
    assert presets.list_names()[len(SYSTEMS) :] == ["ham10000", "ham10000_gpu", "sample"]


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
def test_a_preset_keeps_comments_and_order_and_sample_gives_back_the_committed_file_to_the_byte(folder, name):
    presets.apply(name)
    after = (folder / "params.yaml").read_text()
    params.check_params(yaml.safe_load(after), name)
    for old, new in zip(COMMITTED.splitlines(), after.splitlines(), strict=True):
        assert old.split(":")[0] == new.split(":")[0]
        assert old.partition("#")[2] == new.partition("#")[2]
    presets.apply("sample")
    assert (folder / "params.yaml").read_text() == COMMITTED


def test_sample_gives_back_the_committed_file_after_all_presets_in_a_row(folder):
    for name in ALL:
        presets.apply(name)
    assert (folder / "params.yaml").read_text() == COMMITTED


def test_no_preset_leaves_behind_what_another_set(folder):
    machine = {"train.precision", "train.device", "train.devices", "train.kernels", "train.deterministic"}
    seeds = {"balance.seed", "split.seed"}  # as seed itself: the user's
    committed = yaml.safe_load(COMMITTED)
    run = leaves({name: committed[name] for name in ("images", "balance", "split", "model", "train")}) - machine - seeds
    copies = {key for key in run if key.startswith("balance.operations")}
    for name, (_, per_class, _) in SYSTEMS.items():
        assert leaves(presets.load(name).params) == (run if per_class else run - copies), name
    whole = leaves({name: committed[name] for name in committed if name not in ("workers", "configurations")})
    assert leaves(presets.load("sample").params) == whole
    assert leaves(presets.load("ham10000").params) == leaves(presets.load("ham10000_gpu").params) == whole


def test_apply_lists_what_it_changed_and_the_second_time_writes_nothing(folder):
    changed = presets.apply("resnet50_gap")
    assert {"images.size: 80 -> 224", "balance.per_class: 80 -> null"} <= set(changed)
    assert not [line for line in changed if line.startswith("train.batch_size")]
    modified = (folder / "params.yaml").stat().st_mtime_ns
    assert presets.apply("resnet50_gap") == []
    assert (folder / "params.yaml").stat().st_mtime_ns == modified


def test_overrides_come_after_the_preset_and_keep_comments_and_other_rows(folder):
    """The rest is as the preset alone leaves it, to the byte, and so is every other row of networks.yaml."""
    networks = (folder / "networks.yaml").read_text()
    presets.apply("ham10000")
    alone = (folder / "params.yaml").read_text()
    presets.apply("sample")
    head = "[{average_pool: global}, {dropout: 0.5}]"
    phase = "[{train: all, epochs: 1, learning_rate: 5e-5, batch_norm: train}]"
    overrides = ["data.source=archive", "data.archive='/a b (1).zip'", f"networks.yaml:heads.gap={head}"]
    changed = presets.apply("ham10000", [*overrides, f"+configurations.mine={phase}"])
    assert {"data.source: sample -> archive", "data.archive: null -> /a b (1).zip"} <= set(changed)
    after = (folder / "params.yaml").read_text()
    assert yaml.safe_load(after)["configurations"]["mine"][0]["epochs"] == 1
    lines = zip(alone.splitlines(), after.splitlines(), strict=False)
    assert [new.split(" #")[0].strip() for old, new in lines if old != new] == [
        "source: archive",
        "archive: /a b (1).zip",
    ]
    assert (folder / "networks.yaml").read_text() == networks.replace("{dropout: 0.3}]", "{dropout: 0.5}]", 1)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("train.max_epoch=3", ["train.max_epoch", "'train.max_epochs'"]),
        ("backbone=resnet50", ["'model.backbone'"]),
        ("model.backbone=resnet51", ["params.yaml with preset ham10000 and -S", "'resnet50'"]),
        ("networks.yaml:heads.gab=[]", ["networks.yaml", "'heads.gap'"]),
        ("data.source=archive", ["data.archive"]),
        ("data.archive=/a (1).zip", ["KEY='VALUE'"]),
        ("~configurations.A", ["by hand"]),
        ("+train.max_epoch=3", ["train.max_epoch ", "'max_epochs'"]),
    ],
)
def test_an_override_with_a_mistake_names_the_right_key_and_changes_nothing(folder, override, named):
    with pytest.raises(UserError) as caught:
        presets.apply("ham10000", [override])
    assert all(word in str(caught.value) for word in named), caught.value
    assert (folder / "params.yaml").read_text() == COMMITTED


@pytest.mark.parametrize("name", ["resnet_18", "../params", "duplicates/sample", ""])
def test_an_unknown_name_and_a_path_are_refused(folder, name):
    with pytest.raises(UserError) as caught:
        presets.apply(name)
    assert repr(name) in str(caught.value)
    assert "resnet18" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("title:", "titel:", ["titel", "'title'"]),
        ("accuracy: 0.83", "accuracy: 83", ["published.accuracy", "83"]),
        ("accuracy: 0.83", "acuracy: 0.83", ["acuracy"]),
        ("title: ", "title: [", ["resnet18.yaml", "YAML"]),
        ("head: gap", "head: gab", ["params.yaml with preset resnet18", "'gap'"]),
        ("head: gap", "haed: gap", ["params.yaml with preset resnet18", "model.haed", "'head'"]),
    ],
)
def test_a_document_with_a_mistake_is_refused_and_changes_nothing(folder, old, new, named):
    path = folder / "presets" / "resnet18.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        presets.apply("resnet18")
    assert all(word in str(caught.value) for word in named), caught.value
    assert (folder / "params.yaml").read_text() == COMMITTED
    assert sorted(file.name for file in folder.iterdir()) == ["networks.yaml", "params.yaml", "presets"]


@pytest.mark.parametrize(
    ("document", "changes", "expected"),
    [
        ("a: 100 # why\nb: 'yes'  # text\n", {("a",): 1, ("b",): "c"}, "a: 1   # why\nb: 'c'    # text\n"),
        ("a: {x: 1, y: [2, 3]}\n", {("a", "y"): [4], ("a", "x"): None}, "a: {x: null, y: [4]}\n"),
        ("a: null\nb: 3\n", {("a",): {"x": 0.5, "y": None}}, "a: {x: 0.5, y: null}\nb: 3\n"),
        ("a: 1\n", {("a",): 1e-5}, "a: 1.0e-05\n"),
    ],
)
def test_values_change_in_place(document, changes, expected):
    assert presets.set_values(document, changes) == expected


def test_a_document_that_cannot_be_edited_in_place_is_refused(folder):
    path = folder / "params.yaml"
    path.write_text(COMMITTED + "seed: 18\n")  # PyYAML takes the last of two equal keys, ruamel.yaml the first
    with pytest.raises(UserError, match="by hand"):
        presets.apply("resnet18")
    assert path.read_text() == COMMITTED + "seed: 18\n"


def test_a_search_starts_with_what_its_trials_change_and_names_each_once(folder):
    search = presets.load("ham10000").search
    assert search.trials
    assert search.trials[0].change == "none"
    assert len({trial.change for trial in search.trials}) == len(search.trials)
