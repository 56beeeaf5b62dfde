"""params.yaml: the committed one loads; every mistake is refused with its key, the rule and a way out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import rows, sections

Write = Callable[[Path, dict[str, Any]], Path]
ALL_OFF = dict.fromkeys(sections.Operations.model_fields, 0)

REFUSED = {
    "unknown section": ({"modell": {}}, "modell: unknown key. Did you mean 'model'?"),
    "unknown key": (
        {"train.batchsize": 8},
        "train.batchsize: unknown key. Did you mean 'batch_size'?",
    ),
    "unknown key, nothing close": ({"images.xyz": 8}, "images.xyz: unknown key. Known: size, fit"),
    "unknown key below an optional section": (
        {"train.reduce_learning_rate": {"patience": 3, "factr": 0.3}},
        "train.reduce_learning_rate.factr: unknown key. Did you mean 'factor'?",
    ),
    "unknown key in a row of a table": (
        {"configurations.quick": [{"train": "all", "epochs": 1, "learning_rat": 0.1}]},
        "configurations.quick.0.learning_rat: unknown key. Did you mean 'learning_rate'?",
    ),
    "unknown key that is no identifier": ({"train.batch-size": 8}, "Did you mean 'batch_size'?"),
    "unknown section that is no identifier": ({"back-bones": {}}, "Did you mean 'backbones'?"),
    "missing section": ({"split": ...}, "split: missing key"),
    "missing key": ({"images.fit": ...}, "images.fit: missing key"),
    "missing nullable key": ({"train.early_stopping": ...}, "train.early_stopping: missing key"),
    "fractions above 1": (
        {"split.train": 0.7, "split.validation": 0.15, "split.test": 0.2},
        "must sum to 1. Received: 1.05",
    ),
    "no validation": ({"split.train": 0.7, "split.validation": 0, "split.test": 0.3}, "must each be above 0"),
    "unknown backbone": (
        {"model.backbone": "resnet5"},
        "model.backbone: no row of backbones is named 'resnet5'. Did you mean 'resnet50'?",
    ),
    "unknown head": (
        {"model.head": "xyz"},
        "model.head: no row of heads is named 'xyz'. Known: classifier, conv, gap, gap_dense",
    ),
    "unknown configuration": ({"model.configuration": "Z"}, "named 'Z'. Known: A, B"),
    "too small for the backbone": (
        {"model.backbone": "inception_resnet_v2", "images.size": 74},
        "images.size: inception_resnet_v2 needs at least 75 px. Received: 74",
    ),
    "archive without a path": (
        {"data.source": "archive"},
        "data.archive, the path of a zip or folder",
    ),
    "unknown source": ({"data.source": "kagle"}, "data.source: Input should be 'sample'"),
    "every operation off": ({"balance.operations": ALL_OFF}, "every operation is 0"),
    "duplicates elsewhere": ({"data.duplicates": "mine.csv"}, "a file of presets/duplicates/"),
    "negative range": ({"balance.operations.zoom": -0.1}, "balance.operations.zoom: "),
    "range of 1": ({"balance.operations.brightness": 1}, "balance.operations.brightness: "),
    "rotation above 180": ({"balance.operations.rotate": 181}, "balance.operations.rotate: "),
    "no images per class": ({"balance.per_class": 0}, "balance.per_class: "),
    "text for a number": ({"train.batch_size": "many"}, "train.batch_size: ", "Received: 'many'"),
    "part of a batch": ({"train.batch_size": 8.5}, "train.batch_size: ", "Received: 8.5"),
    "no learning rate": (
        {"configurations.quick": [{"train": "all", "epochs": 1, "learning_rate": 0}]},
        "configurations.quick.0.learning_rate: ",
    ),
    "unknown part to train": (
        {"configurations.quick": [{"train": "tail", "epochs": 1, "learning_rate": 0.1}]},
        "configurations.quick.0.train: ",
        "Received: 'tail'",
    ),
    "configuration without phases": ({"configurations.quick": []}, "configurations.quick: "),
    "head layer with two keys": (
        {"heads.gap": [{"dropout": 0.3, "dense": 8}]},
        "heads.gap.0: a layer of a head has exactly one key",
    ),
    "head layer without a key": ({"heads.gap": [{}]}, "has exactly one key"),
    "head layer with a mistyped key": (
        {"heads.gap": [{"droput": 0.3}]},
        "heads.gap.0.droput: unknown key. Did you mean 'dropout'?",
    ),
    "head layer without a value": ({"heads.gap": [{"dropout": None}]}, "heads.gap.0"),
    "constructor from elsewhere": (
        {"backbones.resnet50": {"constructor": "os.system", "preprocessing": "tf", "smallest": 32}},
        "backbones.resnet50.constructor: ",
    ),
    "section that is no section": ({"images": 128}, "images: ", "Received: 128"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_refused(name: str, tmp_path: Path, write_params: Write) -> None:
    changes, *words = REFUSED[name]
    path = write_params(tmp_path / "params.yaml", changes)
    with pytest.raises(UserError) as caught:
        params.load(path)
    tables = next(iter(changes)).split(".")[0] in params.Networks.model_fields
    for word in (str(path.with_name("networks.yaml") if tables else path), *words):
        assert word in str(caught.value)


def test_the_committed_file_says_what_is_loaded(settings: params.Params, document: dict) -> None:
    loaded = settings.model_dump(mode="json", exclude_unset=True)
    assert loaded == document
    assert settings.phases == settings.configurations[document["model"]["configuration"]]
    assert settings.head == settings.heads[document["model"]["head"]]
    assert settings.backbone == settings.backbones[document["model"]["backbone"]]


def test_several_mistakes_are_named_at_once(tmp_path: Path, write_params: Write) -> None:
    path = write_params(tmp_path / "params.yaml", {"train.batchsize": 8, "images.size": 0})
    with pytest.raises(UserError, match=r"(?s)images\.size.*train\.batchsize"):
        params.load(path)


@pytest.mark.parametrize("content", ["train: [", "\ttrain: 1", "a: b: c"])
def test_broken_yaml_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(UserError, match=r"params\.yaml is not valid YAML"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize("content", ["", "5", "- train"])
def test_yaml_that_is_no_document_of_params_is_refused(content: str, tmp_path: Path, write_params: Write) -> None:
    write_params(tmp_path / "params.yaml", {}).write_text(content)
    with pytest.raises(UserError, match=r"params\.yaml cannot be used"):
        params.load(tmp_path / "params.yaml")


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is missing: run from the repository's root"):
        params.load(tmp_path / "params.yaml")


def test_a_table_of_networks_in_params_is_sent_there(tmp_path: Path, write_params: Write) -> None:
    path = write_params(tmp_path / "params.yaml", {})
    path.write_text(path.read_text() + "heads: {}\n")
    with pytest.raises(UserError, match=r"params\.yaml cannot be used:\n  heads: move it to .*networks\.yaml"):
        params.load(path)


def fields(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Every field of the models in `annotation`, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield annotation, name
            yield from fields(field.annotation)
    for inner in get_args(annotation):
        yield from fields(inner)


def test_no_value_is_defaulted_in_code() -> None:
    """Only then does DVC, which tracks the files' keys, see every change. A layer of a head has one key of several."""
    found = set(fields(params.Params))
    assert {model for model, _ in found} >= {
        sections.Operations,
        sections.ReduceLearningRate,
        rows.Backbone,
        rows.Phase,
    }
    assert {model for model, name in found if not model.model_fields[name].is_required()} == {rows.HeadLayer}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"split.folds": 5, "split.fold": 5}, "fold must be 0 to 4. Received: 5"),
        ({"split.fold": 1}, "fold must be 0, as folds is null. Received: 1"),
        ({"split.folds": 5, "split.protocol": "image"}, "folds belong to protocol: lesion"),
        ({"split.folds": 1}, "split.folds: "),
    ],
)
def test_folds_that_make_no_sense_are_refused(changes, words, tmp_path: Path, write_params: Write) -> None:
    with pytest.raises(UserError, match=words):
        params.load(write_params(tmp_path / "params.yaml", changes))


def test_what_dvc_writes_for_a_small_number_is_a_number(tmp_path: Path, write_params: Write) -> None:
    # `dvc exp run -S ...=5e-5` leaves `5e-05` in params.yaml, which YAML 1.1 reads as text.
    assert yaml.safe_load("5e-05") == "5e-05"
    phase = {"train": "all", "epochs": 1, "learning_rate": "5e-05"}
    path = write_params(tmp_path / "params.yaml", {"model.configuration": "quick", "configurations.quick": [phase]})
    assert params.load(path).phases[0].learning_rate == 5e-5


def test_values_cannot_be_changed(settings: params.Params) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 1
    with pytest.raises(ValidationError, match="frozen"):
        settings.images.size = 99


def test_every_section_refuses_unknown_keys_and_changes() -> None:
    kinds = rows.Section.__subclasses__()
    assert len(kinds) > 10
    for section in kinds:
        assert section.model_config["extra"] == "forbid"
        assert section.model_config["frozen"]


def test_a_layer_of_a_head_says_its_kind_and_value() -> None:
    layer = rows.HeadLayer.model_validate({"dense": 128})
    assert (layer.kind, layer.value) == ("dense", 128)


def test_operations_may_all_be_off_where_no_copies_are_made(change: Callable) -> None:
    settings = change({"balance.per_class": None, "balance.operations": ALL_OFF})
    assert settings.balance.per_class is None


def test_a_number_names_the_first_layer_to_train(change: Callable) -> None:
    phase = {"train": 100, "epochs": 1, "learning_rate": 0.1}
    assert change({"model.configuration": "quick", "configurations.quick": [phase]}).phases[0].train == 100
