"""The model file: what is saved is what is loaded, equal models are equal bytes, and no code comes along."""

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
from skinlesion.runtime.errors import UserError

CALIBRATION = Calibration(1.5, np.full(7, 1 / 7), np.arange(1, 8) / 28)


@pytest.fixture(scope="session")
def saved(classifier, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "model.keras"
    bundle.save(classifier("small"), CALIBRATION, "crop", path)
    return path


def test_what_is_loaded_predicts_as_what_was_saved(classifier, tmp_path):
    """test_zoo has every backbone."""
    model = classifier("small")
    bundle.save(model, CALIBRATION, "crop", tmp_path / "models" / "model.keras")
    loaded = bundle.load(tmp_path / "models" / "model.keras").model
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(model(images), loaded(images))
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for part in ("preprocessing", "backbone", "head"):
        assert isinstance(loaded.get_layer(part), keras.Model)


def test_calibration_and_fit_travel_in_the_file(saved):
    assert bundle.load(saved).fit == "crop"
    loaded = bundle.load(saved).calibration
    assert loaded.temperature == CALIBRATION.temperature
    np.testing.assert_allclose(loaded.trained, CALIBRATION.trained)
    np.testing.assert_allclose(loaded.natural, CALIBRATION.natural)


def with_member(saved: Path, path: Path, content: str | None) -> Path:
    """A copy of the model file, our member of it replaced, or left out."""
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name != bundle.OURS:
                target.writestr(name, source.read(name))
        if content is not None:
            target.writestr(bundle.OURS, content)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "it lacks skinlesion.json"),
        ("{ not JSON", "Expecting property name"),
        ("[1, 2]", "list indices"),
        (json.dumps({"classes": ["cat", "dog"], "calibration": {}}), "its classes are cat, dog, not akiec, bcc"),
        (json.dumps({"classes": CODES, "calibration": {}}), "its skinlesion.json has no fit"),
        (json.dumps({"classes": CODES, "fit": "pad"}), "fitted by 'pad', not by stretch or crop"),
        (json.dumps({"classes": CODES, "fit": "crop", "calibration": {"temperature": 1}}), "has no trained"),
    ],
    ids=["absent", "damaged", "a list", "other classes", "incomplete", "other fit", "no frequencies"],
)
def test_a_model_of_another_pipeline_is_refused(content, words, saved, tmp_path):
    path = with_member(saved, tmp_path / "foreign.keras", content)
    with pytest.raises(UserError, match=f"foreign.keras is no model of this pipeline: .*{words}.*dvc repro train"):
        bundle.load(path)


def foreign(image: tuple, output: keras.Layer, path: Path) -> Path:
    """A model file that is laid out as ours are, of a network of another shape."""
    pixels = keras.Input(image)
    bundle.save(keras.Model(pixels, output(pixels)), CALIBRATION, "crop", path)
    return path


@pytest.mark.parametrize(
    ("image", "output", "words"),
    [
        ((8, 8, 3), keras.layers.Flatten, r"its input is \(None, 8, 8, 3\) and its output \(None, 192\)"),
        ((8, 9, 3), keras.layers.Flatten, r"its input is \(None, 8, 9, 3\)"),
        ((8, 8, 1), keras.layers.Flatten, r"its input is \(None, 8, 8, 1\)"),
        ((7,), keras.layers.ReLU, r"its input is \(None, 7\) and its output \(None, 7\)"),
        ((None, None, 3), keras.layers.GlobalAveragePooling2D, r"\(None, None, None, 3\)"),
    ],
)
def test_a_model_of_another_shape_is_refused(image, output, words, tmp_path):
    with pytest.raises(UserError, match=rf"{words}.*not \(N, S, S, 3\) and \(N, 7\)"):
        bundle.load(foreign(image, output(), tmp_path / "other.keras"))


def test_equal_models_are_equal_bytes(saved, classifier, tmp_path):
    bundle.save(classifier("small"), CALIBRATION, "crop", tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() == saved.read_bytes()


def test_other_weights_are_other_bytes(saved, classifier, tmp_path):
    kernel = classifier("small").get_layer("head").weights[0]
    value = kernel.numpy()
    kernel.assign(value + 1e-3)
    bundle.save(classifier("small"), CALIBRATION, "crop", tmp_path / "other.keras")
    kernel.assign(value)
    assert (tmp_path / "other.keras").read_bytes() != saved.read_bytes()


def test_the_file_holds_no_date(saved):
    with zipfile.ZipFile(saved) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json")) == {"keras_version": keras.__version__}
        assert archive.namelist() == sorted(archive.namelist())


def test_the_file_holds_no_memory_address(saved):
    """Keras numbers what layers share by where it lies in memory: other bytes in every process."""
    config = zipfile.ZipFile(saved).read("config.json").decode()
    numbers = {int(number) for number in re.findall(r'"shared_object_id": (\d+)', config)}
    assert all(number < 1000 for number in numbers), numbers


def test_plain_keras_reads_it(saved):
    assert keras.saving.load_model(saved).output.shape == (None, 7)


def test_saving_leaves_nothing_else_behind(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["model.keras"]


def test_a_save_that_fails_leaves_the_earlier_file(classifier, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_text("the earlier model")

    def run_out_of_disk(_, to: Path) -> None:
        to.write_text("half a mod")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", run_out_of_disk)
    with pytest.raises(OSError, match="No space"):
        bundle.save(classifier("small"), CALIBRATION, "crop", path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("model.keras", "the earlier model")]


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match=r"gone\.keras is missing: train a model first"):
        bundle.load(tmp_path / "gone.keras")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "no model")
    with pytest.raises(
        UserError, match=r"other\.keras is no model of this pipeline: it lacks config\.json, metadata\.json"
    ):
        bundle.load(tmp_path / "other.keras")


@pytest.mark.parametrize(
    "content",
    [
        lambda _: b"# my model\n",
        lambda _: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[: len(whole) // 2] + whole[len(whole) // 2 + 9 :],
        lambda whole: whole.replace(b"PK\1\2", b"PK\1\3"),
    ],
    ids=["text", "empty", "half", "bytes missing", "no directory"],
)
def test_a_damaged_file_is_refused(content, saved, tmp_path):
    path = tmp_path / "damaged.keras"
    path.write_bytes(content(saved.read_bytes()))
    with pytest.raises(UserError, match=rf"{path} is no model of this pipeline"):
        bundle.load(path)


def test_a_folder_or_another_suffix_is_refused(saved, tmp_path):
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "model.h5").write_bytes(saved.read_bytes())
    for name in ("folder.keras", "model.h5"):
        with pytest.raises(UserError, match=f"{name} is no model of this pipeline: it is no .keras file"):
            bundle.load(tmp_path / name)


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("harm", ["absent", "text"])
def test_a_file_with_a_damaged_part_is_refused(part, harm, saved, tmp_path):
    path = tmp_path / "damaged.keras"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name != part:
                target.writestr(name, source.read(name))
            elif harm == "text":
                target.writestr(name, "{ not what it says")
    reason = "Keras cannot load it safely" if harm == "text" else f"it lacks {part}"
    with pytest.raises(UserError, match=f"is no model of this pipeline: {reason}"):
        bundle.load(path)


def test_a_file_that_unpacks_to_more_than_it_is_is_refused_before_it_is_unpacked(saved, tmp_path, monkeypatch):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, bytes(10**8) if name.endswith(".h5") else source.read(name))
    assert path.stat().st_size < 10**6
    monkeypatch.setattr(keras.models, "load_model", None)
    with pytest.raises(UserError, match="its members are compressed, or larger than the file"):
        bundle.load(path)


def test_a_file_with_more_members_is_refused(saved, tmp_path):
    """Keras would unpack what lies in assets/ to the disk."""
    path = with_member(saved, tmp_path / "more.keras", "{}")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/../../outside", "x")
    with pytest.raises(UserError, match=r"it also holds 'assets/\.\./\.\./outside'"):
        bundle.load(path)


def test_a_model_with_code_inside_is_refused_and_the_code_is_not_run(tmp_path):
    proof, path = tmp_path / "proof", tmp_path / "lambda.keras"
    image = keras.Input((2,))
    code = eval(f"lambda x: (__import__('pathlib').Path({str(proof)!r}).touch(), x)[1]")
    bundle.save(keras.Model(image, keras.layers.Lambda(code, output_shape=(2,))(image)), CALIBRATION, "crop", path)
    keras.saving.load_model(path, safe_mode=False)(np.zeros((1, 2)))
    assert proof.exists(), "whoever does not refuse it runs it"
    proof.unlink()
    with pytest.raises(UserError, match=r"lambda\.keras is no model of this pipeline: Keras cannot load it safely \("):
        bundle.load(path)
    assert not proof.exists()
