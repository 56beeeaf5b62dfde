"""Exported models, used without this package, give the probabilities of predict."""

import ast
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from skinlesion.__main__ import main
from skinlesion.commands import outputs
from skinlesion.commands.export import formats
from skinlesion.commands.export.command import NAMES, SCRIPT
from skinlesion.core import images, tables
from skinlesion.core.ham10000 import CODES
from skinlesion.model import bundle, model_file
from skinlesion.model.calibration import Calibration
from skinlesion.model.classify import predict_natural
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import Params
from tests.commands.demo.conftest import build_classifier
from tests.core.test_images import photograph
from tests.helpers import one_block
from tests.helpers.references import ALL_USUAL

pytestmark = pytest.mark.training

TRAINED = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0.0])  # no training image of vasc: it is not corrected
NATURAL = np.array([0.02, 0.05, 0.1, 0.0, 0.1, 0.72, 0.01])  # df does not occur: it gets 0
CALIBRATION = Calibration(1.7, TRAINED, NATURAL)
TINY = {
    "resnet18": one_block.ARGUMENTS,
    "dinov2_small": {"num_layers": 2, "hidden_dim": 48, "num_heads": 3, "intermediate_dim": 96},  # has GELU
}
CLOSE = 1e-5


@pytest.fixture(scope="module")
def bundles(settings: Params) -> dict[str, bundle.Bundle]:
    """Models whose probabilities differ from image to image and from class to class."""
    bundles = {}
    for name, arguments in TINY.items():
        row = settings.backbones[name]
        row = row.model_copy(update={"arguments": row.arguments | arguments})
        fit = "stretch" if name == "dinov2_small" else "crop"
        bundles[name] = bundle.Bundle(build_classifier(settings, row, row.smallest), CALIBRATION, fit, ALL_USUAL)
    return bundles


@pytest.fixture(scope="module")
def exported(bundles: dict, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each model a folder with model.keras and all that the command exports of it; the second run replaces."""
    folders = {name: tmp_path_factory.mktemp(name) for name in bundles}
    for name, folder in folders.items():
        bundle.save(bundles[name], folder / "model.keras")
        for kind in (*NAMES, "savedmodel"):
            assert main(["export", "--format", kind, "--model", str(folder / "model.keras")]) == 0
    return folders


def draw_squares(side: int, number: int = 5) -> np.ndarray:
    """Images of different brightness: RGB float32 (number, side, side, 3)."""
    noise = np.random.default_rng(1).integers(0, 256, (number, side, side, 3))
    return (noise * np.linspace(0.1, 1, number)[:, None, None, None]).astype(np.uint8).astype(np.float32)


@pytest.fixture(scope="module")
def script() -> dict:
    """The names in the script beside an exported model."""
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", TINY)
def test_an_exported_model_gives_the_natural_probabilities(name, kind, bundles, exported, script):
    squares = draw_squares(bundles[name].model.input_shape[1])
    expected = predict_natural(bundles[name], squares)
    assert expected.std(axis=0).max() > 0.01, "images must differ, or any constant passes"
    assert abs(np.asarray(bundles[name].model(squares)) - expected).max() > 0.05, "so must calibration"
    _, predict = script["load"](exported[name] / NAMES[kind])
    for number in (1, len(squares)):
        np.testing.assert_allclose(predict(squares[:number]), expected[:number], atol=CLOSE, rtol=0)
    assert {file.name for file in exported[name].iterdir()} == {*NAMES.values(), SCRIPT.name, "model.keras"}


def test_grouped_convolutions_as_in_convnext_are_exported_to_onnx(script, tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, groups=3)(keras.layers.Rescaling(1 / 255)(image))
    dense = keras.layers.Dense(7, "softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=3, seed=0))
    model = keras.Model(image, dense(keras.layers.GlobalMaxPooling2D()(x)))
    grouped = bundle.Bundle(model, CALIBRATION, "crop", ALL_USUAL)
    formats.write_onnx(grouped, tmp_path / "model.onnx")
    probabilities = script["load"](tmp_path / "model.onnx")[1](draw_squares(8))
    assert probabilities.std(axis=0).max() > 0.01
    np.testing.assert_allclose(probabilities, predict_natural(grouped, draw_squares(8)), atol=CLOSE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("onnx", name) for name in ("models", "link.keras", "notes.txt", "mine/new", "classify_images.py")),
        *(("savedmodel", name) for name in ("models", "link.keras", "notes.txt", "notes.txt/x", "mine", "mine/new")),
    ],
)
def test_neither_the_model_nor_files_of_others_are_replaced(kind, name, exported, tree, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "load", lambda _: pytest.fail("the model was loaded"))
    model, out = tmp_path / "models" / "model.keras", tmp_path / name
    for file in ("notes.txt", "mine/saved_model.pb", "mine/assets.extra/skinlesion.json", "mine/classify_images.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("mine")
    model.parent.mkdir()
    model.write_bytes((exported["resnet18"] / "model.keras").read_bytes())
    (tmp_path / "link.keras").symlink_to(model)
    before = tree(tmp_path)
    assert main(["export", "--format", kind, "--model", str(model), "--out", str(out)]) == 1
    message = capsys.readouterr().err
    assert str(out.parent / SCRIPT.name if name == "mine/new" else out) in message
    assert "Choose a" in message
    assert tree(tmp_path) == before


def test_a_folder_without_a_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"--out \. has no name"):
        outputs.check_savedmodel(Path(), [])


def test_operations_that_onnx_lacks_are_named(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr("onnx.defs.has", lambda operation, **_: operation != "Conv")
    with pytest.raises(UserError, match=r"Conv\b.*--format savedmodel"):
        formats.write_onnx(bundles["resnet18"], tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_another_backend_is_refused(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match=r"jax.*Unset KERAS_BACKEND"):
        formats.write_savedmodel(bundles["resnet18"], tmp_path / "saved")


def save_again(path: Path, mode: str = "RGB", orientation: int = 1) -> Path:
    """Save an image file again, in another mode or with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as picture:
        picture.convert(mode).save(path, exif=exif)
    return path


PICTURES: dict[str, Callable[[Path], Path]] = {
    "large": lambda folder: photograph(folder / "large.jpg", 450, 600, subsampling="4:2:0"),
    "progressive": lambda folder: photograph(folder / "progressive.jpg", 97, 83, progressive=True),
    "small": lambda folder: photograph(folder / "small.jpg", 20, 300),
    "grey": lambda folder: save_again(photograph(folder / "grey.jpg", 90, 120), "L"),
    "palette": lambda folder: save_again(photograph(folder / "palette.png", 90, 120), "P"),
    "transparent": lambda folder: save_again(photograph(folder / "transparent.png", 90, 120), "RGBA"),
    "rotated": lambda folder: save_again(photograph(folder / "rotated.jpg", 130, 171), orientation=8),
    "mirrored PNG": lambda folder: save_again(photograph(folder / "mirrored.png", 130, 171), orientation=5),
}


@pytest.mark.parametrize("fit", model_file.FITS)
@pytest.mark.parametrize("kind", PICTURES)
def test_the_script_makes_the_square_of_predict(kind, fit, script, tmp_path):
    path = PICTURES[kind](tmp_path)
    square = script["prepare"](path, json.loads(json.dumps(formats.list_steps(fit, 32))))
    assert square.dtype == np.float32
    np.testing.assert_array_equal(square, images.square(path, 32, fit)[0])


def test_the_script_takes_the_steps_of_the_model(script, tmp_path):
    path, steps = PICTURES["large"](tmp_path), formats.list_steps("crop", 32)
    assert script["prepare"](path, steps[:2]).shape == (450, 450, 3)
    with pytest.raises(ValueError, match="blur"):
        script["prepare"](path, [*steps, {"step": "blur"}])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, _: path.write_text("no picture"),
        lambda path, _: path.write_bytes(path.read_bytes()[:-20]),
        lambda path, picture: picture.convert("CMYK").save(path),
        lambda path, picture: picture.save(path, "TIFF"),
        lambda path, _: path.unlink(),
    ],
    ids=["text", "cut", "CMYK", "TIFF", "missing"],
)
def test_the_script_names_a_file_that_it_cannot_read(spoil, script, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((90, 120, 3), np.uint8))  # OpenCV 4 accepts a cut JPEG
    path, steps = photograph(tmp_path / "x.jpg", 90, 120), formats.list_steps("crop", 32)
    assert script["prepare"](path, steps).shape == (32, 32, 3)
    with Image.open(path) as picture:
        picture.load()
    spoil(path, picture)
    with pytest.raises((ValueError, OSError), match=r"x\.jpg"):
        script["prepare"](path, steps)


@pytest.mark.parametrize("content", [None, b"no model"])
def test_the_script_names_a_model_that_it_cannot_read(content, script, tmp_path):
    path = tmp_path / "modle.onnx"
    if content:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"modle\.onnx is missing or no ONNX model"):
        script["load"](path)


def test_the_script_names_a_package_that_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path / "model.onnx"), "lesion.jpg"])
    with pytest.raises(SystemExit, match=r"onnxruntime is not installed\. Run: pip install onnxruntime"):
        runpy.run_path(str(SCRIPT), run_name="__main__")


def test_the_script_imports_nothing_of_this_package():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    lines = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {line.module if isinstance(line, ast.ImportFrom) else line.names[0].name for line in lines}
    assert names == {"json", "re", "sys", "pathlib", "cv2", "numpy", "onnxruntime", "tensorflow"}


def test_the_script_with_either_export_agrees_with_predict(exported, tmp_path, monkeypatch, capsys):
    path, csv = exported["resnet18"], tmp_path / "out.csv"
    for kind in ("large", "small", "grey", "mirrored PNG"):
        PICTURES[kind](tmp_path)
    assert main(["predict", str(tmp_path), "--model", str(path / "model.keras"), "--csv", str(csv)]) == 0
    table = tables.read(csv)
    expected = table[list(CODES)].to_numpy()
    assert expected.std(axis=0).max() > 0.01, "images must differ, or any constant passes"
    for kind in NAMES:
        monkeypatch.setattr(sys, "argv", ["-", str(path / NAMES[kind]), *table["path"]])
        capsys.readouterr()
        runpy.run_path(str(path / SCRIPT.name), run_name="__main__")
        header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert header == ["path", *CODES]
        assert [row[0] for row in rows] == list(table["path"])
        np.testing.assert_allclose([[float(value) for value in row[1:]] for row in rows], expected, atol=CLOSE, rtol=0)
