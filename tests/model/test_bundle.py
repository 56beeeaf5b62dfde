"""The model file: loading returns what was saved, equal models are equal bytes, and no code in a file is run."""

import json
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from skinlesion.model.likeness import NUMBER, Likeness
from skinlesion.runtime.errors import UserError

CALIBRATION = Calibration(1.5, np.full(7, 1 / 7), np.arange(1, 8) / 28)
LIKENESS = Likeness(np.arange(NUMBER) / 7, np.eye(NUMBER) / 3, 1.75, 16)


@pytest.fixture(scope="session")
def saved(classifier, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "model.keras"
    bundle.save(bundle.Bundle(classifier, CALIBRATION, "crop", LIKENESS), path)
    return path


def test_loading_returns_what_was_saved(classifier, saved):
    """test_backbones tries every backbone."""
    loaded = bundle.load(saved)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(classifier(images), loaded.model(images))
    for ours, theirs in zip(classifier.get_weights(), loaded.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert all(isinstance(loaded.model.get_layer(part), keras.Model) for part in ("preprocessing", "backbone", "head"))
    assert loaded.fit == "crop"
    assert loaded.calibration.to_json() == CALIBRATION.to_json()
    assert loaded.likeness.to_json() == LIKENESS.to_json()
    assert keras.saving.load_model(saved).output.shape == (None, 7), "plain Keras reads it too"


def test_equal_models_are_equal_bytes_and_other_weights_other_bytes(saved, classifier, tmp_path):
    kernel = classifier.get_layer("head").weights[0]
    value = kernel.numpy()
    for added in (0, 1e-3):
        kernel.assign(value + added)
        bundle.save(bundle.Bundle(classifier, CALIBRATION, "crop", LIKENESS), tmp_path / "again.keras")
        assert ((tmp_path / "again.keras").read_bytes() == saved.read_bytes()) == (not added)
    kernel.assign(value)


def test_the_file_holds_no_date_and_no_memory_address(saved):
    """Keras numbers shared objects by their address, which differs in every process."""
    with zipfile.ZipFile(saved) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json")) == {"keras_version": keras.__version__}
        assert archive.namelist() == sorted(archive.namelist())
        numbers = re.findall(r'"shared_object_id": (\d+)', archive.read("config.json").decode())
    assert all(int(number) < 1000 for number in numbers), numbers
    assert [path.name for path in saved.parent.iterdir()] == ["model.keras"]


def test_a_save_that_fails_keeps_the_earlier_file(classifier, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_text("the earlier model")

    def run_out_of_disk(_, to: Path) -> None:
        to.write_text("half a mod")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", run_out_of_disk)
    with pytest.raises(OSError, match="No space"):
        bundle.save(bundle.Bundle(classifier, CALIBRATION, "crop", LIKENESS), path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("model.keras", "the earlier model")]


def refused(path: Path, *words: str) -> None:
    with pytest.raises(UserError) as caught:
        bundle.load(path)
    missing = [word for word in (path.name, "dvc repro train", *words) if word not in str(caught.value)]
    assert missing == [], str(caught.value)


def test_a_missing_file_says_how_to_get_one(tmp_path):
    refused(tmp_path / "gone.keras", "missing")


def change_members(
    saved: Path, path: Path, contents: dict[str, str | bytes | None], compression: int = zipfile.ZIP_STORED
) -> Path:
    """A copy of the model file with other members; None removes one."""
    with zipfile.ZipFile(saved) as source:
        members = {name: source.read(name) for name in source.namelist()} | contents
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in members.items():
            if content is not None:
                target.writestr(name, content)
    return path


def ours(**content: object) -> dict[str, str]:
    return {bundle.OURS: json.dumps({"classes": CODES, "calibration": {}, "fit": "crop"} | content)}


# fault -> changed members, words of the message
FAULTS = {
    "not ours": ({bundle.OURS: None}, [bundle.OURS]),
    "no JSON": ({bundle.OURS: "{ not JSON"}, []),
    "a list": ({bundle.OURS: "[1, 2]"}, []),
    "other classes": (ours(classes=["cat", "dog"]), ["cat, dog", "akiec, bcc"]),
    "other fit": (ours(fit="pad"), ["'pad'", "stretch or crop"]),
    "no frequencies": (ours(calibration={"temperature": 1}), ["trained"]),
    "no likeness, of an earlier version": (ours(calibration=CALIBRATION.to_json()), ["no likeness", "earlier version"]),
    "other likeness": (
        ours(calibration=CALIBRATION.to_json(), likeness=LIKENESS.to_json() | {"limit": -1}),
        ["likeness"],
    ),
    "no config": ({"config.json": None}, ["config.json"]),
    "no weights": ({"model.weights.h5": None}, ["model.weights.h5"]),
    "damaged config": ({"config.json": "{ not what it says"}, ["Keras"]),
    "damaged weights": ({"model.weights.h5": "{ not what it says"}, ["Keras"]),
    "one more, which Keras would unpack": ({"assets/../../outside": "x"}, ["assets/../../outside"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_with_other_members_is_refused(fault, saved, tmp_path):
    contents, words = FAULTS[fault]
    refused(change_members(saved, tmp_path / "other.keras", contents), *words)


def test_a_file_that_unpacks_to_more_than_its_size_is_refused_before_it_is_unpacked(saved, tmp_path, monkeypatch):
    bomb = {"model.weights.h5": bytes(10**8)}
    path = change_members(saved, tmp_path / "bomb.keras", bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    monkeypatch.setattr(keras.models, "load_model", None)
    refused(path, "compressed")


@pytest.mark.parametrize(
    ("image", "output"),
    [
        ((8, 8, 3), keras.layers.Flatten),
        ((8, 9, 3), keras.layers.Flatten),
        ((8, 8, 1), keras.layers.Flatten),
        ((7,), keras.layers.ReLU),
        ((None, None, 3), keras.layers.GlobalAveragePooling2D),
    ],
)
def test_a_model_of_another_shape_is_refused_with_both_shapes(image, output, tmp_path):
    pixels = keras.Input(image)
    model = keras.Model(pixels, output()(pixels))
    bundle.save(bundle.Bundle(model, CALIBRATION, "crop", LIKENESS), tmp_path / "other.keras")
    refused(tmp_path / "other.keras", str((None, *image)), str(model.output_shape), "(N, S, S, 3)", "(N, 7)")


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"# my model\n",
        lambda _: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[: len(whole) // 2] + whole[len(whole) // 2 + 9 :],
        lambda whole: whole.replace(b"PK\1\2", b"PK\1\3"),
    ],
    ids=["text", "empty", "half", "bytes missing", "no directory"],
)
def test_a_damaged_file_is_refused(damage, saved, tmp_path):
    (tmp_path / "damaged.keras").write_bytes(damage(saved.read_bytes()))
    refused(tmp_path / "damaged.keras")


def test_a_folder_or_another_suffix_is_refused(saved, tmp_path):
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "model.h5").write_bytes(saved.read_bytes())
    refused(tmp_path / "folder.keras", ".keras file")
    refused(tmp_path / "model.h5", ".keras file")


def test_a_model_with_code_inside_is_refused_and_the_code_is_not_run(tmp_path):
    proof, path = tmp_path / "proof", tmp_path / "lambda.keras"
    image = keras.Input((2,))
    code = eval(f"lambda x: (__import__('pathlib').Path({str(proof)!r}).touch(), x)[1]")
    model = keras.Model(image, keras.layers.Lambda(code, output_shape=(2,))(image))
    bundle.save(bundle.Bundle(model, CALIBRATION, "crop", LIKENESS), path)
    keras.saving.load_model(path, safe_mode=False)(np.zeros((1, 2)))
    assert proof.exists(), "Keras runs it unless the file is refused"
    proof.unlink()
    refused(path, "Keras cannot load it safely")
    assert not proof.exists()
