"""params.yaml: the committed one loads, mistakes are named all at once, no value comes from code.

tests/chain/test_bad_inputs.py has the mistakes, one by one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import rows, sections

Write = Callable[[Path, dict[str, Any]], Path]
QUICK = {"model.configuration": "quick"}


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


def test_a_table_of_networks_in_params_is_sent_there(tmp_path: Path, write_params: Write) -> None:
    path = write_params(tmp_path / "params.yaml", {})
    path.write_text(path.read_text() + "heads: {}\n")
    with pytest.raises(UserError, match=r"params\.yaml.*\n.*heads.*Move to .*networks\.yaml"):
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
    """DVC tracks the keys of the files, and would miss a change of a default. A layer of a head has one key."""
    known = set(fields(params.Params))
    assert {model for model, _ in known} >= {
        sections.Operations,
        sections.ReduceLearningRate,
        rows.Backbone,
        rows.Phase,
    }
    assert {model for model, name in known if not model.model_fields[name].is_required()} == {rows.HeadLayer}


def test_what_dvc_writes_for_a_small_number_is_a_number(tmp_path: Path, write_params: Write) -> None:
    # `dvc exp run -S ...=5e-5` leaves `5e-05` in params.yaml, which YAML 1.1 reads as text.
    assert yaml.safe_load("5e-05") == "5e-05"
    phase = {"train": "all", "epochs": 1, "learning_rate": "5e-05", "batch_norm": "train"}
    path = write_params(tmp_path / "params.yaml", QUICK | {"configurations.quick": [phase]})
    assert params.load(path).phases[0].learning_rate == 5e-5


def test_every_section_refuses_unknown_keys_and_changes() -> None:
    for section in rows.Section.__subclasses__():
        assert section.model_config["extra"] == "forbid"
        assert section.model_config["frozen"]


def test_operations_may_all_be_off_where_no_copies_are_made(change: Callable) -> None:
    settings = change(
        {"balance.per_class": None, "balance.operations": dict.fromkeys(sections.Operations.model_fields, 0)}
    )
    assert settings.balance.per_class is None


def test_a_number_names_the_first_layer_to_train(change: Callable) -> None:
    phase = {"train": 100, "epochs": 1, "learning_rate": 0.1, "batch_norm": "frozen"}
    assert change(QUICK | {"configurations.quick": [phase]}).phases[0].train == 100
